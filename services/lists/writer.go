package lists

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

// Write writes a list as CSV: openid and its fields, in the order of the file that it came
// from. The error is models.ErrListUnknown for one that is unknown, and
// models.ErrGroupChanged if it was replaced meanwhile.
func (s *Service) Write(ctx context.Context, name string, to io.Writer) error {
	l, err := s.Find(ctx, name)
	if err != nil {
		return err
	}
	out := csv.NewWriter(to)
	fields := l.FieldNames()
	row := append([]string{"openid"}, fields...)
	_ = out.Write(row) // its error is told by Flush
	for after := int64(0); ; {
		page, err := s.Store.MembersAfter(ctx, l.SegmentID, after, chunk)
		if err != nil {
			return err
		}
		for _, m := range page {
			values := map[string]string{}
			if m.Fields != "" {
				if err := json.Unmarshal([]byte(m.Fields), &values); err != nil {
					return fmt.Errorf("read the fields of %s: %w", models.MaskOpenID(m.OpenID), err)
				}
			}
			row = append(row[:0], people.Cell(m.OpenID))
			for _, field := range fields {
				row = append(row, people.Cell(values[field]))
			}
			_ = out.Write(row)
			after = m.RecipientID
		}
		if out.Flush(); out.Error() != nil || len(page) < chunk {
			return out.Error()
		}
	}
}
