package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// `check` tells of a full disk without writing to it.
func TestCheckTellsOfAFullDisk(t *testing.T) {
	t.Parallel()
	folder := smallDisk(t, 8)
	p := startPlatform(t, "--followers", "3")
	s := startServer(t, p, "sqlite://"+filepath.Join(folder, "broadcast.db"), nil)
	if code, _ := s.terminate(); code != 0 {
		t.Fatalf("ended with code %d", code)
	}
	said := func() string {
		check := start(t, s.log, s.env.environ(), "check")
		from := len(s.log.text(0))
		check.wait()
		return s.log.text(0)[from:]
	}
	if text := said(); !strings.Contains(text, "can be read and written") {
		t.Errorf("with room:\n%s", text)
	}
	filler := filepath.Join(folder, "filler")
	fill(t, filler)
	if text := said(); !strings.Contains(text, "its disk is full") {
		t.Errorf("without room:\n%s", text)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if text := said(); !strings.Contains(text, "can be read and written") {
		t.Errorf("with room again:\n%s", text)
	}
}
