package wechat

import (
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/simulator"
)

// replicas returns clients of one account that share a Redis, and how often each
// outcome of a refresh was told.
func replicas(t *testing.T, n int, rdb redis.UniversalClient, o simulator.Options) (*simulator.Simulator, []*Client, func(outcome string) int) {
	t.Helper()
	o.AppID, o.AppSecret = "wx"+strings.ToLower(rand.Text()[:16]), testSecret
	sim, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	var mu sync.Mutex
	told := map[string]int{}
	var list []*Client
	for range n {
		c := New(Config{
			AppID: o.AppID, AppSecret: o.AppSecret, BaseURL: sim.URL(), Redis: rdb, Log: modelstest.Log(t),
			OnTokenRefresh: func(outcome string) {
				mu.Lock()
				defer mu.Unlock()
				told[outcome]++
			},
		})
		t.Cleanup(c.Close)
		list = append(list, c)
	}
	return sim, list, func(outcome string) int {
		mu.Lock()
		defer mu.Unlock()
		return told[outcome]
	}
}

// tokensOf asks every replica for its token at once.
func tokensOf(t *testing.T, list []*Client) []string {
	t.Helper()
	got := make([]string, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() {
			var err error
			if got[i], err = c.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, token := range got {
		if token == "" || token != got[0] {
			t.Errorf("replicas have different tokens")
		}
	}
	return got
}

func TestReplicasRefreshTheTokenOnce(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	sim, list, told := replicas(t, 5, rdb, simulator.Options{Followers: 10})
	first := tokensOf(t, list)[0]
	if n := sim.Stats().Tokens.Stable; n != 1 {
		t.Errorf("the platform was asked %d times for a token, want once", n)
	}
	if told("ok") != 1 || told("shared") != 4 {
		t.Errorf("%d refreshed and %d shared, want 1 and 4", told("ok"), told("shared"))
	}
	for _, key := range rdb.Keys(t.Context(), "*"+list[0].appID+"*").Val() {
		if value := rdb.Get(t.Context(), key).Val(); strings.Contains(value, first) {
			t.Errorf("%s holds the token in plain text", key)
		}
	}

	// The token is refused to one after the other.
	for _, c := range list {
		c.tokens.drop(first)
	}
	second := tokensOf(t, list)[0]
	if second == first {
		t.Error("a refused token is given out again")
	}
	if n := sim.Stats().Tokens.Forced; n != 1 {
		t.Errorf("%d forced refreshes, want one for all", n)
	}

	// Within 30 s nobody may force another, whichever replica is asked.
	list[3].tokens.drop(second)
	if _, err := list[3].Token(t.Context()); err == nil {
		t.Error("a second forced refresh within the pause")
	}
	if n := sim.Stats().Tokens.Forced; n != 1 {
		t.Errorf("%d forced refreshes, want still one", n)
	}
}

func TestReplicaTakesOverARefreshThatDied(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	_, list, _ := replicas(t, 1, rdb, simulator.Options{Followers: 10})
	s := list[0].tokens.shared
	if err := rdb.Set(t.Context(), s.key("refreshing"), "a dead one", 500*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	tokensOf(t, list)
}

func TestTokenOfAnotherSecretIsNotRead(t *testing.T) {
	t.Parallel()
	rdb := modelstest.Redis(t)
	sim, list, _ := replicas(t, 1, rdb, simulator.Options{Followers: 10})
	s := list[0].tokens.shared
	if err := rdb.Set(t.Context(), s.key("current"), "nonsense", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	tokensOf(t, list)
	if n := sim.Stats().Tokens.Stable; n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestTokenWithoutRedis(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil { // nobody listens there now
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), DialTimeout: time.Second, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	_, list, _ := replicas(t, 2, rdb, simulator.Options{Followers: 10})
	began := time.Now()
	first := tokensOf(t, list)[0]
	for _, c := range list {
		c.tokens.drop(first)
	}
	if _, err := list[0].Token(t.Context()); err != nil {
		t.Errorf("a forced refresh without Redis: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
