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

// programTask is one life of the program: it pulls the followers, once or
// twice, and sends them a broadcast.
type programTask struct {
	Platform            string
	Driver, DSN         string
	Followers, InFlight int
	Resync              bool
	Pages               int // progress pages that are open meanwhile
	Consoles            int // pages of the console that are open meanwhile, each an admin's
	Undo                time.Duration
	Cap                 models.Cap
	// Profiles is a folder for profiles of the broadcast, "" for none.
	Profiles string
}

// programResult is what that took.
type programResult struct {
	Sync, Resync sample
	// Asked is how long the reply to the request took, in seconds; AskedAt is
	// when it was made, in Unix nanoseconds.
	Asked   float64
	AskedAt int64
	Send    sample // from the request to the end of the broadcast
	PeakMiB float64
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
		AppID: "wxd0a1b2c3d4e5f607", AppSecret: "0123456789abcdef0123456789abcdef", BaseURL: task.Platform,
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

func program(ctx context.Context, p *parts, task programTask) (res programResult, err error) {
	if res.Sync, err = p.sync(ctx, task.Followers); err != nil {
		return res, err
	}
	if task.Resync {
		if res.Resync, err = p.sync(ctx, task.Followers); err != nil {
			return res, err
		}
	}
	if err := p.broadcast(ctx, task, &res); err != nil {
		return res, err
	}
	res.PeakMiB, err = peakMiB()
	return res, err
}

func (p *parts) sync(ctx context.Context, n int) (sample, error) {
	watch := start()
	got, err := p.followers.Sync(ctx, nil)
	if err == nil && got.Total != int64(n) {
		err = fmt.Errorf("the sync listed %d of %d", got.Total, n)
	}
	return watch.stop(n), err
}

// broadcast asks for a broadcast to everyone and waits for its end.
func (p *parts) broadcast(ctx context.Context, task programTask, res *programResult) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var engine sync.WaitGroup
	engine.Go(func() { _ = p.engine.Run(ctx) })
	defer engine.Wait()
	defer cancel()
	stopProfiles, err := profile(task.Profiles, task.Driver)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()

	watch := start()
	res.AskedAt = watch.began.UnixNano()
	id, err := p.ask(ctx)
	if err != nil {
		return err
	}
	res.Asked = time.Since(watch.began).Seconds()
	b, err := p.ended(ctx, id)
	if err != nil {
		return err
	}
	res.Send = watch.stop(task.Followers)
	return p.check(ctx, b, task.Followers)
}

func (p *parts) ask(ctx context.Context) (id int64, err error) {
	asked, err := p.engine.Create(ctx, broadcast.Request{
		Audience: models.AudienceAll, AskedBy: string(appendOpenID(nil, 0)), RequestKey: "bench",
	})
	if err != nil {
		return 0, err
	}
	return asked.Broadcast.ID, nil
}

func (p *parts) ended(ctx context.Context, id int64) (*models.Broadcast, error) {
	for tick := time.Tick(20 * time.Millisecond); ; <-tick {
		b, err := p.store.FindBroadcast(ctx, id)
		if err != nil || b.State.Final() || b.State == models.Paused {
			return b, err
		}
	}
}

// check makes sure that everyone was reached.
func (p *parts) check(ctx context.Context, b *models.Broadcast, n int) error {
	counts, err := p.store.CountDeliveries(ctx, b.ID)
	if err != nil {
		return err
	}
	if b.State != models.Finished || counts.Accepted != int64(n) {
		return fmt.Errorf("the broadcast is %s (%s %s), %d of %d accepted", b.State, b.Reason, b.Detail, counts.Accepted, n)
	}
	return nil
}

// profile records where CPU and allocations go until stop is called.
func profile(folder, name string) (stop func() error, err error) {
	if folder == "" {
		return func() error { return nil }, nil
	}
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
		AppID: "wxd0a1b2c3d4e5f607", AppSecret: "0123456789abcdef0123456789abcdef", BaseURL: task.Platform,
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
