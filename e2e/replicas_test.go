package e2e

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisNumber counts the databases of the Redis server that trials have taken.
var redisNumber atomic.Int64

// newRedis returns the URL of an empty database on the server that
// TEST_REDIS_URL names, and a client of it, or skips the test, aloud.
func newRedis(t *testing.T) (address string, client *redis.Client) {
	t.Helper()
	raw := os.Getenv("TEST_REDIS_URL")
	if raw == "" {
		t.Skip("skipped: set TEST_REDIS_URL=redis://127.0.0.1:6379/0 to run it; its databases 1 to 15 are emptied")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatalf("TEST_REDIS_URL: %v", err)
	}
	u.Path = "/" + strconv.FormatInt(1+(redisNumber.Add(1)-1)%15, 10)
	options, err := redis.ParseURL(u.String())
	if err != nil {
		t.Fatalf("TEST_REDIS_URL: %v", err)
	}
	client = redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return u.String(), client
}

// cluster is several replicas behind a load balancer.
type cluster struct {
	t        *testing.T
	platform *platform
	replicas []*server
	balancer *balancer
}

// startCluster starts n replicas that share the databases.
func startCluster(t *testing.T, p *platform, n int, databaseURL, redisURL string, more settings) *cluster {
	t.Helper()
	c := &cluster{t: t, platform: p, balancer: newBalancer(t)}
	env := settings{"REDIS_URL": redisURL}
	for name, value := range more {
		env[name] = value
	}
	for range n {
		s := newServer(t, p, databaseURL, env)
		c.replicas = append(c.replicas, s)
		c.start(s)
	}
	for _, s := range c.replicas {
		s.logged(`(coordinating the replicas|another replica coordinates)`)
	}
	return c
}

// start starts a replica, which the balancer has its callbacks go to as well.
func (c *cluster) start(s *server) {
	c.t.Helper()
	s.start(c.t)
	c.balancer.serve(s)
	c.platform.ask(http.MethodPost, "/_sim/callback", map[string]string{"url": c.balancer.url + "/wechat"}, nil)
}

// balancer sends requests to the replicas in turn, and past those that are down.
type balancer struct {
	url string

	mu    sync.Mutex
	urls  map[*server]string
	order []*server
	next  int
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{url: "http://" + listener.Addr().String(), urls: map[*server]string{}}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var conn net.Conn
		var err error
		for range 4 {
			if conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, b.pick()); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}}
	server := &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "http", Host: "replicas"})
			},
			Transport:    transport,
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		transport.CloseIdleConnections()
		<-done
	})
	return b
}

// serve has requests go to a replica, at the address of its last start.
func (b *balancer) serve(s *server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.urls[s] == "" {
		b.order = append(b.order, s)
	}
	b.urls[s] = s.url
}

// pick returns the address of the next replica.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return host(b.urls[b.order[b.next%len(b.order)]])
}
