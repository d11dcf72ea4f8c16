package tokenstore_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	if got, ok, err := ours.Load(t.Context()); ok || err != nil {
		t.Errorf("before it was saved: %+v, %v, %v", got, ok, err)
	}
	now := time.Now()
	want := tokenstore.Token{Value: "T", Expires: now.Add(time.Hour).Truncate(time.Millisecond)}
	if err := ours.Save(t.Context(), want, now); err != nil {
		t.Fatal(err)
	}
	got, ok, err := open(t, rdb, app, "secret").Load(t.Context())
	if diff := cmp.Diff(want, got); !ok || err != nil || diff != "" {
		t.Errorf("another replica: %v, %v %s", ok, err, diff)
	}
	if got, ok, err := open(t, rdb, app, "another").Load(t.Context()); ok || err != nil || got.Value != "" {
		t.Errorf("another secret: %+v, %v, %v", got, ok, err)
	}
}

func TestOneReplicaHasTheLock(t *testing.T) {
	t.Parallel()
	rdb, app := modelstest.Redis(t), "wx"+rand.Text()[:16]
	first, second := open(t, rdb, app, "secret"), open(t, rdb, app, "secret")
	unlock, err := first.Lock(t.Context())
	if unlock == nil || err != nil {
		t.Fatalf("not locked: %v", err)
	}
	if again, err := second.Lock(t.Context()); again != nil || err != nil {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	if unlock, err = second.Lock(t.Context()); unlock == nil || err != nil {
		t.Fatalf("not locked once it was free: %v", err)
	}
	unlock()
}

func TestForcedRefreshesAreCountedForAll(t *testing.T) {
	t.Parallel()
	rdb, app := modelstest.Redis(t), "wx"+rand.Text()[:16]
	first, second := open(t, rdb, app, "secret"), open(t, rdb, app, "secret")
	now := time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC) // noon in Beijing
	if wait, err := first.ReserveForced(t.Context(), now); wait != 0 || err != nil {
		t.Errorf("the first waits for %s, %v", wait, err)
	}
	if wait, err := second.ReserveForced(t.Context(), now); wait <= 0 || wait > tokenstore.ForcedPause || err != nil {
		t.Errorf("right after the first another waits for %s, %v", wait, err)
	}
	second.ExhaustForced(t.Context(), now)
	rdb.Del(t.Context(), "wechat-broadcast:"+app+":token:forced") // as after the pause
	if wait, err := first.ReserveForced(t.Context(), now); wait != 12*time.Hour || err != nil {
		t.Errorf("on a day that is used up it waits for %s, %v", wait, err)
	}
}
