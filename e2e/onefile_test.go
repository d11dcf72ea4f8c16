package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rename is a way to lead a second process to the database of the first.
type rename struct {
	// first and second are what DATABASE_URL says, for a database at path.
	first, second func(t *testing.T, path string) string
	// between is done while the first one sends.
	between func(t *testing.T, path string)
	// refused: the second one does not start.
	refused bool
}

func itself(_ *testing.T, path string) string { return path }

// linked returns the path by which a new symlink leads to the database.
func linked(t *testing.T, path string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "other.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// linkedFolder returns the path to the database by a symlink of its folder.
func linkedFolder(t *testing.T, path string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(link, filepath.Base(path))
}

// relative returns the path as seen from another folder of the tests.
func relative(t *testing.T, path string) string {
	t.Helper()
	// Each process runs in a folder of its own, at the same depth as any other.
	here, err := filepath.Rel(t.TempDir(), path)
	if err != nil {
		t.Fatal(err)
	}
	return here
}

func removeLock(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
}

// Whatever name leads a second process to the database, and whatever becomes of
// the lock file, one process sends at a time and everyone gets one message.
func TestOneSenderWhateverTheFileIsCalled(t *testing.T) {
	t.Parallel()
	long(t)
	tests := map[string]rename{
		"a symlink":                         {second: linked},
		"a symlink first, then the file":    {first: linked, second: itself},
		"a symlink of the folder":           {second: linkedFolder},
		"a relative path":                   {second: relative},
		"a relative path and a symlink":     {first: relative, second: linked},
		"the lock file deleted":             {second: itself, between: removeLock},
		"the lock file deleted, by symlink": {second: linkedFolder, between: removeLock},
		"the lock file deleted and made again": {second: itself, between: func(t *testing.T, path string) {
			t.Helper()
			removeLock(t, path)
			if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a hard link": {refused: true, second: func(t *testing.T, path string) string {
			t.Helper()
			link := filepath.Join(t.TempDir(), "hard.db")
			if err := os.Link(path, link); err != nil {
				t.Fatal(err)
			}
			return link
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.first == nil {
				test.first = itself
			}
			oneSender(t, test)
		})
	}
}

func oneSender(t *testing.T, test rename) {
	t.Helper()
	const followers, atOnce = 500, 4
	// The folder is there already, for the symlinks to it.
	path := filepath.Join(t.TempDir(), "broadcast.db")
	p := startPlatform(t, "--followers", itoa(followers), "--latency", "40ms")
	env := settings{"SEND_CONCURRENCY": itoa(atOnce)}
	first := startServer(t, p, "sqlite://"+test.first(t, path), env)
	p.say(admin, "broadcast all personal")
	p.callsReach(40)
	if test.between != nil {
		test.between(t, path)
	}
	second := newServer(t, p, "sqlite://"+test.second(t, path), env)
	if test.refused {
		second.process = start(t, second.log, second.env.environ())
		if code := second.wait(); code != 2 {
			t.Errorf("the second one ended with code %d, want 2", code)
		}
		second.oneLine("hard link")
	} else {
		second.start(t)
		second.logged(`(sending for this database|standing by)`)
	}
	if test.between != nil {
		first.logged(`the lock file .* was deleted or replaced`)
	}
	first.finishes()
	p.reached(followers)
	if st := p.stats(); st.MaxInFlight > atOnce {
		t.Errorf("%d calls were in flight at once: more than one process sent", st.MaxInFlight)
	}
}

// oneLine checks that all that the process wrote is one line, which names the
// setting and has these words.
func (s *server) oneLine(words ...string) {
	s.t.Helper()
	text := strings.TrimSpace(s.log.text(s.since))
	if strings.Count(text, "\n") != 0 || !strings.HasPrefix(text, "DATABASE_URL: ") {
		s.t.Errorf("want one line that names DATABASE_URL:\n%s", text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			s.t.Errorf("%q is not said:\n%s", word, text)
		}
	}
}

// A database that is taken away or replaced while the program runs stops the
// sending, and nothing is written any more that nobody would find. With the file
// back, a start goes on, and everyone gets one message.
func TestADatabaseThatIsTakenAway(t *testing.T) {
	t.Parallel()
	long(t)
	for _, replaced := range []bool{false, true} {
		t.Run(map[bool]string{false: "deleted", true: "replaced"}[replaced], func(t *testing.T) {
			t.Parallel()
			const followers = 800
			path := filepath.Join(t.TempDir(), "broadcast.db")
			p := startPlatform(t, "--followers", itoa(followers), "--latency", "40ms")
			s := startServer(t, p, "sqlite://"+path, settings{"SEND_CONCURRENCY": "4"})
			p.say(admin, "broadcast all personal")
			p.callsReach(40)
			away := t.TempDir()
			move(t, filepath.Dir(path), away)
			if replaced {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.logged(`the database file .* was deleted, moved or replaced`)
			seldom(t, patience, "/readyz says so", func() bool {
				return strings.Contains(s.unready()["database"], "was deleted, moved or replaced")
			})
			s.stands()
			if reply := p.say(stranger, "stop"); strings.Contains(reply, "Done") {
				t.Errorf("a wish is taken that nobody would find: %q", reply)
			}
			s.terminate()
			if replaced {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			move(t, away, filepath.Dir(path))
			s.start(t)
			s.finishes()
			p.reached(followers)
		})
	}
}

// move moves the files of a database from one folder into another.
func move(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(filepath.Join(from, "broadcast.db"+suffix), filepath.Join(to, "broadcast.db"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
}

// stands waits until the program sends nothing any more, and checks that it
// still answers.
func (s *server) stands() {
	s.t.Helper()
	var before int64 = -1
	poll(s.t, 700*time.Millisecond, patience, "the sending stands", func() bool {
		calls := s.platform.stats().Calls
		stood := calls == before
		before = calls
		return stood
	})
	if status, _ := s.get("/healthz"); status != http.StatusOK {
		s.t.Errorf("/healthz answers %d", status)
	}
}
