package webhooks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestEachEventIsPostedOnceWithTheStateItTellsOf(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		defer st.run()()
		b := st.broadcast(0)
		for _, m := range []models.Move{byQuota, byAdmin, {Event: models.EventResume}, {Event: models.EventDue}, byAdmin, {Event: models.EventResume}, {Event: models.EventDue}, atEnd} {
			if m.Event == models.EventPause && len(st.to.got(t)) == 0 {
				st.sleep(time.Minute) // the others follow at once
			}
			st.move(b, m)
		}
		st.move(st.broadcast(0), byCanary)
		st.move(st.broadcast(0), itself)
		st.move(st.broadcast(0), models.Move{Event: models.EventCancel, Reason: models.ReasonAdmin})
		st.sleep(2 * time.Minute)
		want := []string{
			"broadcast.paused paused quota", "broadcast.paused paused admin", "broadcast.paused paused admin", "broadcast.finished finished ",
			"broadcast.paused paused canary", "broadcast.halted failed content",
		}
		if diff := cmp.Diff(want, st.to.got(t)); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, st.log.String())
		}
		st.want("delivered=6 failed=0 given_up=0")
	})
}

func TestTheBodyAndItsSignature(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		defer st.run()()
		b := st.broadcast(2)
		st.sleep(time.Hour)
		st.move(b, atEnd)
		st.sleep(2 * time.Minute)
		posts := st.to.all()
		if len(posts) != 1 {
			t.Fatalf("%d posts", len(posts))
		}
		body, header := posts[0].body, posts[0].header
		// Simulated time begins at midnight UTC on 1 January 2000.
		want := `{"id":"` + header.Get("Webhook-Id") + `","type":"broadcast.finished","at":"2000-01-01T09:00:00+08:00","account":"library",` +
			`"broadcast":{"id":1,"state":"finished","reason":"","message":"notice","audience":"all","recipients":2,` +
			`"counts":{"accepted":2,"delivered":0,"blocked":0,"failed":0,"uncertain":0,"skipped":0,"waiting":0},` +
			`"asked_at":"2000-01-01T08:00:00+08:00","starts_at":"2000-01-01T08:00:00+08:00","finished_at":"2000-01-01T09:00:00+08:00"}}`
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(header.Get("Webhook-Id")) < 16 || header.Get("Content-Type") != "application/json" || header.Get("User-Agent") != "wechat-broadcast/1.2.3" {
			t.Errorf("%v", header)
		}
		if at := header.Get("Webhook-Timestamp"); at != fmt.Sprint(posts[0].at.Unix()) {
			t.Errorf("the timestamp is %s", at)
		}
	})
}

// The signature by hand: openssl dgst -sha256 -hmac SECRET of "1700000000.{}".
func TestTheSignatureIsThatOfOtherPrograms(t *testing.T) {
	t.Parallel()
	const want = "v1,417adf36b901772f658597a76d329694e335e65fc0849d7715c3ca33406309b5"
	if got := sign(secret, "1700000000", "{}"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAFinishIsToldOnceTheReceiptsAreIn(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		defer st.run()()
		b := st.broadcast(1)
		st.counted.Store(false)
		st.move(b, atEnd)
		st.sleep(20 * time.Second)
		st.counted.Store(true)
		st.sleep(20 * time.Second)
		if n := len(st.to.got(t)); n != 0 {
			t.Fatalf("told %d times although no receipt came", n)
		}
		receipts := []models.Receipt{{MsgID: b.ID<<40 + 1, State: models.Delivered, ReceivedAt: models.At(time.Now())}}
		if _, err := st.store.ApplyReceipts(t.Context(), receipts, time.Now()); err != nil {
			t.Fatal(err)
		}
		st.sleep(5 * time.Second)
		if posts := st.to.all(); len(posts) != 1 || !strings.Contains(posts[0].body, `"accepted":0,"delivered":1`) {
			t.Errorf("%v", posts)
		}
	})
}

func TestItIsPostedAgainForADayWithLongerAndLongerPauses(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		st.to.answer = func(int) int { return http.StatusServiceUnavailable }
		defer st.run()()
		b := st.broadcast(0)
		began := time.Now()
		st.move(b, byAdmin)
		for {
			n := len(st.to.got(t))
			list, err := st.store.DueWebhooks(t.Context(), began.Add(48*time.Hour), 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			if rest := list[0].DueAt.Sub(st.now()) - 3*time.Second; rest > 0 {
				st.ahead.Add(int64(rest))
				st.sleep(2 * time.Second)
				if len(st.to.got(t)) != n {
					t.Fatalf("post %d came too soon", n+1)
				}
			}
			st.sleep(5 * time.Second)
		}
		posts := st.to.all()
		if n := len(posts); n < 25 || n > 60 {
			t.Fatalf("%d posts", n)
		}
		if first := posts[1].at.Sub(posts[0].at); first < 4*time.Second || first > 10*time.Second {
			t.Errorf("the first pause is %s", first)
		}
		longest := time.Duration(0)
		for i := 1; i < len(posts); i++ {
			longest = max(longest, posts[i].at.Sub(posts[i-1].at))
		}
		if longest < 48*time.Minute || longest > 73*time.Minute {
			t.Errorf("the longest pause is %s", longest)
		}
		if last := posts[len(posts)-1].at.Sub(began); last < 24*time.Hour || last > 24*time.Hour+time.Minute {
			t.Errorf("the last post is %s after the event", last)
		}
		for i, p := range posts {
			if p.body != posts[0].body || p.header.Get("Webhook-Id") != posts[0].header.Get("Webhook-Id") {
				t.Errorf("post %d is of another event: %s", i, p.body)
			}
		}
		st.want(fmt.Sprintf("delivered=0 failed=%d given_up=1", len(posts)-1))
		text := st.log.String()
		if strings.Count(text, "level=ERROR") != 1 || strings.Contains(text, secret) || strings.Contains(text, "hidden") {
			t.Errorf("the log is %s", text)
		}
	})
}

func TestAReceiverThatWantsNoMoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		st.to.answer = func(int) int { return http.StatusGone }
		defer st.run()()
		st.move(st.broadcast(0), byAdmin)
		st.sleep(time.Hour)
		st.want("delivered=0 failed=0 given_up=1")
		if text := st.log.String(); len(st.to.all()) != 1 || strings.Count(text, "level=ERROR") != 1 {
			t.Errorf("%d posts\n%s", len(st.to.all()), text)
		}
	})
}

// Whatever happens between an event and its delivery, it is delivered.
func TestAnEventOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(st *stage)
		posts     int
	}{
		"killed before a look":       {func(*stage) {}, 1},
		"killed after it was filled": {func(st *stage) { st.fill() }, 1},
		"killed while it posts": {func(st *stage) {
			w := st.fill()
			if claimed, err := st.store.ClaimWebhook(st.t.Context(), &w, time.Now().Add(claimFor)); err != nil || !claimed {
				st.t.Fatal(claimed, err)
			}
		}, 1},
		"stopped while it posts": {func(st *stage) {
			st.to.delay = 5 * time.Second
			stop := st.run()
			st.sleep(3 * time.Second)
			stop()
		}, 1},
		"stopped while the receiver is away": {func(st *stage) {
			st.to.answer = func(n int) int {
				if n <= 3 {
					return http.StatusBadGateway
				}
				return http.StatusAccepted
			}
			stop := st.run()
			st.sleep(20 * time.Second)
			stop()
			st.sleep(time.Hour)
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, st *stage) {
				st.move(st.broadcast(0), byAdmin)
				tt.meanwhile(st)
				stop := st.run()
				st.sleep(10 * time.Minute)
				st.want("delivered=1 failed=" + fmt.Sprint(max(0, tt.posts-4)) + " given_up=0")
				stop()
				defer st.run()() // and once more: it is delivered
				st.sleep(10 * time.Minute)
				if n := len(st.to.all()); n != tt.posts {
					t.Errorf("%d posts, want %d\n%s", n, tt.posts, st.log.String())
				}
			})
		})
	}
}

// Also if both believe that they lead, each event is posted once.
func TestReplicasPostEachEventOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		st := newStage(t, s)
		stops := []func(){st.run(), st.run(), st.run()}
		for range 5 {
			st.move(st.broadcast(0), byAdmin)
		}
		for len(st.to.got(t)) < 5 && t.Context().Err() == nil {
			st.sleep(10 * time.Millisecond)
		}
		for _, stop := range stops {
			stop()
		}
		defer st.run()()
		st.sleep(100 * time.Millisecond)
		ids := map[string]int{}
		for _, p := range st.to.all() {
			ids[p.header.Get("Webhook-Id")]++
		}
		if len(ids) != 5 || len(st.to.all()) != 5 {
			t.Errorf("posted %v", ids)
		}
	})
}

func TestOnlyTheReplicaThatLeadsPosts(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		st.leads.Store(false)
		defer st.run()()
		st.move(st.broadcast(0), byAdmin)
		st.sleep(time.Hour)
		if n := len(st.to.got(t)); n != 0 {
			t.Fatalf("%d posts", n)
		}
		st.leads.Store(true)
		st.sleep(10 * time.Second)
		if n := len(st.to.got(t)); n != 1 {
			t.Fatalf("%d posts", n)
		}
	})
}

// A receiver that never answers is given up on after ten seconds, and one event that it does
// not take does not keep it from the next.
func TestASlowReceiverHoldsUpNothing(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		st.to.delay = 11 * time.Second
		stop := st.run()
		st.move(st.broadcast(0), byAdmin)
		st.move(st.broadcast(0), byQuota)
		st.sleep(30 * time.Second)
		if text := st.log.String(); strings.Count(text, "no answer within 10s") < 2 || !strings.Contains(text, "broadcast=2") {
			t.Errorf("%s", text)
		}
		stop()
		st.to.delay = 9 * time.Second
		defer st.run()()
		st.sleep(5 * time.Minute)
		if n := len(st.to.got(t)); n != 2 {
			t.Errorf("%d events came\n%s", n, st.log.String())
		}
	})
}

func TestOldWebhooksAreDropped(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, st *stage) {
		defer st.run()()
		st.move(st.broadcast(0), byAdmin)
		rows := func() int64 {
			n, err := st.store.CountRows(t.Context(), models.CopyTable{Name: "webhooks"})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		st.sleep(time.Minute)
		st.ahead.Store(int64(7*24*time.Hour - 2*time.Hour))
		st.sleep(time.Hour)
		if n := rows(); n != 1 {
			t.Errorf("%d rows within the week", n)
		}
		st.sleep(2 * time.Hour)
		if n := rows(); n != 0 {
			t.Errorf("%d rows after a week", n)
		}
	})
}
