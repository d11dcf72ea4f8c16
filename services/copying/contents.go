package copying

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"wechat-broadcast/models"
)

// contents says what is in a table. Two that are equal hold the same rows.
type contents struct {
	rows int64
	// sum adds up the first eight bytes of each row's SHA-256, so that it does not depend
	// on how a database orders texts.
	sum  uint64
	next int64
}

// read reads a table, and calls seen after each row.
func (c *contents) read(ctx context.Context, s *models.Store, t models.CopyTable, columns []string, seen func()) (err error) {
	var text []byte
	err = s.EachRow(ctx, t, columns, func(row []any) error {
		text = text[:0]
		for _, v := range row {
			if text, err = appendValue(text, v); err != nil {
				return err
			}
		}
		sum := sha256.Sum256(text)
		c.rows++
		c.sum += binary.BigEndian.Uint64(sum[:])
		seen()
		return nil
	})
	if err != nil {
		return err
	}
	c.next, err = s.NextNumber(ctx, t)
	return err
}

// appendValue appends a value with its kind and length, so that no other row has the same
// bytes.
func appendValue(text []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(append(text, 'i'), uint64(v)), nil //nolint:gosec // all 64 bits
	case string:
		return append(binary.BigEndian.AppendUint64(append(text, 's'), uint64(len(v))), v...), nil
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(text, 'b'), uint64(len(v))), v...), nil
	default:
		return nil, fmt.Errorf("unexpected %T", v)
	}
}
