package e2e

import (
	"database/sql"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// backup is one way to keep a database and to put it back.
type backup struct {
	open func(t *testing.T) database
	// keep makes the copy while the program sends; put, while it does not run, has the
	// database be as it was then.
	keep, put func(t *testing.T, db database, copied string)
	// killed: the program is killed before the broadcast has ended.
	killed bool
}

var backups = map[string]backup{
	"SQLite, copied over the file":        {open: sqlite, keep: vacuumInto, put: copyOver},
	"SQLite, as the README says":          {open: sqlite, keep: sqliteShell(0), put: sqliteShell(1)},
	"SQLite, moved to where the file was": {open: sqlite, keep: vacuumInto, put: moveOver, killed: true},
	"MariaDB, into a new database":        {open: mariadb, keep: dump, put: load, killed: true},
}

// What went out after a backup is not sent again when that is put back, until an admin
// says so.
func TestRestoredDatabaseWaitsForAWord(t *testing.T) {
	t.Parallel()
	long(t)
	for name, b := range backups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const followers = 450
			db := b.open(t)
			copied := filepath.Join(t.TempDir(), "copy")
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "10ms", "--receipt-delay-max", "100ms")
			s := startServer(t, p, db.url, settings{"SEND_RATE": "150"})
			p.waitsAfter(followers * 3 / 5) // however long the copy takes, some of it goes out after it
			p.say(admin, "broadcast all personal")
			p.say(admin, "broadcast all notice at tomorrow 09:00")
			p.say(admin, "broadcast all notice again at tomorrow 10:00")
			p.say(admin, "broadcast pause #3") // it could be resumed after the backup
			p.callsReach(followers / 5)
			b.keep(t, db, copied)
			if b.killed {
				p.waitsAfter(followers * 4 / 5)
				p.callsReach(followers * 4 / 5)
				s.kill()
				p.waitsAfter(0)
			} else {
				p.waitsAfter(0)
				s.finishes()
				if code, _ := s.terminate(); code != 0 {
					t.Fatalf("ended with code %d", code)
				}
			}
			told := len(p.notices())
			b.put(t, db, copied)

			calls := p.stats().Calls
			for _, start := range []string{"the first start", "the next start"} { // which finds nothing new
				s.start(t)
				s.logged("sending for this database")
				for _, id := range []string{"#1", "#2", "#3"} {
					if status := p.say(admin, "broadcast status "+id); !strings.Contains(status, "put back to an older state") {
						t.Errorf("at %s, the status of %s does not say why it waits:\n%s", start, id, status)
					}
				}
				pass(t, 1500*time.Millisecond)
				s.kill()
			}
			if now := p.stats().Calls; now != calls {
				t.Fatalf("%d sends without a word", now-calls)
			}
			p.reached(p.stats().Reached) // nobody twice

			s.start(t)
			eventually(t, patience, "the admin is told", func() bool {
				for _, n := range p.notices()[told:] {
					if strings.Contains(n.Text, "#1") && strings.Contains(n.Text, "a second time") {
						return true
					}
				}
				return false
			})
			p.say(admin, "broadcast resume #1")
			s.finishes()
			p.reached(followers) // the platform still knows what it took
			if status := p.say(admin, "broadcast status #2"); !strings.Contains(status, "Paused") {
				t.Errorf("a word on #1 moved #2:\n%s", status)
			}
		})
	}
}

// A kill is no restore: however often the program dies, it goes on by itself.
func TestKillsAreNoRestore(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers, rounds = 900, 10
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "10ms")
		s := startServer(t, p, db.url, settings{"SEND_RATE": "300"})
		p.say(admin, "broadcast all personal")
		for round := range int64(rounds) {
			switch {
			case round%5 == 4: // told to stop
				p.callsReach(round * followers / (2 * rounds))
				if code, _ := s.terminate(); code != 0 {
					t.Fatalf("ended with code %d", code)
				}
			case round%2 == 0: // in the first moments after a start
				pass(t, time.Duration(rand.Int64N(int64(200*time.Millisecond))))
				s.kill()
			default:
				p.callsReach(round * followers / (2 * rounds))
				s.kill()
			}
			s.start(t)
		}
		s.finishes()
		p.reached(followers)
		if log := s.log.text(0); strings.Contains(log, "waits for an admin's word") {
			t.Error("a kill was taken for a restore")
		}
	})
}

// vacuumInto is the online backup of SQLite.
func vacuumInto(t *testing.T, db database, copied string) {
	t.Helper()
	if _, err := openPool(t, db).ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
}

// withoutLog returns where a SQLite database is, and removes the log of the state before the
// restore: it would be taken for the restored one's.
func withoutLog(t *testing.T, db database) (file string) {
	t.Helper()
	file = strings.TrimPrefix(db.url, "sqlite://")
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.RemoveAll(file + suffix); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func copyOver(t *testing.T, db database, copied string) {
	t.Helper()
	text, err := os.ReadFile(copied)
	if err == nil {
		err = os.WriteFile(withoutLog(t, db), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func moveOver(t *testing.T, db database, copied string) {
	t.Helper()
	if err := os.Rename(copied, withoutLog(t, db)); err != nil {
		t.Fatal(err)
	}
}

// sqliteShell runs the commands that stand in the README, in both languages the same, in a
// shell: those of the backup, or those of putting it back.
func sqliteShell(which int) func(t *testing.T, db database, copied string) {
	return func(t *testing.T, db database, _ string) {
		t.Helper()
		if _, err := exec.LookPath("sqlite3"); err != nil {
			t.Skip("skipped: sqlite3 is not installed (Debian: sqlite3)")
		}
		block := regexp.MustCompile("(?s)```sh\n([^`]*?data/backup.db.*?)```")
		var commands string
		for i, file := range []string{"../README.md", "../README.zh-CN.md"} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found := block.FindAllStringSubmatch(string(text), -1)
			if len(found) != 2 || i > 0 && found[which][1] != commands {
				t.Fatalf("%s: %q", file, found)
			}
			commands = found[which][1]
		}
		folder := t.TempDir()
		if err := os.Symlink(filepath.Dir(strings.TrimPrefix(db.url, "sqlite://")), filepath.Join(folder, "data")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
		cmd.Dir = folder
		ran(t, cmd)
	}
}

func dump(t *testing.T, db database, copied string) {
	t.Helper()
	file, err := os.Create(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	cmd := mariaClient(t, db, "mariadb-dump", "--single-transaction")
	cmd.Stdout = file
	ran(t, cmd)
}

func load(t *testing.T, db database, copied string) {
	t.Helper()
	conf, err := mysql.ParseDSN(db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := conf.DBName
	conf.DBName = ""
	pool, err := sql.Open(db.driver, conf.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	for _, statement := range []string{"DROP DATABASE ", "CREATE DATABASE "} {
		if _, err := pool.ExecContext(t.Context(), statement+name); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	cmd := mariaClient(t, db, "mariadb")
	cmd.Stdin = file
	ran(t, cmd)
}

// mariaClient returns a client's command for the database, or skips the test where there
// is none.
func mariaClient(t *testing.T, db database, name string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("skipped: %s is not installed (Debian: mariadb-client)", name)
	}
	u, err := url.Parse(db.url)
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--no-defaults", "--host=" + u.Hostname(), "--port=" + u.Port(), "--user=" + u.User.Username()}, args...)
	cmd := exec.CommandContext(t.Context(), program, append(args, strings.TrimPrefix(u.Path, "/"))...)
	password, _ := u.User.Password()
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	return cmd
}

func ran(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, said.String())
	}
}
