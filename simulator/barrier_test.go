package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBarrier keeps answers back after the first: the messages are in the ledger, and their callers wait.
func TestBarrier(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 3})
	token := mustToken(t, s)
	send := func(ctx context.Context, who int) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+pathSend+"?access_token="+token,
			strings.NewReader(fmt.Sprintf(`{"touser":%q,"template_id":%q,"data":%s}`, s.Follower(who), noticeID, noticeData)))
		if err != nil {
			return "", err
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		return resp.Status, resp.Body.Close()
	}
	held := func(want int64) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); s.Stats().Held != want; {
			if time.Now().After(deadline) {
				t.Fatalf("%d answers are kept back, want %d", s.Stats().Held, want)
			}
			<-time.After(time.Millisecond)
		}
	}
	var ok map[string]any
	mustCall(t, s, http.MethodPost, "/_sim/faults", `{"wait_after":1}`, &ok)
	if status, err := send(t.Context(), 0); err != nil || status != "200 OK" {
		t.Errorf("the first is answered %q, %v", status, err)
	}
	waits, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if status, err := send(waits, 1); err == nil {
		t.Errorf("the second does not wait: %q", status)
	}
	if st := s.Stats(); st.Calls != 2 || st.Accepted != 1 {
		t.Errorf("%d calls and %d accepted, want 2 and 1", st.Calls, st.Accepted)
	}
	// Its handler may not know yet that nobody waits for it any more.
	for deadline := time.Now().Add(10 * time.Second); s.Stats().InFlight != 0 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	mustCall(t, s, http.MethodPost, "/_sim/faults", `{"wait_after":0}`, &ok)
	s.Reset()
	mustCall(t, s, http.MethodPost, "/_sim/hold", `{"after":1}`, &ok)
	if status, err := send(t.Context(), 0); err != nil || status != "200 OK" {
		t.Errorf("the first is answered %q, %v", status, err)
	}
	dies, die := context.WithCancel(t.Context())
	died, answered := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := send(dies, 1)
		died <- err
	}()
	held(1)
	go func() {
		_, err := send(t.Context(), 2)
		answered <- err
	}()
	held(2)
	if reached := s.Stats().Reached; reached != 3 {
		t.Errorf("%d were reached while answers are kept back, want 3", reached)
	}
	die()
	if err := <-died; err == nil {
		t.Error("the one that died was answered")
	}
	held(1)
	mustCall(t, s, http.MethodPost, "/_sim/release", "", &ok)
	if err := <-answered; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	if status, err := send(t.Context(), 0); err != nil || status != "200 OK" {
		t.Errorf("after the release: %q, %v", status, err)
	}
}
