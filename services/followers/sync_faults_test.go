package followers_test

import (
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
		want = followers.SyncResult{Total: 80, Announced: 100, Pages: 9, Suspicious: true}
		wantResult(t, h.sync(t), want)
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(99): true})

		// Another number, less or more, is no confirmation; the same is.
		for n, pages := range map[int]int{60: 7, 85: 10} {
			h.clock.add(time.Hour)
			h.platform.set(people(0, n)...)
			want = followers.SyncResult{Total: int64(n), Announced: 100, Pages: pages, Suspicious: true}
			wantResult(t, h.sync(t), want)
		}
		last, err := h.store.LastSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.clock.add(time.Hour)
		h.platform.set(people(0, int(last.Seen))...)
		if got := h.sync(t); got.Suspicious || got.Left != 100-last.Seen {
			t.Errorf("got %+v, want a list that is believed", got)
		}
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(59): true, modelstest.OpenID(99): false})
	})
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
			wantResult(t, h.sync(t), followers.SyncResult{Pages: 1, Suspicious: true})
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
