package broadcast

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/lease"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

// newCluster returns a cluster of its own on the Redis of the tests.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	return &Cluster{Redis: modelstest.Redis(t), Account: "wx" + strings.ToLower(rand.Text()[:16])}
}

// replicas has n engines run on one account.
func replicas(t *testing.T, set setup, n int) (*account, []*Engine) {
	t.Helper()
	set.cluster, set.overHTTP = newCluster(t), true
	a := newAccount(t, set)
	engines := []*Engine{a.engine}
	for range n - 1 {
		engines = append(engines, a.newEngine())
	}
	return a, engines
}

func TestReplicasReachEveryoneOnce(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{
		Options: simulator.Options{Followers: 6000, Faults: simulator.Faults{
			Latency: 5 * time.Millisecond, SystemErrorAccepted: 0.01, CutAccepted: 0.01, BadGateway: 0.01,
		}},
	}, 3)
	for _, e := range engines {
		a.run(e)
	}
	id := a.ask("", models.AudienceAll)
	a.received(200)
	// Every task is there twice more, under other names: whoever takes one while
	// another has its batch leaves it alone.
	queue := asynq.NewClientFromRedisClient(a.set.cluster.Redis)
	for seq := range int64(13) {
		d := &dealer{name: a.set.cluster.queueName(models.AudienceAll), client: queue}
		for copied := range 2 {
			if _, err := d.enqueue(t.Context(), fmt.Sprintf("copy-%d-%d", seq, copied), models.Batch{BroadcastID: id, Seq: seq + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.until("every replica telling the speed", func() bool {
		for _, e := range engines {
			if st, err := e.Status(t.Context(), id); err != nil || st.Rate == 0 && st.Broadcast.State == models.Running {
				return false
			}
		}
		return true
	})
	a.received(2500)
	forget(t, a.set.cluster)
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
	for i, e := range engines {
		e.pacer.mu.Lock()
		if e.pacer.window.IsZero() {
			t.Errorf("replica %d had no part in it", i)
		}
		e.pacer.mu.Unlock()
	}
	a.until("the admin being told", func() bool { return len(a.told()) > 0 })
	if diff := cmp.Diff([]string{fmt.Sprintf("finished #%d  taken=6001 failed=0 uncertain=0", id)}, a.told()); diff != "" {
		t.Errorf("the admin was told (-want +got):\n%s", diff)
	}
}

// forget has Redis forget all that it knows of an account.
func forget(t *testing.T, c *Cluster) {
	t.Helper()
	keys := c.Redis.Keys(t.Context(), "*"+c.Account+"*").Val()
	if len(keys) == 0 {
		t.Fatal("Redis knows nothing")
	}
	if err := c.Redis.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
}

// A pause by one replica ends the sending of all, and a resume lets all go on.
func TestReplicasPauseTogether(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{Options: simulator.Options{Followers: 3000, Faults: simulator.Faults{Latency: 10 * time.Millisecond}}}, 2)
	for _, e := range engines {
		a.run(e)
	}
	id := a.ask("", models.AudienceAll)
	a.received(300)
	for _, e := range engines {
		if _, err := e.Pause(t.Context(), id, admin); err != nil {
			t.Fatal(err)
		}
		_ = sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = sleep(t.Context(), time.Second)
		if more := a.calls() - calls; more > 0 {
			t.Errorf("%d calls more than 2 s after a pause", more)
		}
		if _, err := e.Resume(t.Context(), id, admin); err != nil {
			t.Fatal(err)
		}
		a.received(calls + 200)
	}
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
}

// What one replica hears from the platform stops the broadcasts at all of them.
func TestOneReplicaHaltsAll(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{Options: simulator.Options{Followers: 3000, Faults: simulator.Faults{Latency: 10 * time.Millisecond}}}, 2)
	for _, e := range engines {
		a.run(e)
	}
	first := a.ask("", models.AudienceAll)
	second := a.ask("personal", models.AudienceAll)
	a.received(300)
	engines[0].crew.list()[0].halt(wechat.Result{Verdict: wechat.Halt, Code: 48004, Group: wechat.HaltAccount})
	for _, id := range []int64{first, second} {
		if b := a.reaches(id, models.Paused); b.Reason != models.ReasonAccount {
			t.Errorf("#%d paused for %s", id, b.Reason)
		}
	}
	_ = sleep(t.Context(), 2*time.Second)
	calls := a.calls()
	_ = sleep(t.Context(), time.Second)
	if more := a.calls() - calls; more > 0 {
		t.Errorf("%d calls after the halt", more)
	}
}

// Whoever loses the lease on a batch stops, and leaves its rows to the new owner.
func TestALostLeaseEndsTheSending(t *testing.T) {
	t.Parallel()
	a, engines := replicas(t, setup{
		concurrency: 16,
		Options:     simulator.Options{Followers: 400, Faults: simulator.Faults{Latency: 300 * time.Millisecond}},
	}, 1)
	engines[0].crew.lease = lease.Times{Lasts: time.Second, Renew: 200 * time.Millisecond, Margin: 200 * time.Millisecond}
	a.run(engines[0])
	id := a.ask("", models.AudienceAll)
	a.received(40)
	a.exec("UPDATE batches SET owner = 'another', lease_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) + 3000 WHERE broadcast_id = ?", id)
	_ = sleep(t.Context(), time.Second) // until the next renewal, and what was in flight
	calls := a.calls()
	_ = sleep(t.Context(), time.Second)
	if more := a.calls() - calls; more > 0 {
		t.Errorf("%d calls after the lease was lost", more)
	}
	// The other one never renews its own.
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
}

// A worker that died holds its task for a minute or more; the batch is queued
// under another name.
func TestATaskOfADeadWorkerIsQueuedAnew(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx := t.Context()
	d := &dealer{
		name: c.queueName(models.AudienceAll), client: asynq.NewClientFromRedisClient(c.Redis),
		inspector: asynq.NewInspectorFromRedisClient(c.Redis), put: map[int64]time.Time{}, stuck: map[int64]time.Time{},
	}
	var mu sync.Mutex
	taken := 0
	hold, server := make(chan struct{}), asynq.NewServerFromRedisClient(c.Redis, asynq.Config{
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
			_ = sleep(ctx, 20*time.Millisecond)
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
		{"with the lease of a worker over", models.Batch{BroadcastID: 1, Seq: 1, Owner: "dead", Takes: 1}, time.Minute, true, 3},
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
	c := newCluster(t)
	d := &dealer{
		name: c.queueName(models.AudienceAll), client: asynq.NewClientFromRedisClient(c.Redis),
		inspector: asynq.NewInspectorFromRedisClient(c.Redis), put: map[int64]time.Time{}, stuck: map[int64]time.Time{},
	}
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
	c := newCluster(t)
	began := time.Now()
	var mu sync.Mutex
	var sent []time.Time
	reached := false
	var all sync.WaitGroup
	for range 3 {
		p := &pulse{c: &crew{Cluster: *c, e: &Engine{now: time.Now}}, log: modelstest.Log(t), beat: make(chan struct{}, 1), ups: make(chan struct{})}
		p.set(nil)
		pacer := NewPacer(ceiling, time.Now)
		pacer.shared = newAllowance(p)
		for range 16 {
			all.Go(func() {
				for pacer.Wait(t.Context()) == nil {
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

func TestSendingWaitsForRedis(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := &pulse{c: &crew{Cluster: *c, e: &Engine{now: time.Now}}, log: modelstest.Log(t), beat: make(chan struct{}, 1), ups: make(chan struct{})}
	pacer := NewPacer(0, time.Now)
	pacer.shared = newAllowance(p)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := pacer.Wait(ctx); err == nil {
		t.Error("a send went before Redis answered")
	}
	p.set(nil)
	if err := pacer.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	p.set(context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := pacer.Wait(ctx); err == nil {
		t.Error("a send went with Redis away")
	}
}

// Redis takes connections and says nothing: the program ends all the same.
func TestAReplicaStopsWithoutRedis(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	rdb := redis.NewClient(&redis.Options{
		Addr: listener.Addr().String(), DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: 2, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = rdb.Close() })
	a := newAccount(t, setup{cluster: &Cluster{Redis: rdb, Account: "wx"}, overHTTP: true, Options: simulator.Options{Followers: 10}})
	stop := a.start()
	a.ask("", models.AudienceAll)
	_ = sleep(t.Context(), 2*time.Second)
	began := time.Now()
	stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("it took %s", took)
	}
	if a.calls() > 0 {
		t.Errorf("%d calls without Redis", a.calls())
	}
}

func TestPacersLearnFromOneAnother(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	clock := func() time.Time { return now }
	a, b := NewPacer(100, clock), NewPacer(100, clock)
	if got := a.learn(pace{}); got != (pace{}) {
		t.Errorf("with nothing learnt: %+v", got)
	}
	a.measuredAll(100)
	a.Slow()
	known := a.learn(pace{})
	if want := (pace{Limit: 70, Edge: 100, Cut: now.UnixMilli()}); known != want {
		t.Errorf("after a cut: %+v, want %+v", known, want)
	}
	if got := b.learn(known); got != known || b.Limit() != 70 {
		t.Errorf("the other: %+v, %.0f a second", got, b.Limit())
	}
	if got := a.learn(known); got != known {
		t.Errorf("its own news: %+v", got)
	}
	now = now.Add(5 * time.Second)
	b.count()
	grown := b.learn(known)
	if grown.Limit <= 70 || grown.Step != now.UnixMilli() {
		t.Errorf("after a step: %+v", grown)
	}
	if got := a.learn(grown); got != grown || a.Limit() != grown.Limit {
		t.Errorf("the first has not followed: %+v, %.1f", got, a.Limit())
	}
	if got := b.learn(known); got != grown {
		t.Errorf("old news undid a step: %+v", got)
	}
	now = now.Add(5 * time.Second)
	a.measuredAll(50)
	a.Slow()
	if got := b.learn(a.learn(grown)); got.Limit != 35 || b.Limit() != 35 {
		t.Errorf("a later cut: %+v, %.1f", got, b.Limit())
	}
}
