package tokenstore_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/wechat/tokenstore"
)

func open(t *testing.T, rdb redis.UniversalClient, app, secret string) *tokenstore.Store {
	t.Helper()
	s, err := tokenstore.New(rdb, app, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenIsReadByWhoeverKnowsTheSecret(t *testing.T) {
	t.Parallel()
	rdb, app := modelstest.Redis(t), "wx"+rand.Text()[:16]
	ours := open(t, rdb, app, "secret")
	if got, _, err := ours.Load(t.Context()); got != "" || err != nil {
		t.Errorf("before it was saved: %q, %v", got, err)
	}
	now := time.Now()
	expires := now.Add(time.Hour).Truncate(time.Millisecond)
	if err := ours.Save(t.Context(), "T", expires, now); err != nil {
		t.Fatal(err)
	}
	got, until, err := open(t, rdb, app, "secret").Load(t.Context())
	if got != "T" || !until.Equal(expires) || err != nil {
		t.Errorf("another replica: %q until %s, %v", got, until, err)
	}
	if got, _, err := open(t, rdb, app, "another").Load(t.Context()); got != "" || err != nil {
		t.Errorf("another secret: %q, %v", got, err)
	}
}

func TestOneReplicaHasTheLock(t *testing.T) {
	t.Parallel()
	rdb, app := modelstest.Redis(t), "wx"+rand.Text()[:16]
	first, second := open(t, rdb, app, "secret"), open(t, rdb, app, "secret")
	unlock, err := first.Lock(t.Context(), time.Minute)
	if unlock == nil || err != nil {
		t.Fatalf("not locked: %v", err)
	}
	if again, err := second.Lock(t.Context(), time.Minute); again != nil || err != nil {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	if unlock, err = second.Lock(t.Context(), time.Minute); unlock == nil || err != nil {
		t.Fatalf("not locked once it was free: %v", err)
	}
	unlock()
}

func TestForcedRefreshesAreCountedForAll(t *testing.T) {
	t.Parallel()
	rdb, app := modelstest.Redis(t), "wx"+rand.Text()[:16]
	first, second := open(t, rdb, app, "secret"), open(t, rdb, app, "secret")
	now := time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC) // noon in Beijing
	if wait, err := first.ReserveForced(t.Context(), now, 20, 30*time.Second); wait != 0 || err != nil {
		t.Errorf("the first waits for %s, %v", wait, err)
	}
	if wait, err := second.ReserveForced(t.Context(), now, 20, 30*time.Second); wait <= 0 || wait > 30*time.Second || err != nil {
		t.Errorf("right after the first another waits for %s, %v", wait, err)
	}
	second.ExhaustForced(t.Context(), now, 20)
	rdb.Del(t.Context(), "wechat-broadcast:"+app+":token:forced") // as after the pause
	if wait, err := first.ReserveForced(t.Context(), now, 20, 30*time.Second); wait != 12*time.Hour || err != nil {
		t.Errorf("on a day that is used up it waits for %s, %v", wait, err)
	}
}
