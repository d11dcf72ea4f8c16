package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"wechat-broadcast/models"
)

type sayCommand struct {
	Lines []string `arg:"" name:"line" help:"${usage_say_line}"`
	As    string   `help:"${usage_say_as}" placeholder:"OPENID"`
}

// Run carries out a chat line as a person and prints the reply. It works on the
// database alone, so that a running server goes on from there, or the next that starts.
func (c sayCommand) Run(s *session) error {
	text := strings.Join(c.Lines, "\n")
	if strings.TrimSpace(text) == "" {
		return usageError(s.words.Say("say.empty"))
	}
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	var owner string
	if len(a.settings.AdminOpenIDs) > 0 {
		owner = a.settings.AdminOpenIDs[0]
	}
	from := cmp.Or(c.As, owner)
	if from == "" {
		return usageError(s.words.Say("say.nobody"))
	}
	reply, _, err := a.chat.Act(s.ctx, from, text, models.ViaTerminal, "say:"+uuid.NewString())
	switch {
	case s.ctx.Err() != nil:
		return errors.New(s.words.Say("say.interrupted"))
	case err != nil:
		return fmt.Errorf("%s: %w", s.words.Say("say.failed"), err)
	}
	if _, err := fmt.Fprintln(s.stdout, reply); err != nil {
		return err
	}
	// What the line began beside the reply would end with this process.
	a.followers.AwaitSync(s.ctx)
	for _, text := range a.notifier.Flush(s.ctx, from) {
		if _, err := fmt.Fprintln(s.stdout, text); err != nil {
			return err
		}
	}
	return nil
}
