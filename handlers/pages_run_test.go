package handlers

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/message/messagetest"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

// patience is how long anything may take on a busy machine. Only a test that fails
// waits for so long.
const patience = 2 * time.Minute

const (
	runSecret   = "0123456789abcdef0123456789abcdef"
	runTemplate = "notice-0bUfcSsECmogfXcV14J0tQlEpBO27izEYtY-"
)

// runWords are the messages that the account of a run sends.
type runWords struct{ title, content, messages string }

var runMessages = map[string]runWords{
	"zh": {"图书馆通知", "通知内容：{{thing1.DATA}}\n通知时间：{{time2.DATA}}\n备注：{{thing3.DATA}}", `
messages:
  闭馆通知:
    template_id: ` + runTemplate + `
    url: https://example.com/notices/1
    data:
      thing1: {value: "图书馆周三闭馆一天"}
      time2: {value: '{{.Now.Format "2006年1月2日 15:04"}}'}
      thing3: {value: "请相互转告"}
`},
	"en": {"Library notice", "Notice: {{thing1.DATA}}\nSent: {{time2.DATA}}\nNote: {{thing3.DATA}}", `
messages:
  closed-day:
    template_id: ` + runTemplate + `
    url: https://example.com/notices/1
    data:
      thing1: {value: "Closed on Wednesday"}
      time2: {value: '{{.Now.Format "2006-01-02 15:04"}}'}
      thing3: {value: "Please pass it on"}
`},
}

// realRun is all that takes part in a broadcast: a simulated platform, the engine on
// a database, and the pages on a real server.
type realRun struct {
	sim    *simulator.Simulator
	store  *models.Store
	engine *broadcast.Engine
	links  *Links
	admin  string
}

// newRun starts everything; rate is in sends a second.
func newRun(t *testing.T, language string, o simulator.Options, rate int) *realRun {
	t.Helper()
	text := runMessages[language]
	r := &realRun{store: newStore(t), admin: "oAdmin-0000000000000000000-A"}
	o.AppID, o.AppSecret, o.Token, o.Admin, o.Seed = testAppID, runSecret, testToken, []string{r.admin}, 1
	o.Templates = []simulator.Template{{ID: runTemplate, Title: text.title, Content: text.content}}
	var err error
	if r.sim, err = simulator.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sim.Close() })
	if err := r.sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	log := modelstest.Log(t)
	platform := wechat.New(wechat.Config{AppID: o.AppID, AppSecret: runSecret, BaseURL: r.sim.URL(), MaxConns: 40, Now: time.Now, Log: log})
	t.Cleanup(platform.Close)
	people := followers.New(followers.Config{Store: r.store, Platform: platform, Now: time.Now, Log: log})
	if _, err := people.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.engine = broadcast.New(broadcast.Config{
		Store: r.store, Platform: platform,
		Messages:   messagetest.New(t, text.messages).Source,
		EverPulled: people.EverPulled, Pull: func(context.Context) error { return nil },
		Concurrency: 32, Rate: rate, Metrics: prometheus.NewRegistry(), Now: time.Now, Log: log,
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	if r.links, err = NewLinks(base, runSecret, testToken, time.Now); err != nil {
		t.Fatal(err)
	}
	live, err := progress.New(progress.Config{Store: r.store, Engine: r.engine, Platform: platform, Language: language, Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := NewPages(PagesConfig{
		Links: r.links, Store: r.store, Engine: r.engine, Progress: live, Language: language, Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	close(ready)
	registry := prometheus.NewRegistry()
	callback := NewCallback(CallbackConfig{
		AppID: o.AppID, Token: testToken, Store: r.store, Ready: ready, Engine: r.engine, Followers: people,
		Metrics: registry, Now: time.Now, Log: log,
	})
	server := NewHTTPServer(New(Config{Metrics: registry, Now: time.Now, Log: log},
		Fixed(&Account{Callback: callback, Pages: pages})))
	server.RegisterOnShutdown(live.Close)
	go func() { _ = server.Serve(listener) }()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.engine.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		closing, end := context.WithTimeout(context.Background(), patience)
		defer end()
		_ = server.Shutdown(closing)
		r.engine.Close()
	})
	if err := r.sim.SetCallback(base + "/wechat"); err != nil {
		t.Fatal(err)
	}
	return r
}

// ask asks for a broadcast of the only message.
func (r *realRun) ask(t *testing.T, to models.Audience, key string, again bool) int64 {
	t.Helper()
	// An empty name means the only message of the file.
	asked, err := r.engine.Create(t.Context(), broadcast.Request{Audience: to, AskedBy: r.admin, RequestKey: key, Again: again})
	if err != nil {
		t.Fatal(err)
	}
	return asked.Broadcast.ID
}

// reached waits until far accepts the state of a broadcast.
func (r *realRun) reached(t *testing.T, id int64, far func(st *broadcast.Status) bool) *broadcast.Status {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		st, err := r.engine.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if far(st) {
			return st
		}
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("the broadcast stays at %+v", st)
		}
	}
}

// settled tells whether a broadcast has ended and has all its receipts.
func settled(st *broadcast.Status) bool {
	return st.Broadcast.State.Final() && st.Counts.Accepted+st.Counts.Sending == 0
}
