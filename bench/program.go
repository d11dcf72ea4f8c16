package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/canary"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

const messageFile = `
default: notice
messages:
  notice:
    template_id: ` + templateID + `
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2: {value: "2026年11月24日 09:00"}
      keyword3: {value: "请相互转告"}
  due:
    template_id: ` + templateID + `
    data:
      thing1: {value: "图书到期"}
      time2: {value: "2026年11月24日 09:00"}
      keyword3: {value: "第{{.Fields.no}}号"}
`

// programTask is what is measured of the program's parts.
type programTask struct {
	Platform            string
	Driver, DSN         string
	Followers, InFlight int
	Undo                time.Duration
	Cap                 models.Cap
	// Profiles is the folder for the profiles of a broadcast.
	Profiles string
}

// parts are the program's, wired as the command does it.
type parts struct {
	store     *models.Store
	platform  *wechat.Client
	followers *followers.Service
	messages  *messages.Source
	engine    *broadcast.Engine
	folder    string // of the message file
}

func newParts(ctx context.Context, task programTask) (*parts, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := models.Open(task.Driver, task.DSN, log)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	p := &parts{store: store}
	if p.folder, err = os.MkdirTemp("", "messages"); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	file := filepath.Join(p.folder, "messages.yaml")
	if err := os.WriteFile(file, []byte(messageFile), 0o600); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	p.platform = wechat.New(wechat.Config{
		AppID: appID, AppSecret: appSecret, BaseURL: task.Platform,
		MaxConns: task.InFlight + 8, Now: time.Now, Log: log,
	})
	p.followers = followers.New(followers.Config{Store: store, Platform: p.platform, Now: time.Now, Log: log})
	p.messages = messages.NewSource(messages.SourceConfig{
		Path: file, Language: "zh", Store: store, Templates: p.platform, Now: time.Now,
	})
	p.engine = broadcast.New(broadcast.Config{
		Store: store, Platform: p.platform, Messages: p.messages,
		EverPulled:  p.followers.EverPulled,
		Pull:        func(ctx context.Context) error { _, err := p.followers.Sync(ctx, nil); return err },
		Concurrency: task.InFlight, UndoWindow: task.Undo, Cap: task.Cap, Canary: canary.Share{Percent: 1},
		Metrics: prometheus.NewRegistry(), Now: time.Now, Log: log,
	})
	return p, nil
}

func (p *parts) close() error {
	p.engine.Close()
	p.platform.Close()
	return errors.Join(p.store.Close(), os.RemoveAll(p.folder))
}

// onParts is a role that works with the program's parts.
func onParts[Out any](do func(ctx context.Context, p *parts, task programTask) (Out, error)) func(context.Context, programTask, func(string)) (Out, error) {
	return func(ctx context.Context, task programTask, _ func(string)) (out Out, err error) {
		p, err := newParts(ctx, task)
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		return do(ctx, p, task)
	}
}

// profiled sends a broadcast to everyone and writes its profiles: of the parts, as the built
// program has no way to write any.
func profiled(ctx context.Context, p *parts, task programTask) (none struct{}, err error) {
	if err := p.sync(ctx, task.Followers); err != nil {
		return none, err
	}
	running, cancel := context.WithCancel(ctx)
	var engine sync.WaitGroup
	engine.Go(func() { _ = p.engine.Run(running) })
	defer engine.Wait()
	defer cancel()
	stop, err := profile(task.Profiles, task.Driver)
	if err != nil {
		return none, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	asked, err := p.engine.Create(ctx, broadcast.Request{Audience: models.AudienceAll, AskedBy: openIDOf(admin), RequestKey: "bench"})
	if err != nil {
		return none, err
	}
	b, err := p.ended(ctx, asked.Broadcast.ID)
	if err != nil {
		return none, err
	}
	return none, reachedAll(ctx, p.store, b, task.Followers)
}

func (p *parts) sync(ctx context.Context, n int) error {
	got, err := p.followers.Sync(ctx, nil)
	if err == nil && got.Total != int64(n) {
		err = fmt.Errorf("the sync listed %d of %d", got.Total, n)
	}
	return err
}

func (p *parts) ended(ctx context.Context, id int64) (*models.Broadcast, error) {
	for tick := time.Tick(20 * time.Millisecond); ; <-tick {
		b, err := p.store.FindBroadcast(ctx, id)
		if err != nil || b.State.Final() || b.State == models.Paused {
			return b, err
		}
	}
}

// reachedAll makes sure that a broadcast has reached everyone.
func reachedAll(ctx context.Context, store *models.Store, b *models.Broadcast, n int) error {
	counts, err := store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return err
	}
	if b.State != models.Finished || counts.Taken() != int64(n) {
		return fmt.Errorf("the broadcast is %s (%s %s), %d of %d accepted", b.State, b.Reason, b.Detail, counts.Taken(), n)
	}
	return nil
}

// profile records where CPU and allocations go until stop is called.
func profile(folder, name string) (stop func() error, err error) {
	cpu, err := os.Create(filepath.Join(folder, name+".cpu.pprof"))
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		mem, err := os.Create(filepath.Join(folder, name+".mem.pprof"))
		if err != nil {
			return fmt.Errorf("write a profile: %w", err)
		}
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(mem, 0), mem.Close())
	}, nil
}

// fetch is what a sync does less the storing: every page fetched and decoded.
func fetch(ctx context.Context, task programTask, _ func(string)) (sample, error) {
	client := wechat.New(wechat.Config{
		AppID: appID, AppSecret: appSecret, BaseURL: task.Platform,
	})
	defer client.Close()
	watch := start()
	n := 0
	for next := ""; ; {
		page, err := client.Followers(ctx, next)
		if err != nil {
			return sample{}, err
		}
		n += len(page.OpenIDs)
		if page.Last || page.Next == "" {
			break
		}
		next = page.Next
	}
	if n != task.Followers {
		return sample{}, fmt.Errorf("the platform listed %d of %d", n, task.Followers)
	}
	return watch.stop(n), nil
}
