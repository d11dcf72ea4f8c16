package tags_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/tags"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

const (
	app    = "wxd0a1b2c3d4e5f607"
	secret = "0123456789abcdef0123456789abcdef"
)

// Many are pulled, known or not, and little of it stays in memory.
func TestManyWithATag(t *testing.T) {
	t.Parallel()
	const many = 25_000
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		sim, err := simulator.New(simulator.Options{AppID: app, AppSecret: secret, Followers: many})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sim.Close() })
		if err := sim.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		id, err := sim.CreateTag("many")
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.SpreadTag(id, many); err != nil {
			t.Fatal(err)
		}
		client := wechat.New(wechat.Config{AppID: app, AppSecret: secret, BaseURL: sim.URL(), Log: modelstest.Log(t)})
		t.Cleanup(client.Close)
		life, end := context.WithCancel(context.Background())
		p := tags.New(tags.Config{Store: store, Platform: client, Life: life, Now: time.Now, Log: modelstest.Log(t)})
		t.Cleanup(func() { end(); p.Wait() })
		for i, name := range []string{"unknown", "known"} {
			b := &models.Broadcast{
				RequestKey: name, Name: name, Message: "{}", Digest: name, Audience: models.AudienceGroups, State: models.Scheduled,
				AskedAt: models.At(time.Now()), Target: models.Target{Groups: []models.Group{{Kind: models.GroupTag, Name: "many", ID: int64(id)}}},
			}
			if _, err := store.CreateBroadcast(t.Context(), b, models.Asked{}); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			if err := p.Ready(t.Context(), b.ID); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); i == 1 && grown > 8<<20 {
				t.Errorf("%d bytes are kept", grown)
			}
			if err := store.FreezeAudience(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if n, err := store.CountAudience(t.Context(), b); err != nil || n != many {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
	})
}
