package main

import (
	"context"
	"encoding/csv"
	"io"
	"time"

	"wechat-broadcast/handlers"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
)

// exportPage is how many rows are read at a time.
const exportPage = 1000

// exportCommand has a command for each table that can be exported.
type exportCommand struct {
	Followers  exportFollowers  `cmd:"" help:"${usage_export_followers}"`
	Deliveries exportDeliveries `cmd:"" help:"${usage_export_deliveries}"`
	Audit      exportAudit      `cmd:"" help:"${usage_export_audit}"`
	Consents   exportConsents   `cmd:"" help:"${usage_export_consents}"`
	Lists      exportList       `cmd:"" help:"${usage_export_lists}"`
}

type exportAudit struct{}

// Run prints the audit as CSV, also beside a running server.
func (exportAudit) Run(s *session) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	return writeAudit(s.ctx, a.store, s.stdout)
}

// writeAudit writes the audit as CSV, the first action first.
func writeAudit(ctx context.Context, store *models.Store, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"at", "admin", "action", "target", "detail"}) // its error is told by Flush
	for after := int64(0); ; {
		page, err := store.AuditAfter(ctx, after, exportPage)
		if err != nil {
			return err
		}
		for _, a := range page {
			_ = out.Write([]string{lang.Moment(a.At.Time), handlers.Cell(a.Admin), a.Action, handlers.Cell(a.Target), handlers.Cell(a.Detail)})
			after = a.ID
		}
		if out.Flush(); out.Error() != nil || len(page) < exportPage {
			return out.Error()
		}
	}
}

type exportList struct {
	List string `required:"" placeholder:"NAME" help:"${usage_export_list}"`
}

// Run prints a list as CSV, also beside a running server. An import of it makes the same
// list.
func (c exportList) Run(s *session) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	service := lists.Service{Store: a.store, Now: time.Now, Log: a.log}
	return listFault(s.words, service.Write(s.ctx, c.List, s.stdout))
}
