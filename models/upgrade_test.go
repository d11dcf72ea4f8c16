package models_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// upgraded has a test begin with the database of an older schema version, on each
// database. migrate makes the Store that the program would have on it now.
func upgraded(t *testing.T, from int64, test func(t *testing.T, db *sql.DB, migrate func() *models.Store)) {
	t.Helper()
	for driver, open := range map[string]func(t *testing.T) (name, dsn string, dialect goose.Dialect){
		models.SQLite: func(t *testing.T) (name, dsn string, dialect goose.Dialect) {
			t.Helper()
			return "sqlite", filepath.Join(t.TempDir(), "broadcast.db"), goose.DialectSQLite3
		},
		models.MySQL: func(t *testing.T) (name, dsn string, dialect goose.Dialect) {
			t.Helper()
			return "mysql", modelstest.MySQLDSN(t), goose.DialectMySQL
		},
	} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			name, dsn, dialect := open(t)
			db, err := sql.Open(name, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			before, err := goose.NewProvider(dialect, db, os.DirFS("migrations/"+driver),
				goose.WithTableName("schema_versions"), goose.WithDisableGlobalRegistry(true))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := before.UpTo(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			test(t, db, func() *models.Store {
				s, err := models.Open(driver, dsn, modelstest.Log(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// The version before gave up telling of what was asked for more than two days
// ago. After the upgrade nobody is told of the old ones, and everybody of what
// ended lately or waits for a word.
func TestTheUpgradeTellsOfNothingOld(t *testing.T) {
	t.Parallel()
	upgraded(t, 3, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		asked := time.Now().Add(-30 * 24 * time.Hour).UnixMilli()
		for id, b := range []struct {
			state string
			ended time.Duration // ago; never if 0
		}{{"finished", 28 * 24 * time.Hour}, {"failed", 49 * time.Hour}, {"finished", 47 * time.Hour}, {"paused", 0}} {
			ended := int64(0)
			if b.ended > 0 {
				ended = time.Now().Add(-b.ended).UnixMilli()
			}
			_, err := db.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO broadcasts
				(id, request_key, name, message, digest, audience, asked_by, salt, state, asked_at, finished_at)
				VALUES (%d, 'key %d', 'notice', '{}', '', 'all', 'oAdmin', '', '%s', %d, %d)`, id+1, id, b.state, asked, ended))
			if err != nil {
				t.Fatal(err)
			}
		}
		list, err := migrate().Unnotified(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 || list[0].ID != 3 || list[1].ID != 4 {
			t.Errorf("would be told of: %+v", list)
		}
	})
}

// A process of the version before, which would send a rest to everyone, leases no batch
// once another one has upgraded the database; the new one goes on where it was.
func TestAnOlderProcessSendsNothingAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	upgraded(t, 6, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		for _, statement := range []string{
			`INSERT INTO broadcasts (id, request_key, name, message, digest, audience, asked_by, salt, state, asked_at)
				VALUES (1, 'key', 'notice', '{}', '', 'all', 'oAdmin', '', 'running', 1)`,
			"INSERT INTO batches (broadcast_id, seq, after_id, through_id, size, state) VALUES (1, 1, 0, 10, 10, 'todo')",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		lease := func() error {
			_, err := db.ExecContext(t.Context(), "UPDATE batches SET owner = 'old', lease_until = 1, takes = takes + 1 WHERE broadcast_id = 1")
			return err
		}
		if err := lease(); err != nil {
			t.Fatal(err)
		}
		s := migrate()
		if err := lease(); err == nil {
			t.Error("the older process leases a batch")
		}
		b, err := s.LeaseBatch(t.Context(), 1, 1, "new", time.Minute)
		if err != nil || b == nil || b.LeaseCount != 2 {
			t.Errorf("leased anew: %+v, %v", b, err)
		}
	})
}

// A process of the version before knows nothing of deleted deliveries: it would send a rest
// to everyone. It can ask for none once another one has upgraded the database.
func TestAnOlderProcessAsksForNothingAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	upgraded(t, 8, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		ask := func(key string) error {
			_, err := db.ExecContext(t.Context(), `INSERT INTO broadcasts (request_key, name, message, digest, audience, asked_by, salt, state, asked_at, target, any_hour)
				VALUES ('`+key+`', 'notice', '{}', '', 'all', 'oAdmin', '', 'cancelled', 1, '', 1)`)
			return err
		}
		if err := ask("before"); err != nil {
			t.Fatal(err)
		}
		s := migrate()
		if err := ask("after"); err == nil {
			t.Error("the older process asks for a broadcast")
		}
		list, err := s.Broadcasts(t.Context(), 10)
		if err != nil || len(list) != 1 || !list[0].AnyHour || !list[0].TalliedAt.IsZero() || list[0].Emptied {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// A broadcast of the version before is counted as it was, also while one of its processes may
// still be there that counts nothing; after that the counts of what has ended are kept, with the
// receipts that came meanwhile, and nobody counts it again.
func TestTheUpgradeKeepsTheCountsOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	const people = 10_000 // of which counts are kept
	upgraded(t, 13, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		ctx := t.Context()
		exec := func(query string) {
			t.Helper()
			if _, err := db.ExecContext(ctx, query); err != nil {
				t.Fatal(err)
			}
		}
		exec(`INSERT INTO broadcasts (id, request_key, name, message, digest, audience, asked_by, salt, state, asked_at, started_at, finished_at, target)
			VALUES (1, 'key', 'notice', '{}', '', 'all', 'oAdmin', '', 'finished', 1, 1, 2, '')`)
		exec("INSERT INTO batches (broadcast_id, seq, after_id, through_id, size, state, lease_count) VALUES (1, 1, 0, 10000, 10000, 'done', 1)")
		for first := 1; first <= people; first += 1000 {
			rows := make([]string, 1000)
			for i := range rows {
				state, msgID := "accepted", first+i
				if i == 0 {
					state, msgID = "failed", 0
				}
				rows[i] = fmt.Sprintf("(1, %d, '%s', %d, %d)", first+i, state, msgID, 1_000_000+i)
			}
			exec("INSERT INTO deliveries (broadcast_id, recipient_id, state, msgid, sent_at) VALUES " + strings.Join(rows, ","))
		}
		s := migrate()
		counts := func(want models.Counts) {
			t.Helper()
			plain, failures, sends, err := models.CountPlainly(ctx, s, 1)
			if err != nil || plain != want {
				t.Fatalf("%+v, %v", plain, err)
			}
			if got, err := s.CountDeliveries(ctx, 1); err != nil || got != want {
				t.Errorf("counts %+v, want %+v, %v", got, want, err)
			}
			if got, err := s.CountFailures(ctx, 1); err != nil || cmp.Diff(failures, got) != "" {
				t.Errorf("failures %+v, want %+v, %v", got, failures, err)
			}
			if got, err := s.CountSends(ctx, 1, time.Second); err != nil || cmp.Diff(sends, got) != "" {
				t.Errorf("sends %+v, want %+v, %v", got, sends, err)
			}
		}
		kept := func(want int64) {
			t.Helper()
			if how, err := models.HowCounted(ctx, s, 1); err != nil || how != want {
				t.Errorf("kept: %d, want %d, %v", how, want, err)
			}
		}
		receipts := func(state models.DeliveryState, msgIDs ...int64) {
			t.Helper()
			var list []models.Receipt
			for _, id := range msgIDs {
				list = append(list, models.Receipt{MsgID: id, State: state})
			}
			if early, err := s.ApplyReceipts(ctx, list, t0); err != nil || early != 0 {
				t.Fatal(early, err)
			}
		}
		counts(models.Counts{Accepted: 9990, Failed: 10})
		kept(0)
		receipts(models.Delivered, 2, 3)
		exec("UPDATE deliveries SET state = 'blocked' WHERE recipient_id = 4") // by the older process
		counts(models.Counts{Accepted: 9987, Delivered: 2, Blocked: 1, Failed: 10})
		kept(0)
		exec("UPDATE facts SET value = '1' WHERE name = 'counts_from'")
		counts(models.Counts{Accepted: 9987, Delivered: 2, Blocked: 1, Failed: 10})
		kept(2)
		receipts(models.FailedFor, 5, 2)
		counts(models.Counts{Accepted: 9986, Delivered: 2, Blocked: 1, Failed: 11})
	})
}
