package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// asks has the holder of a token ask for a broadcast.
func (s *server) asks(secret, key, body string) (status int, answer string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/v1/broadcasts", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return got.StatusCode, string(text)
}

// A draft over the API goes to nobody before a sender approves it in the chat, and then to
// everybody once, however often the same request comes, over a restart too. A token that is
// removed beside the server ends at once.
func TestDraftsOverTheAPI(t *testing.T) {
	t.Parallel()
	const followers = 300
	p := startPlatform(t, "--followers", itoa(followers))
	s := startServer(t, p, sqlite(t).url, nil)
	code, out, faults := s.runs("", "token", "add", "shop", "--scope", "draft")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	secret := lines[len(lines)-1]
	if code != 0 || !strings.HasPrefix(secret, "wb_") {
		t.Fatalf("exit code %d: %s%s", code, out, faults)
	}
	p.say(admin, "sync")
	const body = `{"audience":"all","message":"personal"}`
	status, first := s.asks(secret, "newsletter-7", body)
	if status != http.StatusCreated || !strings.Contains(first, `"state":"pending"`) {
		t.Fatalf("%d, %s", status, first)
	}
	same := func(when string) {
		t.Helper()
		if status, again := s.asks(secret, "newsletter-7", body); status != http.StatusCreated || again != first {
			t.Errorf("the same request %s: %d, %s", when, status, again)
		}
	}
	same("at once")
	if n := p.stats().Calls; n != 0 {
		t.Fatalf("%d sends without an approval", n)
	}
	has(t, "the reply", p.say(admin, "broadcast status #1"), "API token shop", "approve #1")
	p.say(admin, "approve #1")
	s.finishes()
	same("after the end")
	s.kill()
	s.start(t)
	same("after a restart")
	p.reached(followers)
	has(t, "the list", p.say(admin, "broadcast list"), "#1")
	if status, _ := s.asks(secret, "newsletter-8", body); status != http.StatusConflict {
		t.Errorf("the same content under another key: %d", status)
	}
	if code, out, faults = s.runs("", "token", "remove", "shop"); code != 0 {
		t.Fatalf("remove: %d, %s%s", code, out, faults)
	}
	if status, _ := s.asks(secret, "newsletter-7", body); status != http.StatusUnauthorized {
		t.Errorf("with a removed token: %d", status)
	}
}
