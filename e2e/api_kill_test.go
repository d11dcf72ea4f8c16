package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// posts asks for a broadcast over the API. status is 0 if the server died meanwhile.
func (s *server) posts(secret, key string, body []byte) (status int, answer string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/v1/broadcasts", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// However often the server dies while it is asked for a broadcast and while it sends it, the
// same request makes one broadcast, and each of its people receives it once.
func TestAPIRequestsOverKills(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db database) {
		const followers, people = 400, 300
		p := startPlatform(t, "--followers", fmt.Sprint(followers), "--latency", "5ms")
		s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "4"})
		s.platform.say(admin, "sync")
		eventually(t, patience, "the followers are pulled", func() bool { return !strings.Contains(p.say(admin, "stats"), "Followers: 0") })
		code, out, faults := s.runs("", "token", "add", "shop", "--scope", "send")
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, faults)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		secret := lines[len(lines)-1]
		var all []simulator.Count
		p.ask(http.MethodGet, fmt.Sprintf("/_sim/received?min=0&limit=%d", people), nil, &all)
		var ask struct {
			Message    string              `json:"message"`
			Recipients []map[string]string `json:"recipients"`
		}
		ask.Message = "personal"
		for _, c := range all {
			ask.Recipients = append(ask.Recipients, map[string]string{"openid": c.OpenID})
		}
		body, err := json.Marshal(ask)
		if err != nil || len(all) != people {
			t.Fatalf("%d people, %v", len(all), err)
		}
		again := func() {
			s.kill()
			s.start(t)
			s.logged(`sending for this database`)
		}
		for range 3 { // while it is asked
			asked := make(chan int, 1)
			go func() {
				status, _ := s.posts(secret, "same", body)
				asked <- status
			}()
			pass(t, time.Duration(rand.Int64N(int64(150*time.Millisecond))))
			s.kill()
			if status := <-asked; status != 0 && status != http.StatusCreated {
				t.Errorf("answered %d", status)
			}
			again()
		}
		for n := range int64(4) { // while it sends
			status, answer := s.posts(secret, "same", body)
			if status != http.StatusCreated || !strings.Contains(answer, `"id":1,`) {
				t.Fatalf("answered %d: %s", status, answer)
			}
			p.callsReach(min(people, 60*n))
			again()
		}
		s.finishes()
		if status, answer := s.posts(secret, "same", body); status != http.StatusCreated || !strings.Contains(answer, `"id":1,`) {
			t.Errorf("after the end: %d: %s", status, answer)
		}
		p.reached(people)
		for _, c := range all {
			if got := len(p.messages(c.OpenID)); got != 1 {
				t.Errorf("%s received %d", c.OpenID, got)
			}
		}
	})
}
