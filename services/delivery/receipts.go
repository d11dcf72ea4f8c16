package delivery

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
)

const (
	// joinFor is how long after an early receipt its send is looked for: longer
	// than a send can take to be recorded, a restart included.
	joinFor = 30 * time.Minute
	// countEvery is how often the log says how many receipts came.
	countEvery = time.Minute
)

// receipt is one on its way to the database.
type receipt struct {
	models.Receipt
	done chan error
}

// Receipts counts the platform's delivery reports, in groups.
type Receipts struct {
	*grouper[receipt]
	store   *models.Store
	metrics *metrics
	now     func() time.Time
	log     *slog.Logger
	// lastEarly is when a receipt last came before its send was recorded, in Unix
	// milliseconds.
	lastEarly atomic.Int64
	// How many were counted since the log last said so, by state.
	delivered, blocked, failed atomic.Int64
}

func newReceipts(store *models.Store, metrics *metrics, now func() time.Time, log *slog.Logger) *Receipts {
	r := &Receipts{store: store, metrics: metrics, now: now, log: log}
	r.lastEarly.Store(now().UnixMilli()) // a run before this one may have left some
	r.grouper = newGrouper(500, 5*time.Millisecond, r.commit)
	return r
}

// commit counts a group within the time that the platform leaves for its answer.
func (r *Receipts) commit(group []receipt) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	list := make([]models.Receipt, len(group))
	for i, g := range group {
		list[i] = g.Receipt
	}
	early, err := r.store.ApplyReceipts(ctx, list, r.now())
	if early > 0 {
		r.lastEarly.Store(r.now().UnixMilli())
	}
	for _, g := range group {
		g.done <- err
	}
}

// Add counts the platform's report on a message. It returns once that is committed,
// so that the platform may be answered.
func (r *Receipts) Add(ctx context.Context, msgID int64, status string) error {
	state, detail := receiptState(status)
	in := receipt{
		Receipt: models.Receipt{MsgID: msgID, State: state, Detail: detail, ReceivedAt: models.At(r.now())},
		done:    make(chan error, 1),
	}
	if err := r.put(ctx, in); err != nil {
		return err
	}
	select {
	case err := <-in.done:
		if err == nil {
			r.count(state)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// count counts a receipt for the metrics and the log.
func (r *Receipts) count(state models.DeliveryState) {
	r.metrics.receipts.WithLabelValues(string(state)).Inc()
	switch state {
	case models.Delivered:
		r.delivered.Add(1)
	case models.Blocked:
		r.blocked.Add(1)
	default:
		r.failed.Add(1)
	}
}

// LogCounts writes now and then how many receipts came, if any did, until ctx
// ends, and the rest then. A line for each would be most of the log.
func (r *Receipts) LogCounts(ctx context.Context) {
	say := func() {
		delivered, blocked, failed := r.delivered.Swap(0), r.blocked.Swap(0), r.failed.Swap(0)
		if delivered+blocked+failed > 0 {
			r.log.InfoContext(ctx, "receipts", "delivered", delivered, "blocked", blocked, "failed", failed)
		}
	}
	loop.Every(ctx, countEvery, say)
	say()
}

// Join gives early receipts to the sends that were recorded since. Nothing is
// looked for when none came early for a while.
func (r *Receipts) Join(ctx context.Context) error {
	now := r.now()
	if now.Sub(time.UnixMilli(r.lastEarly.Load())) > joinFor {
		return nil
	}
	for {
		n, err := r.store.JoinReceipts(ctx, now.Add(-joinFor), 500, now)
		if err != nil || n == 0 {
			return err
		}
	}
}

// colons parts the words around either sort of colon.
var colons = strings.NewReplacer(":", " : ", "：", " : ")

// receiptState reads the Status of a TEMPLATESENDJOBFINISH event in any of its
// spellings: success, "failed:user block", "failed: system failed" and, seen in
// the field, "failed:freq limit". detail is empty for a success.
func receiptState(status string) (state models.DeliveryState, detail string) {
	words := strings.Fields(colons.Replace(strings.ToLower(status)))
	norm := strings.ReplaceAll(strings.Join(words, " "), " :", ":")
	switch {
	case norm == "success":
		return models.Delivered, ""
	case strings.HasPrefix(norm, "failed: user block"), strings.HasPrefix(norm, "failed: userblock"):
		return models.Blocked, norm
	default:
		return models.FailedFor, norm
	}
}
