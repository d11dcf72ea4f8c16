package main

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
)

type syncCommand struct{}

// Run pulls every follower once.
func (syncCommand) Run(s *session) error {
	settings, log, err := s.load()
	if err != nil {
		return err
	}
	a, err := newApp(settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = a.close() }()
	if err := a.store.Migrate(s.ctx); err != nil {
		return err
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(s.stderr), progressbar.OptionSetDescription("followers"),
		progressbar.OptionShowCount(), progressbar.OptionSetItsString("followers"), progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	res, err := a.followers.Sync(s.ctx, func(done, total int64) {
		bar.ChangeMax64(total)
		_ = bar.Set64(done)
	})
	_ = bar.Exit()
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	_, err = fmt.Fprintln(s.stdout, a.chat.SyncNotice(res, nil))
	return err
}
