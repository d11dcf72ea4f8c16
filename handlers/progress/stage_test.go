package progress

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

var testNow = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// patience is how long anything may take on a busy machine. Only a test that fails
// waits for so long.
const patience = 2 * time.Minute

// stage is a broadcast that a test makes up, on a database with its failures.
type stage struct {
	feeds *Feeds
	store *models.Store

	mu     sync.Mutex
	status broadcast.Status
	err    error
	reads  int
	now    time.Time
	begun  time.Time // when the clock was started; zero while it stands still
}

func newStage(tb testing.TB) *stage {
	tb.Helper()
	g := &stage{store: modelstest.SQLite(tb), now: testNow}
	start := testNow.Add(-time.Minute)
	g.status = broadcast.Status{
		Broadcast: models.Broadcast{
			ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Running, Recipients: 10_000,
			AskedAt: models.At(start.Add(-10 * time.Second)), StartedAt: models.At(start), PlannedAt: models.At(start),
		},
		Counts: models.Counts{Accepted: 1000, Delivered: 3000, Blocked: 20, Failed: 2, Uncertain: 1, Sending: 64},
		Rate:   98.4, Left: 61 * time.Second,
	}
	var err error
	g.feeds, err = New(Config{Store: g.store, Engine: stageEngine{g}, Platform: askedTemplates(func() ([]wechat.Template, error) { return nil, nil }), Language: "en", Now: g.clock, Log: modelstest.Log(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(g.feeds.Close)
	g.fill(tb)
	return g
}

// fill stores the failures of the broadcast.
func (g *stage) fill(tb testing.TB) {
	tb.Helper()
	outcomes := []models.Outcome{
		{State: models.FailedFor, ErrCode: 43004}, {State: models.FailedFor, Detail: "failed: system failed"}, {State: models.Uncertain, ErrCode: -1},
	}
	for i := range outcomes {
		err := g.store.ChangeRecipient(tb.Context(), modelstest.OpenID(i), func(r *models.Recipient) { r.Subscribed = true })
		if err != nil {
			tb.Fatal(err)
		}
		o := &outcomes[i]
		o.BroadcastID, o.RecipientID, o.Attempts, o.SentAt = 7, int64(i+1), 1, testNow.Add(-time.Minute)
	}
	if err := g.store.RecordOutcomes(tb.Context(), outcomes, testNow); err != nil {
		tb.Fatal(err)
	}
}

// stageEngine stands in for the engine.
type stageEngine struct{ g *stage }

func (e stageEngine) Status(_ context.Context, id int64) (*broadcast.Status, error) {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	e.g.reads++
	if id != e.g.status.Broadcast.ID {
		return nil, models.NewError(models.NotFound, models.ErrBroadcastUnknown, "ID", id)
	}
	st := e.g.status
	return &st, e.g.err
}

func (e stageEngine) List(context.Context, int) ([]broadcast.Status, error) {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	return []broadcast.Status{e.g.status}, e.g.err
}

func (stageEngine) Preview(context.Context, models.Broadcast) (wechat.Message, error) {
	return wechat.Message{TemplateID: "T1"}, nil
}

func (g *stage) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.begun.IsZero() {
		return g.now
	}
	return g.now.Add(time.Since(g.begun))
}

// run starts the clock.
func (g *stage) run() { g.change(func() { g.begun = time.Now() }) }

// change changes the state of the broadcast, or the clock.
func (g *stage) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// expire moves the clock on so that the next page reads the database.
func (g *stage) expire() { g.change(func() { g.now = g.now.Add(2 * pollEvery) }) }

// serve serves the stream of the broadcast as the program does, with short limits. stop
// shuts the server down.
func (g *stage) serve(tb testing.TB) (url string, stop func() error) {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{ReadTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		language := "en"
		if r.URL.Query().Get("lang") == "zh" {
			language = "zh"
		}
		watch := Watch{ID: 7, Language: language, Until: g.clock().Add(time.Hour)}
		if err := g.feeds.Stream(w, r, watch); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	server.RegisterOnShutdown(g.feeds.Close)
	go func() { _ = server.Serve(listener) }()
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return server.Shutdown(ctx)
	}
	tb.Cleanup(func() { _ = stop() })
	return "http://" + listener.Addr().String(), stop
}
