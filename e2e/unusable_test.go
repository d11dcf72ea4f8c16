package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A database of a newer version stops every command that would use it, with both
// versions and what to do, and stays as it is.
func TestADatabaseOfANewerVersion(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		p := startPlatform(t, "--followers", "3")
		s := startServer(t, p, db.url, nil)
		if code, _ := s.terminate(); code != 0 {
			t.Fatalf("ended with code %d", code)
		}
		pool := openPool(t, db)
		var known int64
		if err := pool.QueryRowContext(t.Context(), "SELECT MAX(version_id) FROM schema_versions").Scan(&known); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.ExecContext(t.Context(), "INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, 1)"); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"serve", "sync"} {
			s.process = start(t, s.log, s.env.environ(), command)
			if code := s.wait(); code != 2 {
				t.Errorf("%s ended with code %d, want 2", command, code)
			}
			text := s.log.text(s.since)
			last := text[strings.LastIndex(strings.TrimSpace(text), "\n")+1:]
			for _, want := range []string{"DATABASE_URL: ", "version 9999", fmt.Sprintf("version %d at most", known), "newer program", "backup"} {
				if !strings.Contains(last, want) {
					t.Errorf("%s does not say %q:\n%s", command, want, text)
				}
			}
			if strings.Contains(text, "sending for this database") {
				t.Errorf("%s sends on it:\n%s", command, text)
			}
		}
		var people int64
		if err := pool.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM recipients").Scan(&people); err != nil || people != 0 {
			t.Errorf("%d recipients were stored in it: %v", people, err)
		}
	})
}

// nobody runs the program as a user without rights, in a folder of its own.
type nobody struct {
	t      *testing.T
	folder string
}

const nobodyID = 65534

func newNobody(t *testing.T) nobody {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can run the program as another user")
	}
	// Not t.TempDir, whose parent is closed to others.
	folder, err := os.MkdirTemp("", "e2e-nobody-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	n := nobody{t, folder}
	n.own(folder, 0o755)
	if err := os.Chmod(filepath.Dir(binary), 0o711); err != nil { //nolint:gosec // the program in it must be run
		t.Fatal(err)
	}
	return n
}

// own gives a file or folder to the user.
func (n nobody) own(path string, mode os.FileMode) {
	n.t.Helper()
	if err := os.Chown(path, nobodyID, nobodyID); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		n.t.Fatal(err)
	}
}

// start runs a command of the program for a server's settings.
func (n nobody) start(s *server, command string) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), binary, command)
	cmd.Dir = n.folder
	s.env["MESSAGES_FILE"] = filepath.Join(n.folder, "messages.yaml")
	cmd.Env = s.env.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
	s.process = launch(n.t, s.log, cmd)
}

// A database file that can't be used is one line that says why, for every command
// that opens it.
func TestADatabaseFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	tests := map[string]struct {
		// make returns the path that the settings name.
		make func(t *testing.T, n nobody) string
		want []string
	}{
		"a folder": {
			make: func(_ *testing.T, n nobody) string { return n.folder },
			want: []string{"is a folder", "name a file"},
		},
		"an unwritable folder": {
			make: func(_ *testing.T, n nobody) string {
				n.own(n.folder, 0o555)
				return filepath.Join(n.folder, "a.db")
			},
			want: []string{"a.db can't be written: permission denied", "id 65534"},
		},
		"an unwritable folder, with a file in it": {
			make: func(t *testing.T, n nobody) string {
				t.Helper()
				path := n.write(t, "a.db", 0o600)
				n.own(n.folder, 0o555)
				return path
			},
			want: []string{"can't be written: permission denied", "id 65534"},
		},
		"a folder that can't be made": {
			make: func(_ *testing.T, n nobody) string {
				n.own(n.folder, 0o555)
				return filepath.Join(n.folder, "data", "a.db")
			},
			want: []string{"data can't be written: permission denied"},
		},
		"a file that can only be read": {
			make: func(t *testing.T, n nobody) string { t.Helper(); return n.write(t, "a.db", 0o400) },
			want: []string{"a.db can't be written: permission denied"},
		},
		"a lock file of another user": {
			make: func(t *testing.T, n nobody) string {
				t.Helper()
				path := n.write(t, "a.db", 0o600)
				if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			},
			want: []string{"a.db.lock can't be written: permission denied"},
		},
		"a file in a file": {
			make: func(t *testing.T, n nobody) string {
				t.Helper()
				return filepath.Join(n.write(t, "a.db", 0o600), "b.db")
			},
			want: []string{"can't be opened: not a directory"},
		},
		"a symlink to a disk that is not there": {
			make: func(t *testing.T, n nobody) string {
				t.Helper()
				path := filepath.Join(n.folder, "a.db")
				if err := os.Symlink(filepath.Join(n.folder, "disk", "a.db"), path); err != nil {
					t.Fatal(err)
				}
				return path
			},
			want: []string{"can't be opened: no such file or directory", "mounted"},
		},
		"a symlink to itself": {
			make: func(t *testing.T, n nobody) string {
				t.Helper()
				path := filepath.Join(n.folder, "a.db")
				if err := os.Symlink("a.db", path); err != nil {
					t.Fatal(err)
				}
				return path
			},
			want: []string{"without end"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNobody(t)
			s := newServer(t, p, "sqlite://"+test.make(t, n), nil)
			for _, command := range []string{"serve", "sync"} {
				n.start(s, command)
				if code := s.wait(); code != 2 {
					t.Errorf("%s ended with code %d, want 2", command, code)
				}
				s.oneLine(test.want...)
			}
		})
	}
}

// write makes an empty file of the user's.
func (n nobody) write(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(n.folder, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.own(path, mode)
	return path
}

// The files of a database are for their owner alone, whatever the umask. One that
// was made otherwise stays as it is, and each start says once how to mend it.
func TestTheDatabaseFileIsPrivate(t *testing.T) {
	t.Parallel()
	long(t)
	for _, umask := range []string{"0000", "0777"} {
		t.Run("umask "+umask, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "broadcast.db")
			p := startPlatform(t, "--followers", "3")
			s := newServer(t, p, "sqlite://"+path, nil)
			run := func() {
				cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `umask "$1" && exec "$0"`, binary, umask)
				cmd.Dir, cmd.Env = t.TempDir(), s.env.environ()
				s.process = launch(t, s.log, cmd)
				s.logged(`sending for this database`)
			}
			run()
			for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".migrate.lock"} {
				info, err := os.Stat(path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm() != 0o600 {
					t.Errorf("%s has the mode %04o, want 0600", filepath.Base(info.Name()), info.Mode().Perm())
				}
			}
			const warning = "chmod 600 "
			if text := s.log.text(0); strings.Contains(text, warning) {
				t.Errorf("a private file is warned of:\n%s", text)
			}
			s.terminate()
			if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // that is what is tried
				t.Fatal(err)
			}
			run()
			if text := s.log.text(s.since); strings.Count(text, warning+path) != 1 || !strings.Contains(text, "level=WARN") {
				t.Errorf("want one warning of a file that all can read:\n%s", text)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("the owner's choice was changed: %v, %v", info.Mode(), err)
			}
		})
	}
}
