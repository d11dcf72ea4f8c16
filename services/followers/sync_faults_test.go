package followers_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

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

// The quota of tokens is another one than that of the list.
func TestSyncWithoutAToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.noToken = answer{"errcode": 45009, "errmsg": "reach max api daily quota limit"}
	_, err := h.Sync(t.Context(), nil)
	if e := wantCode(t, err, models.ErrPlatform); e.Args["Code"] != 45009 {
		t.Errorf("got %v", e)
	}
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
		want = followers.SyncResult{Total: 80, Announced: 100, Pages: 9, Suspicious: true, Known: 100}
		wantResult(t, h.sync(t), want)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(99): true})

		// As long a list says nothing new; an admin's word does, of a list like that.
		distrusted := func(n int, pull func(context.Context, func(followers.SyncProgress)) (followers.SyncResult, error)) {
			t.Helper()
			h.clock.add(time.Hour)
			h.platform.set(people(0, n)...)
			got, err := pull(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			got.Took = 0
			want := followers.SyncResult{Total: int64(n), Announced: 100, Pages: (n+9)/10 + 1, Suspicious: true, Known: 100}
			wantResult(t, got, want)
		}
		distrusted(80, h.Sync)
		distrusted(60, h.SyncConfirmed)
		distrusted(85, h.SyncConfirmed)
		distrusted(85, h.Sync)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(60): true, modelstest.OpenID(99): true})
		confirmed, err := h.SyncConfirmed(t.Context(), nil)
		if err != nil || confirmed.Suspicious || confirmed.Left != 15 {
			t.Errorf("got %+v, %v, want a list that is believed", confirmed, err)
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(84): true, modelstest.OpenID(99): false})
		// The platform always counts some whom it does not list.
		if got := h.sync(t); got.Suspicious {
			t.Errorf("got %+v, want what an admin confirmed to be believed from then on", got)
		}
	})
}

// A list that takes away more than half, or leaves one, takes an admin's word,
// whatever the platform announces.
func TestSyncDistrustsAListThatShrank(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]int{"to less than half": 49, "to one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, h *house) {
				h.platform.set(people(0, 100)...)
				h.sync(t)
				for range 3 {
					h.clock.add(time.Hour)
					h.platform.set(people(0, left)...)
					want := followers.SyncResult{
						Total: int64(left), Announced: int64(left), Pages: left/10 + 1, Suspicious: true, Known: 100,
					}
					wantResult(t, h.sync(t), want)
				}
				h.wantFollowers(t, map[string]bool{modelstest.OpenID(99): true})
				// It comes back by itself, which takes nobody's word.
				h.platform.set(people(0, 99)...)
				if got := h.sync(t); got.Suspicious || got.Left != 1 {
					t.Errorf("%+v", got)
				}
				h.clock.add(time.Hour)
				h.platform.set(people(0, left)...)
				// What was confirmed before there was anything to confirm says nothing.
				if got, err := h.SyncConfirmed(t.Context(), nil); err != nil || !got.Suspicious {
					t.Errorf("%+v, %v", got, err)
				}
				got, err := h.SyncConfirmed(t.Context(), nil)
				if err != nil || got.Suspicious || got.Left != int64(99-left) {
					t.Errorf("%+v, %v, want a list that is believed", got, err)
				}
				h.wantFollowers(t, map[string]bool{modelstest.OpenID(0): true, modelstest.OpenID(99): false})
			})
		})
	}
}

// An admin's word counts for a sync that goes on with what an earlier one has.
func TestAConfirmedSyncGoesOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.platform.set(people(0, 100)...)
		h.sync(t)
		h.clock.add(time.Hour)
		h.platform.set(people(0, 30)...)
		if got := h.sync(t); !got.Suspicious {
			t.Errorf("%+v", got)
		}
		h.platform.set(people(0, 30)...)
		h.platform.before = func(call int) any {
			if call == 2 {
				return answer{"errcode": 48001, "errmsg": "api unauthorized"}
			}
			return nil
		}
		_, err := h.Sync(t.Context(), nil)
		wantCode(t, err, models.ErrPlatform)
		h.platform.before = nil
		got, err := h.SyncConfirmed(t.Context(), nil)
		if err != nil || !got.Resumed || got.Suspicious || got.Left != 70 {
			t.Errorf("%+v, %v, want one that goes on and is believed", got, err)
		}
	})
}

// A list of one is all that a new account has.
func TestSyncOfTheFirstFollower(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 1)...)
	if got := h.sync(t); got.Suspicious || got.Added != 1 {
		t.Errorf("%+v", got)
	}
}

// A platform that lists nobody is never believed to have lost everyone.
func TestSyncNeverBelievesThatNobodyIsLeft(t *testing.T) {
	t.Parallel()
	h := newHouse(t, modelstest.SQLite(t))
	h.platform.set(people(0, 15)...)
	h.sync(t)
	for range 3 {
		h.clock.add(time.Hour)
		h.platform.total = 15
		h.platform.set()
		if got := h.sync(t); !got.Suspicious || got.Left != 0 {
			t.Errorf("got %+v, want a list that nobody believes", got)
		}
	}
}

// A page that is not full in the middle of the list is not its end, however few
// are behind it.
func TestSyncGoesOnBehindAShortPage(t *testing.T) {
	t.Parallel()
	for total, pages := range map[int]int{40: 5, 21: 3} {
		t.Run(strconv.Itoa(total), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, modelstest.SQLite(t))
			h.platform.set(people(0, total)...)
			h.platform.before = func(call int) any {
				n := 3
				switch {
				case call == 2 && total == 21:
					n = 9
				case call != 2:
					return nil
				}
				ids := people(10, n)
				return answer{"total": total, "count": n, "data": answer{"openid": ids}, "next_openid": ids[n-1]}
			}
			wantResult(t, h.sync(t), followers.SyncResult{
				Total: int64(total), Announced: int64(total), Added: int64(total), Pages: pages,
			})
		})
	}
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
		for range 2 {
			h.platform.set()
			wantResult(t, h.sync(t), followers.SyncResult{Pages: 1, Suspicious: true, Known: 15})
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(0): true})
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
