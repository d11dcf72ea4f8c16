package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// keptDesk is an account with a broadcast that ended, of which half reached their recipients.
type keptDesk struct {
	*importDesk
	a    *account
	id   int64
	asks int
}

func newKeptDesk(t *testing.T, d *importDesk, language string) *keptDesk {
	t.Helper()
	ctx := t.Context()
	at := time.Now().Add(-100 * 24 * time.Hour)
	owner := modelstest.OpenID(0)
	k := &keptDesk{importDesk: d, a: testProcess(t, testSettings(t, map[string]string{
		"DATABASE_URL": d.database, "ADMIN_OPENIDS": owner, "LANGUAGE": language, "WECHAT_API_BASE_URL": d.sim.URL(),
		"WECHAT_APP_SECRET": importSecret,
	})).only()}
	var ids []int64
	for i := range 10 {
		if err := d.store.EnsureRecipient(ctx, modelstest.OpenID(i), at); err != nil {
			t.Fatal(err)
		}
		r, err := d.store.FindRecipient(ctx, modelstest.OpenID(i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	b := &models.Broadcast{
		RequestKey: "1", Name: "notice", Message: "{}", Digest: "d", Audience: models.AudienceAll, AskedBy: owner, Salt: "s",
		State: models.Scheduled, AskedAt: models.At(at), Recipients: 10,
	}
	if _, err := d.store.CreateBroadcast(ctx, b, models.Asked{}); err != nil {
		t.Fatal(err)
	}
	k.id = b.ID
	k.moves(models.EventDue, at)
	if err := modelstest.Claim(ctx, d.store, b.ID, ids, at); err != nil {
		t.Fatal(err)
	}
	var all []models.Outcome
	for i, id := range ids {
		o := models.Outcome{BroadcastID: b.ID, RecipientID: id, State: models.Delivered, MsgID: id + 1000, Attempts: 1, SentAt: at}
		if i%2 == 0 {
			o.State, o.MsgID, o.ErrCode, o.Detail = models.FailedFor, 0, 40003, "invalid openid"
		}
		all = append(all, o)
	}
	if err := d.store.RecordOutcomes(ctx, all, at); err != nil {
		t.Fatal(err)
	}
	k.moves(models.EventCancel, at.Add(time.Minute))
	return k
}

func (k *keptDesk) moves(on models.Event, at time.Time) {
	k.t.Helper()
	if moved, err := k.store.MoveBroadcast(k.t.Context(), k.id, models.Move{Event: on}, at); !moved || err != nil {
		k.t.Fatal(on, moved, err)
	}
}

// says sends a line of the owner and returns the reply.
func (k *keptDesk) says(line string) string {
	k.t.Helper()
	k.asks++
	reply, _, err := k.a.chat.Reply(k.t.Context(), modelstest.OpenID(0), line, fmt.Sprintf("m:%d", k.asks))
	if err != nil {
		k.t.Fatalf("%q: %v", line, err)
	}
	return reply
}

// empty deletes the deliveries, but for the last of them if it is not to go to the end.
func (k *keptDesk) empty(whole bool) {
	k.t.Helper()
	ctx := k.t.Context()
	if kept, err := k.store.TallyBroadcast(ctx, k.id, time.Now()); !kept || err != nil {
		k.t.Fatal(kept, err)
	}
	last, err := k.store.DropDeliveries(ctx, k.id, 0, 9)
	if err == nil && whole {
		_, err = k.store.DropDeliveries(ctx, k.id, last, 9)
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

// The chat tells the same counts of a broadcast whose deliveries are deleted, says that
// they are, and refuses what would need them. An export of them is no empty table.
func TestWhatIsToldOfDeletedDeliveries(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *importDesk, language string) {
		k := newKeptDesk(t, d, language)
		status, listed := k.says("broadcast status #1"), k.says("broadcast list")
		if rows := strings.Count(k.done("", "export", "deliveries", "--broadcast", "1"), "\n"); rows != 11 {
			t.Errorf("%d lines are exported", rows)
		}
		gone, none := "发送明细已于", "明细还在的都没有发给此人"
		if language == "en" {
			gone, none = "What became of each recipient was deleted on", "Of the broadcasts whose records are kept, none"
		}
		lines := func(reply string) string { return strings.Join(strings.SplitAfter(reply, "\n")[:3], "") }
		for _, whole := range []bool{false, true} {
			k.empty(whole)
			now := k.says("broadcast status #1")
			if lines(now) != lines(status) || !strings.Contains(now, gone) || strings.Contains(now, "rest") && language == "en" && strings.Contains(now, "broadcast rest #1") {
				t.Errorf("status, before:\n%s\nnow:\n%s", status, now)
			}
			if again := k.says("broadcast list"); again != listed {
				t.Errorf("list, before:\n%s\nnow:\n%s", listed, again)
			}
			for _, line := range []string{"broadcast retry #1", "broadcast rest #1", "broadcast reached #1", "重发 #1"} {
				reply := k.says(line)
				if !strings.Contains(reply, "RETENTION") || strings.Contains(reply, "\n") {
					t.Errorf("%q is answered %q", line, reply)
				}
			}
			said := k.refused("", "export", "deliveries", "--broadcast", "1")
			if !strings.Contains(said, "RETENTION") || !strings.Contains(said, "#1") {
				t.Errorf("the export says %q", said)
			}
		}
		if reply := k.says("who " + modelstest.OpenID(1)); !strings.Contains(reply, none) || !strings.Contains(reply, "#1") || !strings.Contains(reply, "RETENTION") {
			t.Errorf("who is answered %q", reply)
		}
		if list, err := k.store.Broadcasts(t.Context(), 10); err != nil || len(list) != 1 {
			t.Errorf("%d broadcasts, %v", len(list), err)
		}
	})
}
