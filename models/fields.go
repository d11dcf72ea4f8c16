package models

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// ReadFields returns the fields of one JSON object of texts, or of several in a row, of which
// the first that has a field is right.
func ReadFields(stored string) (map[string]string, error) {
	fields := map[string]string{}
	in := json.NewDecoder(strings.NewReader(stored))
	for {
		var next map[string]string
		switch err := in.Decode(&next); {
		case errors.Is(err, io.EOF):
			return fields, nil
		case err != nil:
			return nil, err
		}
		for name, value := range next {
			if fields[name] == "" {
				fields[name] = value
			}
		}
	}
}

// JoinFields returns the fields of several JSON objects as one, of which the first that has a
// field is right. What can't be read is left out.
func JoinFields(objects ...string) string {
	all := map[string]string{}
	for _, object := range objects {
		fields, err := ReadFields(object)
		if err != nil {
			continue
		}
		maps.Copy(fields, all)
		all = fields
	}
	return EncodeFields(all)
}

// EncodeFields returns fields as they are stored: empty for none.
func EncodeFields(fields map[string]string) string {
	if len(fields) == 0 {
		return ""
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(fields) // texts always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// FillEntries adds the fields of people who are in a segment already, each once at most, to
// those that they have there. What they have stays.
func (s *Store) FillEntries(ctx context.Context, segment int64, entries []Entry) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		for chunk := range slices.Chunk(entries, maxRows) {
			if err := fillEntries(tx, segment, chunk); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "fill entries")
}

func fillEntries(tx *gorm.DB, segment int64, entries []Entry) error {
	more := make(map[string]string, len(entries))
	openIDs := make([]string, len(entries))
	for i, e := range entries {
		openIDs[i], more[e.OpenID] = e.OpenID, e.Fields
	}
	ids := map[string]int64{}
	if err := findIDs(tx, openIDs, ids); err != nil {
		return err
	}
	byID := make(map[int64]string, len(ids))
	for openID, id := range ids {
		byID[id] = openID
	}
	numbers := slices.Sorted(maps.Keys(byID))
	if len(numbers) == 0 {
		return nil
	}
	var has []Member
	if err := tx.Where("segment_id = ? AND recipient_id IN ?", segment, numbers).Order("recipient_id").Find(&has).Error; err != nil {
		return err
	}
	values := map[int64]string{}
	for _, m := range has {
		if joined := JoinFields(m.Fields, more[byID[m.RecipientID]]); joined != m.Fields {
			values[m.RecipientID] = joined
		}
	}
	return setFields(tx, "members", "recipient_id", values, "segment_id = ? AND ", segment)
}

// setFields sets the fields of rows by a number, with statements that are not too large.
func setFields(tx *gorm.DB, table, key string, values map[int64]string, where string, args ...any) error {
	ids := slices.SortedFunc(maps.Keys(values), cmp.Compare[int64]) // in one order, against deadlocks
	for len(ids) > 0 {
		n, size := 0, 0
		for n < len(ids) && n < maxRows/2 && size < entryBytes {
			size += len(values[ids[n]])
			n++
		}
		var cases []any
		for _, id := range ids[:n] {
			cases = append(cases, id, values[id])
		}
		query := fmt.Sprintf("UPDATE %s SET fields = CASE %s%s END WHERE %s%s IN (%s)", table, key,
			strings.Repeat(" WHEN ? THEN ?", n), where, key, appendInts(nil, ids[:n]...))
		if err := tx.Exec(query, append(cases, args...)...).Error; err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
