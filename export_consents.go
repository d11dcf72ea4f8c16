package main

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"

	"wechat-broadcast/handlers"
	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

// consentTime is RFC 3339 with milliseconds: two words of one person may come within a
// second.
const consentTime = "2006-01-02T15:04:05.000Z07:00"

type exportConsents struct{}

// Run prints the consents as CSV, also beside a running server.
func (exportConsents) Run(s *session) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	return writeConsents(s.ctx, a.store, s.stdout)
}

// writeConsents writes the consents as CSV, the first first. Taken in order they tell of
// every moment who was in which topic, and who had opted out of everything. at is empty
// for an opt-out of which only the fact was kept.
func writeConsents(ctx context.Context, store *models.Store, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"openid", "topic", "joined", "at", "via", "text"}) // its error is told by Flush
	for after := int64(0); ; {
		page, err := store.ConsentsAfter(ctx, after, exportPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			at := ""
			if !c.At.IsZero() {
				at = c.At.In(zone.Beijing).Format(consentTime)
			}
			_ = out.Write([]string{handlers.Cell(c.OpenID), handlers.Cell(c.Topic), strconv.FormatBool(c.Joined), at, c.Via, handlers.Cell(c.Text)})
			after = c.ID
		}
		if out.Flush(); out.Error() != nil || len(page) < exportPage {
			return out.Error()
		}
	}
}
