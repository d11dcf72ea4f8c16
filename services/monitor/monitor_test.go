package monitor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/wechat"
)

// shown returns the metrics with a name, as name{values of the labels}.
func shown(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func TestStoppedBroadcastsAndQuotaAreShownByTheLeaderWhileTheyHold(t *testing.T) {
	t.Parallel()
	store := modelstest.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		leads, calls := true, 0
		var refused error
		reg := prometheus.NewRegistry()
		m := New(Config{
			Store: store, Leads: func() bool { return leads }, Metrics: reg, Now: time.Now, Log: modelstest.Log(t),
			Quota: func(context.Context) (wechat.Quota, error) {
				calls++
				return wechat.Quota{Limit: 100, Remain: 7}, refused
			},
		})
		look := func() map[string]float64 {
			t.Helper()
			if err := m.look(ctx); err != nil {
				t.Fatal(err)
			}
			return shown(t, reg)
		}
		const paused, quota = "broadcast_stopped{1,credentials}", "wechat_send_quota_remaining_messages{}"

		b := &models.Broadcast{RequestKey: "a", Name: "notice", State: models.Scheduled, Audience: models.AudienceAll, AskedBy: "o", AskedAt: models.At(time.Now())}
		if _, err := store.CreateBroadcast(ctx, b, models.Asked{}); err != nil {
			t.Fatal(err)
		}
		if all := look(); all[paused] != 0 || calls != 0 {
			t.Errorf("before it starts: %v, the platform was asked %d times", all, calls)
		}
		move := func(mv models.Move) {
			t.Helper()
			if moved, err := store.MoveBroadcast(ctx, b.ID, mv, time.Now()); err != nil || !moved {
				t.Fatalf("%+v: %v %v", mv, moved, err)
			}
		}
		refused = errors.New("away")
		move(models.Move{Event: models.EventDue})
		if all := look(); all[quota] != 0 || calls != 1 {
			t.Errorf("the platform is away: %v, asked %d times", all, calls)
		}
		refused = nil
		if look(); calls != 1 {
			t.Errorf("asked %d times within five minutes, want 1", calls)
		}
		time.Sleep(quotaEvery)
		if all := look(); all[quota] != 7 || all["wechat_send_quota_limit_messages{}"] != 100 {
			t.Errorf("no quota: %v", all)
		}
		move(models.Move{Event: models.EventStop, Reason: models.ReasonCredentials})
		if all := look(); all[paused] != 1 {
			t.Errorf("a paused broadcast is not shown: %v", all)
		}
		leads = false
		if all := look(); all[paused] != 0 {
			t.Errorf("a replica that does not lead shows it: %v", all)
		}
		leads = true
		time.Sleep(24 * time.Hour)
		if all := look(); all[paused] != 1 || all[quota] != 0 {
			t.Errorf("a day later: %v", all)
		}
		move(models.Move{Event: models.EventResume})
		if all := look(); all[paused] != 0 {
			t.Errorf("a broadcast that goes on is shown as stopped: %v", all)
		}
		move(models.Move{Event: models.EventDue})
		move(models.Move{Event: models.EventFail, Reason: models.ReasonContent})
		if all := look(); all["broadcast_stopped{1,content}"] != 1 {
			t.Errorf("a failed broadcast is not shown: %v", all)
		}
		time.Sleep(failedFor)
		if all := look(); all["broadcast_stopped{1,content}"] != 0 {
			t.Errorf("a broadcast is still shown an hour after it failed: %v", all)
		}
	})
}

func TestWhatTheDatabaseFailsIsCountedAndItsDiskShown(t *testing.T) {
	t.Parallel()
	store := modelstest.SQLite(t)
	reg := prometheus.NewRegistry()
	New(Config{Store: store, Metrics: reg, Now: time.Now})
	if _, err := store.FindBroadcast(t.Context(), 99); models.KindOf(err) != models.NotFound {
		t.Fatal(err)
	}
	all := shown(t, reg)
	if n := all["database_errors_total{}"]; n != 0 {
		t.Errorf("%v failures for a row that is not there", n)
	}
	size, free := all["database_disk_size_bytes{}"], all["database_disk_free_bytes{}"]
	if size <= 0 || free <= 0 || free > size {
		t.Errorf("%v of %v bytes are free", free, size)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindBroadcast(t.Context(), 99); err == nil {
		t.Fatal("a closed database answers")
	}
	if n := shown(t, reg)["database_errors_total{}"]; n != 1 {
		t.Errorf("%v failures, want 1", n)
	}
}
