package broadcast

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/message/messagetest"
)

func TestReceiptState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status string
		state  models.DeliveryState
		detail string
	}{
		{"success", models.Delivered, ""},
		{" Success\n", models.Delivered, ""},
		{"SUCCESS", models.Delivered, ""},
		{"failed:user block", models.Blocked, "failed: user block"},
		{"failed: user block", models.Blocked, "failed: user block"},
		{"failed :user block", models.Blocked, "failed: user block"},
		{"Failed:User  Block", models.Blocked, "failed: user block"},
		{"failed：user block", models.Blocked, "failed: user block"},
		{"failed:userblock", models.Blocked, "failed: userblock"},
		{"failed: system failed", models.FailedFor, "failed: system failed"},
		{"failed:system failed", models.FailedFor, "failed: system failed"},
		{"failed:freq limit", models.FailedFor, "failed: freq limit"},
		{"failed", models.FailedFor, "failed"},
		{"successful", models.FailedFor, "successful"},
		{"", models.FailedFor, ""},
	}
	for _, test := range tests {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			state, detail := receiptState(test.status)
			if state != test.state || detail != test.detail {
				t.Errorf("%q is %s (%q), want %s (%q)", test.status, state, detail, test.state, test.detail)
			}
		})
	}
}

func FuzzReceiptState(f *testing.F) {
	for _, s := range []string{"success", "failed:user block", "failed: system failed", "failed:freq limit", "\xff:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, status string) {
		state, _ := receiptState(status)
		switch state {
		case models.Delivered, models.Blocked, models.FailedFor:
		default:
			t.Errorf("%q is %s", status, state)
		}
		if again, _ := receiptState("  " + strings.ToUpper(status) + "\t"); again != state && strings.ToLower(strings.ToUpper(status)) == strings.ToLower(status) { //nolint:staticcheck // the folding that receiptState does
			t.Errorf("%q is %s, in capitals %s", status, state, again)
		}
	})
}

func TestQuotaReset(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		b, err := time.ParseInLocation("2006-01-02 15:04:05", text, beijing)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name  string
		now   time.Time
		reset time.Duration
		want  time.Time
	}{
		{"before midnight", at("2026-11-24 23:59:59"), 0, at("2026-11-25 00:00:00")},
		{"at noon", at("2026-11-24 12:00:00"), 0, at("2026-11-25 00:00:00")},
		{"the day is Beijing's", time.Date(2026, 11, 24, 15, 30, 0, 0, time.UTC), 0, at("2026-11-25 00:00:00")},
		{"in the evening in London it is tomorrow", time.Date(2026, 11, 24, 20, 30, 0, 0, time.UTC), 0, at("2026-11-26 00:00:00")},
		{"at the end of a month", at("2026-11-30 20:00:00"), 0, at("2026-12-01 00:00:00")},
		{"a reset in the night", at("2026-11-24 23:00:00"), 90 * time.Minute, at("2026-11-25 01:30:00")},
		{"before a reset in the night", at("2026-11-25 01:00:00"), 90 * time.Minute, at("2026-11-25 01:30:00")},
		{"just after the reset it may be late", at("2026-11-25 00:00:00"), 0, at("2026-11-25 00:10:00")},
		{"an hour after the reset it may be late", at("2026-11-25 01:00:00"), 0, at("2026-11-25 01:10:00")},
		{"two hours after the reset it was used up anew", at("2026-11-25 02:00:00"), 0, at("2026-11-26 00:00:00")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := &Engine{now: func() time.Time { return test.now }, resetAt: test.reset}
			if got := e.quotaReset(); !got.Equal(test.want) {
				t.Errorf("%s, want %s", got.In(beijing), test.want)
			}
		})
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	var m meter
	now := time.Unix(1_700_000_000, 0)
	if m.rate(now) != 0 {
		t.Error("nothing was counted")
	}
	for s := range 30 { // 5 a second, then 20
		for range map[bool]int{true: 5, false: 20}[s < 15] {
			m.add(now.Add(time.Duration(s) * time.Second))
		}
	}
	if got := m.rate(now.Add(30 * time.Second)); got != 20 {
		t.Errorf("%.1f, want 20", got)
	}
	if got := m.rate(now.Add(time.Minute)); got != 0 {
		t.Errorf("long after the last: %.1f", got)
	}
}

func TestCutBatches(t *testing.T) {
	t.Parallel()
	ids := make([]int64, 0, 2*batchSize+1)
	for i := range 2*batchSize + 1 {
		ids = append(ids, int64(10+3*i))
	}
	last := models.Batch{BroadcastID: 7, Seq: 4, AfterID: 1, ThroughID: 9, Size: 5, State: models.BatchDone}
	want := []models.Batch{
		{BroadcastID: 7, Seq: 5, AfterID: 9, ThroughID: ids[batchSize-1], Size: batchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 6, AfterID: ids[batchSize-1], ThroughID: ids[2*batchSize-1], Size: batchSize, State: models.BatchTodo},
		{BroadcastID: 7, Seq: 7, AfterID: ids[2*batchSize-1], ThroughID: ids[2*batchSize], Size: 1, State: models.BatchTodo},
	}
	if diff := cmp.Diff(want, cutBatches(last, ids)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := cutBatches(last, nil); len(got) != 0 {
		t.Errorf("of nobody: %v", got)
	}
}

// draftOf is a broadcast of a message of the message file, as Ask fixes it.
func draftOf(t *testing.T, name string, now time.Time) models.Broadcast {
	t.Helper()
	def, err := messagetest.New(t, messageFile).Get(name)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{now: func() time.Time { return now }, undoWindow: 10 * time.Second}
	b, err := e.draft(Request{Audience: models.AudienceAll, AskedBy: admin, RequestKey: "key"}, def)
	if err != nil {
		t.Fatal(err)
	}
	b.ID = 7
	return *b
}

func TestClientMsgIDsAreShortAndTheirRecipientsAlone(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for n := range 20 {
		b := draftOf(t, "notice", time.Now())
		for _, id := range []int64{1, 11, 111, 999_999} {
			b.ID = id
			c, err := message.NewContent(b)
			if err != nil {
				t.Fatal(err)
			}
			keyOf := func(recipient int64) string {
				m, err := c.For(models.Recipient{ID: recipient, OpenID: "oOne"})
				if err != nil {
					t.Fatal(err)
				}
				return m.ClientMsgID
			}
			for _, recipient := range []int64{1, 11, 111, 1_111, 99_999_999} {
				key := keyOf(recipient)
				who := fmt.Sprintf("database %d, broadcast %d, recipient %d", n, id, recipient)
				if other := owner[key]; other != "" {
					t.Errorf("%s: the same for %s and %s", key, other, who)
				}
				owner[key] = who
				if len(key) > 32 || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
					t.Errorf("%q may be too much for the platform", key)
				}
				if key != keyOf(recipient) {
					t.Errorf("%q changes", key)
				}
			}
		}
	}
}
