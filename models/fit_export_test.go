package models

import "context"

// Poison has the database refuse every delivery and receipt with this detail, and
// every delivery with this errcode.
func Poison(ctx context.Context, s *Store, detail string, code int) error {
	db, err := s.w.DB()
	if err != nil {
		return err
	}
	text := "'" + detail + "'"
	statements := []string{
		"ALTER TABLE deliveries ADD CONSTRAINT poison CHECK (detail <> " + text + ")",
		"ALTER TABLE deliveries ADD CONSTRAINT poison_code CHECK (errcode <> " + string(appendInts(nil, int64(code))) + ")",
		"ALTER TABLE receipts ADD CONSTRAINT poison CHECK (detail <> " + text + ")",
	}
	if s.driver == SQLite { // which adds constraints with columns only
		statements = []string{
			"ALTER TABLE deliveries ADD COLUMN poison INTEGER NOT NULL DEFAULT 0 CHECK (detail <> " + text + ")",
			"ALTER TABLE deliveries ADD COLUMN poison_code INTEGER NOT NULL DEFAULT 0 CHECK (errcode <> " + string(appendInts(nil, int64(code))) + ")",
			"ALTER TABLE receipts ADD COLUMN poison INTEGER NOT NULL DEFAULT 0 CHECK (detail <> " + text + ")",
		}
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// DeliveryRows returns the deliveries of a broadcast by msgid.
func DeliveryRows(ctx context.Context, s *Store, broadcastID int64) (map[int64]Delivery, error) {
	var list []Delivery
	if err := s.r.WithContext(ctx).Where("broadcast_id = ?", broadcastID).Find(&list).Error; err != nil {
		return nil, err
	}
	rows := make(map[int64]Delivery, len(list))
	for _, d := range list {
		rows[d.MsgID] = d
	}
	return rows, nil
}
