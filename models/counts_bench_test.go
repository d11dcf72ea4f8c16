package models_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// BenchmarkCounts times what is asked of a broadcast under way, to a million and to ten million
// recipients: all its batches are done but the last ones, whose deliveries alone are there,
// since no others are read. Run it with
//
//	go test ./models -run '^$' -bench Counts -benchtime 20x
func BenchmarkCounts(b *testing.B) {
	for _, batches := range []int64{2_000, 20_000} {
		for _, driver := range []string{models.SQLite, models.MySQL} {
			b.Run(fmt.Sprintf("%d/%s", 500*batches, driver), func(b *testing.B) {
				name, dsn := "sqlite", filepath.Join(b.TempDir(), "broadcast.db")
				if driver == models.MySQL {
					name, dsn = "mysql", modelstest.MySQLDSN(b)
				}
				s, err := models.Open(driver, dsn, modelstest.Log(b))
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = s.Close() }()
				if err := s.Migrate(b.Context()); err != nil {
					b.Fatal(err)
				}
				db, err := sql.Open(name, dsn)
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = db.Close() }()
				timeCounts(b, s, db, batches)
			})
		}
	}
}

const openBatches = 16

// nearlyDone stores a broadcast whose last batches are under way, and returns these.
func nearlyDone(b *testing.B, s *models.Store, db *sql.DB, batches int64) []models.Batch {
	b.Helper()
	ctx := b.Context()
	exec := func(query string) {
		b.Helper()
		if _, err := db.ExecContext(ctx, query); err != nil {
			b.Fatal(err)
		}
	}
	exec(`INSERT INTO broadcasts (id, request_key, name, message, digest, audience, asked_by, salt, state, asked_at, started_at, counted, target)
		VALUES (1, 'key', 'notice', '{}', '', 'all', 'oAdmin', '', 'running', 1, 1, 1, '')`)
	for first := int64(0); first < batches; first += 1000 {
		rows, seconds := make([]string, 1000), make([]string, 500)
		for i := range rows {
			seq := first + int64(i) + 1
			state, done := "done", 1
			if seq > batches-openBatches {
				state, done = "todo", 0
			}
			rows[i] = fmt.Sprintf("(1, %d, %d, %d, 500, '%s', %d, %d)", seq, 500*(seq-1), 500*seq, state, done, done)
		}
		for i := range seconds { // a thousand recipients a second
			seconds[i] = fmt.Sprintf("(1, %d, 1000)", 1000*(first/2+int64(i)+1))
		}
		exec("INSERT INTO batches (broadcast_id, seq, after_id, through_id, size, state, times_leased, counted) VALUES " + strings.Join(rows, ","))
		exec("INSERT INTO send_counts (broadcast_id, at, n) VALUES " + strings.Join(seconds, ","))
	}
	exec(fmt.Sprintf("INSERT INTO outcome_counts (broadcast_id, state, errcode, detail, n) VALUES (1, 'accepted', 0, '', %d), (1, 'failed', 43004, '', 100)",
		500*(batches-openBatches)-100))
	var held []models.Batch
	for seq := batches - openBatches + 1; seq <= batches; seq++ {
		ids := make([]int64, 500)
		for i := range ids {
			ids[i] = 500*(seq-1) + int64(i) + 1
		}
		batch, err := s.LeaseBatch(ctx, 1, seq, fmt.Sprint("bench", seq), time.Hour)
		if err != nil || batch == nil {
			b.Fatal(batch, err)
		}
		if err := modelstest.Claim(ctx, s, 1, ids, t0); err != nil {
			b.Fatal(err)
		}
		if err := s.RecordOutcomes(ctx, outcomesOf(1, ids), t0); err != nil {
			b.Fatal(err)
		}
		held = append(held, *batch)
	}
	return held
}

func timeCounts(b *testing.B, s *models.Store, db *sql.DB, batches int64) {
	held := nearlyDone(b, s, db, batches)
	for _, ask := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"status", func(ctx context.Context) error { _, err := s.CountDeliveries(ctx, 1); return err }},
		{"failures", func(ctx context.Context) error { _, err := s.CountFailures(ctx, 1); return err }},
		{"sends", func(ctx context.Context) error { _, err := s.CountSends(ctx, 1, time.Minute); return err }},
		{"sends of a day", func(ctx context.Context) error { _, err := s.CountSince(ctx, time.UnixMilli(0)); return err }},
	} {
		b.Run(ask.name, func(b *testing.B) {
			for b.Loop() {
				if err := ask.do(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("500 receipts", func(b *testing.B) { // once: each takes its first alone
		first := 1<<40 + held[0].AfterID + 1
		began := time.Now()
		for i := range held {
			if early, err := s.ApplyReceipts(b.Context(), receiptsOf(first+int64(500*i), 500), t0); err != nil || early != 0 && b.N == 1 {
				b.Fatal(early, err)
			}
		}
		if b.N == 1 {
			b.Logf("a group of 500 receipts: %s", time.Since(began)/time.Duration(len(held)))
		}
	})
	b.Run("finish a batch", func(b *testing.B) {
		began := time.Now()
		for _, batch := range held {
			if err := s.FinishBatch(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		if b.N == 1 {
			b.Logf("a batch: %s", time.Since(began)/time.Duration(len(held)))
		}
	})
	b.Run("status of the whole", func(b *testing.B) {
		for b.Loop() {
			if c, err := s.CountDeliveries(b.Context(), 1); err != nil || c.Known() != 500*batches || c.Delivered != 500*openBatches {
				b.Fatal(c, err)
			}
		}
	})
}
