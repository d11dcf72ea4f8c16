package models_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// million is how many recipients the broadcast of BenchmarkGrowth has.
const million = 1_000_000

// BenchmarkGrowth stores what a broadcast to a million stores, with the same
// statements, and tells how large the tables are then, and how long it takes to
// delete it again in pieces. Run it once:
//
//	go test ./models -run '^$' -bench Growth -benchtime 1x -timeout 60m
func BenchmarkGrowth(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "broadcast.db")
		grow(b, models.SQLite, path, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)", func(db *sql.DB, _ string) int64 {
			// Only the table that is filled makes the file grow.
			var pages, size int64
			scan(b, db.QueryRowContext(b.Context(), "PRAGMA page_count"), &pages)
			scan(b, db.QueryRowContext(b.Context(), "PRAGMA page_size"), &size)
			return pages * size
		})
	})
	b.Run("mysql", func(b *testing.B) {
		dsn := modelstest.MySQLDSN(b)
		grow(b, models.MySQL, dsn, "mysql", dsn, func(db *sql.DB, table string) int64 {
			var size int64
			if _, err := db.ExecContext(b.Context(), "ANALYZE TABLE "+table); err != nil {
				b.Fatal(err)
			}
			scan(b, db.QueryRowContext(b.Context(), "SELECT data_length + index_length FROM information_schema.tables"+
				" WHERE table_schema = DATABASE() AND table_name = ?", table), &size)
			return size
		})
	})
}

func scan(b *testing.B, row *sql.Row, into *int64) {
	b.Helper()
	if err := row.Scan(into); err != nil {
		b.Fatal(err)
	}
}

func grow(b *testing.B, driver, dsn, name, raw string, size func(db *sql.DB, table string) int64) {
	s, err := models.Open(driver, dsn, modelstest.Log(b))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx := b.Context()
	if err := s.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open(name, raw)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()

	for range b.N {
		before := size(db, "recipients")
		for first := 1; first <= million; first += 1000 {
			rows := make([]string, 1000)
			for i := range rows {
				rows[i] = fmt.Sprintf("('%s', 1, '')", modelstest.OpenID(first+i))
			}
			if _, err := db.ExecContext(ctx, "INSERT INTO recipients (openid, subscribed, fields) VALUES "+strings.Join(rows, ",")); err != nil {
				b.Fatal(err)
			}
		}
		after := size(db, "recipients")
		b.ReportMetric(float64(after-before)/million, "bytes/recipient")

		before = size(db, "deliveries")
		began := time.Now()
		for first := int64(1); first <= million; first += 500 {
			sendTo(b, s, first, 500)
		}
		b.ReportMetric(million/time.Since(began).Seconds(), "deliveries/s")
		b.ReportMetric(float64(size(db, "deliveries")-before)/million, "bytes/delivery")

		pieces := deleteInPieces(b, db, driver)
		b.ReportMetric(float64(slices.Max(pieces).Milliseconds()), "ms/longest-delete")
		var all time.Duration
		for _, p := range pieces {
			all += p
		}
		b.ReportMetric(all.Seconds(), "s/delete-all")
	}
}

// sendTo stores what the sends to n recipients and their receipts store.
func sendTo(b *testing.B, s *models.Store, first int64, n int) {
	b.Helper()
	ctx, now := b.Context(), time.Now()
	ids, outcomes := make([]int64, n), make([]models.Outcome, n)
	receipts := make([]models.Receipt, n)
	for i := range n {
		ids[i] = first + int64(i)
		msgID := 3_795_506_348_092_000_000 + ids[i]
		outcomes[i] = models.Outcome{
			BroadcastID: 1, RecipientID: ids[i], State: models.Accepted, MsgID: msgID, Attempts: 1, SentAt: now,
		}
		receipts[i] = models.Receipt{MsgID: msgID, State: models.Delivered, ReceivedAt: models.At(now)}
	}
	if err := modelstest.Claim(ctx, s, 1, ids, now); err != nil {
		b.Fatal(err)
	}
	if err := s.RecordOutcomes(ctx, outcomes, now); err != nil {
		b.Fatal(err)
	}
	if _, err := s.ApplyReceipts(ctx, receipts, now); err != nil {
		b.Fatal(err)
	}
}

// deleteInPieces deletes the broadcast's deliveries past the store, and returns how long
// each piece took.
func deleteInPieces(b *testing.B, db *sql.DB, driver string) []time.Duration {
	b.Helper()
	query := "DELETE FROM deliveries WHERE broadcast_id = 1 ORDER BY recipient_id LIMIT 5000"
	if driver == models.SQLite {
		query = "DELETE FROM deliveries WHERE broadcast_id = 1 AND recipient_id IN" +
			" (SELECT recipient_id FROM deliveries WHERE broadcast_id = 1 ORDER BY recipient_id LIMIT 5000)"
	}
	var pieces []time.Duration
	for {
		began := time.Now()
		res, err := db.ExecContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		pieces = append(pieces, time.Since(began))
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return pieces
		}
	}
}
