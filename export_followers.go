package main

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
	"wechat-broadcast/zone"
)

// exported is a moment in Beijing time as an export has it; empty for none.
func exported(at models.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone.Beijing).Format(consentTime)
}

type exportFollowers struct{}

// Run prints everyone who follows or followed as CSV, also beside a running server.
func (exportFollowers) Run(s *session) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	return writeFollowers(s.ctx, a.store, s.stdout)
}

func writeFollowers(ctx context.Context, store *models.Store, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"openid", "subscribed", "opted_out", "tester", "subscribed_at", "scene"}) // its error is told by Flush
	for after := int64(0); ; {
		page, err := store.FollowersAfter(ctx, after, exportPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			_ = out.Write([]string{
				people.Cell(r.OpenID), strconv.FormatBool(r.Subscribed), strconv.FormatBool(r.OptedOut),
				strconv.FormatBool(r.Tester), exported(r.SubscribedAt), people.Cell(r.Scene),
			})
			after = r.ID
		}
		if out.Flush(); out.Error() != nil || len(page) < exportPage {
			return out.Error()
		}
	}
}

type exportDeliveries struct {
	Broadcast string `required:"" placeholder:"N" help:"${usage_export_broadcast}"`
}

// Run prints what became of a broadcast for each recipient as CSV, also beside a running
// server.
func (c exportDeliveries) Run(s *session) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(c.Broadcast), "#"), 10, 64)
	if err != nil || id <= 0 {
		return usageError(s.words.Say("export.bad_broadcast", lang.Vars{"Value": shown(c.Broadcast)}))
	}
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	known, err := a.store.HasBroadcast(s.ctx, id)
	if err != nil {
		return err
	}
	if !known {
		return errors.New(s.words.Say("export.no_broadcast", lang.Vars{"ID": strconv.FormatInt(id, 10)}))
	}
	if err := s.keptOf(a.store, id, "export.deliveries_gone"); err != nil {
		return err
	}
	if err := writeDeliveries(s.ctx, a.store, id, s.stdout); err != nil {
		return err
	}
	return s.keptOf(a.store, id, "export.deliveries_going") // they may have been deleted while they were read
}

// keptOf returns an error, with a sentence, if deliveries of a broadcast are deleted.
func (s *session) keptOf(store *models.Store, id int64, sentence string) error {
	gone, err := store.DeliveriesGone(s.ctx, id)
	if err != nil || gone.IsZero() {
		return err
	}
	return errors.New(s.words.Say(sentence, lang.Vars{"ID": strconv.FormatInt(id, 10), "At": lang.Moment(gone)}))
}

func writeDeliveries(ctx context.Context, store *models.Store, id int64, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"openid", "state", "errcode", "msgid", "detail", "attempts", "sent_at", "updated_at"}) // its error is told by Flush
	for after := int64(0); ; {
		page, err := store.DeliveriesAfter(ctx, id, after, exportPage)
		if err != nil {
			return err
		}
		for _, d := range page {
			_ = out.Write([]string{
				people.Cell(d.OpenID), string(d.State), strconv.Itoa(d.ErrCode), strconv.FormatInt(d.MsgID, 10),
				people.Cell(d.Detail), strconv.Itoa(d.Attempts), exported(d.SentAt), exported(d.UpdatedAt),
			})
			after = d.RecipientID
		}
		if out.Flush(); out.Error() != nil || len(page) < exportPage {
			return out.Error()
		}
	}
}
