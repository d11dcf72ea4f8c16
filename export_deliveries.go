package main

import (
	"errors"
	"strconv"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

type exportDeliveries struct {
	Broadcast string `required:"" placeholder:"N" help:"${usage_export_broadcast}"`
}

// Run prints what became of a broadcast for each recipient as CSV.
func (c exportDeliveries) Run(s *session) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(c.Broadcast), "#"), 10, 64)
	if err != nil || id <= 0 {
		return usageError(s.words.Say("export.bad_broadcast", lang.Vars{"Value": shown(c.Broadcast)}))
	}
	return s.exporting(func(a *account) error {
		known, err := a.store.HasBroadcast(s.ctx, id)
		if err != nil {
			return err
		}
		if !known {
			return errors.New(s.words.Say("export.no_broadcast", lang.Vars{"ID": strconv.FormatInt(id, 10)}))
		}
		read := func(after int64, n int) ([]models.DeliveryRow, error) {
			return a.store.DeliveriesAfter(s.ctx, id, after, n)
		}
		header := []string{"openid", "state", "errcode", "msgid", "detail", "attempts", "sent_at", "updated_at"}
		return writeRows(s.stdout, header, read, func(d models.DeliveryRow) (int64, []string) {
			return d.RecipientID, []string{
				people.Cell(d.OpenID), string(d.State), strconv.Itoa(d.ErrCode), strconv.FormatInt(d.MsgID, 10),
				people.Cell(d.Detail), strconv.Itoa(d.Attempts), exported(d.SentAt), exported(d.UpdatedAt),
			}
		})
	})
}
