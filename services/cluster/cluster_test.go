package cluster

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

// newSync returns a Sync of a throttle on the Redis of the tests.
func newSync(t *testing.T, account string, th *throttle.Throttle) *Sync {
	t.Helper()
	c := New(Config{Redis: modelstest.Redis(t), Account: account, Throttle: th, Now: time.Now, Log: modelstest.Log(t)})
	t.Cleanup(c.Close)
	return c.Sync
}

// newThrottle returns a throttle with no platform.
func newThrottle(t *testing.T, perSecond int) *throttle.Throttle {
	t.Helper()
	th := throttle.New(nobody{}, perSecond, time.Now)
	t.Cleanup(th.Close)
	return th
}

// nobody is a channel that answers reads and is sent nothing.
type nobody struct{ wechat.Channel }

// Reads implements wechat.Channel.
func (nobody) Reads(context.Context) bool { return true }

// acquire waits for leave to send, in a broadcast of its own.
func acquire(ctx context.Context, s *throttle.Stream) error {
	p, err := s.Acquire(ctx, throttle.Unclaimed, throttle.Permit{})
	if err == nil {
		p.Done(wechat.Result{Verdict: wechat.Accepted})
	}
	return err
}

func newAccount() string { return "wx" + strings.ToLower(rand.Text()[:16]) }

// newDispatcher returns that of a broadcast of an account of its own.
func newDispatcher(t *testing.T) *dispatcher {
	t.Helper()
	s := newSync(t, newAccount(), newThrottle(t, 0))
	return &dispatcher{
		redis: s.redis, log: s.log, name: s.lane("broadcasts"), client: asynq.NewClientFromRedisClient(s.redis),
		inspector: asynq.NewInspectorFromRedisClient(s.redis), put: map[int64]time.Time{}, stuck: map[int64]time.Time{},
	}
}

// A worker that died holds its task for a minute or more; the batch is queued
// under another name.
func TestATaskOfADeadWorkerIsQueuedAnew(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := newDispatcher(t)
	var mu sync.Mutex
	taken := 0
	hold, server := make(chan struct{}), asynq.NewServerFromRedisClient(d.redis, asynq.Config{
		Concurrency: 10, Queues: map[string]int{d.name: 1}, TaskCheckInterval: 20 * time.Millisecond,
		Logger: queueLog{modelstest.Log(t)}, LogLevel: asynq.WarnLevel,
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		mu.Lock()
		taken++
		mu.Unlock()
		<-hold
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	defer close(hold)
	takes := func(want int) {
		t.Helper()
		for range 200 {
			mu.Lock()
			n := taken
			mu.Unlock()
			if n == want {
				return
			}
			_ = loop.Sleep(ctx, 20*time.Millisecond)
		}
		t.Errorf("%d tasks were taken, want %d", taken, want)
	}
	b, now := models.Batch{BroadcastID: 1, Seq: 1}, time.Now()
	for _, step := range []struct {
		what  string
		b     models.Batch
		after time.Duration
		there bool
		taken int
	}{
		{"queued", b, 0, true, 1},
		{"with a worker that has not leased it yet", b, time.Second, false, 1},
		{"with a worker that never will", b, time.Second + stuckAfter, true, 2},
		{"that is known", b, 2*time.Second + stuckAfter, true, 2},
		{"with the lease of a worker over", models.Batch{BroadcastID: 1, Seq: 1, Owner: "dead", LeaseCount: 1}, time.Minute, true, 3},
	} {
		there, err := d.ensure(ctx, step.b, now.Add(step.after))
		if err != nil || there != step.there {
			t.Errorf("%s: %v, %v, want %v", step.what, there, err, step.there)
		}
		takes(step.taken)
	}
}

// A task that somebody put away by hand comes back.
func TestATaskThatWasPutAwayIsQueuedAnew(t *testing.T) {
	t.Parallel()
	d := newDispatcher(t)
	b := models.Batch{BroadcastID: 1, Seq: 1}
	ensure := func() {
		t.Helper()
		if there, err := d.ensure(t.Context(), b, time.Now()); err != nil || !there {
			t.Fatalf("%v, %v", there, err)
		}
		if info, err := d.inspector.GetTaskInfo(d.name, "b1-1"); err != nil || info.State != asynq.TaskStatePending {
			t.Errorf("%+v, %v", info, err)
		}
	}
	ensure()
	ensure()
	if err := d.inspector.ArchiveTask(d.name, "b1-1"); err != nil {
		t.Fatal(err)
	}
	ensure()
}

// Three replicas together send no faster than one may.
func TestTheRateIsSharedByReplicas(t *testing.T) {
	t.Parallel()
	const ceiling, lasts, patience = 200, 3 * time.Second, time.Minute
	account := newAccount()
	began := time.Now()
	var mu sync.Mutex
	var sent []time.Time
	reached := false
	var all sync.WaitGroup
	for range 3 {
		th := newThrottle(t, ceiling)
		newSync(t, account, th).set(nil)
		stream := th.Stream()
		for range 16 {
			all.Go(func() {
				for acquire(t.Context(), stream) == nil {
					mu.Lock()
					sent = append(sent, time.Now())
					// A busy machine may not bring up the speed for long, but for a second.
					enough := fullest(sent[max(0, len(sent)-ceiling):]) >= ceiling/2
					reached = reached || enough
					end := reached && time.Since(began) > lasts || time.Since(began) > patience
					mu.Unlock()
					if end {
						return
					}
				}
			})
		}
	}
	all.Wait()
	if most := fullest(sent); most > ceiling*11/10 {
		t.Errorf("%d in one second, the ceiling is %d", most, ceiling)
	}
	if !reached {
		t.Errorf("%d sends in %s and never half of the ceiling of %d in a second", len(sent), patience, ceiling)
	}
}

// fullest returns how many of the moments lie in the fullest second.
func fullest(sent []time.Time) int {
	most, from := 0, 0
	for i, at := range sent {
		for at.Sub(sent[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestSendingWaitsForRedis(t *testing.T) {
	t.Parallel()
	th := newThrottle(t, 0)
	s := newSync(t, newAccount(), th)
	stream := th.Stream()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := acquire(ctx, stream); err == nil {
		t.Error("a send went before Redis answered")
	}
	s.set(nil)
	if err := acquire(t.Context(), stream); err != nil {
		t.Error(err)
	}
	s.set(context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := acquire(ctx, stream); err == nil {
		t.Error("a send went with Redis away")
	}
}
