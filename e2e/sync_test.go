package e2e

import (
	"strings"
	"testing"
)

// Two processes that are told to pull the followers pull them once: the other says
// that it is being done.
func TestTwoSyncsPullOnce(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "1000000", "--latency", "100ms")
	s := newServer(t, p, "sqlite://"+t.TempDir()+"/broadcast.db", nil)
	first := start(t, newLog(t, "first"), s.env.environ(), "sync")
	eventually(t, patience, "the first page being pulled", func() bool { return p.stats().Pages > 0 })
	second := start(t, newLog(t, "second"), s.env.environ(), "sync")
	if code := second.wait(); code != 1 || !strings.Contains(second.log.text(0), "being synced already") {
		t.Errorf("the second ended with code %d and says %q", code, second.log.tail(3))
	}
	if code := first.wait(); code != 0 || !strings.Contains(first.log.text(0), "Follower list synced: 1,000,000") {
		t.Errorf("the first ended with code %d and says %q", code, first.log.tail(3))
	}
	if n := p.stats().Pages; n > 101 {
		t.Errorf("%d pages were pulled, want 101", n)
	}
}

// A process that was killed while it pulled lets the next go on where it was.
func TestASyncGoesOnAfterAKilledOne(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "300000", "--latency", "100ms")
	s := newServer(t, p, "sqlite://"+t.TempDir()+"/broadcast.db", nil)
	first := start(t, newLog(t, "killed"), s.env.environ(), "sync")
	eventually(t, patience, "some pages being pulled", func() bool { return p.stats().Pages > 5 })
	first.kill()
	var text string
	eventually(t, patience, "the next one going on", func() bool {
		next := start(t, newLog(t, "next"), s.env.environ(), "sync")
		code := next.wait()
		text = next.log.text(0)
		return code == 0
	})
	if !strings.Contains(text, "It went on where the last one had stopped") || p.stats().Pages > 33 {
		t.Errorf("%d pages in all; the next one says %q", p.stats().Pages, text)
	}
}
