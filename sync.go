package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/followers"
)

type syncCommand struct{}

// Run pulls every follower once.
func (syncCommand) Run(s *session) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	bar := syncBar{words: s.words, w: s.stderr}
	res, err := a.followers.Sync(s.ctx, bar.show)
	bar.end()
	if s.ctx.Err() != nil {
		return errors.New(s.words.Say("sync.interrupted"))
	}
	if err != nil {
		return errors.New(a.chat.SyncNotice(res, err))
	}
	_, err = fmt.Fprintln(s.stdout, a.chat.SyncNotice(res, nil))
	return err
}

// syncBar shows how far a sync has got: one bar while it reads the list, and one
// while it stores it.
type syncBar struct {
	words   *lang.Locale
	w       io.Writer
	bar     *progressbar.ProgressBar // nil before the first progress
	storing bool
}

func (b *syncBar) show(p followers.SyncProgress) {
	if b.bar == nil || p.Storing != b.storing {
		b.end()
		// The count is in the description: the bar's own has no separators.
		b.bar = newBar(b.w, p.Total)
	}
	b.storing = p.Storing
	id := "sync.reading"
	if p.Storing {
		id = "sync.storing"
	}
	b.bar.ChangeMax64(p.Total)
	b.bar.Describe(b.words.Say(id, lang.Vars{"Done": p.Done, "Total": p.Total}))
	_ = b.bar.Set64(p.Done)
}

func (b *syncBar) end() {
	if b.bar != nil {
		_ = b.bar.Exit()
	}
}
