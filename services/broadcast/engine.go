package broadcast

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/blacklist"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/delivery"
	"wechat-broadcast/services/intercepted"
	"wechat-broadcast/services/lifesign"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/planning"
	"wechat-broadcast/services/retention"
	"wechat-broadcast/services/tags"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/worker"
	"wechat-broadcast/zone"
)

const (
	cutCallsAfter   = 7 * time.Second // a stop cuts calls in flight after this …
	cutStoringAfter = 2 * time.Second // … and gives up storing what came of them after this
	// ownLeases begins the names of the leases of a process that sends alone.
	ownLeases = "local-"
)

// Config is what an Engine needs.
type Config struct {
	Store    *models.Store
	Platform *wechat.Client
	Messages *messages.Source
	// EverPulled tells whether the follower list was ever complete, and Pull
	// completes it.
	EverPulled func(ctx context.Context) (bool, error)
	Pull       func(ctx context.Context) error
	// Concurrency is how many sends are in flight at most, Rate how many are
	// made a second, 0 for no ceiling.
	Concurrency, Rate int
	// UndoWindow is how long a broadcast to all can still be cancelled before
	// its first send.
	UndoWindow time.Duration
	// Approvals is how many other admins must approve a broadcast to more than the test
	// list, and Senders returns all who may send one.
	Approvals int
	Senders   func(ctx context.Context) []string
	// RequireTest refuses such a broadcast unless its content was tested.
	RequireTest bool
	// QuotaReset is when, after midnight in Beijing, the platform's daily quota
	// starts anew.
	QuotaReset time.Duration
	// Canary is how many recipients a canary has.
	Canary canary.Share
	// Quiet are the hours in which nothing is sent but to an admin and to testers, and Cap
	// is how many other broadcasts a person gets at most.
	Quiet zone.Hours
	Cap   models.Cap
	// Retention is how long after the end of a broadcast its deliveries are kept; 0 for
	// ever.
	Retention time.Duration
	// Join shares the work with the other replicas of the account; nil to do it alone. It
	// returns what shares it and where batches come from. throttle is from now on that of
	// all; patience is how long batches under way may take to return when the program ends.
	Join func(throttle *throttle.Throttle, patience time.Duration) (Cluster, worker.Queue)
	// Life has the database show when it was last sent on; nil for a database that nobody
	// restores.
	Life    *lifesign.Keeper
	Metrics prometheus.Registerer
	Now     func() time.Time
	Log     *slog.Logger
}

// Cluster is what an Engine asks of what the replicas share, a *cluster.Cluster, whose
// methods say more.
type Cluster interface {
	Run(ctx context.Context, meters func() map[int64]*throttle.Meter)
	Close()
	Rate(ctx context.Context, broadcast int64) (perSecond float64, err error)
	Answers() bool
	Down() (since time.Time)
	TellStall(ctx context.Context, broadcast int64, stall any)
	Stall(ctx context.Context, broadcast int64, stall any) (told bool)
}

// Engine runs broadcasts. Its parts are the scheduler, which starts what is due, the
// worker, which sends batches, the watcher, which looks whether broadcasts get on, and
// the tidier.
type Engine struct {
	store      *models.Store
	checks     *check.Checker
	messages   *messages.Source
	everPulled func(ctx context.Context) (bool, error)
	pull       func(ctx context.Context) error
	undoWindow time.Duration
	guards     models.Asked // of each request
	senders    func(ctx context.Context) []string
	resetAt    time.Duration
	quiet      zone.Hours
	now        func() time.Time
	log        *slog.Logger
	metrics    *metrics

	throttle *throttle.Throttle
	sender   *delivery.Sender
	worker   *worker.Worker
	queue    worker.Queue
	cluster  Cluster // nil when the work is not shared
	life     *lifesign.Keeper
	runs     runs
	canary   *canary.Chooser
	planner  *planning.Planner
	trial    *canary.Trial
	groups   *audience.Groups
	tags     *tags.Puller
	// blacklist and interceptions are what the platform says of whom it takes no message
	// for, and of what it kept back.
	blacklist     *blacklist.Puller
	interceptions *intercepted.Asker
	retention     *retention.Cleaner
	watched       watched
	events        chan Event

	recent *cache.Cache[int64, *Status]
	// pullFailed: the last pull of the followers for a broadcast did.
	pullFailed atomic.Bool
	reading    models.Health // of the database, when it is looked for broadcasts
	leads      atomic.Bool   // this process runs the broadcasts, or coordinates those who do
	woken      chan struct{}
	// finalized are the broadcasts that ended early and left nobody without an outcome.
	finalized *lru.Cache[int64, struct{}]

	lifetimes
	background sync.WaitGroup

	mu sync.Mutex
	// late are the requests whose askers do not know yet whether they were stored,
	// by asker, audience and content.
	late map[string]*creation
}

// lifetimes bound what outlasts the Run of an Engine. Each ends no later than the
// one after it.
type lifetimes struct {
	inBackground context.Context // work beside the requests
	calls        context.Context // calls to the platform in flight
	storing      context.Context // the storing of what is known

	endBackground, endCalls, endStoring context.CancelFunc
}

func newLifetimes() lifetimes {
	var l lifetimes
	l.storing, l.endStoring = context.WithCancel(context.Background())
	l.calls, l.endCalls = context.WithCancel(context.Background())
	l.inBackground, l.endBackground = context.WithCancel(l.calls)
	return l
}

// hurry ends what keeps a stop waiting for too long.
func (l *lifetimes) hurry() {
	if loop.Sleep(l.storing, cutCallsAfter) == nil {
		l.endCalls()
	}
	if loop.Sleep(l.storing, cutStoringAfter) == nil {
		l.endStoring()
	}
}

// New returns an Engine that is ready for requests and receipts; Run makes it
// send. Close must follow.
func New(c Config) *Engine {
	channel := wechat.TemplateMessages{Client: c.Platform}
	e := &Engine{
		store: c.Store, messages: c.Messages, life: c.Life,
		checks: &check.Checker{
			Store: c.Store, Client: c.Platform, Messages: c.Messages, ResetAt: c.QuotaReset, Now: c.Now, Log: c.Log,
		},
		everPulled: c.EverPulled, pull: c.Pull,
		canary:     &canary.Chooser{Store: c.Store, Share: c.Canary, Now: c.Now, Log: c.Log},
		undoWindow: c.UndoWindow, resetAt: c.QuotaReset, quiet: c.Quiet, now: c.Now, log: c.Log, metrics: newMetrics(c.Metrics),
		guards: models.Asked{Approvals: c.Approvals, RequireTest: c.RequireTest}, senders: c.Senders,
		throttle:  throttle.New(channel, c.Rate, c.Now),
		lifetimes: newLifetimes(), woken: make(chan struct{}, 1), events: make(chan Event, 16),
		runs: runs{list: map[int64]*run{}}, watched: watched{list: map[int64]*progress{}},
		late: map[string]*creation{},
	}
	e.askPlatformWith(c)
	e.recent = newRecent(e)
	e.finalized, _ = lru.New[int64, struct{}](finalizedAtMost) // only a size of 0 is an error
	e.sender = delivery.New(delivery.Config{
		Store: c.Store, Platform: c.Platform, Channel: channel, Throttle: e.throttle, Concurrency: c.Concurrency,
		Cap: c.Cap, Quiet: c.Quiet,
		Calls: e.calls, Storing: e.storing, Metrics: c.Metrics, Now: c.Now, Log: c.Log,
	})
	e.retention = &retention.Cleaner{
		Store: c.Store, Keep: c.Retention, Cap: c.Cap, Counted: e.Counted, Sending: func() bool { return len(e.runs.all()) > 0 }, Now: c.Now, Log: c.Log,
	}
	e.planner = &planning.Planner{Store: c.Store, Canary: e.canary, Now: c.Now, Log: c.Log}
	e.trial = &canary.Trial{Store: c.Store, Join: e.sender.Receipts.Join, Intercepted: e.interceptions.Count, Now: c.Now, Log: c.Log}
	owner, lasts := ownLeases, worker.LoneLease
	e.queue = worker.NewLocalQueue()
	if c.Join != nil {
		e.cluster, e.queue = c.Join(e.throttle, cutCallsAfter+cutStoringAfter+time.Second)
		owner, lasts = "", worker.SharedLease
	}
	e.worker = worker.New(worker.Config{
		Store: c.Store, Sender: e.sender, Throttle: e.throttle, Owner: owner, Lease: lasts, Shared: c.Join != nil, Storing: e.storing,
		Stopped: e.stopped, Now: c.Now, Log: c.Log,
	})
	return e
}

// Close ends what New started. Run must have returned.
func (e *Engine) Close() {
	e.endBackground()
	e.background.Wait()
	e.tags.Wait()
	e.blacklist.Wait()
	if e.cluster != nil {
		e.cluster.Close()
	}
	e.sender.Close()
	e.throttle.Close()
	e.endCalls()
	e.endStoring()
}

// Leads tells whether this process runs the broadcasts of the database, or
// coordinates the replicas that do.
func (e *Engine) Leads() bool { return e.leads.Load() }

// Receipt counts the platform's report on a message. It returns once that is
// committed, so that the platform may be answered.
func (e *Engine) Receipt(ctx context.Context, msgID int64, status string) error {
	return e.sender.Receipts.Add(ctx, msgID, status)
}

// StorageFault returns why the database could not be used when it last had to be,
// nil if it could.
func (e *Engine) StorageFault() error {
	if err := e.sender.Fault(); err != nil {
		return err
	}
	return e.reading.Fault()
}
