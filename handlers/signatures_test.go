package handlers

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models/modelstest"
)

// clocked gives the account a clock that stands still until it is moved.
func clocked() (edit func(*setup), move func(time.Duration)) {
	var past atomic.Int64
	return func(c *setup) {
			c.Now = func() time.Time { return testNow.Add(time.Duration(past.Load())) }
		}, func(d time.Duration) {
			past.Add(int64(d))
		}
}

// cramped lets the account remember few signatures.
func cramped(a *account, most, reserve int) {
	c := a.restart()
	c.seen = newSignatures(most, reserve)
	if c.shared != nil {
		c.shared.most, c.shared.reserve = most, reserve
	}
}

func receipt(msgID int) string {
	return strings.Replace(receiptMsg, "3557254367693750277", fmt.Sprint(msgID), 1)
}

// However many callbacks follow, another body under the signature is refused.
func TestASignatureIsRememberedForAsLongAsItIsAccepted(t *testing.T) {
	t.Parallel()
	edit, move := clocked()
	var receipts atomic.Int32
	a := newAccount(t, edit, func(c *setup) {
		c.Log = slog.New(slog.DiscardHandler)
		c.receipt = func(context.Context, int64, string) error {
			receipts.Add(1)
			return nil
		}
	})
	captured := a.query(testNow)
	if got := a.reply(t, a.post(captured, textMsg("openid", 1))); got != "re: openid" {
		t.Fatalf("answered %q", got)
	}
	verified := a.query(testNow)
	verified.Set("echostr", "1")
	a.do(http.MethodGet, "/wechat?"+verified.Encode(), nil)
	// Verifications are the quickest callbacks.
	const many = 66_000
	want := int32(0)
	for i := range many {
		if i%(many/10) == 0 {
			move(29 * time.Second)
		}
		q := a.query(a.Now())
		if i%100 != 0 {
			if rec := a.do(http.MethodGet, "/wechat?"+q.Encode()+"&echostr=1", nil); rec.Code != http.StatusOK {
				t.Fatalf("verification %d: status %d", i, rec.Code)
			}
			continue
		}
		want++
		if rec := a.post(q, receipt(i+1)); rec.Code != http.StatusOK {
			t.Fatalf("receipt %d: status %d", i, rec.Code)
		}
	}
	if n := receipts.Load(); n != want {
		t.Errorf("%d receipts were taken, want %d", n, want)
	}
	for name, q := range map[string]url.Values{"a message's": captured, "a verification's": verified} {
		if rec := a.post(q, textMsg("broadcast all", 2)); rec.Code != http.StatusForbidden {
			t.Errorf("another body under %s signature: status %d, want 403", name, rec.Code)
		}
	}
	if rec := a.post(captured, textMsg("openid", 1)); rec.Code != http.StatusOK {
		t.Errorf("the platform's redelivery: status %d", rec.Code)
	}
	if calls := a.calls(); len(calls) != 1 {
		t.Errorf("acted on %q", calls)
	}
}

// Messages are still answered, and the signature of a receipt that was put off
// carries nothing else.
func TestReceiptsWaitWhileThereIsNoRoomForSignatures(t *testing.T) {
	t.Parallel()
	edit, move := clocked()
	one := newAccount(t, edit)
	cramped(one, 8, 4)
	shared := replicas(t, 2, modelstest.Redis(t), edit)
	for _, a := range shared {
		cramped(a, 8, 4)
	}
	for _, tt := range []struct {
		name          string
		first, second *account // the first is full; the forger asks the second
	}{{"one process", one, one}, {"two replicas", shared[0], shared[1]}} {
		post := func(a *account, q url.Values, body string, want int) {
			t.Helper()
			if rec := a.post(q, body); rec.Code != want {
				t.Errorf("%s: status %d, want %d, for %s", tt.name, rec.Code, want, body)
			}
		}
		a := tt.first
		oldest := a.query(a.Now().Add(-4 * time.Minute))
		post(a, oldest, receipt(1), 200)
		for i := range 3 {
			post(a, a.query(a.Now().Add(-4*time.Minute)), receipt(i+2), 200)
		}
		putOff := a.query(a.Now())
		post(a, putOff, receipt(5), 503)
		post(tt.second, a.query(a.Now()), receipt(6), 503)
		post(tt.second, putOff, textMsg("broadcast all", 1), 403)
		post(tt.second, putOff, eventMsg("unsubscribe", ""), 403)
		post(tt.second, oldest, textMsg("broadcast all", 2), 403)
		post(a, oldest, receipt(1), 200)
		for i := range int64(4) {
			post(tt.second, a.query(a.Now().Add(-4*time.Minute)), textMsg("openid", i+3), 200)
		}
		late := a.query(a.Now())
		post(a, late, textMsg("openid", 7), 503)
		post(tt.second, late, textMsg("broadcast all", 8), 403)

		// Once the oldest expired, the receipt that was put off is accepted.
		move(3*time.Minute + time.Second)
		post(a, putOff, receipt(5), 200)
		post(tt.second, putOff, textMsg("broadcast all", 9), 403)
		calls := strings.Join(tt.first.calls(), "\n")
		if tt.second != tt.first {
			calls += "\n" + strings.Join(tt.second.calls(), "\n")
		}
		if strings.Contains(calls, "broadcast all") || strings.Contains(calls, "unsubscribed") {
			t.Errorf("%s: acted on what was forged:\n%s", tt.name, calls)
		}
		if n := strings.Count(calls, " 5 failed:user block"); n != 1 {
			t.Errorf("%s: the receipt that was put off was taken %d times:\n%s", tt.name, n, calls)
		}
		if !strings.Contains(a.log.String(), "no room to remember its signature") {
			t.Errorf("%s: not logged", tt.name)
		}
	}
}

func TestExpiredSignaturesAreDropped(t *testing.T) {
	t.Parallel()
	s := newSignatures(1000, 10)
	now := testNow
	var n uint64
	next := func(at time.Time, receipt bool) claim {
		c := claim{until: at.Add(fresh + seenSlack), receipt: receipt}
		n++
		binary.BigEndian.PutUint64(c.id[:], n*0x9E3779B97F4A7C15)
		binary.BigEndian.PutUint64(c.id[8:], n*0xD1B54A32D192ED03)
		return c
	}
	for range 30 {
		for range 200 {
			if v := s.add(next(now.Add(-fresh), true), now); v != claimNew && v != claimFull {
				t.Fatalf("a new signature is %d", v)
			}
		}
		now = now.Add(time.Minute)
	}
	if len(s.minutes) > 3 {
		t.Errorf("%d minutes are kept", len(s.minutes))
	}
	if v := s.find(next(now, false), now.Add(time.Hour)); v != claimNew || s.count != 0 || len(s.minutes) != 0 {
		t.Errorf("after an hour: %d, with %d signatures in %d minutes", v, s.count, len(s.minutes))
	}
}
