package broadcast_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/simulator"
)

// relay carries connections to the Redis of the tests until it is to fall
// silent: what is sent then is taken, and nothing comes back.
type relay struct {
	to          string
	silent      atomic.Bool
	subscribers atomic.Int64 // whom Redis told that they are subscribed
}

// newRelay returns a relay that ends with the test, and a client through it.
func newRelay(t *testing.T) (*relay, *redis.Client) {
	t.Helper()
	options := *modelstest.Redis(t).Options()
	r := &relay{to: options.Addr}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := []io.Closer{listener}
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			redis, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.to)
			if err != nil {
				_ = conn.Close()
				continue
			}
			mu.Lock()
			open = append(open, conn, redis)
			mu.Unlock()
			all.Go(func() { r.carry(redis, conn, nil) })
			all.Go(func() {
				r.carry(conn, redis, func(p []byte) { r.subscribers.Add(int64(bytes.Count(p, []byte("asynq:cancel")))) })
			})
		}
	})
	t.Cleanup(func() {
		mu.Lock()
		for _, o := range open {
			_ = o.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	options.Addr, options.Dialer = listener.Addr().String(), nil
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return r, client
}

// carry copies from one connection to the other and closes both at the end.
func (r *relay) carry(to, from net.Conn, seen func([]byte)) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if r.silent.Load() {
			continue
		}
		if seen != nil {
			seen(buf[:n])
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Redis falls silent while a replica works: the program ends all the same, and
// in order.
func TestAReplicaStopsWhenRedisFellSilent(t *testing.T) {
	t.Parallel()
	r, rdb := newRelay(t)
	c := newCluster(t)
	c.Redis = rdb
	a := newAccount(t, setup{cluster: c, overHTTP: true, Options: simulator.Options{Followers: 10}})
	stop := a.start()
	a.reaches(a.ask("", models.AudienceAll), models.Finished)
	a.until("the servers of both lanes being subscribed", func() bool { return r.subscribers.Load() >= 2 })
	r.silent.Store(true)
	a.until("the silence being noticed", func() bool { return !a.engine.RedisAnswers() })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop()
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}
