package copying_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/copying"
)

var now = time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)

// The columns that are no 64-bit numbers.
var (
	ascii = []string{
		"openid", "request_key", "digest", "audience", "asked_by", "salt", "reason", "notified_state", "owner", "message_key",
		"changed_by", "role", "added_by", "admin", "via", "kind", "made_by", "said", "scope", "hash", "key_hash", "body_digest",
	}
	words = []string{
		"name", "scene", "fields", "remark", "heard", "message", "detail", "target", "reply", "content", "word", "text", "action", "response",
		"description", "value", "folded",
	}
	flags = []string{"subscribed", "opted_out", "tester", "stranger", "blacklisted", "at_any_hour", "emptied", "joined", "used"}
	small = []string{"errcode", "attempts", "approvals", "status", "counted"}
)

// fill puts n rows into every table, with values of every kind.
func fill(t *testing.T, s *models.Store, n int64) {
	t.Helper()
	fillEach(t, s, func(string) int64 { return n })
}

// manyOf is how many rows of a table are more than one statement takes, and of the largest
// tables more than one transaction.
func manyOf(table string) int64 {
	if table == "recipients" || table == "deliveries" {
		return 5003
	}
	return 1003
}

// fillEach puts as many rows into each table as rows says.
func fillEach(t *testing.T, s *models.Store, rows func(table string) int64) {
	t.Helper()
	for _, table := range models.CopyTables {
		n := rows(table.Name)
		columns, err := s.Columns(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		var list [][]any
		for i := range n {
			row := make([]any, len(columns))
			for k, column := range columns {
				row[k] = value(table.Name, column, i+1)
			}
			list = append(list, row)
		}
		if err := s.AddRows(t.Context(), table, columns, list); err != nil {
			t.Fatal(err)
		}
		next, err := s.NextNumber(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		if next > 0 { // rows with higher numbers were deleted
			if err := s.SetNextNumber(t.Context(), table, next+1000); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func value(table, column string, i int64) any {
	switch {
	case column == "state":
		return string(models.Paused)
	case column == "name" && table == "facts":
		return fmt.Sprint("fact", i)
	case column == "openids":
		return append([]byte{0, 255, '\'', '\n'}, fmt.Sprint(i)...)
	case column == "id", column == "broadcast_id", column == "recipient_id", column == "segment_id" && table == "members":
		return i
	case slices.Contains(flags, column):
		return i % 2
	case slices.Contains(small, column):
		return math.MaxInt32 - i
	case column == "action", column == "folded" && table == "lists", slices.Contains(ascii, column):
		return fmt.Sprint("a", i)
	case slices.Contains(words, column):
		return fmt.Sprint("读者 😀 'q' \"\\ \r\n\t", i, " ")
	default:
		return math.MaxInt64 - i
	}
}

// dump returns all that a copy takes of a database.
func dump(t *testing.T, s *models.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range models.CopyTables {
		columns, err := s.Columns(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(columns)
		rows := []string{}
		err = s.EachRow(t.Context(), table, columns, func(row []any) error {
			rows = append(rows, fmt.Sprintf("%q", row))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		next, err := s.NextNumber(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows) // the databases order texts differently
		all[table.Name] = append(rows, fmt.Sprint("next ", next))
	}
	return all
}

func copier(from, to *models.Store) *copying.Copier {
	return &copying.Copier{
		From: copying.End{Store: from, Address: "mysql://u:***@host/from"}, To: copying.End{Store: to, Address: "sqlite://to.db"},
		Show: func(copying.Progress) {}, Now: func() time.Time { return now },
	}
}

// run copies as the command does.
func run(ctx context.Context, c *copying.Copier) ([]copying.Table, error) {
	lock, err := c.Check(ctx)
	if err != nil {
		return nil, err
	}
	tables, err := c.Copy(ctx, lock)
	return tables, errors.Join(err, lock.Release())
}

// empty returns a database without tables, and the store that it is opened with.
func empty(t *testing.T, driver string) *models.Store {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "copy.db")
	if driver == models.MySQL {
		dsn = modelstest.MySQLDSN(t)
	} else if err := os.WriteFile(dsn, nil, 0o600); err != nil { // one that was there is not deleted
		t.Fatal(err)
	}
	s, err := models.Open(driver, dsn, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func unusable(err error, id string) bool {
	var e *models.Unusable
	return errors.As(err, &e) && e.Problem.ID == "database."+id
}

func code(err error) string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Every value is in the copy, whatever databases the two are, and only one of them may be
// used from then on.
func TestACopyHoldsTheSameAndTakesThePlaceOfItsSource(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{models.SQLite, models.MySQL}, {models.MySQL, models.SQLite}, {models.SQLite, models.SQLite}, {models.MySQL, models.MySQL},
	} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			t.Parallel()
			from, to := empty(t, pair[0]), empty(t, pair[1])
			ctx := t.Context()
			if err := from.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			fillEach(t, from, manyOf)
			if err := from.SetFact(ctx, "alive", fmt.Sprintf("1 %d 0", time.Now().UnixMilli())); err != nil {
				t.Fatal(err)
			}
			want := dump(t, from)
			c := copier(from, to)
			last := copying.Progress{}
			c.Show = func(p copying.Progress) { last = p }
			tables, err := run(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, dump(t, to)); diff != "" {
				t.Error(diff)
			}
			rows := int64(0)
			for _, table := range tables {
				if rows += table.Rows; table.Rows != manyOf(table.Name) {
					t.Errorf("%d rows of %s told of", table.Rows, table.Name)
				}
			}
			if len(tables) != len(models.CopyTables) || last.Done != 2*rows || last.Total != 2*rows {
				t.Errorf("%d rows told of; the last progress %+v", rows, last)
			}
			if alive, err := to.Fact(ctx, "alive"); err != nil || alive != "" {
				t.Errorf("the sign of life of the source's server was copied: %q, %v", alive, err)
			}
			if err := from.Migrate(ctx); !unusable(err, "copied_to") {
				t.Errorf("a server starts on the source: %v", err)
			}
			if _, err := from.TakeSendLock(ctx); !unusable(err, "copied_to") {
				t.Errorf("the source may send: %v", err)
			}
			if err := to.Migrate(ctx); err != nil {
				t.Errorf("no server starts on the copy: %v", err)
			}
			if other, err := from.UnmarkCopied(ctx); err != nil || other != "sqlite://to.db" {
				t.Errorf("undo: %q, %v", other, err)
			}
			if err := from.Migrate(ctx); err != nil {
				t.Errorf("no server starts on the source after the undo: %v", err)
			}
		})
	}
}

// What is refused changes neither database.
func TestWhatIsNotCopied(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(ctx context.Context, from, to *models.Store) error
		same    bool
		want    string
	}{
		"a running broadcast": {prepare: func(ctx context.Context, from, _ *models.Store) error {
			_, err := from.CreateBroadcast(ctx, &models.Broadcast{RequestKey: "r", Audience: models.AudienceAll, State: models.Running}, models.Asked{})
			return err
		}, want: copying.ErrRunning},
		"a source in use": {prepare: func(ctx context.Context, from, _ *models.Store) error {
			_, err := from.TakeSendLock(ctx)
			return err
		}, want: copying.ErrSourceInUse},
		"a target in use": {prepare: func(ctx context.Context, _, to *models.Store) error {
			_, err := to.TakeSendLock(ctx)
			return err
		}, want: copying.ErrTargetInUse},
		"a target that is the source": {same: true, want: copying.ErrSame},
		"a target with one row": {prepare: func(ctx context.Context, _, to *models.Store) error {
			_, err := to.SetAdmin(ctx, models.Admin{OpenID: "o1", Role: "viewer", AddedBy: "o2"})
			return err
		}, want: copying.ErrNotEmpty},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, from *models.Store) {
				to := from
				if !test.same {
					to = modelstest.SQLite(t)
				}
				if err := from.EnsureRecipient(t.Context(), "oSource", now); err != nil {
					t.Fatal(err)
				}
				if test.prepare != nil {
					if err := test.prepare(t.Context(), from, to); err != nil {
						t.Fatal(err)
					}
				}
				before, beforeTo := dump(t, from), dump(t, to)
				if _, err := run(t.Context(), copier(from, to)); code(err) != test.want {
					t.Errorf("got %v", err)
				}
				if diff := cmp.Diff(before, dump(t, from)); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(beforeTo, dump(t, to)); diff != "" {
					t.Error(diff)
				}
				if err := errors.Join(from.Migrate(t.Context()), to.Migrate(t.Context())); err != nil {
					t.Errorf("a database was marked: %v", err)
				}
			})
		})
	}
}

// A copy that ends early leaves a target that no server takes, and the next one begins
// anew in it.
func TestACopyThatEndsEarlyIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		at   func(p copying.Progress) bool
		stop func(t *testing.T, from *models.Store, cancel func())
		want func(err error) bool
	}{
		"interrupted while it copies": {
			at:   func(p copying.Progress) bool { return p.Table == "deliveries" && !p.Comparing },
			stop: func(_ *testing.T, _ *models.Store, cancel func()) { cancel() },
			want: func(err error) bool { return errors.Is(err, context.Canceled) },
		},
		"the source changes meanwhile": {
			at: func(p copying.Progress) bool { return p.Table == "audit" && !p.Comparing },
			stop: func(t *testing.T, from *models.Store, _ func()) {
				err := from.ChangeRecipient(context.Background(), "a7", func(r *models.Recipient) { r.OptedOut = !r.OptedOut })
				if err != nil {
					t.Error(err)
				}
			},
			want: func(err error) bool { return code(err) == copying.ErrDiffers },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, driver := range []string{models.SQLite, models.MySQL} {
				t.Run(driver, func(t *testing.T) {
					t.Parallel()
					from, to := modelstest.SQLite(t), empty(t, driver)
					fill(t, from, 20)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					c := copier(from, to)
					done := false
					c.Show = func(p copying.Progress) {
						if !done && test.at(p) {
							done = true
							test.stop(t, from, cancel)
						}
					}
					if _, err := run(ctx, c); !test.want(err) {
						t.Errorf("got %v", err)
					}
					if err := to.Migrate(t.Context()); !unusable(err, "incomplete") {
						t.Errorf("a server starts on half a copy: %v", err)
					}
					if _, err := to.TakeSendLock(t.Context()); !unusable(err, "incomplete") {
						t.Errorf("half a copy may send: %v", err)
					}
					if err := from.Migrate(t.Context()); err != nil {
						t.Errorf("the source is marked: %v", err)
					}
					if _, err := run(t.Context(), copier(from, to)); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(dump(t, from), dump(t, to)); diff != "" {
						t.Error(diff)
					}
				})
			}
		})
	}
}

// A file that was made for a copy which then failed is deleted again with all that is beside
// it; one that was there stays, as an empty database may be somebody's.
func TestTheFileOfAFailedCopyIsDeletedIfItIsNew(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]bool{"new": false, "there before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, folder := modelstest.SQLite(t), t.TempDir()
			fill(t, from, 20)
			path := filepath.Join(folder, "copy.db")
			if there {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			to, err := models.Open(models.SQLite, path, modelstest.Log(t))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := copier(from, to)
			c.Show = func(p copying.Progress) {
				if p.Table == "deliveries" {
					cancel()
				}
			}
			if _, err := run(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := to.Close(); err != nil {
				t.Error(err)
			}
			left, err := os.ReadDir(folder)
			if err != nil || (len(left) > 0) != there || c.Discarded == there {
				t.Errorf("discarded %t, left %v, %v", c.Discarded, left, err)
			}
		})
	}
}
