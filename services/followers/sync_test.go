package followers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

func wantResult(t *testing.T, got, want followers.SyncResult) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func wantCode(t *testing.T, err error, code string) *models.Error {
	t.Helper()
	var e *models.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got error %v, want code %s", err, code)
	}
	return e
}

func TestSyncTellsWhatChanged(t *testing.T) {
	t.Parallel()
	for name, bareEnd := range map[string]bool{"empty page at the end": false, "no cursor at the end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, h *house) {
				h.platform.bareEnd = bareEnd
				pages := 4
				if bareEnd {
					pages = 3
				}
				h.platform.set(people(0, 30)...)
				wantResult(t, h.sync(t), followers.SyncResult{Total: 30, Announced: 30, Added: 30, Pages: pages})

				wantResult(t, h.sync(t), followers.SyncResult{Total: 30, Announced: 30, Pages: pages})

				h.clock.add(time.Hour)
				h.platform.set(people(3, 29)...)
				wantResult(t, h.sync(t), followers.SyncResult{Total: 29, Announced: 29, Added: 2, Left: 3, Pages: 3})

				h.clock.add(time.Hour)
				h.platform.set(people(2, 27)...)
				wantResult(t, h.sync(t), followers.SyncResult{Total: 27, Announced: 27, Returned: 1, Left: 3, Pages: 3})
				h.wantFollowers(t, map[string]bool{
					modelstest.OpenID(1): false, modelstest.OpenID(2): true, modelstest.OpenID(28): true, modelstest.OpenID(29): false,
				})
				stats, err := h.Stats(t.Context())
				want := followers.Stats{Followers: 27, Left: 5, LastSync: h.clock.now()}
				if diff := cmp.Diff(want, stats); diff != "" || err != nil {
					t.Errorf("stats: %v (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

func TestSyncReportsProgress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 25)...)
	var got [][2]int64
	_, err := h.Sync(t.Context(), func(done, total int64) { got = append(got, [2]int64{done, total}) })
	if diff := cmp.Diff([][2]int64{{10, 25}, {20, 25}, {25, 25}}, got); diff != "" || err != nil {
		t.Errorf("progress: %v (-want +got):\n%s", err, diff)
	}
}

func TestSyncGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(100, 5)...)
		h.sync(t)
		h.clock.add(time.Hour)
		h.platform.set(people(0, 45)...)
		ctx, cancel := context.WithCancel(t.Context())
		h.platform.before = func(call int) any {
			if call == 4 {
				cancel()
			}
			return nil
		}
		if _, err := h.Sync(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want the cancellation", err)
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(29): true, modelstest.OpenID(30): false, modelstest.OpenID(100): true})

		h.restart(t)
		h.clock.add(23 * time.Hour)
		h.platform.before = nil
		h.platform.set(people(0, 45)...)
		got := h.sync(t)
		wantResult(t, got, followers.SyncResult{
			Total: 45, Announced: 45, Added: 45, Left: 5, Pages: 5, Resumed: true,
		})
		want := []string{modelstest.OpenID(29), modelstest.OpenID(39)}
		if diff := cmp.Diff(want, h.platform.cursors()); diff != "" {
			t.Errorf("pages asked for (-want +got):\n%s", diff)
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(44): true, modelstest.OpenID(100): false})

		if again := h.sync(t); again.Resumed || again.Added+again.Returned+again.Left != 0 {
			t.Errorf("the next sync: %+v, want a new one without changes", again)
		}
	})
}

// A sync that ended before its last step is not pulled again.
func TestSyncGoesOnAfterTheLastPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 25)...)
		h.sync(t)
		h.clock.add(time.Hour)
		st, err := h.store.BeginSync(t.Context(), models.At(h.clock.now()))
		if err != nil {
			t.Fatal(err)
		}
		next := st
		next.Pages, next.Pulled, next.Announced = 1, true, 20
		if _, err := h.store.StorePage(t.Context(), st, next, people(0, 20)); err != nil {
			t.Fatal(err)
		}
		h.platform.set()
		wantResult(t, h.sync(t), followers.SyncResult{Total: 20, Announced: 20, Left: 5, Pages: 1, Resumed: true})
		if asked := h.platform.cursors(); len(asked) != 0 {
			t.Errorf("asked for %d pages, want none", len(asked))
		}
	})
}

func TestSyncBeginsAnewAfterADay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 25)...)
	h.platform.before = func(call int) any {
		if call == 2 {
			return answer{"errcode": 48001, "errmsg": "api unauthorized"}
		}
		return nil
	}
	_, err := h.Sync(t.Context(), nil)
	if e := wantCode(t, err, models.ErrPlatform); e.Args["Code"] != 48001 {
		t.Errorf("platform's code: %v, want 48001", e.Args["Code"])
	}
	h.clock.add(25 * time.Hour)
	h.platform.before = nil
	h.platform.set(people(0, 25)...)
	wantResult(t, h.sync(t), followers.SyncResult{Total: 25, Announced: 25, Added: 15, Pages: 3})
}

// Where the sync stopped, the list may have a hole.
func TestSyncBeginsAnewWhenItsPlaceIsGone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 35)...)
		h.platform.before = func(call int) any {
			if call == 2 {
				h.platform.mu.Lock()
				h.platform.list = append(people(0, 9), people(10, 25)...)
				h.platform.mu.Unlock()
			}
			return nil
		}
		got := h.sync(t)
		if got.Total != 34 || got.Left != 1 || got.Pages != 4 {
			t.Errorf("got %+v, want 34 followers of whom none is lost, 1 left, in 4 pages", got)
		}
	})
}

// What happens while the list is read is newer than its pages.
func TestEventsDuringASyncWin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		early, late, listed, gone := modelstest.OpenID(3), modelstest.OpenID(23), modelstest.OpenID(22), modelstest.OpenID(90)
		ctx := t.Context()
		h.platform.set(append(people(0, 25), gone)...)
		h.sync(t)
		h.clock.add(time.Hour)
		h.platform.set(people(0, 25)...)
		h.platform.before = func(call int) any {
			if call != 2 {
				return nil
			}
			h.clock.add(time.Second)
			for _, err := range []error{
				h.Unsubscribed(ctx, early, h.clock.now()),              // its page is read
				h.Unsubscribed(ctx, late, h.clock.now()),               // its page lists it all the same
				h.Subscribed(ctx, "oCameInBetween", h.clock.now(), ""), // no page has it
				h.Unsubscribed(ctx, listed, morning.Add(-time.Minute)), // an old event, come late
			} {
				if err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		got := h.sync(t)
		if got.Added != 0 || got.Returned != 0 || got.Left != 1 {
			t.Errorf("got %+v, want one left", got)
		}
		h.wantFollowers(t, map[string]bool{early: false, late: false, listed: true, "oCameInBetween": true, gone: false})

		// An event of the sync's time that comes only now still counts.
		if err := h.Unsubscribed(ctx, listed, h.clock.now().Truncate(time.Second)); err != nil {
			t.Fatal(err)
		}
		h.wantFollowers(t, map[string]bool{listed: false})
	})
}

func TestSyncOneAtATime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 5)...)
	h.platform.before = func(int) any {
		_, err := h.Sync(t.Context(), nil)
		var e *models.Error
		if !errors.As(err, &e) || e.Code != models.ErrSyncRunning {
			t.Errorf("second sync: got %v, want %s", err, models.ErrSyncRunning)
		}
		return nil
	}
	h.sync(t)
	h.platform.before = nil
	h.sync(t) // and the next may run
}

func TestSyncStopsAtTheDaysQuota(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 25)...)
		if err := h.store.SetFact(t.Context(), "follower_calls", "2026-11-24 498"); err != nil {
			t.Fatal(err)
		}
		_, err := h.Sync(t.Context(), nil)
		e := wantCode(t, err, models.ErrSyncQuota)
		midnight := time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)
		if at, ok := e.Args["At"].(time.Time); !ok || !at.Equal(midnight) {
			t.Errorf("it can go on at %v, want %v, midnight in Beijing", e.Args["At"], midnight)
		}
		if n := len(h.platform.cursors()); n != 2 {
			t.Errorf("made %d calls, want the 2 that were left", n)
		}
		h.clock.add(midnight.Sub(morning))
		wantResult(t, h.sync(t), followers.SyncResult{Total: 25, Announced: 25, Added: 25, Pages: 3, Resumed: true})
	})
}

func TestSyncPlatformSaysQuota(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.before = func(int) any {
		return answer{"errcode": 45009, "errmsg": "reach max api daily quota limit"}
	}
	_, err := h.Sync(t.Context(), nil)
	wantCode(t, err, models.ErrSyncQuota)
}

// A platform that sends one round in circles is not followed.
func TestSyncNeverRunsInCircles(t *testing.T) {
	t.Parallel()
	circle := func(pages ...[]string) func(call int) any {
		return func(call int) any {
			ids := pages[(call-1)%len(pages)]
			return answer{"total": 1000, "count": 10_000, "data": answer{"openid": ids}, "next_openid": ids[len(ids)-1]}
		}
	}
	for name, before := range map[string]func(int) any{
		"one page":  circle(people(0, 10)),
		"two pages": circle(people(0, 10), people(10, 10)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, modelstest.SQLite(t))
			h.platform.before = before
			_, err := h.Sync(t.Context(), nil)
			wantCode(t, err, models.ErrPlatform)
			if n := len(h.platform.cursors()); n > 3 {
				t.Errorf("made %d calls", n)
			}
			h.platform.before = nil
			h.platform.set(people(0, 25)...)
			if got := h.sync(t); got.Resumed || got.Total != 25 {
				t.Errorf("the next sync: %+v, want a new one with 25 people", got)
			}
		})
	}
}

func TestSyncDistrustsAListCutShort(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 100)...)
		h.platform.before = func(call int) any {
			if call == 6 {
				return answer{"total": 100, "count": 0, "next_openid": ""}
			}
			return nil
		}
		want := followers.SyncResult{Total: 50, Announced: 100, Added: 50, Pages: 6, Suspicious: true}
		wantResult(t, h.sync(t), want)
		if pulled, err := h.EverPulled(t.Context()); pulled || err != nil {
			t.Errorf("pulled: %v, %v, want not yet", pulled, err)
		}
		h.platform.before = nil
		h.platform.set(people(0, 100)...)
		h.sync(t)
		if pulled, err := h.EverPulled(t.Context()); !pulled || err != nil {
			t.Errorf("pulled: %v, %v, want true", pulled, err)
		}

		h.clock.add(time.Hour)
		h.platform.total = 100
		h.platform.set(people(0, 80)...)
		want = followers.SyncResult{Total: 80, Announced: 100, Pages: 9, Suspicious: true}
		wantResult(t, h.sync(t), want)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(99): true})
	})
}

// A page that is not full in the middle of the list is not its end.
func TestSyncGoesOnBehindAShortPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 40)...)
	h.platform.before = func(call int) any {
		if call != 2 {
			return nil
		}
		ids := people(10, 3)
		return answer{"total": 40, "count": 3, "data": answer{"openid": ids}, "next_openid": ids[2]}
	}
	wantResult(t, h.sync(t), followers.SyncResult{Total: 40, Announced: 40, Added: 40, Pages: 5})
}

// People come and go, and turn up twice, while the list is read.
func TestSyncOfAMovingList(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 60)...)
		h.sync(t)
		h.clock.add(time.Hour)
		list := slices.Concat(people(0, 10), people(5, 3), people(10, 45))
		h.platform.set(list...)
		h.platform.before = func(call int) any {
			if call == 3 {
				h.platform.mu.Lock()
				h.platform.list = list[:len(list)-2]
				h.platform.mu.Unlock()
			}
			return nil
		}
		wantResult(t, h.sync(t), followers.SyncResult{Total: 53, Announced: 56, Left: 7, Pages: 6})
	})
}

func TestSyncOfAnEmptyList(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 15)...)
		h.sync(t)
		h.clock.add(time.Hour)
		h.platform.set(people(0, 15)...)
		h.platform.before = func(int) any { return answer{"errcode": 50002, "errmsg": "user limited"} }
		_, err := h.Sync(t.Context(), nil)
		wantCode(t, err, models.ErrPlatform)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(0): true})

		h.platform.before = nil
		h.platform.set()
		wantResult(t, h.sync(t), followers.SyncResult{Left: 15, Pages: 1})
	})
}

func TestSyncSkipsWhatIsNoOpenID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		long := make([]byte, 129)
		for i := range long {
			long[i] = 'o'
		}
		h.platform.set(append(people(0, 6), "with space", "中文", string(long))...)
		wantResult(t, h.sync(t), followers.SyncResult{Total: 6, Announced: 9, Added: 6, Skipped: 3, Pages: 1})
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(5): true})
	})
}

// Pages of the real size, on a table that is empty and then full.
func TestSyncOfFullPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.size = 10_000
		h.platform.set(people(0, 12_000)...)
		wantResult(t, h.sync(t), followers.SyncResult{Total: 12_000, Announced: 12_000, Added: 12_000, Pages: 2})
		h.clock.add(time.Hour)
		h.platform.set(people(1_500, 12_000)...)
		wantResult(t, h.sync(t), followers.SyncResult{
			Total: 12_000, Announced: 12_000, Added: 1_500, Left: 1_500, Pages: 2,
		})
	})
}

// Events keep coming while the list is read; none is lost, and none stops it.
func TestSyncAmidEvents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.size = 1000
		h.platform.set(people(0, 3000)...)
		h.sync(t)
		h.clock.add(time.Hour)
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < 200; i += 4 {
					leaver, comer := modelstest.OpenID(i*15), modelstest.OpenID(3000+i)
					if err := h.Unsubscribed(t.Context(), leaver, h.clock.now()); err != nil {
						t.Error(err)
					}
					if err := h.Subscribed(t.Context(), comer, h.clock.now(), ""); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 2 {
			h.sync(t)
		}
		wg.Wait()
		stats, err := h.Stats(t.Context())
		if err != nil || stats.Followers != 3000 || stats.Left != 200 {
			t.Errorf("stats: %+v, %v, want 3000 followers and 200 who left", stats, err)
		}
	})
}
