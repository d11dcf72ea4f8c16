package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A disk that fills during a copy is told in one sentence, with nothing half-done left
// behind: a new file is deleted again, and a server still uses the source. With room the
// copy succeeds.
func TestADiskThatFillsDuringACopy(t *testing.T) {
	t.Parallel()
	long(t)
	for name, there := range map[string]bool{"a new file": false, "an empty file": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := smallDisk(t, 12)
			path := filepath.Join(folder, "copy.db")
			said := "was deleted again"
			if there {
				said = "is marked as incomplete: no server takes it"
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := startPlatform(t, "--followers", "20")
			m := &transfer{t: t, p: p, from: sqlite(t), to: database{url: "sqlite://" + path, driver: "sqlite", dsn: "file:" + path}}
			s := startServer(t, p, m.from.url, nil)
			in := &mending{server: s}
			in.wants(p.say(admin, "broadcast all personal at tomorrow 09:00"), "#1")
			if code, _ := s.terminate(); code != 0 {
				t.Fatalf("ended with code %d", code)
			}
			m.fills(openPool(t, m.from))

			copying := m.command(m.from, "copy", "--to", m.to.url)
			code, text := copying.wait(), copying.log.text(0)
			if code != 1 || strings.Count(text, "copy: a disk is full") != 1 || !strings.Contains(text, said) ||
				!strings.Contains(text, "The source is as it was") || strings.Contains(text, "level=ERROR") {
				t.Errorf("copy ended with code %d:\n%s", code, text)
			}
			if left, err := os.ReadDir(folder); err != nil || (len(left) > 0) != there {
				t.Errorf("left on the disk: %v, %v", left, err)
			}
			if there {
				m.refused(m.to, "incomplete copy")
			}
			s.start(t) // on the source
			in.wants(p.say(admin, "broadcast status #1"), "#1")
			if code, _ := s.terminate(); code != 0 {
				t.Errorf("ended with code %d", code)
			}
			m.to = sqlite(t)
			m.copies()
		})
	}
}
