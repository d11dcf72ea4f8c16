package main

import (
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

// exporting has write print what a database has, also beside a running server.
func (s *session) exporting(write func(a *account) error) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	defer func() { _ = a.process.close() }()
	return write(a)
}

// writeRows writes rows as CSV under a header, page by page. read returns the next n rows
// after an id, and cells those of a row and its id.
func writeRows[T any](to io.Writer, header []string, read func(after int64, n int) ([]T, error), cells func(row T) (id int64, list []string)) error {
	out := csv.NewWriter(to)
	_ = out.Write(header) // its error is told by Flush
	for after := int64(0); ; {
		page, err := read(after, exportPage)
		if err != nil {
			return err
		}
		for _, row := range page {
			var list []string
			after, list = cells(row)
			_ = out.Write(list)
		}
		if out.Flush(); out.Error() != nil || len(page) < exportPage {
			return out.Error()
		}
	}
}

type exportAudit struct{}

// Run prints the audit as CSV, the first action first.
func (exportAudit) Run(s *session) error {
	return s.exporting(func(a *account) error {
		read := func(after int64, n int) ([]models.Audit, error) { return a.store.AuditAfter(s.ctx, after, n) }
		return writeRows(s.stdout, []string{"at", "admin", "action", "target", "detail"}, read, func(r models.Audit) (int64, []string) {
			return r.ID, []string{lang.Moment(r.At.Time), handlers.Cell(r.Admin), r.Action, handlers.Cell(r.Target), handlers.Cell(r.Detail)}
		})
	})
}

type exportList struct {
	List string `required:"" placeholder:"NAME" help:"${usage_export_list}"`
}

// Run prints a list as CSV. An import of it makes the same list.
func (c exportList) Run(s *session) error {
	return s.exporting(func(a *account) error {
		service := lists.Service{Store: a.store, Now: time.Now, Log: a.log}
		return listFault(s.words, service.Write(s.ctx, c.List, s.stdout))
	})
}
