package simulator

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// post sends over a connection and gives status and body, or the error of a cut connection.
func post(tb testing.TB, s *Simulator, path, body string) (status int, text string, err error) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all), err
}

func TestFaultsThatAlwaysStrike(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		faults   Faults
		status   int // 0 for a cut connection
		text     string
		received int
	}{
		{"cut before", Faults{Cut: 1}, 0, "", 0},
		{"cut after acceptance", Faults{CutAccepted: 1}, 0, "", 1},
		{"502", Faults{BadGateway: 1}, 502, "<html>", 0},
		{"-1", Faults{SystemError: 1}, 200, `{"errcode":-1,"errmsg":"system error rid: `, 0},
		{"-1 after acceptance", Faults{SystemErrorAccepted: 1}, 200, `{"errcode":-1,`, 1},
		{"a page instead of JSON", Faults{HTML: 1}, 200, "<html>", 1},
		{"an empty body", Faults{Empty: 1}, 200, "", 1},
		{"errcode as a string", Faults{TextCode: 1}, 200, `{"errcode":"0","errmsg":"ok","msgid":3`, 1},
		{"45011", Faults{Codes: map[int]float64{45011: 1}}, 200, `{"errcode":45011,`, 0},
		{"a code without a text of its own", Faults{Codes: map[int]float64{40264: 1, 50002: 0}}, 200, `{"errcode":40264,"errmsg":"error 40264 rid: `, 0},
		{"revoked", Faults{TokenRevoked: 1}, 200, `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest`, 0},
		{"expired", Faults{TokenExpired: 1}, 200, `{"errcode":42001,`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustStart(t, Options{Followers: 10, Faults: tt.faults})
			status, text, err := post(t, s, pathSend+"?access_token="+mustToken(t, s), message(s.Follower(0), "1"))
			if (err != nil) != (tt.status == 0) || status != tt.status || !strings.HasPrefix(text, tt.text) || tt.text == "" && text != "" {
				t.Errorf("status %d, error %v: %s", status, err, text)
			}
			if received, tries := s.Ledger(s.Follower(0)); len(received) != tt.received || tries != 1 {
				t.Errorf("received %d, tried %d; want %d, 1", len(received), tries, tt.received)
			}
			if err := s.SetFaults(Faults{}); err != nil {
				t.Fatal(err)
			}
			// The retry with the same client_msg_id reaches the follower once, whatever went before.
			if got := send(t, s, mustToken(t, s), message(s.Follower(0), "1")); got.Code != 0 {
				t.Errorf("the retry answers %+v", got)
			}
			if received, _ := s.Ledger(s.Follower(0)); len(received) != 1 {
				t.Errorf("after the retry received %d", len(received))
			}
		})
	}
}

func TestFaultRatesRepeatBySeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, backwards bool) (codes []int) {
		s := mustStart(t, Options{Followers: 2000, Seed: seed, Faults: Faults{
			SystemError: 0.1, Codes: map[int]float64{45011: 0.1, 43004: 0.1},
		}})
		token := mustToken(t, s)
		codes = make([]int, 2000)
		for i := range codes {
			if backwards {
				i = len(codes) - 1 - i
			}
			codes[i] = send(t, s, token, message(s.Follower(i), "")).Code
		}
		return codes
	}
	first := run(1, false)
	if diff := cmp.Diff(first, run(1, true)); diff != "" {
		t.Errorf("the same seed in another order strikes others:\n%s", diff)
	}
	if cmp.Equal(first, run(2, false)) {
		t.Error("another seed strikes the same")
	}
	counts := make(map[int]int)
	for _, code := range first {
		counts[code]++
	}
	for _, code := range []int{-1, 45011, 43004} {
		if counts[code] < 100 || counts[code] > 300 {
			t.Errorf("%d struck %d of 2000 times at a rate of 0.1", code, counts[code])
		}
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 500, Faults: Faults{Latency: 50 * time.Millisecond}})
	token := mustToken(t, s)
	begin := time.Now()
	done := make(chan answer)
	for i := range 500 {
		go func() { done <- send(t, s, token, message(s.Follower(i), "")) }()
	}
	for range 500 {
		if got := <-done; got.Code != 0 {
			t.Errorf("answers %+v", got)
		}
	}
	if took := time.Since(begin); took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("500 at once took %v", took)
	}
	if most := s.Stats().MaxInFlight; most < 100 {
		t.Errorf("at most %d in flight", most)
	}
}

func TestSlowAnswersAreAccepted(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1, Faults: Faults{Slow: 1, SlowFor: time.Hour}})
	token := mustToken(t, s)
	go func() { _, _, _ = post(t, s, pathSend+"?access_token="+token, message(s.Follower(0), "")) }()
	eventually(t, "the acceptance of a slow send", func() bool {
		received, _ := s.Ledger(s.Follower(0))
		return len(received) == 1
	})
	if s.Stats().InFlight != 1 {
		t.Error("the slow send was answered")
	}
}

func TestFaultsElsewhere(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1, Faults: Faults{BadGateway: 1}})
	mustToken(t, s)
	if err := s.SetFaults(Faults{BadGateway: 1, Everywhere: true}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pathStableToken, pathCustom, "/cgi-bin/nothing"} {
		if status, _ := call(t, s, http.MethodPost, path, stableBody(s, false)); status != http.StatusBadGateway {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if err := s.SetFaults(Faults{SystemError: 1, Everywhere: true}); err != nil {
		t.Fatal(err)
	}
	var a answer
	if mustCall(t, s, http.MethodPost, pathStableToken, stableBody(s, false), &a); a.Code != -1 {
		t.Errorf("stable_token answers %+v", a)
	}
	if err := s.SetFaults(Faults{}); err != nil {
		t.Fatal(err)
	}
	if mustCall(t, s, http.MethodPost, "/cgi-bin/nothing", "", &a); a.Code != 40066 {
		t.Errorf("an unknown path answers %+v", a)
	}
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1})
	token, url := mustToken(t, s), s.URL()
	s.Down()
	if _, _, err := post(t, s, pathSend+"?access_token="+token, message(s.Follower(0), "")); err == nil {
		t.Error("it answers while it is down")
	}
	if err := s.Up(); err != nil {
		t.Fatal(err)
	}
	if s.URL() != url {
		t.Errorf("it came up at %s, was at %s", s.URL(), url)
	}
	if status, text, err := post(t, s, pathSend+"?access_token="+token, message(s.Follower(0), "")); err != nil || status != 200 || !strings.Contains(text, `"errcode":0`) {
		t.Errorf("up again: status %d, %v: %s", status, err, text)
	}
	if status, text, err := post(t, s, "/_sim/down", `{"for":"100ms"}`); err != nil || status != 200 {
		t.Fatalf("down command: %d, %v: %s", status, err, text)
	}
	eventually(t, "going down", func() bool { _, _, err := post(t, s, "/_sim/verify", ""); return err != nil })
	eventually(t, "coming up", func() bool { _, _, err := post(t, s, "/_sim/verify", ""); return err == nil })
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Followers: 1, Faults: Faults{Latency: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	token := mustToken(t, s)
	failed := make(chan error)
	go func() {
		_, _, err := post(t, s, pathSend+"?access_token="+token, message(s.Follower(0), ""))
		failed <- err
	}()
	eventually(t, "the send", func() bool { return s.Stats().InFlight == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the send was answered")
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
}

func TestCustomSend(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Followers: 10, Admin: []string{"oAdmin"}, Now: c.Now})
	token := mustToken(t, s)
	notify := func(openID, text string) int {
		var a answer
		mustCall(t, s, http.MethodPost, pathCustom+"?access_token="+token,
			fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":%q}}`, openID, text), &a)
		return a.Code
	}
	var codes []int
	codes = append(codes, notify("oAdmin", "before a word"))
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, "success") })
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	say := func() {
		if _, err := s.Say(t.Context(), "oAdmin", "hello"); err != nil {
			t.Fatal(err)
		}
	}
	say()
	for i := range 6 {
		codes = append(codes, notify("oAdmin", fmt.Sprint(i)))
	}
	say()
	c.advance(47 * time.Hour)
	token = mustToken(t, s)
	codes = append(codes, notify("oAdmin", "late"))
	c.advance(time.Hour)
	codes = append(codes, notify("oAdmin", "too late"), notify("x", "hi"), notify("o"+strings.Repeat("Z", 27), "hi"),
		notify("oAdmin", ""), notify("oAdmin", strings.Repeat("x", 2049)))
	if diff := cmp.Diff([]int{45015, 0, 0, 0, 0, 0, 45047, 0, 45015, 40003, 43004, 44004, 45002}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	notices := s.Notices("oAdmin")
	if len(notices) != 6 || notices[5].Text != "late" || s.Stats().Notices["oAdmin"] != 6 {
		t.Errorf("notices: %+v", notices)
	}
	if err := s.Follow(t.Context(), "oNew"); err != nil {
		t.Fatal(err)
	}
	if got := notify("oNew", "welcome"); got != 0 {
		t.Errorf("after following: %d", got)
	}
	c.advance(time.Minute)
	if got := notify("oNew", "still there?"); got != 45015 {
		t.Errorf("a minute after following: %d, want 45015", got)
	}
}
