package simulator

import (
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReceipts(t *testing.T) {
	t.Parallel()
	const followers = 300
	for _, tt := range []struct {
		name string
		opts Options
		want map[string]int // receipts by status
	}{
		{"all well", Options{}, map[string]int{"success": followers}},
		{"blocking followers", Options{Blocking: 30}, map[string]int{"success": 270, "failed:user block": 30}},
		{"system failed", Options{Receipts: Receipts{SystemFailed: 1}}, map[string]int{"failed: system failed": followers}},
		{"freq limit", Options{Receipts: Receipts{FreqLimit: 1}}, map[string]int{"failed:freq limit": followers}},
		{"each twice", Options{Receipts: Receipts{Repeat: 1}}, map[string]int{"success": 2 * followers}},
		{"each lost", Options{Receipts: Receipts{Lost: 1}}, map[string]int{}},
		{"safe mode", Options{EncodingAESKey: testKey}, map[string]int{"success": followers}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opts.Followers = followers
			tt.opts.Receipts.DelayMax = 50 * time.Millisecond
			tt.opts.CallbackWorkers = 8
			s := mustStart(t, tt.opts)
			var flying, most atomic.Int64
			callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) {
				most.Store(max(most.Load(), flying.Add(1)))
				defer flying.Add(-1)
				_, _ = io.WriteString(w, "success")
			})
			if err := s.SetCallback(callback.URL); err != nil {
				t.Fatal(err)
			}
			token := mustToken(t, s)
			sent := make(map[int64]string)
			var order []int64
			for i := range followers {
				got := send(t, s, token, message(s.Follower(i), "b1"))
				send(t, s, token, message(s.Follower(i), "b1")) // recognised: no second receipt
				sent[got.MsgID] = s.Follower(i)
				order = append(order, got.MsgID)
			}
			eventually(t, "every receipt", func() bool { return s.Stats().Receipts.Pending == 0 })
			counts := make(map[string]int)
			var came []int64
			for _, c := range callback.seen() {
				p := mustParse(t, c.body)
				if p.Encrypt != "" {
					text, err := s.seal.open(p.Encrypt)
					if err != nil {
						t.Fatal(err)
					}
					p = mustParse(t, string(text))
				}
				if p.Event != "TEMPLATESENDJOBFINISH" || sent[p.MsgID] != p.FromUserName || p.MsgId != 0 {
					t.Fatalf("receipt: %+v", p)
				}
				counts[p.Status]++
				came = append(came, p.MsgID)
			}
			if diff := cmp.Diff(tt.want, counts); diff != "" {
				t.Errorf("receipts (-want +got):\n%s", diff)
			}
			if len(came) == len(order) && slices.Equal(came, order) {
				t.Error("the receipts came in the order of the sends")
			}
			if most.Load() > 8 {
				t.Errorf("%d receipts were under way at once, 8 allowed", most.Load())
			}
			if st := s.Stats().Receipts; int(st.Acked) != len(came) || st.Refused != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	var got []string
	s := mustStart(t, Options{Followers: 3, Admin: []string{"oLin"}, OnMessage: func(m Message) { got = append(got, m.OpenID[:2]+" "+m.Receipt) }})
	token := mustToken(t, s)
	for _, blocks := range []bool{true, false} {
		if err := s.Block("oLin", blocks); err != nil {
			t.Fatal(err)
		}
		if code := send(t, s, token, message("oLin", "")).Code; code != 0 {
			t.Errorf("a send to someone who blocks the account answers %d", code)
		}
	}
	if diff := cmp.Diff([]string{"oL failed:user block", "oL success"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if s.Block("oNobody", true) == nil {
		t.Error("someone who never followed can block the account")
	}
}

func TestEarlyReceiptComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1, Receipts: Receipts{Early: 1, DelayMin: time.Hour, DelayMax: time.Hour}})
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, "success") })
	if err := s.SetCallback(callback.URL); err != nil {
		t.Fatal(err)
	}
	got := send(t, s, mustToken(t, s), message(s.Follower(0), ""))
	calls := callback.seen()
	if len(calls) != 1 || mustParse(t, calls[0].body).MsgID != got.MsgID {
		t.Errorf("when the answer came, the callback had seen %d receipts", len(calls))
	}
}

func TestReceiptIsRetried(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failures int
		calls    int
		acked    int64
		givenUp  int64
	}{{1, 2, 1, 0}, {9, 3, 0, 1}} {
		s := mustStart(t, Options{Followers: 1, CallbackRetry: time.Millisecond, Receipts: Receipts{DelayMax: time.Millisecond}})
		callback := newCallbackServer(t, func(n int, w http.ResponseWriter, _ *http.Request, _ []byte) {
			if n <= tt.failures {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		if err := s.SetCallback(callback.URL); err != nil {
			t.Fatal(err)
		}
		send(t, s, mustToken(t, s), message(s.Follower(0), ""))
		eventually(t, "the receipt", func() bool { st := s.Stats().Receipts; return st.Pending == 0 && st.Sent > 0 })
		calls := callback.seen()
		if st := s.Stats().Receipts; len(calls) != tt.calls || st.Acked != tt.acked || st.GivenUp != tt.givenUp {
			t.Errorf("%d calls, %+v", len(calls), st)
		}
		for _, c := range calls[1:] {
			if c != calls[0] {
				t.Errorf("a retry differs: %+v, first %+v", c, calls[0])
			}
		}
	}
}

func TestOutboxOrder(t *testing.T) {
	t.Parallel()
	o := newOutbox()
	chance := newRNG(1)
	for range 1000 {
		o.put(receipt{due: chance.between(1, 500)})
	}
	if _, wait, ok := o.take(0); ok || wait <= 0 {
		t.Errorf("taken before its time: %v", wait)
	}
	last := int64(0)
	for range 1000 {
		r, _, ok := o.take(1000)
		if !ok || r.due < last {
			t.Fatalf("taken: %v, due %d after %d", ok, r.due, last)
		}
		last = r.due
		o.finish()
	}
	if _, wait, ok := o.take(1000); ok || wait >= 0 || o.pending() != 0 {
		t.Errorf("an empty outbox: %v, %v, %d pending", ok, wait, o.pending())
	}
}
