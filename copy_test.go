package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"wechat-broadcast/models"
)

// The command copies, says what to do, and takes the source back; what is refused is told
// in the language of the settings, and changes nothing.
func TestCopyCommand(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"zh": {
			"不是空的，已有表 recipients", "指向的就是要复制的这个数据库", "--to：开头没有写 sqlite", "不能一起用", "有服务正在使用", "行数与校验和全部一致", "DATABASE_URL", "由后者接替",
			"可以继续使用了", "没有被标记为已复制", "缺少",
		},
		"en": {
			"is not empty: its table recipients", "the very database that is to be copied", "--to: it has no scheme", "can't be used together", "is sending from", "counts and sums are equal", "DATABASE_URL",
			"which took its place", "Servers use", "is not marked as copied", "missing",
		},
	}
	for language, want := range tests {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			d, other := newListDesk(t, language), newListDesk(t, language)
			path := func(of *listDesk) string {
				_, out, _ := of.run("", "copy", "--undo") // names the database
				return out
			}
			to := "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "copy.db"))
			step := func(wantCode int, part string, args ...string) {
				t.Helper()
				code, out, faults := d.run("", append([]string{"copy"}, args...)...)
				if code != wantCode {
					t.Errorf("%v: exit code %d\n%s%s", args, code, out, faults)
				}
				all(t, out+faults, part)
			}
			all(t, path(d), want[9])
			step(exitFailed, want[0], "--to", other.url)
			step(exitFailed, want[1], "--to", d.url)
			step(exitUsage, want[2], "--to", "nowhere")
			step(exitUsage, want[3], "--to", to, "--undo")
			step(exitUsage, want[10])
			lock, err := d.store.TakeSendLock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			step(exitFailed, want[4], "--to", to)
			if err := lock.Release(); err != nil {
				t.Fatal(err)
			}
			step(exitOK, want[5], "--to", to)
			step(exitUsage, want[7], "--to", to)
			if code, _, faults := d.run("", "export", "audit"); code != exitUsage {
				t.Errorf("the source is used: %s", faults)
			}
			step(exitOK, want[8], "--undo")
			if code, _, faults := d.run("", "export", "audit"); code != exitOK {
				t.Errorf("the source can't be used after the undo: %s", faults)
			}
		})
	}
}

// A server on half a copy says so and stops; so does one on a database whose place
// another took.
func TestAServerRefusesADatabaseThatIsNotInItsPlace(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]func(t *testing.T, s *models.Store) error{
		"incomplete": func(t *testing.T, s *models.Store) error {
			return s.MarkIncomplete(t.Context(), "mysql://u:***@host/old", time.Now())
		},
		"copied": func(t *testing.T, s *models.Store) error {
			return s.MarkCopied(t.Context(), "mysql://u:***@host/old", time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := testProcess(t, testSettings(t, nil)).only()
			if err := a.store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := mark(t, a.store); err != nil {
				t.Fatal(err)
			}
			err := a.run(t.Context())
			if err == nil {
				t.Fatal("it serves")
			}
			all(t, err.Error(), "DATABASE_URL", "mysql://u:***@host/old", "wechat-broadcast copy --")
		})
	}
}

// A server that runs already stops once another database took the place of its own, or it
// becomes a copy: nobody would find what it stores. So does one that stands by.
func TestAServerStopsOnceItsDatabaseIsNotInItsPlace(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]func(t *testing.T, s *models.Store) error{
		"copied while it stands by": func(t *testing.T, s *models.Store) error {
			return s.MarkCopied(t.Context(), "mysql://u:***@host/new", time.Now())
		},
		"becomes a copy": func(t *testing.T, s *models.Store) error {
			return s.MarkIncomplete(t.Context(), "mysql://u:***@host/new", time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := testSettings(t, nil)
			a := testProcess(t, settings).only()
			if err := a.store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			other, err := models.Open(models.SQLite, settings.Accounts[0].Database.DSN, a.log)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = other.Close() }()
			lock, err := other.TakeCopyLock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Release() }()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- a.run(ctx) }()
			select {
			case err := <-ended:
				t.Fatalf("it ended before the mark: %v", err)
			case <-a.ready:
			}
			if err := mark(t, other); err != nil {
				t.Fatal(err)
			}
			err = <-ended
			if err == nil {
				t.Fatal("it did not end")
			}
			all(t, err.Error(), "DATABASE_URL", "mysql://u:***@host/new", "wechat-broadcast copy --")
		})
	}
}
