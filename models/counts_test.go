package models_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// sender is what a process does with the batches that it holds, and much that none should do:
// it goes on with batches that were taken from it.
type sender struct {
	*testing.T
	*rand.Rand
	s      *models.Store
	b      *models.Broadcast
	ids    []int64
	held   []models.Batch // also those that others hold meanwhile
	msgID  int64          // the last one
	now    time.Time
	owners int
	limit  models.Cap
}

func (x *sender) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// some returns about one in n of a list.
func some[T any](x *sender, list []T, n int) (picked []T) {
	for _, v := range list {
		if x.IntN(n) == 0 {
			picked = append(picked, v)
		}
	}
	return picked
}

// take leases a batch that is idle, or one that another has who is taken for dead.
func (x *sender) take() {
	if x.IntN(3) == 0 {
		x.must(x.s.EndLeases(x.Context(), fmt.Sprintf("owner%d.", x.IntN(x.owners+1))))
	}
	idle, _, err := x.s.IdleBatches(x.Context(), x.b.ID, 100)
	x.must(err)
	if len(idle) == 0 {
		return
	}
	x.owners++
	got, err := x.s.LeaseBatch(x.Context(), x.b.ID, idle[x.IntN(len(idle))].Seq, fmt.Sprintf("owner%d.", x.owners), time.Hour)
	x.must(err)
	if got != nil {
		x.held = append(x.held, *got)
	}
}

// step does something with a batch.
func (x *sender) step() {
	if len(x.held) == 0 || x.IntN(8) == 0 {
		x.take()
		return
	}
	batch := x.held[x.IntN(len(x.held))]
	tasks, err := x.s.Tasks(x.Context(), x.b, batch)
	x.must(err)
	var fresh, begun, deferred []int64
	for _, task := range tasks {
		switch task.State {
		case "":
			fresh = append(fresh, task.RecipientID)
		case models.Sending:
			begun = append(begun, task.RecipientID)
		default:
			deferred = append(deferred, task.RecipientID)
		}
	}
	x.now = x.now.Add(time.Duration(x.IntN(1500)) * time.Millisecond)
	switch x.IntN(9) {
	case 0, 1:
		x.claim(some(x, fresh, 2))
	case 2, 3:
		x.answer(some(x, begun, 2))
	case 4:
		if list := some(x, deferred, 2); len(list) > 0 {
			_, _, err := x.s.ClaimUnderCap(x.Context(), x.b, models.ClaimAgain, list, x.limit, x.now)
			x.must(err)
		}
	case 5:
		if list := some(x, begun, 4); len(list) > 0 {
			x.must(x.s.ReleaseDeliveries(x.Context(), batch, list))
		}
	case 6:
		x.receipts()
	case 7:
		if len(tasks) == 0 || len(fresh) == 0 && x.IntN(4) == 0 { // the latter no process does
			x.must(x.s.FinishBatch(x.Context(), batch))
		}
	case 8:
		x.must(x.s.LeaveBatch(x.Context(), batch, 0))
	}
}

func (x *sender) claim(fresh []int64) {
	if len(fresh) == 0 {
		return
	}
	_, _, err := x.s.ClaimUnderCap(x.Context(), x.b, models.ClaimKind(x.IntN(2)), fresh, x.limit, x.now)
	x.must(err)
}

// answer records what the platform says. Some of it is said twice.
func (x *sender) answer(begun []int64) {
	var list []models.Outcome
	for _, id := range begun {
		o := models.Outcome{BroadcastID: x.b.ID, RecipientID: id, Attempts: 1, SentAt: x.now}
		switch x.IntN(8) {
		case 0:
			o.State, o.ErrCode = models.FailedFor, 43004
		case 1:
			o.State, o.Detail = models.FailedFor, "field first is empty"
		case 2:
			o.State, o.ErrCode, o.Detail = models.Uncertain, -1, models.DetailNoAnswer
		case 3:
			o.State, o.ErrCode = models.Deferred, 45047
		case 4:
			o.State = models.Accepted // it said no number
		default:
			x.msgID++
			o.State, o.MsgID = models.Accepted, x.msgID
		}
		list = append(list, o)
	}
	if len(list) > 0 {
		x.must(x.s.RecordOutcomes(x.Context(), list, x.now))
		if x.IntN(3) == 0 {
			list[0].State = models.Uncertain
			x.must(x.s.RecordOutcomes(x.Context(), list, x.now))
		}
	}
}

// receipts come late, twice and early, and early ones are joined.
func (x *sender) receipts() {
	var list []models.Receipt
	for range 1 + x.IntN(6) {
		r := models.Receipt{MsgID: 1 + x.Int64N(x.msgID+5), State: models.Delivered, ReceivedAt: models.At(x.now)}
		switch x.IntN(4) {
		case 0:
			r.State = models.Blocked
		case 1:
			r.State, r.Detail = models.FailedFor, "failed: system failed"
		}
		list = append(list, r)
	}
	_, err := x.s.ApplyReceipts(x.Context(), list, x.now)
	x.must(err)
	if x.IntN(2) == 0 {
		_, err := x.s.JoinReceipts(x.Context(), t0.Add(-time.Hour), 100, x.now)
		x.must(err)
	}
}

// check holds the counts against what all deliveries come to.
func (x *sender) check(after string) {
	x.Helper()
	counts, failures, sends, err := models.CountPlainly(x.Context(), x.s, x.b.ID)
	x.must(err)
	got, err := x.s.CountDeliveries(x.Context(), x.b.ID)
	x.must(err)
	if diff := cmp.Diff(counts, got); diff != "" {
		x.Fatalf("%s: counts (-want +got):\n%s", after, diff)
	}
	causes, err := x.s.CountFailures(x.Context(), x.b.ID)
	x.must(err)
	if diff := cmp.Diff(failures, causes, cmpopts.SortSlices(func(a, b models.Failures) bool { return fmt.Sprint(a) < fmt.Sprint(b) })); diff != "" {
		x.Fatalf("%s: failures (-want +got):\n%s", after, diff)
	}
	began, err := x.s.CountSends(x.Context(), x.b.ID, time.Second)
	x.must(err)
	if diff := cmp.Diff(sends, began, cmpopts.EquateEmpty()); diff != "" {
		x.Fatalf("%s: sends (-want +got):\n%s", after, diff)
	}
}

// finish sends the rest of all batches.
func (x *sender) finish() {
	x.must(x.s.EndLeases(x.Context(), "owner"))
	for {
		idle, left, err := x.s.IdleBatches(x.Context(), x.b.ID, 100)
		x.must(err)
		if left == 0 {
			return
		}
		for _, b := range idle {
			x.owners++
			batch, err := x.s.LeaseBatch(x.Context(), x.b.ID, b.Seq, fmt.Sprintf("owner%d.", x.owners), time.Hour)
			x.must(err)
			for {
				tasks, err := x.s.Tasks(x.Context(), x.b, *batch)
				x.must(err)
				if len(tasks) == 0 {
					break
				}
				for _, task := range tasks {
					switch task.State {
					case "":
						x.claim([]int64{task.RecipientID})
					case models.Deferred:
						x.must(x.s.ReclaimDeliveries(x.Context(), x.b.ID, []int64{task.RecipientID}, x.now))
					default:
						x.answer([]int64{task.RecipientID})
					}
				}
			}
			x.must(x.s.FinishBatch(x.Context(), *batch))
			x.check("a batch is done")
		}
	}
}

// cut cuts people into batches of ten.
func (x *sender) cut(ids []int64, seq, segment int64) {
	var list []models.Batch
	after := int64(0)
	for part := range slices.Chunk(ids, 10) {
		seq++
		through := part[len(part)-1]
		list = append(list, models.Batch{
			BroadcastID: x.b.ID, Seq: seq, AfterID: after, ThroughID: through, Size: int64(len(part)), State: models.BatchTodo, SegmentID: segment,
		})
		after = through
	}
	x.must(x.s.AddBatches(x.Context(), list))
}

// Whatever happens to a broadcast, and in whatever order, its counts are what its deliveries
// come to.
func TestKeptCountsAreWhatTheDeliveriesComeTo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"finished", "cancelled", "canary finished", "canary cancelled"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, s *models.Store) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				x := &sender{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), s: s, now: t0, limit: models.Cap{Max: 1, Within: time.Hour}}
				x.ids = addRecipients(t, s, 60)
				x.must(modelstest.Claim(t.Context(), s, create(t, s, newBroadcast("other", t0)).ID, x.ids[20:26], t0)) // they are skipped
				if name == "finished" || name == "cancelled" {
					x.b = create(t, s, newBroadcast("1", t0))
					move(t, s, x.b, models.EventDue)
					x.must(s.FreezeAudience(t.Context(), x.b))
					x.cut(x.ids, 0, 0)
				} else {
					x.b = tryingFirst(t, s, "1")
					x.must(s.ChooseCanary(t.Context(), x.b, some(x, x.ids, 3), 60, t0))
					few, err := s.CanaryIDs(t.Context(), x.b, 0, 100)
					x.must(err)
					x.cut(few, 0, x.b.CanarySegment)
					for range 30 {
						x.step()
						x.check("a step of the canary")
					}
					others, err := s.AudienceIDs(t.Context(), x.b, 0, 100)
					x.must(err)
					last, err := s.LastBatch(t.Context(), x.b.ID)
					x.must(err)
					x.cut(others, last.Seq, 0)
				}
				for range 80 {
					x.step()
					x.check("a step")
				}
				if name == "finished" || name == "canary finished" {
					x.finish()
				} else {
					move(t, s, x.b, models.EventCancel)
					_, err := s.FinalizeEnded(t.Context(), x.b.ID, x.now)
					x.must(err)
					if c, err := s.CountDeliveries(t.Context(), x.b.ID); err != nil || c.Sending > 0 {
						t.Errorf("left open: %+v, %v", c, err)
					}
				}
				x.check("its end")
				for range 20 {
					x.receipts()
					x.check("late receipts")
				}
				if how, err := models.HowCounted(t.Context(), s, x.b.ID); err != nil || how != 1 {
					t.Errorf("its counts are not kept: %d, %v", how, err)
				}
			})
		})
	}
}

// Batches that are done and the same receipts in several processes, all at the same moment, change
// the counts by what they change of the deliveries, and none of them fails.
func TestCountsAreKeptBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	const people = 160
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		x := &sender{T: t, s: s, now: t0, ids: addRecipients(t, s, people)}
		x.b = create(t, s, newBroadcast("1", t0))
		move(t, s, x.b, models.EventDue)
		x.must(s.FreezeAudience(t.Context(), x.b))
		x.cut(x.ids, 0, 0)
		var all sync.WaitGroup
		for worker := range int64(4) {
			all.Go(func() {
				for seq := worker + 1; seq <= people/10; seq += 4 {
					batch, err := s.LeaseBatch(t.Context(), x.b.ID, seq, fmt.Sprint(seq), time.Hour)
					if err != nil || batch == nil {
						t.Error(batch, err)
						return
					}
					mine := x.ids[10*(seq-1) : 10*seq]
					err = errors.Join(modelstest.Claim(t.Context(), s, x.b.ID, mine, t0), s.RecordOutcomes(t.Context(), outcomesOf(x.b.ID, mine), t0),
						s.FinishBatch(t.Context(), *batch))
					if err != nil {
						t.Error(err)
					}
				}
			})
			all.Go(func() {
				for round := range 10 {
					var list []models.Receipt
					for i, id := range x.ids {
						if (i+round)%3 != 0 {
							state := []models.DeliveryState{models.Delivered, models.Blocked, models.FailedFor}[(int64(i)+worker)%3]
							list = append(list, models.Receipt{MsgID: x.b.ID<<40 + id, State: state, ReceivedAt: models.At(t0)})
						}
					}
					if _, err := s.ApplyReceipts(t.Context(), list, t0); err != nil {
						t.Error(err)
					}
					if _, err := s.JoinReceipts(t.Context(), t0, 50, t0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		x.check("their end")
	})
}
