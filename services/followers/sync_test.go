package followers_test

import (
	"context"
	"errors"
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
				want := followers.Stats{RecipientCounts: models.RecipientCounts{Followers: 27, Left: 5}, LastSync: h.clock.now()}
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
	var got []followers.SyncProgress
	_, err := h.Sync(t.Context(), func(p followers.SyncProgress) { got = append(got, p) })
	want := []followers.SyncProgress{
		{Done: 10, Total: 25}, {Done: 20, Total: 25}, {Done: 25, Total: 25}, {Storing: true, Done: 25, Total: 25},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
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
		// The list is not whole, so that it says nothing yet.
		h.wantFollowers(t, map[string]bool{modelstest.OpenID(29): false, modelstest.OpenID(100): true})

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
		st, err := h.store.BeginSync(t.Context(), models.At(h.clock.now()), false)
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
	wantResult(t, h.sync(t), followers.SyncResult{Total: 25, Announced: 25, Added: 25, Pages: 3})
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
		if got.Total != 34 || got.Added != 34 || got.Pages != 4 {
			t.Errorf("got %+v, want 34 followers of whom none is lost, in 4 pages", got)
		}
	})
}

// What happens while the list is read is newer than its pages.
func TestEventsDuringASyncWin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		unknown := modelstest.OpenID(26) // whom a page lists, and who leaves before the list is whole
		early, late, listed, gone := modelstest.OpenID(3), modelstest.OpenID(23), modelstest.OpenID(22), modelstest.OpenID(90)
		ctx := t.Context()
		h.platform.set(append(people(0, 25), gone)...)
		h.sync(t)
		h.clock.add(time.Hour)
		h.platform.set(append([]string{unknown}, people(0, 25)...)...)
		h.platform.before = func(call int) any {
			if call != 2 {
				return nil
			}
			h.clock.add(time.Second)
			for _, err := range []error{
				h.Unsubscribed(ctx, early, h.clock.now()),              // its page is read
				h.Unsubscribed(ctx, unknown, h.clock.now()),            // the same
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
		h.wantFollowers(t, map[string]bool{early: false, late: false, listed: true, "oCameInBetween": true, gone: false, unknown: false})

		// An event of the sync's time that comes only now still counts.
		if err := h.Unsubscribed(ctx, listed, h.clock.now().Truncate(time.Second)); err != nil {
			t.Fatal(err)
		}
		h.wantFollowers(t, map[string]bool{listed: false})
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
