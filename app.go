package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// app is the program's parts, wired.
type app struct {
	log       *slog.Logger
	store     *models.Store
	redis     *redis.Client // nil when this process shares nothing
	platform  *wechat.Client
	followers *followers.Service
	engine    *broadcast.Engine
	chat      *chat.Chat
	pages     *handlers.Pages
	handler   http.Handler
	background
	// ready is closed, by markReady, once the database's schema is up to date.
	ready     chan struct{}
	markReady func()
}

// load reads the settings and returns them with the logger that they ask for.
func (s *session) load() (*config.Settings, *slog.Logger, error) {
	path, given := s.configFile, s.configFile != ""
	if !given {
		path = "config.yaml"
	}
	settings, err := config.Load(path, given, os.LookupEnv, os.Environ())
	if err != nil {
		return nil, nil, err
	}
	log := newLogger(settings, s.stderr)
	for _, w := range settings.Warnings {
		log.Warn("settings", "warning", w)
	}
	return settings, log, nil
}

func newLogger(settings *config.Settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.LogLevel}
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// newApp wires the parts. Close must follow.
func newApp(settings *config.Settings, log *slog.Logger) (*app, error) {
	store, err := models.Open(settings.Database.Driver, settings.Database.DSN, log)
	if err != nil {
		return nil, startFault(err)
	}
	a := &app{log: log, store: store, ready: make(chan struct{})}
	a.markReady = sync.OnceFunc(func() { close(a.ready) })
	registry := prometheus.NewRegistry()
	var labelled prometheus.Registerer = registry
	var replica string
	if settings.RedisURL.Reveal() != "" {
		replica = replicaName()
		labelled = prometheus.WrapRegistererWith(prometheus.Labels{"replica": replica}, registry)
	}
	labelled.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	refreshes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechat_token_refreshes_total",
		Help: "Access tokens asked of the platform, by outcome.",
	}, []string{"outcome"})
	labelled.MustRegister(refreshes)
	var cluster *broadcast.Cluster
	var share redis.UniversalClient // stays nil without Redis
	if url := settings.RedisURL.Reveal(); url != "" {
		if a.redis, err = newRedis(url, log); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		cluster, share = &broadcast.Cluster{Redis: a.redis, Account: settings.AppID}, a.redis
	}

	a.platform = wechat.New(wechat.Config{
		AppID: settings.AppID, AppSecret: settings.AppSecret.Reveal(), BaseURL: settings.APIBaseURL,
		MaxConns: settings.SendConcurrency + 8, // beside the sends: notices, follower pages, the token
		Redis:    share, Now: time.Now, Log: log,
		OnTokenRefresh: func(outcome string) { refreshes.WithLabelValues(outcome).Inc() },
	})
	a.followers = followers.New(followers.Config{Store: store, Platform: a.platform, Now: time.Now, Log: log})
	messages := message.NewSource(settings.MessagesFile)
	a.engine = broadcast.New(broadcast.Config{
		Store: store, Platform: a.platform, Messages: messages,
		EverPulled: a.followers.EverPulled, Pull: a.pull, Notice: a.notice, LateReply: a.lateReply,
		Concurrency: settings.SendConcurrency, Rate: settings.SendRate,
		UndoWindow: settings.UndoWindow, QuotaReset: settings.QuotaReset, Cluster: cluster,
		Metrics: broadcast.NewMetrics(labelled), Now: time.Now, Log: log,
	})
	links, err := handlers.NewLinks(settings.PublicURL, settings.AppSecret.Reveal(), settings.Token.Reveal(), time.Now)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.pages, err = handlers.NewPages(handlers.PagesConfig{
		Links: links, Store: store, Status: a.engine.Status, List: a.engine.List, Preview: a.engine.Preview,
		Templates: func(ctx context.Context) ([]wechat.Template, error) {
			list, _, err := a.platform.KnownTemplates(ctx, time.Minute)
			return list, err
		},
		Language: settings.Language, Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.chat, err = chat.New(chat.Config{
		Admins: settings.AdminOpenIDs, Language: settings.Language,
		Broadcasts: chat.Broadcasts{
			Ask: a.engine.Ask, Retry: a.engine.Retry, Status: a.engine.Status, List: a.engine.List, SentToday: a.engine.SentToday,
			Pause: a.engine.Pause, Resume: a.engine.Resume, Cancel: a.engine.Cancel,
			KeptNotices: a.engine.KeptNotices, SayNotices: a.engine.SayNotices,
		},
		Followers: chat.Followers{
			OptOut: a.followers.OptOut, OptIn: a.followers.OptIn, Stats: a.followers.Stats,
			Testers: a.followers.Testers, AddTester: a.followers.AddTester, RemoveTester: a.followers.RemoveTester,
		},
		Messages: messages, StartSync: a.startSync, PublicLink: links.Broadcast, HistoryLink: links.History,
		Quota: func(ctx context.Context) (wechat.Quota, error) {
			return a.platform.Quota(ctx, broadcast.SendPath)
		},
		Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.handler = handlers.New(handlers.Config{
		AppID: settings.AppID, Token: settings.Token.Reveal(), AESKey: settings.EncodingAESKey.Reveal(),
		Store: store, Ready: a.ready, Redis: share, Now: time.Now, Log: log, Registry: registry, Replica: replica,
		Text: func(ctx context.Context, in handlers.Incoming) (handlers.Reply, error) {
			text, remember, err := a.chat.Reply(ctx, in.OpenID, in.Text, in.Key)
			return handlers.Reply{Text: text, Remember: remember}, err
		},
		Remembers: a.chat.Remembers, Busy: a.chat.Busy(),
		Subscribed: a.followers.Subscribed, Unsubscribed: a.followers.Unsubscribed,
		Receipt: func(ctx context.Context, _ string, msgID int64, status string) error {
			return a.engine.Receipt(ctx, msgID, status)
		},
		Checks: a.checks(),
		Pages:  a.pages,
	})
	return a, nil
}

// close ends what newApp started, once nothing uses it any more.
func (a *app) close() error {
	a.stopBackground()
	if a.pages != nil {
		a.pages.Close()
	}
	a.engine.Close()
	a.platform.Close()
	if a.redis != nil {
		_ = a.redis.Close()
	}
	return a.store.Close()
}

// checks are what must be in order for the program to do its work.
func (a *app) checks() []handlers.Check {
	list := []handlers.Check{
		{Name: "database", Check: a.checkDatabase},
		{Name: "storage", Check: a.checkStorage, KeepFor: 5 * time.Second},
		{Name: "platform", Check: a.checkPlatform, KeepFor: 5 * time.Second},
	}
	if a.redis != nil {
		list = append(list, handlers.Check{Name: "redis", Check: a.checkRedis})
	}
	return list
}

func (a *app) checkDatabase(ctx context.Context) error {
	if err := a.store.Ping(ctx); err != nil {
		return err
	}
	select {
	case <-a.ready:
		return nil
	default:
		return errors.New("the database is not migrated yet")
	}
}

// checkStorage tells whether what comes of a broadcast can be stored. A database
// that does not answer is checkDatabase's matter.
func (a *app) checkStorage(ctx context.Context) error {
	if a.checkDatabase(ctx) != nil {
		return nil
	}
	err := a.engine.StorageFault()
	if err == nil {
		err = a.store.CheckWrite(ctx, time.Now())
	}
	if err != nil && models.DiskFull(err) {
		return fmt.Errorf("the database's disk is full, nothing can be sent: %w", err)
	}
	return err
}

func (a *app) checkPlatform(ctx context.Context) error {
	_, err := a.platform.Token(ctx)
	return err
}

// startFault words what the operator must mend in the database before a start
// like a fault of the setting that names it; any other error stays as it is.
func startFault(err error) error {
	var unusable *models.Unusable
	if !errors.As(err, &unusable) {
		return err
	}
	return config.Faults{{
		Key: "DATABASE_URL", Problem: unusable.Problem, Hint: unusable.Mend,
	}}
}

// prepare migrates the database, waiting for one that is away. What waiting does
// not mend is an error.
func (a *app) prepare(ctx context.Context) error {
	for {
		err := a.store.Migrate(ctx)
		var unusable *models.Unusable
		switch {
		case err == nil:
			a.markReady()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &unusable):
			return startFault(err)
		}
		a.log.WarnContext(ctx, "the database is not ready, trying again in 2 s", "err", err)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pull completes the follower list for the engine; one that is being pulled
// already will do.
func (a *app) pull(ctx context.Context) error {
	for {
		res, err := a.followers.Sync(ctx, nil)
		if err == nil && res.Suspicious {
			return models.NewError(models.Conflict, models.ErrSyncShort,
				"Listed", res.Total, "Before", res.Known, "Announced", res.Announced)
		}
		var busy *models.Error
		if !errors.As(err, &busy) || busy.Code != models.ErrSyncRunning {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		// What another pulled meanwhile need not be pulled again.
		if pulled, err := a.followers.EverPulled(ctx); pulled || err != nil {
			return err
		}
	}
}

func (a *app) notice(kind string, st broadcast.Status) string { return a.chat.Notice(kind, st) }

func (a *app) lateReply(asked *broadcast.Asked, err error) string {
	return a.chat.LateReply(asked, err)
}

// startSync pulls the followers in the background and tells the admin who asked.
// confirmed has a list like the last one believed that was too short.
func (a *app) startSync(ctx context.Context, askedBy string, confirmed bool) error {
	if running, err := a.followers.Syncing(ctx); running || err != nil {
		return cmp.Or(err, error(models.NewError(models.Conflict, models.ErrSyncRunning)))
	}
	pull := a.followers.Sync
	if confirmed {
		pull = a.followers.SyncConfirmed
	}
	a.goBackground(func(ctx context.Context) {
		res, err := pull(ctx, nil)
		if ctx.Err() != nil {
			return
		}
		if err := a.platform.Notify(ctx, askedBy, a.chat.SyncNotice(res, err)); err != nil {
			a.log.WarnContext(ctx, "tell the outcome of the sync", "admin", models.MaskOpenID(askedBy), "err", err)
		}
	})
	return nil
}
