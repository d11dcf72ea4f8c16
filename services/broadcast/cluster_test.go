package broadcast_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/lease"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// newCluster returns a cluster of its own on the Redis of the tests.
func newCluster(t *testing.T) *replicated {
	t.Helper()
	return &replicated{Redis: modelstest.Redis(t), Account: "wx" + strings.ToLower(rand.Text()[:16])}
}

// replicas has n engines run on one account.
func replicas(t *testing.T, set setup, n int) (*account, []*broadcast.Engine) {
	t.Helper()
	set.cluster, set.overHTTP = newCluster(t), true
	a := newAccount(t, set)
	engines := []*broadcast.Engine{a.engine}
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
		task := asynq.NewTask("batch", fmt.Appendf(nil, `{"broadcast":%d,"batch":%d}`, id, seq+1))
		for copied := range 2 {
			_, err := queue.Enqueue(task, asynq.TaskID(fmt.Sprintf("copy-%d-%d", seq, copied)), asynq.Queue("broadcasts-"+a.set.cluster.Account))
			if err != nil {
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
		if a.sent(e) == 0 {
			t.Errorf("replica %d had no part in it", i)
		}
	}
	a.ahead.Store(int64(time.Minute)) // no longer are receipts waited for
	a.until("the admin being told", func() bool { return len(a.told()) > 0 })
	if diff := cmp.Diff([]string{fmt.Sprintf("finished #%d  taken=6001 failed=0 uncertain=0", id)}, a.told()); diff != "" {
		t.Errorf("the admin was told (-want +got):\n%s", diff)
	}
}

// forget has Redis forget all that it knows of an account.
func forget(t *testing.T, c *replicated) {
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
		_ = loop.Sleep(t.Context(), 2*time.Second)
		calls := a.calls()
		_ = loop.Sleep(t.Context(), time.Second)
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
	engines[0].StopOne(models.Move{Event: models.EventStop, Reason: models.ReasonAccount, Detail: "48004"})
	for _, id := range []int64{first, second} {
		if b := a.reaches(id, models.Paused); b.Reason != models.ReasonAccount {
			t.Errorf("#%d paused for %s", id, b.Reason)
		}
	}
	_ = loop.Sleep(t.Context(), 2*time.Second)
	calls := a.calls()
	_ = loop.Sleep(t.Context(), time.Second)
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
	engines[0].LeaseFor(lease.Times{Lasts: time.Second, Renew: 200 * time.Millisecond, Margin: 200 * time.Millisecond})
	a.run(engines[0])
	id := a.ask("", models.AudienceAll)
	a.received(40)
	a.exec("UPDATE batches SET owner = 'another', lease_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) + 3000 WHERE broadcast_id = ?", id)
	_ = loop.Sleep(t.Context(), time.Second) // until the next renewal, and what was in flight
	calls := a.calls()
	_ = loop.Sleep(t.Context(), time.Second)
	if more := a.calls() - calls; more > 0 {
		t.Errorf("%d calls after the lease was lost", more)
	}
	// The other one never renews its own.
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
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
	a := newAccount(t, setup{cluster: &replicated{Redis: rdb, Account: "wx"}, overHTTP: true, Options: simulator.Options{Followers: 10}})
	stop := a.start()
	a.ask("", models.AudienceAll)
	_ = loop.Sleep(t.Context(), 2*time.Second)
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
