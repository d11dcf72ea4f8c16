package broadcast_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// holds are the ways in which a platform never accepts, for the calls of
// template/send. None is an answer that says that nothing was taken, but 45011.
var holds = map[string]func(w http.ResponseWriter){
	"45011":           func(w http.ResponseWriter) { answer(w, 45011) },
	"502":             func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
	"HTML":            func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html><title>hold</title></html>")) },
	"cut connections": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
}

// hold has the platform answer no send but so, until the function that it returns
// is called. calls counts those to somebody and those to nobody.
func (a *account) hold(how func(w http.ResponseWriter)) (calls *atomic.Int64, end func()) {
	calls = &atomic.Int64{}
	before := func(w http.ResponseWriter, _ *http.Request) bool {
		calls.Add(1)
		how(w)
		return true
	}
	a.wire.before.Store(&before)
	return calls, func() { a.wire.before.Store(nil) }
}

// about counts the notices that contain a word.
func about(notices []string, word string) (n int) {
	for _, text := range notices {
		if strings.Contains(text, word) {
			n++
		}
	}
	return n
}

// A platform that accepts nothing for ten minutes makes nobody uncertain meanwhile
// and is hardly called; the status says why nothing goes on, and the admin is told
// once, and once more when it goes on. Only who was tried first, and may have got the
// message, can't be asked about any more.
func TestAHoldOfTenMinutesCostsHardlyAnybodyAnything(t *testing.T) {
	t.Parallel()
	// Each virtual minute takes real seconds; e2e has all four.
	reasons := map[string]string{"45011": broadcast.StallLimited, "HTML": broadcast.StallNoAnswer}
	for name, reason := range reasons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 900}, rate: 100})
				calls, end := a.hold(holds[name])
				a.start()
				id := a.ask("", models.AudienceAll)
				_ = loop.Sleep(t.Context(), 2*time.Minute+50*time.Second)
				if st, err := a.engine.Status(t.Context(), id); err != nil || st.Stall != nil {
					t.Errorf("before three minutes are over: %+v, %v", st, err)
				}
				_ = loop.Sleep(t.Context(), 20*time.Second)
				st, err := a.engine.Status(t.Context(), id)
				if err != nil || st.Stall == nil || st.Stall.Reason != reason || st.Rate != 0 || st.Left != 0 {
					t.Errorf("after three minutes: %+v %+v, %v", st, st.Stall, err)
				}
				if told := a.told(); about(told, "stalled #1") != 1 {
					t.Errorf("the admin was told %q", told)
				}
				_ = loop.Sleep(t.Context(), 10*time.Minute-3*time.Minute-10*time.Second)
				if c := a.counts(id); c.Uncertain != 0 || c.Failed != 0 || c.Sending > 1 {
					t.Errorf("at the end of the hold: %+v", c)
				}
				if n := calls.Load(); n > 75 || name == "45011" && n > 25 {
					t.Errorf("%d calls in the hold", n)
				}
				end()
				ended := time.Now()
				a.reaches(id, models.Finished)
				if took := time.Since(ended); took > 100*time.Second {
					t.Errorf("it took %s after the hold", took)
				}
				_ = loop.Sleep(t.Context(), 90*time.Second) // for the receipts, which do not come
				a.audit(id)
				doubtful := int64(1)
				if name == "45011" {
					doubtful = 0
				}
				if c := a.counts(id); c.Uncertain != doubtful || c.Accepted != 901-doubtful || a.sim.Stats().MoreThanOne != 0 {
					t.Errorf("%+v", c)
				}
				told := a.told()
				if about(told, "stalled #1") != 1 || about(told, "goes_on #1") != 1 || about(told, "finished #1") != 1 || len(told) != 3 {
					t.Errorf("the admin was told %q", told)
				}
			})
		})
	}
}

// A platform that answers calls for nobody as it should, and takes the messages of
// the others without a word, leaves the same few in doubt all the time.
func TestWhoIsInDoubtIsAskedAboutBeforeAnybodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 900, Faults: simulator.Faults{CutAccepted: 1}}, rate: 100})
		a.start()
		id := a.ask("", models.AudienceAll)
		_ = loop.Sleep(t.Context(), 8*time.Minute)
		if st := a.sim.Stats(); st.Tried != 1 || st.Accepted != 1 {
			t.Errorf("%d people were tried, %d messages taken, want one to one", st.Tried, st.Accepted)
		}
		a.faults(simulator.Faults{})
		a.finishes(id, 901)
	})
}

// A hold in mid-broadcast that is over within the time for which it is safe to ask
// again makes nobody uncertain; of a longer one those are whose calls were under way
// when it began.
func TestAHoldInMidBroadcastLeavesOnlyThoseInDoubtWhoWereUnderWay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		hold      string
		lasts     time.Duration
		uncertain int64
	}{
		{"45011", 11 * time.Minute, 0},
		{"502", 8 * time.Minute, 0},
		{"cut connections", 11 * time.Minute, 6},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.hold, " ", tt.lasts), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 900}, rate: 100})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.received(300)
				_, end := a.hold(holds[tt.hold])
				_ = loop.Sleep(t.Context(), tt.lasts)
				end()
				a.reaches(id, models.Finished)
				a.audit(id)
				if c := a.counts(id); c.Uncertain > tt.uncertain || c.Failed != 0 || c.Taken()+c.Uncertain != 901 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// A pause and a cancel end a broadcast within two seconds whatever the platform
// does, and a resume starts it anew, with another broadcast waiting beside it.
func TestAPauseEndsARunThatCannotGetOn(t *testing.T) {
	t.Parallel()
	for name, how := range holds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 300}, rate: 100})
				a.start()
				first := a.ask("", models.AudienceAll)
				a.received(100)
				_, end := a.hold(how)
				second := a.ask("personal", models.AudienceAll)
				_ = loop.Sleep(t.Context(), 40*time.Second)
				for _, id := range []int64{first, second} {
					a.pause(id)
					_ = loop.Sleep(t.Context(), 2*time.Second)
					if a.busy(id) {
						t.Errorf("#%d is still being sent", id)
					}
				}
				end()
				for _, id := range []int64{first, second} {
					a.resume(id)
				}
				a.reaches(first, models.Finished)
				a.reaches(second, models.Finished)
				for _, id := range []int64{first, second} {
					if c := a.counts(id); c.Accepted != 301 {
						t.Errorf("#%d: %+v", id, c)
					}
				}
			})
		})
	}
}

// 45011 for the only recipient of a broadcast is not asked again within the minute.
func TestAMinuteQuotaIsWaitedForByTheOnlyRecipient(t *testing.T) {
	t.Parallel()
	for _, everyCall := range []bool{true, false} {
		t.Run(fmt.Sprint("calls for nobody too: ", everyCall), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_ = loop.Sleep(t.Context(), 45*time.Second) // the next full minute is near
				a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
				var calls *atomic.Int64
				end := func() { a.faults(simulator.Faults{}) }
				if everyCall {
					calls, end = a.hold(holds["45011"])
				} else {
					calls = &atomic.Int64{}
					a.faults(simulator.Faults{Codes: map[int]float64{45011: 1}})
					a.onSend(func(http.ResponseWriter, string) bool { calls.Add(1); return false })
				}
				a.start()
				id := a.ask("", models.AudienceMe)
				a.until("the first call", func() bool { return calls.Load() > 0 })
				_ = loop.Sleep(t.Context(), 58*time.Second)
				if n := calls.Load(); n != 1 {
					t.Errorf("%d calls within the minute", n)
				}
				end()
				a.reaches(id, models.Finished)
				a.audit(id)
				if c := a.counts(id); c.Accepted != 1 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// A content that is refused stops its broadcast after ten calls and those that were
// under way, however fast the platform answers; one that is refused for a moment
// does not.
func TestAStreakOfRefusedContentIsNotSentOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code   int
		after  int64 // accepted before
		lasts  time.Duration
		within int64 // calls that are refused at most
		ends   models.BroadcastState
	}{
		"from the start":   {40037, 0, time.Hour, 11, models.Failed},
		"in the middle":    {40037, 100, time.Hour, 10 + 2*16 + 6, models.Failed},
		"47003":            {47003, 100, time.Hour, 10 + 2*16 + 6, models.Failed},
		"one of no group":  {49003, 100, time.Hour, 20 + 2*16 + 6, models.Paused},
		"a burst":          {40037, 100, 1500 * time.Millisecond, 10 + 2*16 + 6, models.Finished},
		"a burst at first": {40037, 0, 1500 * time.Millisecond, 5, models.Finished},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 1_000}})
				var refused, asked atomic.Int64
				var from time.Time
				a.onSend(func(w http.ResponseWriter, _ string) bool {
					a.mu.Lock()
					defer a.mu.Unlock()
					if asked.Add(1) <= test.after {
						return false
					}
					if from.IsZero() {
						from = time.Now()
					}
					if time.Since(from) > test.lasts {
						return false
					}
					refused.Add(1)
					answer(w, test.code)
					return true
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				a.reaches(id, test.ends)
				a.until("nobody left without an outcome", func() bool { return test.ends == models.Paused || a.counts(id).Sending == 0 })
				a.audit(id)
				if n := refused.Load(); n > test.within {
					t.Errorf("%d calls were refused, want %d at most", n, test.within)
				}
			})
		})
	}
}

// While the database can't be written nothing is said to be sent, and the admin is
// told of it, though the database can't say who that is.
func TestADatabaseOnAFullDiskIsNamedAsTheReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 900}, rate: 100})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(300)
		for _, when := range []string{"INSERT", "UPDATE", "DELETE"} {
			a.exec("CREATE TRIGGER full_" + when + " BEFORE " + when + " ON deliveries BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
		}
		_ = loop.Sleep(t.Context(), 5*time.Second)
		st, err := a.engine.Status(t.Context(), id)
		if err != nil || st.Rate != 0 || st.Left != 0 || a.engine.StorageFault() == nil {
			t.Errorf("%+v, %v, storage: %v", st, err, a.engine.StorageFault())
		}
		_ = loop.Sleep(t.Context(), 4*time.Minute)
		if st, err = a.engine.Status(t.Context(), id); err != nil || st.Stall == nil || st.Stall.Reason != broadcast.StallDisk {
			t.Errorf("%+v, %v", st.Stall, err)
		}
		if told := a.told(); len(told) != 1 || about(told, "stalled #1") != 1 {
			t.Errorf("the admin was told %q", told)
		}
		for _, when := range []string{"INSERT", "UPDATE", "DELETE"} {
			a.exec("DROP TRIGGER full_" + when)
		}
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), 90*time.Second) // for the receipts, which do not come
		a.audit(id)
		a.everyoneOnce()
		if told := a.told(); len(told) != 3 || about(told, "goes_on #1") != 1 || a.engine.StorageFault() != nil {
			t.Errorf("the admin was told %q, storage: %v", told, a.engine.StorageFault())
		}
	})
}

// A platform that answers nothing at all from the start on has nobody in doubt.
func TestAPlatformThatIsSilentFromTheStartPutsNobodyInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 900}, rate: 100, undo: 30 * time.Second})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.faults(simulator.Faults{BadGateway: .5, Cut: 1, Everywhere: true})
		_ = loop.Sleep(t.Context(), 11*time.Minute)
		if c := a.counts(id); c.Tried() != 0 {
			t.Errorf("in the hold: %+v", c)
		}
		a.faults(simulator.Faults{})
		a.finishes(id, 901)
	})
}

// A platform that is well is never called for nobody.
func TestNoCallIsMadeForNobodyWithoutNeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 900}})
		a.start()
		a.reaches(a.ask("", models.AudienceAll), models.Finished)
		a.everyoneOnce()
		if st := a.sim.Stats(); st.Probes != 0 || st.Calls != 901 {
			t.Errorf("%d calls for nobody and %d for the others, want 0 and 901", st.Probes, st.Calls)
		}
	})
}

// Where reads are answered and sends are not, the first send finds out: one person
// is in doubt then, and no other.
func TestAPlatformThatOnlyReadsPutsOnePersonInDoubt(t *testing.T) {
	t.Parallel()
	for name, how := range holds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 100}, rate: 100})
				_, end := a.hold(how)
				a.start()
				id := a.ask("", models.AudienceAll)
				_ = loop.Sleep(t.Context(), keepClaims+15*time.Second)
				if c := a.counts(id); c.Tried() > 1 {
					t.Errorf("in the hold: %+v", c)
				}
				end()
				a.finishes(id, 101)
			})
		})
	}
}
