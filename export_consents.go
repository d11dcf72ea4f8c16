package main

import (
	"context"
	"io"
	"strconv"

	"wechat-broadcast/handlers"
	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

type exportConsents struct{}

// Run prints the consents as CSV.
func (exportConsents) Run(s *session) error {
	return s.exporting(func(a *account) error { return writeConsents(s.ctx, a.store, s.stdout) })
}

// writeConsents writes the consents as CSV, the first first. Taken in order they tell of
// every moment who was in which topic, and who had opted out of everything. at is empty
// for an opt-out of which only the fact was kept.
func writeConsents(ctx context.Context, store *models.Store, to io.Writer) error {
	read := func(after int64, n int) ([]models.NamedConsent, error) { return store.ConsentsAfter(ctx, after, n) }
	return writeRows(to, []string{"openid", "topic", "joined", "at", "via", "text"}, read, func(c models.NamedConsent) (int64, []string) {
		return c.ID, []string{handlers.Cell(c.OpenID), handlers.Cell(c.Topic), strconv.FormatBool(c.Joined), people.Moment(c.At), c.Via, handlers.Cell(c.Text)}
	})
}
