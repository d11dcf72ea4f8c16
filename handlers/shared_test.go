package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models/modelstest"
)

// replicas returns n callbacks of one account that share a Redis.
func replicas(t *testing.T, n int, rdb redis.UniversalClient, edits ...func(*setup)) []*account {
	t.Helper()
	app := "wx" + strings.ToLower(rand.Text()[:16])
	var list []*account
	for range n {
		list = append(list, newAccount(t, append(edits, func(c *setup) { c.Redis, c.AppID = rdb, app })...))
	}
	return list
}

// answering has texts answered by a counter, after a while.
func answering(calls *atomic.Int32, after time.Duration) func(*setup) {
	return func(c *setup) {
		c.text = func(ctx context.Context, _ incoming) (outgoing, error) {
			select {
			case <-time.After(after):
			case <-ctx.Done():
			}
			return outgoing{text: fmt.Sprint("reply ", calls.Add(1))}, nil
		}
	}
}

func TestReplicasHandleAMessageOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	list := replicas(t, 3, modelstest.Redis(t), answering(&calls, 300*time.Millisecond))
	var all sync.WaitGroup
	for _, a := range list {
		for range 2 {
			all.Go(func() {
				if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "reply 1" {
					t.Errorf("reply %q", got)
				}
			})
		}
	}
	all.Wait()
	if got := list[0].reply(t, list[0].push(textMsg("broadcast all", 2))); got != "reply 2" {
		t.Errorf("another message is answered %q", got)
	}
	if got := list[1].reply(t, list[1].push(textMsg("broadcast all", 2))); got != "reply 2" {
		t.Errorf("delivered again to another replica, it is answered %q", got)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("handled %d times, want twice", n)
	}
}

func TestReplicasHandleAnEventOnce(t *testing.T) {
	t.Parallel()
	list := replicas(t, 2, modelstest.Redis(t))
	for _, a := range list {
		if rec := a.push(eventMsg("subscribe", "<EventKey></EventKey>")); rec.Body.String() != success {
			t.Errorf("answered %q", rec.Body)
		}
	}
	if a, b := len(list[0].calls()), len(list[1].calls()); a != 1 || b != 0 {
		t.Errorf("acted on %d and %d times, want once", a, b)
	}
}

func TestAnotherReplicaTriesWhatFailed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	list := replicas(t, 2, modelstest.Redis(t), func(c *setup) {
		c.text = func(context.Context, incoming) (outgoing, error) {
			switch calls.Add(1) {
			case 1:
				return outgoing{}, errors.New("the database is away")
			case 2:
				panic("a fault")
			}
			return outgoing{text: "done"}, nil
		}
	})
	if got := list[0].reply(t, list[0].push(textMsg("openid", 1))); got != testBusy {
		t.Errorf("the first is answered %q", got)
	}
	if rec := list[1].push(textMsg("openid", 1)); rec.Code != http.StatusInternalServerError {
		t.Errorf("the second is answered %d", rec.Code)
	}
	if got := list[0].reply(t, list[0].push(textMsg("openid", 1))); got != "done" {
		t.Errorf("the third is answered %q", got)
	}
}

// A replica that died with a message keeps it for a while only.
func TestAMessageOfADeadReplica(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	rdb := modelstest.Redis(t)
	list := replicas(t, 1, rdb, answering(&calls, 0))
	dead := &shared{redis: rdb, app: list[0].AppID, log: list[0].Log}
	ctx := t.Context()
	key := "m:" + testSender + ":1"
	if _, answered, _, err := dead.enter(ctx, key); err != nil || answered {
		t.Fatalf("enter: %v, %v", answered, err)
	}
	if err := rdb.PExpire(ctx, dead.key("handling", key), 400*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if got := list[0].reply(t, list[0].push(textMsg("openid", 1))); got != "reply 1" {
		t.Errorf("answered %q", got)
	}
}

func TestReplaysAreKnownToAllReplicas(t *testing.T) {
	t.Parallel()
	list := replicas(t, 2, modelstest.Redis(t))
	q := list[0].query(testNow)
	text := textMsg("openid", 1)
	for i, a := range list {
		if rec := a.post(q, text); rec.Code != http.StatusOK {
			t.Errorf("the same body, replica %d: status %d", i, rec.Code)
		}
	}
	q = list[0].query(testNow)
	if rec := list[0].post(q, text); rec.Code != http.StatusOK {
		t.Errorf("status %d", rec.Code)
	}
	forged := textMsg("broadcast all", 2)
	for range 2 {
		if rec := list[1].post(q, forged); rec.Code != http.StatusForbidden {
			t.Errorf("another body under the signature, at another replica: status %d, want 403", rec.Code)
		}
	}
	if calls := list[1].calls(); len(calls) > 0 {
		t.Errorf("acted on: %v", calls)
	}
}

// A verification that one replica answered is known to the others.
func TestVerificationsAreKnownToAllReplicas(t *testing.T) {
	t.Parallel()
	list := replicas(t, 2, modelstest.Redis(t))
	q := list[0].query(testNow)
	with := maps.Clone(q)
	with.Set("echostr", "4375120948345356249")
	if rec := list[0].do(http.MethodGet, "/wechat?"+with.Encode(), nil); rec.Code != http.StatusOK {
		t.Errorf("status %d", rec.Code)
	}
	if rec := list[1].post(q, textMsg("broadcast all", 1)); rec.Code != http.StatusForbidden {
		t.Errorf("a message under its signature, at the other replica: status %d, want 403", rec.Code)
	}
	if rec := list[1].do(http.MethodGet, "/wechat?"+with.Encode(), nil); rec.Code != http.StatusOK {
		t.Errorf("again, at the other replica: status %d", rec.Code)
	}
	if calls := list[1].calls(); len(calls) > 0 {
		t.Errorf("acted on: %v", calls)
	}
}

// Without Redis a replica relies on its own memory, and loses no time.
func TestCallbacksWithoutRedis(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // it takes connections and says nothing
	rdb := redis.NewClient(&redis.Options{
		Addr: listener.Addr().String(), DialTimeout: time.Second, ReadTimeout: time.Second, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = rdb.Close() })
	var calls atomic.Int32
	a := replicas(t, 1, rdb, answering(&calls, 0))[0]
	began := time.Now()
	for i := range int64(5) {
		for range 2 {
			if got, want := a.reply(t, a.push(textMsg("openid", i+1))), fmt.Sprint("reply ", i+1); got != want {
				t.Errorf("answered %q, want %q", got, want)
			}
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("ten callbacks took %s", took)
	}
}
