package wechat

import (
	"crypto/rand"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/wechat/tokenstore"
)

// replicated is an account with several clients that share a Redis.
type replicated struct {
	*platform
	app     string
	clients []*Client

	mu   sync.Mutex
	told map[string]int // outcomes of refreshes
}

func replicate(t *testing.T, n int, rdb redis.UniversalClient) *replicated {
	t.Helper()
	r := &replicated{platform: newPlatform(), app: "wx" + strings.ToLower(rand.Text()[:16]), told: map[string]int{}}
	r.answer("POST "+sendPath, accepted)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	for range n {
		r.clients = append(r.clients, newClient(t, srv.URL, func(c *Config) {
			store, err := tokenstore.New(rdb, r.app, c.AppSecret)
			if err != nil {
				t.Fatal(err)
			}
			c.AppID, c.SharedTokens, c.Log = r.app, store, modelstest.Log(t)
			c.OnTokenRefresh = func(outcome string) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.told[outcome]++
			}
		}))
	}
	return r
}

// key is the name of a value in Redis.
func (r *replicated) key(name string) string { return "wechat-broadcast:" + r.app + ":token:" + name }

// each calls f for every client at once.
func (r *replicated) each(f func(i int, c *Client)) {
	var all sync.WaitGroup
	for i, c := range r.clients {
		all.Go(func() { f(i, c) })
	}
	all.Wait()
}

// tokenOfAll asks every client for its token at once. They must have the same.
func (r *replicated) tokenOfAll(t *testing.T) string {
	t.Helper()
	got := make([]string, len(r.clients))
	r.each(func(i int, c *Client) {
		var err error
		if got[i], err = c.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for _, token := range got {
		if token == "" || token != got[0] {
			t.Errorf("replicas have different tokens")
		}
	}
	return got[0]
}

// refreshes fails unless the platform was asked for a token so often.
func (r *replicated) refreshes(t *testing.T, normal, forced int) {
	t.Helper()
	if n, f := r.calls(); n != normal || f != forced {
		t.Errorf("%d normal and %d forced token calls, want %d and %d", n, f, normal, forced)
	}
}

func TestReplicasRefreshTheTokenOnce(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	r := replicate(t, 5, rdb)
	first := r.tokenOfAll(t)
	r.refreshes(t, 1, 0)
	if r.told["ok"] != 1 || r.told["shared"] != 4 {
		t.Errorf("told %v, want 1 ok and 4 shared", r.told)
	}
	for _, key := range rdb.Keys(t.Context(), "*"+r.app+"*").Val() {
		if value := rdb.Get(t.Context(), key).Val(); strings.Contains(value, first) {
			t.Errorf("%s holds the token in plain text", key)
		}
	}

	// The token is refused to all of them: one forced refresh is for all.
	r.refuse(first)
	r.each(func(_ int, c *Client) {
		if got := c.Send(t.Context(), testMessage()); got.Verdict != Accepted {
			t.Errorf("got %+v", got)
		}
	})
	second := r.tokenOfAll(t)
	if second == first {
		t.Error("a refused token is given out again")
	}
	r.refreshes(t, 2, 1)

	// Within 30 s nobody may force another, whichever replica is asked.
	r.refuse(second)
	if got := r.clients[3].Send(t.Context(), testMessage()); got.Verdict != Retry || got.RetryAfter == 0 {
		t.Errorf("within the pause: %+v", got)
	}
	if _, err := r.clients[3].Token(t.Context()); err == nil {
		t.Error("a second forced refresh within the pause")
	}
	if _, forced := r.calls(); forced != 1 {
		t.Errorf("%d forced refreshes, want still one", forced)
	}
}

func TestReplicaTakesOverARefreshThatDied(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	r := replicate(t, 1, rdb)
	if err := rdb.Set(t.Context(), r.key("refreshing"), "a dead one", 500*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.tokenOfAll(t)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it refreshed after %s, while another held the lock", took)
	}
}

func TestTokenOfAnotherSecretIsNotRead(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	r := replicate(t, 1, rdb)
	if err := rdb.Set(t.Context(), r.key("current"), "nonsense", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	r.tokenOfAll(t)
	r.refreshes(t, 1, 0)
}

func TestTokenWithoutRedis(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{
		Addr: strings.TrimPrefix(deadAddress(t), "http://"), DialTimeout: time.Second, MaxRetries: -1,
	})
	t.Cleanup(func() { _ = rdb.Close() })
	r := replicate(t, 2, rdb)
	began := time.Now()
	r.refuse(r.tokenOfAll(t))
	if got := r.clients[0].Send(t.Context(), testMessage()); got.Verdict != Accepted {
		t.Errorf("a forced refresh without Redis: %+v", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A Redis that takes connections and says nothing holds nobody up for long.
func TestTokenWithASilentRedis(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	rdb := redis.NewClient(&redis.Options{Addr: l.Addr().String(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	r := replicate(t, 1, rdb)
	began := time.Now()
	r.tokenOfAll(t)
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %s", took)
	}
}
