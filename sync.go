package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/followers"
)

type syncCommand struct{}

// Run pulls every follower once.
func (syncCommand) Run(s *session) error {
	settings, log, err := s.load()
	if err != nil {
		return err
	}
	p, err := newProcess(settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = p.close() }()
	a := p.account
	if err := a.store.Migrate(s.ctx); err != nil {
		return startFault(err, settings.Language)
	}
	var bar *progressbar.ProgressBar
	storing := false
	res, err := a.followers.Sync(s.ctx, func(p followers.SyncProgress) {
		switch {
		case bar == nil:
			bar = syncBar(s.stderr, s.words, "sync.reading")
		case p.Storing != storing:
			_ = bar.Exit()
			bar = syncBar(s.stderr, s.words, "sync.storing")
		}
		storing = p.Storing
		bar.ChangeMax64(p.Total)
		_ = bar.Set64(p.Done)
	})
	if bar != nil {
		_ = bar.Exit()
	}
	if s.ctx.Err() != nil {
		return errors.New(s.words.Say("sync.interrupted"))
	}
	if err != nil {
		return errors.New(a.chat.SyncNotice(res, err))
	}
	_, err = fmt.Fprintln(s.stdout, a.chat.SyncNotice(res, nil))
	return err
}

func syncBar(w io.Writer, words *lang.Locale, does string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(words.Say(does)),
		progressbar.OptionShowCount(), progressbar.OptionSetItsString(words.Say("sync.followers")), progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
}
