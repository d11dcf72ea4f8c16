package handlers

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of 5,000 forged posts a few are logged, and the rest is counted by kind.
func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t)
		const forged, stale = 5000, 300
		for range forged {
			a.post(nil, "<xml>")
		}
		for range stale {
			a.post(a.query(testNow.Add(-time.Hour)), "<xml>")
		}
		a.do(http.MethodGet, "/nowhere", nil)
		a.push(textMsg("openid", 1))
		want := map[string]int{
			`reason="wrong signature"`: refusalsShown, `reason="stale timestamp"`: refusalsShown, "path=/nowhere": 1, "kind=text": 1,
		}
		for text, n := range want {
			if got := strings.Count(a.log.String(), text); got != n {
				t.Errorf("%d lines with %s, want %d", got, text, n)
			}
		}
		before := len(a.log.String())
		time.Sleep(refusalsEvery)
		a.push(textMsg("openid", 2))
		lines := strings.Split(strings.TrimSpace(a.log.String()[before:]), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "count=5290") ||
			!strings.Contains(lines[0], `kinds="wrong signature: 4995, stale timestamp: 295"`) {
			t.Errorf("a minute later: %s", strings.Join(lines, "\n"))
		}
		// The next refusal has a line again, and nothing is counted twice.
		before = len(a.log.String())
		a.post(nil, "<xml>")
		time.Sleep(2 * refusalsEvery)
		a.post(nil, "<xml>")
		if text := a.log.String()[before:]; strings.Count(text, "\n") != 2 || strings.Count(text, "wrong signature") != 2 {
			t.Errorf("later: %s", text)
		}
	})
}

// Errors of ours are never left out.
func TestFailuresAreAllLogged(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(c *setup) { c.remembers = func(string) bool { panic("a fault") } })
	for i := range 20 {
		a.push(textMsg("openid", int64(i+1)))
	}
	if n := strings.Count(a.log.String(), "level=ERROR msg=request"); n != 20 {
		t.Errorf("%d lines for 20 failures", n)
	}
}
