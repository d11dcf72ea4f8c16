package broadcast_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/cluster"
	"wechat-broadcast/services/lifesign"
	"wechat-broadcast/services/message/messagetest"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/worker"
	"wechat-broadcast/simulator"
	"wechat-broadcast/zone"
)

const (
	admin     = "oAdmin-0000000000000000000-A"
	simSecret = "0123456789abcdef0123456789abcdef"
	simApp    = "wxd0a1b2c3d4e5f607"
)

const messageFile = `
default: notice
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2: {value: '{{.Now.Format "2006年1月2日 15:04"}}'}
      keyword3: {value: "请相互转告"}
  personal:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "{{slice .OpenID 20}}"}
      time2: {value: "09:00"}
      keyword3: {value: "{{.Scene}}"}
  gone:
    template_id: no-such-template
    data:
      thing1: {value: "图书馆周三闭馆"}
`

// setup is what an account under test differs in.
type setup struct {
	simulator.Options
	concurrency, rate int
	undo              time.Duration
	canary            int64 // how many recipients a canary has
	approvals         int
	requireTest       bool
	quiet             string // such as 22:00-08:00
	limit             models.Cap
	retention         time.Duration
	driver            string // SQLite if empty
	// unpulled leaves the database empty and the followers to a pull.
	unpulled bool
	// overHTTP puts a network between engine and platform, for tests in real time.
	overHTTP bool
	log      *slog.Logger // of the engine, if not the test's
	cluster  *replicated
	// signs has each engine write signs of life, as the program does.
	signs bool
}

// account is a platform with its followers, a database that knows them, and an
// engine between the two.
type account struct {
	t      *testing.T
	sim    *simulator.Simulator
	wire   *wire
	client *wechat.Client
	store  *models.Store
	db     *sql.DB // past the store, to look and to break
	set    setup

	engine     *broadcast.Engine
	admins     *admins.Service
	messages   *messagetest.File
	pulls      atomic.Int64
	pulled     atomic.Bool
	pull       func(context.Context) error
	everPulled func() bool
	// figures are those of each engine.
	figures map[*broadcast.Engine]*prometheus.Registry
	// ahead is added to the engine's clock.
	ahead atomic.Int64

	mu      sync.Mutex
	notices []string
	asks    int
}

func newAccount(t *testing.T, set setup) *account {
	t.Helper()
	a := &account{t: t, set: set, figures: map[*broadcast.Engine]*prometheus.Registry{}}
	set.Admin = append(set.Admin, admin)
	set.Options.Followers += len(set.Admin)
	set.AppID, set.AppSecret = simApp, simSecret
	if set.Faults.Latency == 0 {
		set.Faults.Latency = 2 * time.Millisecond
	}
	var err error
	if a.sim, err = simulator.New(set.Options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	conf := wechat.Config{AppID: simApp, AppSecret: simSecret, Now: a.now, Log: modelstest.Log(t), MaxConns: 64}
	if set.overHTTP {
		if err := a.sim.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		conf.BaseURL = a.sim.URL()
	} else {
		a.wire = &wire{handler: a.sim}
		conf.BaseURL, conf.Transport = "http://platform.test", a.wire
	}
	a.client = wechat.New(conf)
	t.Cleanup(a.client.Close)
	a.store, a.db = openStore(t, set.driver)
	a.messages = messagetest.New(t, messageFile)
	a.forgetRoles()
	a.pulled.Store(!set.unpulled)
	a.pull, a.everPulled = a.fill, a.pulled.Load
	if !set.unpulled {
		if err := a.fill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.letNoticesIn()
	a.engine = a.newEngine()
	return a
}

// replicated is what the engines of one account share.
type replicated struct {
	Redis   *redis.Client
	Account string
}

// source returns the account's messages.
func (a *account) source() *messages.Source {
	return messages.NewSource(messages.SourceConfig{
		Path: a.messages.Path, Language: "zh", Store: a.store, Templates: a.client, Now: a.now,
	})
}

// newEngine makes a further engine on the account.
func (a *account) newEngine() *broadcast.Engine {
	a.t.Helper()
	figures := prometheus.NewRegistry()
	c := broadcast.Config{
		Store: a.store, Platform: a.client,
		Messages:   a.source(),
		EverPulled: func(context.Context) (bool, error) { return a.everPulled(), nil },
		Pull: func(ctx context.Context) error {
			a.pulls.Add(1)
			return a.pull(ctx)
		},
		Concurrency: max(a.set.concurrency, 16), Rate: a.set.rate, UndoWindow: a.set.undo, Canary: canary.Share{Number: a.set.canary},
		Approvals: a.set.approvals, RequireTest: a.set.requireTest, Cap: a.set.limit, Retention: a.set.retention,
		Senders: func(ctx context.Context) []string { return a.admins.Senders(ctx) },
		Metrics: figures, Now: a.now, Log: modelstest.Log(a.t),
	}
	if a.set.quiet != "" {
		var err error
		if c.Quiet, err = zone.ParseHours(a.set.quiet); err != nil {
			a.t.Fatal(err)
		}
	}
	if a.set.log != nil {
		c.Log = a.set.log
	}
	if a.set.signs {
		c.Life = &lifesign.Keeper{Store: a.store, Log: c.Log}
	}
	if a.set.cluster != nil {
		c.Join = func(th *throttle.Throttle, patience time.Duration) (broadcast.Cluster, worker.Queue) {
			shared := cluster.New(cluster.Config{
				Redis: a.set.cluster.Redis, Account: a.set.cluster.Account, Throttle: th, Patience: patience, Now: c.Now, Log: c.Log,
			})
			return shared, shared.Queue
		}
	}
	e := broadcast.New(c)
	a.figures[e] = figures
	a.t.Cleanup(e.Close)
	return e
}

// openStore opens a fresh, migrated database, twice: for the store, and to look
// and break past it.
func openStore(t *testing.T, driver string) (*models.Store, *sql.DB) {
	t.Helper()
	var name, dsn, raw string
	if driver == models.MySQL {
		dsn = modelstest.MigratedDSN(t)
		name, raw = "mysql", dsn
	} else {
		dsn = modelstest.SQLiteFile(t)
		driver, name, raw = models.SQLite, "sqlite", "file:"+dsn+"?_pragma=busy_timeout(10000)"
	}
	s, err := models.Open(driver, dsn, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := sql.Open(name, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, db
}

func (a *account) now() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) }

// fill enters every follower of the platform into the database.
func (a *account) fill(ctx context.Context) error {
	people := a.people()
	for group := range slices.Chunk(people, 500) {
		var rows []string
		var args []any
		for _, openID := range group {
			rows = append(rows, "(?, 1, 0, 0, ?, 'qr', '', 1, 1)")
			args = append(args, openID, int64(1_700_000_000_000))
		}
		_, err := a.db.ExecContext(ctx, "INSERT INTO recipients (openid, subscribed, opted_out, tester, subscribed_at,"+
			" scene, fields, created_at, updated_at) VALUES "+strings.Join(rows, ","), args...)
		if err != nil {
			return err
		}
	}
	a.pulled.Store(true)
	return nil
}

// people are the OpenIDs of everyone who follows at the start.
func (a *account) people() []string {
	var all []string
	for i := range a.set.Followers + len(a.set.Admin) + 1 {
		all = append(all, a.sim.Follower(i))
	}
	return all
}

// letNoticesIn lets the admin write to the account, which opens the window for
// notices. There is no callback that could hear of it.
func (a *account) letNoticesIn() {
	ctx, cancel := context.WithCancel(a.t.Context())
	cancel()
	_, _ = a.sim.Say(ctx, admin, "openid")
}

// Notice words a notice as the chat would.
func (a *account) Notice(kind string, st broadcast.Status) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := fmt.Sprintf("%s #%d %s taken=%d failed=%d uncertain=%d", kind, st.Broadcast.ID, st.Broadcast.Reason,
		st.Counts.Taken(), st.Counts.Failed, st.Counts.Uncertain)
	for _, w := range st.Warnings {
		text += " " + w.Code
	}
	a.notices = append(a.notices, text)
	return text
}

// Halts words the notice of a halt as the chat would.
func (a *account) Halts(first broadcast.Status, others []int64) string {
	text := a.Notice("paused", first)
	if len(others) > 0 {
		text += fmt.Sprintf(" and %d", others)
	}
	return text
}

// LateReply words what became of a request that was not confirmed in time.
func (a *account) LateReply(asked *broadcast.Created, err error) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := fmt.Sprintf("late: %v", err)
	if err == nil {
		text = fmt.Sprintf("late: #%d stored", asked.Broadcast.ID)
	}
	a.notices = append(a.notices, text)
	return text
}

// worded are the notices that were worded so far.
func (a *account) worded() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.notices)
}

// start runs the engine until stop is called, or the test ends.
func (a *account) start() (stop func()) {
	return a.run(a.engine)
}

func (a *account) run(e *broadcast.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n := a.notifier(e)
	go func() {
		defer close(done)
		var parts sync.WaitGroup
		parts.Go(func() {
			if err := e.Run(ctx); err != nil {
				a.t.Error(err)
			}
		})
		parts.Go(func() { n.Run(ctx) })
		parts.Wait()
	}()
	stop = func() { cancel(); <-done }
	a.t.Cleanup(stop)
	return stop
}

// notifier returns one that tells what an engine does.
func (a *account) notifier(e *broadcast.Engine) *notify.Notifier {
	return notify.New(notify.Config{
		Store: a.store, Platform: a.client, Engine: e, Words: a, Now: a.now, Log: modelstest.Log(a.t),
		Admins: a.admins,
	})
}

// ask asks for a broadcast that nobody has a reason to refuse.
func (a *account) ask(message string, to models.Audience) int64 {
	a.t.Helper()
	asked, err := a.tryAsk(message, to, false)
	if err != nil {
		a.t.Fatalf("ask for %s to %s: %v", message, to, err)
	}
	return asked.Broadcast.ID
}

func (a *account) tryAsk(message string, to models.Audience, again bool) (*broadcast.Created, error) {
	return a.request(broadcast.Request{Message: message, Audience: to, Again: again})
}

// request makes a request of the admin, with a key of its own.
func (a *account) request(q broadcast.Request) (*broadcast.Created, error) {
	a.mu.Lock()
	a.asks++
	q.AskedBy, q.RequestKey = admin, fmt.Sprintf("ask %d", a.asks)
	a.mu.Unlock()
	return a.engine.Create(a.t.Context(), q)
}

// plan asks for a broadcast that starts at a moment.
func (a *account) plan(to models.Audience, at time.Time) int64 {
	a.t.Helper()
	asked, err := a.request(broadcast.Request{Audience: to, At: at})
	if err != nil {
		a.t.Fatalf("plan for %s: %v", at, err)
	}
	return asked.Broadcast.ID
}

// faults changes the platform's troubles.
func (a *account) faults(f simulator.Faults) {
	a.t.Helper()
	if err := a.sim.SetFaults(f); err != nil {
		a.t.Fatal(err)
	}
}

// exec runs a statement past the store.
func (a *account) exec(query string, args ...any) {
	a.t.Helper()
	if _, err := a.db.ExecContext(context.Background(), query, args...); err != nil {
		a.t.Fatalf("%s: %v", query, err)
	}
}

// forgetRoles has the roles read from the database, as after a restart.
func (a *account) forgetRoles() {
	a.admins = admins.New(admins.Config{Store: a.store, Owners: []string{admin}, Now: a.now, Log: modelstest.Log(a.t)})
}
