package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const webhookSecret = "the-receivers-own-secret"

// hook is a post that the operator's other program got.
type hook struct {
	ID, Timestamp, Signature, body string
	Type                           string
	At                             time.Time
	Account                        string
	Broadcast                      struct {
		ID            int64
		State, Reason string
		Audience      string
		Recipients    int64
		Counts        map[string]int64
		FinishedAt    *time.Time `json:"finished_at"`
		AskedAt       time.Time  `json:"asked_at"`
		StartsAt      *time.Time `json:"starts_at"`
	}
}

// receiver is the operator's other program.
type receiver struct {
	mu    sync.Mutex
	away  bool
	hooks []hook
	tries int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	h := hook{body: string(body)}
	if err == nil {
		err = json.Unmarshal(body, &h)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	switch {
	case err != nil, req.Method != http.MethodPost, h.ID != req.Header.Get("Webhook-Id"):
		w.WriteHeader(http.StatusBadRequest)
	case r.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		h.Timestamp, h.Signature = req.Header.Get("Webhook-Timestamp"), req.Header.Get("Webhook-Signature")
		r.hooks = append(r.hooks, h)
	}
}

func (r *receiver) is(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *receiver) tried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

func (r *receiver) got() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hooks)
}

// Two posts are not taken, and the program is killed before the third.
func TestAnotherProgramIsToldOfPausesAndEnds(t *testing.T) {
	t.Parallel()
	const followers = 100
	eachDatabase(t, func(t *testing.T, db database) {
		to := &receiver{away: true}
		server := httptest.NewServer(to)
		t.Cleanup(server.Close)
		p := startPlatform(t, "--followers", itoa(followers))
		s := startServer(t, p, db.url, settings{
			"WEBHOOK_URL": server.URL + "/events?key=hidden", "WEBHOOK_SECRET": webhookSecret, "SEND_RATE": "20",
		})
		p.say(admin, "broadcast all")
		p.callsReach(5)
		p.say(admin, "broadcast pause")
		eventually(t, patience, "the receiver refuses twice", func() bool { return to.tried() >= 2 })
		s.kill()
		to.is(false)
		s.start(t)
		s.logged(`sending for this database`)
		eventually(t, patience, "the pause is told", func() bool { return len(to.got()) == 1 })
		p.say(admin, "broadcast resume")
		s.finishes()
		p.receiptsCome()
		eventually(t, patience, "the end is told", func() bool { return len(to.got()) == 2 })
		s.terminate()

		hooks := to.got()
		pause, end := hooks[0], hooks[1]
		if pause.Type != "broadcast.paused" || pause.Broadcast.State != "paused" || pause.Broadcast.Reason != "admin" || pause.Broadcast.FinishedAt != nil ||
			pause.Broadcast.Counts["waiting"] == 0 {
			t.Errorf("%s", pause.body)
		}
		if end.Type != "broadcast.finished" || end.Broadcast.State != "finished" || end.Broadcast.Audience != "all" || end.Broadcast.FinishedAt == nil ||
			end.Broadcast.Recipients != followers || end.Broadcast.Counts["delivered"] != followers || end.Broadcast.Counts["waiting"] != 0 {
			t.Errorf("%s", end.body)
		}
		if pause.ID == end.ID || pause.Broadcast.ID != 1 || end.At.Before(pause.At) {
			t.Errorf("%s\n%s", pause.body, end.body)
		}
		for _, h := range hooks {
			mac := hmac.New(sha256.New, []byte(webhookSecret))
			_, _ = io.WriteString(mac, h.Timestamp+"."+h.body)
			at, err := strconv.ParseInt(h.Timestamp, 10, 64)
			if h.Signature != "v1,"+hex.EncodeToString(mac.Sum(nil)) || err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Hour {
				t.Errorf("%s at %s is signed %s", h.body, h.Timestamp, h.Signature)
			}
		}
		if text := s.log.text(0); strings.Contains(text, webhookSecret) || strings.Contains(text, "key=hidden") {
			t.Error("the log has a secret")
		}
	})
}
