package diagnosis_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/diagnosis"
)

// look examines a database for the account wxOurs.
func look(t *testing.T, driver, dsn string) diagnosis.Point {
	t.Helper()
	store, point := newDoctor(t, nil, time.Now).Database(t.Context(), driver, dsn, "wxOurs")
	if store != nil {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	return point
}

// migrated makes a database, has a function change it, and closes it.
func migrated(t *testing.T, driver, dsn string, change func(s *models.Store) error) {
	t.Helper()
	s, err := models.Open(driver, dsn, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := change(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// files returns what is in a folder, with the bytes of each file and when it was changed.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = fmt.Sprint(info.ModTime(), info.Mode(), " ", string(text))
	}
	return all
}

// Whoever only looks leaves every byte as it was, in either journal mode.
func TestALookAtAFileChangesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "broadcast.db")
			migrated(t, models.SQLite, path, func(s *models.Store) error { return s.Belong(t.Context(), "wxOurs") })
			pool, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pool.ExecContext(t.Context(), "PRAGMA journal_mode="+mode); err != nil {
				t.Fatal(err)
			}
			if err := pool.Close(); err != nil {
				t.Fatal(err)
			}
			before := files(t, folder)
			if p := look(t, models.SQLite, path); !p.OK || !strings.Contains(p.Detail, "read and written") {
				t.Errorf("got %+v", p)
			}
			if diff := cmp.Diff(before, files(t, folder)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A database that the account can't use is not called good: neither that of another account
// nor one that is not in its place. One that is nobody's stays nobody's, and no row is
// written.
func TestALookTellsWhoseDatabaseItIs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(s *models.Store) error
		parts  []string // what is said; none for a good one
	}{
		"ours":           {func(s *models.Store) error { return s.Belong(t.Context(), "wxOurs") }, nil},
		"nobody's":       {func(*models.Store) error { return nil }, nil},
		"another's":      {func(s *models.Store) error { return s.Belong(t.Context(), "wxOther") }, []string{"wxOther", "WECHAT_APP_ID is wxOurs"}},
		"copied":         {func(s *models.Store) error { return s.MarkCopied(t.Context(), "sqlite://new.db", time.Now()) }, []string{"sqlite://new.db", "took its place"}},
		"half of a copy": {func(s *models.Store) error { return s.MarkIncomplete(t.Context(), "sqlite://old.db", time.Now()) }, []string{"incomplete copy", "sqlite://old.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, driver := range []string{models.SQLite, models.MySQL} {
				t.Run(driver, func(t *testing.T) {
					t.Parallel()
					dsn := filepath.Join(t.TempDir(), "broadcast.db")
					if driver == models.MySQL {
						dsn = modelstest.MySQLDSN(t)
					}
					migrated(t, driver, dsn, tt.change)
					p := look(t, driver, dsn)
					if p.OK != (tt.parts == nil) || p.OK != (p.Fix == "") {
						t.Errorf("got %+v", p)
					}
					for _, part := range tt.parts {
						if !strings.Contains(p.Detail, part) {
							t.Errorf("no %q in %s", part, p.Detail)
						}
					}
					s, err := models.Open(driver, dsn, modelstest.Log(t))
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = s.Close() }()
					written, err := s.Fact(t.Context(), "written")
					owner, err2 := s.Fact(t.Context(), "app_id")
					if err != nil || err2 != nil || written != "" || name == "nobody's" && owner != "" {
						t.Errorf("written %q, owner %q, %v, %v", written, owner, err, err2)
					}
				})
			}
		})
	}
}

// Of a file that is not there yet it is told whether it could be made.
func TestALookTellsWhetherTheFolderTakesAFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "text"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "closed"), 0o500); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"lost.db": "unmounted/b.db", "loose.db": "b.db"} {
		if err := os.Symlink(filepath.Join(folder, to), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, part := range map[string]string{ // empty for a good one
		"b.db": "", "data/deep/b.db": "", "loose.db": "", "text/b.db": "can't be opened", "lost.db": "can't be opened", "closed/b.db": "can't be written",
	} {
		if os.Getuid() == 0 && strings.HasPrefix(path, "closed") {
			continue // root may write into any folder
		}
		p := look(t, models.SQLite, filepath.Join(folder, path))
		if p.OK != (part == "") || p.OK != (p.Fix == "") || !strings.Contains(p.Detail, part) || p.OK && !strings.Contains(p.Detail, "can write its folder") {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if list, err := os.ReadDir(folder); err != nil || len(list) != 4 {
		t.Errorf("something was made: %v, %v", list, err)
	}
}
