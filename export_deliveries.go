package main

import (
	"errors"
	"strconv"
	"strings"

	"wechat-broadcast/handlers/progress"
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
		return usageError(s.words.Say("export.bad_broadcast", lang.Vars{"Value": people.Shown(c.Broadcast)}))
	}
	return s.exporting(func(a *account) error {
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
		read := func(after int64, n int) ([]models.DeliveryRow, error) {
			return a.store.DeliveriesAfter(s.ctx, id, after, n)
		}
		err = writeRows(s.stdout, progress.DeliveryHead, read, func(d models.DeliveryRow) (int64, []string) {
			return d.RecipientID, progress.DeliveryCells(d)
		})
		if err != nil {
			return err
		}
		return s.keptOf(a.store, id, "export.deliveries_going") // they may have been deleted while they were read
	})
}

// keptOf returns an error, with a sentence, if deliveries of a broadcast are deleted.
func (s *session) keptOf(store *models.Store, id int64, sentence string) error {
	gone, err := store.DeliveriesGone(s.ctx, id)
	if err != nil || gone.IsZero() {
		return err
	}
	return errors.New(s.words.Say(sentence, lang.Vars{"ID": strconv.FormatInt(id, 10), "At": lang.Moment(gone)}))
}
