package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/approval"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/cluster"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lifesign"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/monitor"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/webhooks"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/tokenstore"
	"wechat-broadcast/services/worker"
)

// account is the parts that serve one account of the platform. They share no data
// with another account.
type account struct {
	process   *process
	settings  config.Account
	log       *slog.Logger
	registry  *prometheus.Registry
	metrics   prometheus.Registerer // registers in registry, with the account's labels
	redis     *redis.Client         // nil without REDIS_URL
	store     *models.Store
	platform  *wechat.Client
	followers *followers.Service
	admins    *admins.Service
	sessions  *sessions.Service
	life      *lifesign.Keeper
	engine    *broadcast.Engine
	notifier  *notify.Notifier
	webhooks  *webhooks.Sender // nil without WEBHOOK_URL
	chat      *chat.Chat
	progress  *progress.Feeds
	pages     *handlers.Pages
	served    *handlers.Account
	monitor   *monitor.Monitor
	// using is held for reading by each request, so that close waits for them. closed is
	// guarded by it.
	using  sync.RWMutex
	closed bool
	// ready is closed, by markReady, once the database's schema is up to date.
	ready     chan struct{}
	markReady func()
}

// newAccount wires the parts of an account. close must follow.
func newAccount(settings config.Account, p *process) (*account, error) {
	a := &account{process: p, settings: settings, log: p.logOf(settings), registry: prometheus.NewRegistry(), ready: make(chan struct{})}
	labels := maps.Clone(p.labels)
	if settings.Name != "" {
		labels["account"] = settings.Name
	}
	a.metrics = prometheus.WrapRegistererWith(labels, a.registry)
	a.markReady = sync.OnceFunc(func() { close(a.ready) })
	var err error
	if a.redis, err = p.redis(settings.RedisURL); err != nil {
		return nil, err
	}
	store, err := models.Open(settings.Database.Driver, settings.Database.DSN, a.log)
	if err != nil {
		return nil, startFault(err, settings.Language)
	}
	a.store = store
	if err := store.Limit(p.sharing(settings.Database.Driver)); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	links, err := handlers.NewLinks(settings.PublicURL, linkSecret(settings), settings.Token.Reveal(), time.Now)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	composer, err := chat.NewComposer(settings.Language, links, time.Now, a.log)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if a.platform, err = a.newPlatform(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a.followers = followers.New(followers.Config{Store: store, Platform: a.platform, Cap: a.cap(), Now: time.Now, Log: a.log})
	source := newSource(settings, store, a.platform)
	roles := admins.New(admins.Config{Store: store, Owners: settings.AdminOpenIDs, Now: time.Now, Log: a.log})
	a.admins = roles
	a.life = &lifesign.Keeper{Store: store, Log: a.log}
	a.engine = a.newEngine(source, roles)
	a.monitor = a.newMonitor()
	a.webhooks = a.newWebhooks()
	if a.sessions, err = a.newSessions(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.notifier = notify.New(notify.Config{
		Store: store, Platform: a.platform, Engine: a.engine, Admins: roles, Words: composer, Now: time.Now, Log: a.log,
	})
	groups := groupsOf(store, a.log)
	a.chat = chat.New(chat.Config{
		Roles: roles, Audit: store, Composer: composer, Engine: a.engine, Followers: a.followers, Platform: a.platform,
		Notices: a.notifier, Messages: source, Replies: store, Topics: groups.topics, Lists: groups.lists, Console: a.sessions, Log: a.log,
		Approvals: &approval.Desk{
			Store: store, Admins: roles, Start: a.engine.StartOf, Wake: a.engine.Wake, Now: time.Now, Log: a.log,
		},
	})
	a.progress, err = progress.New(progress.Config{
		Store: store, Engine: a.engine, Platform: a.platform, Language: settings.Language, Now: time.Now, Log: a.log,
	})
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.pages, err = handlers.NewPages(handlers.PagesConfig{
		Links: links, Store: store, Engine: a.engine, Progress: a.progress, Language: settings.Language, Now: time.Now, Log: a.log,
	})
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	served, err := a.newAPI(source, composer, groups)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	pages, err := a.newConsole(source, groups)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	readiness := handlers.NewReadiness(a.checks())
	a.metrics.MustRegister(readiness)
	a.served = &handlers.Account{Callback: a.newCallback(), Pages: a.pages, API: served, Console: pages, Readiness: readiness}
	return a, nil
}

// linkSecret returns the secret of the account's links. A name is a part of it, so that
// no account takes the link of another for its own, should both have the same secrets.
func linkSecret(settings config.Account) string {
	if settings.Name == "" {
		return settings.AppSecret.Reveal()
	}
	return settings.Name + " " + settings.AppSecret.Reveal()
}

func (a *account) newPlatform() (*wechat.Client, error) {
	refreshes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechat_token_refreshes_total",
		Help: "Access tokens asked of the platform, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{"ok", "forced", "shared", "refused", "error"} {
		refreshes.WithLabelValues(outcome) // so that the first of each is seen as one more
	}
	a.metrics.MustRegister(refreshes)
	c := wechat.Config{
		AppID: a.settings.AppID, AppSecret: a.settings.AppSecret.Reveal(), BaseURL: a.settings.APIBaseURL,
		MaxConns: a.settings.SendConcurrency + 8, // beside the sends: notices, follower pages, the token
		Now:      time.Now, Log: a.log, OnTokenRefresh: func(outcome string) { refreshes.WithLabelValues(outcome).Inc() },
	}
	if a.redis != nil {
		var err error
		if c.SharedTokens, err = tokenstore.New(a.redis, c.AppID, c.AppSecret); err != nil {
			return nil, fmt.Errorf("share the access token: %w", err)
		}
	}
	return wechat.New(c), nil
}

func (a *account) newEngine(source *messages.Source, roles *admins.Service) *broadcast.Engine {
	c := broadcast.Config{
		Store: a.store, Platform: a.platform, Messages: source,
		EverPulled: a.followers.EverPulled, Pull: a.followers.Complete,
		Concurrency: a.settings.SendConcurrency, Rate: a.settings.SendRate,
		Approvals: a.settings.Approvals, Senders: roles.Senders, RequireTest: a.settings.RequireTest,
		UndoWindow: a.settings.UndoWindow, QuotaReset: a.settings.QuotaReset, Canary: canary.Share(a.settings.Canary),
		Quiet: a.settings.QuietHours, Cap: a.cap(), Retention: a.settings.Retention, Life: a.life,
		Metrics: a.metrics, Now: time.Now, Log: a.log,
	}
	if a.redis != nil {
		c.Join = a.join
	}
	return broadcast.New(c)
}

// join has the replicas share their work on Redis.
func (a *account) join(pace *throttle.Throttle, patience time.Duration) (broadcast.Cluster, worker.Queue) {
	c := cluster.New(cluster.Config{
		Redis: a.redis, Account: a.settings.AppID, Throttle: pace, Patience: patience, Now: time.Now, Log: a.log,
	})
	return c, c.Queue
}

func (a *account) newCallback() *handlers.Callback {
	c := handlers.CallbackConfig{
		AppID: a.settings.AppID, Token: a.settings.Token.Reveal(), AESKey: a.settings.EncodingAESKey.Reveal(),
		Welcome: a.settings.Welcome, UnknownText: a.settings.UnknownText,
		Store: a.store, Ready: a.ready, Chat: a.chat, Followers: a.followers, Engine: a.engine,
		Metrics: a.metrics, Now: time.Now, Log: a.log,
	}
	if a.redis != nil { // a nil *redis.Client in it would not be nil
		c.Redis = a.redis
	}
	return handlers.NewCallback(c)
}

// newMonitor registers the metrics that no other part has.
func (a *account) newMonitor() *monitor.Monitor {
	return monitor.New(monitor.Config{
		Store: a.store, Leads: a.engine.Leads, ResetAt: a.settings.QuotaReset,
		Quota: func(ctx context.Context) (wechat.Quota, error) {
			return a.platform.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
		},
		Metrics: a.metrics, Now: time.Now, Log: a.log,
	})
}

// cap is how many broadcasts a person gets at most.
func (a *account) cap() models.Cap {
	return models.Cap{Max: int64(a.settings.MaxPerFollower.Count), Within: a.settings.MaxPerFollower.Within}
}

// enter keeps the account from being closed until using is unlocked for reading. It
// returns false if it is closed, or is about to be: who waits for that would wait for the
// requests before, and a page is looked for in every account.
func (a *account) enter() bool {
	if !a.using.TryRLock() {
		return false
	}
	if a.closed {
		a.using.RUnlock()
	}
	return !a.closed
}

// close ends what newAccount started, once run has returned. It waits for the requests
// that are answered.
func (a *account) close() error {
	if a.progress != nil {
		a.progress.Close() // its event streams last for long
	}
	a.using.Lock()
	a.closed = true
	a.using.Unlock()
	a.followers.Close()
	a.engine.Close()
	a.platform.Close()
	return a.store.Close()
}

// run migrates the database and sends broadcasts until ctx ends, or another database takes
// the place of this one.
func (a *account) run(ctx context.Context) error {
	if err := a.prepare(ctx); err != nil {
		return err
	}
	if a.life.Check(ctx) != nil {
		return nil // told to stop while the database was away
	}
	a.warnOfApprovals(ctx)
	a.endStrangers(ctx)
	a.process.warnOfConnections(ctx, a)
	telling, stop := context.WithCancel(context.WithoutCancel(ctx)) // until nothing is sent any more
	var beside sync.WaitGroup
	beside.Go(func() { a.notifier.Run(telling) })
	beside.Go(func() { a.monitor.Run(telling) })
	if a.webhooks != nil {
		beside.Go(func() { a.webhooks.Run(telling) })
	}
	err := a.engine.Run(ctx)
	stop()
	beside.Wait()
	return startFault(err, a.settings.Language)
}

// warnOfSettings says in an account's log which of its settings are likely to be a
// mistake: nobody can broadcast, or the message file can't be used.
func warnOfSettings(ctx context.Context, settings config.Account, log *slog.Logger) {
	if len(settings.AdminOpenIDs) == 0 {
		log.WarnContext(ctx, "ADMIN_OPENIDS is empty: nobody can broadcast. Send `openid` to the account and put the answer there")
	}
	switch _, err := message.ReadFile(settings.MessagesFile); {
	case errors.Is(err, fs.ErrNotExist):
		log.InfoContext(ctx, "there is no MESSAGES_FILE: messages are those written in the chat", "file", settings.MessagesFile)
	case err != nil:
		log.WarnContext(ctx, "MESSAGES_FILE can't be used, nor any message in it. It is read again for each broadcast",
			"file", settings.MessagesFile, "err", err)
	}
}

// warnOfApprovals says in the log if no broadcast could ever be approved, as too few may
// send. The database has to be migrated.
func (a *account) warnOfApprovals(ctx context.Context) {
	others := max(0, len(a.admins.Senders(ctx))-1) // without who asks
	if a.settings.Approvals > others {
		a.log.WarnContext(ctx, "APPROVALS asks for more admins than there are: a broadcast can't be approved until more have the role sender",
			"approvals", a.settings.Approvals, "others", others)
	}
}

// startFault words what the operator must mend in the database before a start
// like a fault of the setting that names it, in a language; any other error stays
// as it is.
func startFault(err error, language string) error {
	var unusable *models.Unusable
	if !errors.As(err, &unusable) {
		return err
	}
	words, wordsErr := terminalWords(language)
	if wordsErr != nil {
		return errors.Join(err, wordsErr)
	}
	return config.Faults{config.NewFault(words, "DATABASE_URL", unusable.Problem, unusable.Mend)}
}

// migrate brings the database up to date, and refuses one of another account.
func (a *account) migrate(ctx context.Context) error {
	if err := a.store.Migrate(ctx); err != nil {
		return err
	}
	return a.store.Belong(ctx, a.settings.AppID)
}

// prepare migrates the database, waiting for one that is away. What waiting does
// not mend is an error.
func (a *account) prepare(ctx context.Context) error {
	for {
		err := a.migrate(ctx)
		var unusable *models.Unusable
		switch {
		case err == nil:
			a.markReady()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &unusable):
			return startFault(err, a.settings.Language)
		}
		a.log.WarnContext(ctx, "the database is not ready, trying again in 2 s", "err", err)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
