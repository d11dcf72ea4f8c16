package wechat

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// rehearse returns a simulator and a client of it.
func rehearse(tb testing.TB, o simulator.Options) (*simulator.Simulator, *Client) {
	tb.Helper()
	o.AppID, o.AppSecret = testApp, testSecret
	sim, err := simulator.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := sim.Start("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := sim.Close(); err != nil {
			tb.Error(err)
		}
	})
	return sim, newClient(tb, sim.URL())
}

func TestFollowersOfTheSimulatorAreAllPaged(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"extra-page", "empty-next"} {
		for _, n := range []int{0, 1, 10_000, 10_001} {
			t.Run(fmt.Sprintf("%s, %d", end, n), func(t *testing.T) {
				t.Parallel()
				_, c := rehearse(t, simulator.Options{Followers: n, EndOfList: end, TotalDrift: 7})
				seen := map[string]bool{}
				next := ""
				for pages := 0; ; pages++ {
					page, err := c.Followers(t.Context(), next)
					if err != nil || pages > 3 {
						t.Fatalf("page %d: %v", pages, err)
					}
					for _, id := range page.OpenIDs {
						seen[id] = true
					}
					if page.Last {
						break
					}
					next = page.Next
				}
				if len(seen) != n {
					t.Errorf("%d followers, want %d", len(seen), n)
				}
			})
		}
	}
}

// Whoever repeats what was not accepted, under the same id, reaches everyone
// once, whatever the platform does.
func TestEveryoneIsReachedOnceThroughFaults(t *testing.T) {
	t.Parallel()
	const followers, senders, tries = 800, 64, 12
	sim, c := rehearse(t, simulator.Options{
		Followers: followers,
		Faults: simulator.Faults{
			SystemError: .02, SystemErrorAccepted: .02, BadGateway: .02, Cut: .02, CutAccepted: .02,
			HTML: .02, Empty: .02, TextCode: .02, TokenRevoked: .005, TokenExpired: .005,
			Codes: map[int]float64{40037: .02, 45011: .02, 43117: .02},
		},
		TemplateIDs: []string{"TPL"},
	})
	var wrong atomic.Int64
	reach := func(i int) {
		m := testMessage()
		m.ToUser, m.ClientMsgID = sim.Follower(i), fmt.Sprintf("1-%d", i)
		for range tries {
			r := c.Send(t.Context(), m)
			switch r.Verdict {
			case Accepted:
				if r.MsgID == 0 {
					wrong.Add(1)
				}
				return
			case Retry, Slow, Later, Away:
				if r.RetryAfter > 0 && r.RetryAfter < time.Second {
					t.Errorf("got %+v", r)
				}
			default:
				t.Errorf("got %+v", r)
				return
			}
		}
		wrong.Add(1)
	}
	var wg sync.WaitGroup
	work := make(chan int)
	for range senders {
		wg.Go(func() {
			for i := range work {
				reach(i)
			}
		})
	}
	for i := range followers {
		work <- i
	}
	close(work)
	wg.Wait()

	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d not accepted in %d tries, or without a msgid", n, followers, tries)
	}
	if missing := sim.Missing(10); len(missing) > 0 {
		t.Errorf("not reached: %v", missing)
	}
	if twice := sim.Received(2, 1000, 10); len(twice) > 0 {
		t.Errorf("reached more than once: %v", twice)
	}
	// About ten revocations and expiries, each seen by up to 64 senders.
	if n := sim.Stats().Tokens.Stable; n > 60 {
		t.Errorf("%d tokens fetched", n)
	}
}

func TestARevokedTokenCostsOneRefresh(t *testing.T) {
	t.Parallel()
	const senders = 64
	sim, c := rehearse(t, simulator.Options{Followers: senders, TemplateIDs: []string{"TPL"}, Faults: simulator.Faults{Latency: 5 * time.Millisecond}})
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := sim.Stats().Tokens
	sim.RevokeTokens()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			m := testMessage()
			m.ToUser = sim.Follower(i)
			if r := c.Send(t.Context(), m); r.Verdict != Accepted {
				t.Errorf("got %+v", r)
			}
		})
	}
	wg.Wait()
	after := sim.Stats().Tokens
	if after.Stable != before.Stable+1 || after.Forced != 0 {
		t.Errorf("tokens: %+v, then %+v", before, after)
	}
}

func TestTheOtherCallsOnTheSimulator(t *testing.T) {
	t.Parallel()
	_, c := rehearse(t, simulator.Options{Followers: 1, Admin: []string{testOpenID}})
	if ts, err := c.Templates(t.Context()); err != nil || len(ts) == 0 || len(ts[0].Keys) == 0 {
		t.Errorf("templates: %+v, %v", ts, err)
	}
	if q, err := c.Quota(t.Context(), sendPath); err != nil || q.Limit == 0 {
		t.Errorf("quota: %+v, %v", q, err)
	}
	var api *APIError
	if err := c.Notify(t.Context(), testOpenID, "hello"); !errors.As(err, &api) || api.Code != 45015 {
		t.Errorf("a notice to somebody who never wrote: %v", err)
	}
}
