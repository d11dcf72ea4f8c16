package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The link in the reply to a broadcast leads to its page; no other token leads
// anywhere.
func TestProgressPage(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "20")
	s := startServer(t, p, sqlite(t).url, settings{"PUBLIC_URL": "https://broadcast.example.com"})
	path := func(reply string) string {
		t.Helper()
		found := regexp.MustCompile(`https://broadcast\.example\.com(/b/[\w-]+)`).FindStringSubmatch(reply)
		if found == nil {
			t.Fatalf("the reply has no link:\n%s", reply)
		}
		return found[1]
	}
	asked := path(p.say(admin, "broadcast all"))
	s.finishes()
	for _, want := range []struct{ path, part string }{
		{asked, "Broadcast #1"},
		{path(p.say(admin, "broadcast status")), "Broadcast #1"},
		{path(p.say(admin, "broadcast list")), "notice"},
	} {
		if status, body := s.get(want.path); status != http.StatusOK || !strings.Contains(body, want.part) {
			t.Errorf("%s answers %d: %.300s", want.path[:8], status, body)
		}
	}
	last := asked[len(asked)-1:]
	other := strings.TrimSuffix(asked, last) + map[bool]string{true: "B", false: "A"}[last == "A"]
	for _, wrong := range []string{other, asked[:len(asked)-4], "/b/AAAA", "/b/", asked + "/elsewhere"} {
		if status, body := s.get(wrong); status != http.StatusNotFound || strings.Contains(body, "notice") {
			t.Errorf("a wrong link answers %d: %.300s", status, body)
		}
	}
}
