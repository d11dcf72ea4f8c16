package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/loop"
)

const secret = "0123456789abcdef0123456789abcdef"

// receiver is the operator's other program. It is an http.RoundTripper, so that time may
// stand still.
type receiver struct {
	mu     sync.Mutex
	answer func(n int) int // the status of the n-th post, from 1; nil for 200
	delay  time.Duration
	now    func() time.Time
	posts  []post
}

// post is one that came.
type post struct {
	at     time.Time
	body   string
	header http.Header
}

// all are the posts that came.
func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if err := loop.Sleep(req.Context(), r.delay); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = append(r.posts, post{r.now(), string(body), req.Header})
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(len(r.posts))
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("thanks")), Request: req}, nil
}

// got are the types of the events that came, each with its state and reason.
func (r *receiver) got(t *testing.T) (all []string) {
	t.Helper()
	for _, p := range r.all() {
		var e event
		if err := json.Unmarshal([]byte(p.body), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s", e.Type, e.Broadcast.State, e.Broadcast.Reason))
	}
	return all
}

// logged is what was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// stage is a database with a receiver, and what the engine says.
type stage struct {
	t        *testing.T
	store    *models.Store
	to       *receiver
	leads    atomic.Bool
	counted  atomic.Bool
	log      logged
	registry *prometheus.Registry
	asked    int
	ahead    atomic.Int64 // added to the clock
}

func (st *stage) now() time.Time { return time.Now().Add(time.Duration(st.ahead.Load())) }

func newStage(t *testing.T, store *models.Store) *stage {
	t.Helper()
	store.KeepWebhooks()
	st := &stage{t: t, store: store, to: &receiver{}}
	st.to.now = st.now
	st.leads.Store(true)
	st.counted.Store(true)
	return st
}

// run runs a further Sender until it is stopped.
func (st *stage) run() (stop func()) {
	st.registry = prometheus.NewRegistry()
	s := New(Config{
		URL: "https://crm.example.com/events?key=hidden", Secret: secret, Account: "library", Version: "1.2.3", Store: st.store,
		Leads:   st.leads.Load,
		Counted: func(context.Context, models.Broadcast) (bool, error) { return st.counted.Load(), nil },
		Recent: func(id int64) (models.Broadcast, models.Counts, error) {
			b, err := st.store.FindBroadcast(context.Background(), id)
			if err != nil {
				return models.Broadcast{}, models.Counts{}, err
			}
			counts, err := st.store.CountDeliveries(context.Background(), id)
			return *b, counts, err
		},
		Metrics: st.registry, Now: st.now, Log: slog.New(slog.NewTextHandler(&st.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	s.client.Transport = st.to
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	return sync.OnceFunc(func() { cancel(); running.Wait() })
}

// want compares the posts of the Sender that ran last, by outcome.
func (st *stage) want(outcomes string) {
	st.t.Helper()
	families, err := st.registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "webhooks_total" {
		st.t.Fatalf("%v, %v", families, err)
	}
	var got []string
	for _, m := range families[0].GetMetric() {
		got = append(got, fmt.Sprintf("%s=%g", m.GetLabel()[0].GetValue(), m.GetCounter().GetValue()))
	}
	if text := strings.Join(got, " "); text != outcomes {
		st.t.Errorf("%s, want %s", text, outcomes)
	}
}

// broadcast stores one that runs, with n accepted messages.
func (st *stage) broadcast(n int64) *models.Broadcast {
	st.t.Helper()
	ctx, now := st.t.Context(), time.Now()
	st.asked++
	b := &models.Broadcast{
		RequestKey: fmt.Sprint("key ", st.asked), Name: "notice", Message: "{}", Audience: models.AudienceAll,
		State: models.Scheduled, AskedAt: models.At(now), NotBefore: models.At(now), Recipients: n,
	}
	if _, err := st.store.CreateBroadcast(ctx, b, models.Asked{Again: true}); err != nil {
		st.t.Fatal(err)
	}
	st.move(b, models.Move{Event: models.EventDue})
	var ids []int64
	var outcomes []models.Outcome
	for id := int64(1); id <= n; id++ {
		ids = append(ids, id)
		outcomes = append(outcomes, models.Outcome{
			BroadcastID: b.ID, RecipientID: id, State: models.Accepted, MsgID: b.ID<<40 + id, Attempts: 1, SentAt: now,
		})
	}
	if n > 0 {
		if err := errors.Join(modelstest.Claim(ctx, st.store, b.ID, ids, now), st.store.RecordOutcomes(ctx, outcomes, now)); err != nil {
			st.t.Fatal(err)
		}
	}
	return b
}

func (st *stage) move(b *models.Broadcast, m models.Move) {
	st.t.Helper()
	if moved, err := st.store.MoveBroadcast(st.t.Context(), b.ID, m, time.Now()); err != nil || !moved {
		st.t.Fatalf("%s: moved %t, %v", m.Event, moved, err)
	}
}

// fill fills the only webhook as a Sender does.
func (st *stage) fill() models.Webhook {
	st.t.Helper()
	list, err := st.store.DueWebhooks(st.t.Context(), st.now(), 2)
	if err != nil || len(list) != 1 {
		st.t.Fatal(list, err)
	}
	if err := st.store.FillWebhook(st.t.Context(), list[0].ID, `{"broadcast":{}}`); err != nil {
		st.t.Fatal(err)
	}
	return list[0]
}

func (st *stage) sleep(d time.Duration) { _ = loop.Sleep(st.t.Context(), d) }

var (
	byAdmin  = models.Move{Event: models.EventPause, Reason: models.ReasonAdmin}
	byQuota  = models.Move{Event: models.EventStop, Reason: models.ReasonQuota, ResumeAt: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	byCanary = models.Move{Event: models.EventStop, Reason: models.ReasonCanary}
	itself   = models.Move{Event: models.EventFail, Reason: models.ReasonContent}
	atEnd    = models.Move{Event: models.EventFinish}
)

// in runs a test with simulated time.
func in(t *testing.T, f func(t *testing.T, st *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newStage(t, modelstest.SQLite(t))) })
}
