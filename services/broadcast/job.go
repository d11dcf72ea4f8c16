package broadcast

import (
	"context"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// job is a recipient on the way to its outcome.
type job struct {
	ctx    context.Context
	run    *run
	batch  *batchWork
	task   models.Task
	calls  int  // made so far
	spent  int  // of the calls that it is worth
	doubt  bool // the platform may have taken it although it did not say so
	probe  bool // it was let through to try whether the others may pass
	free   bool // it holds no part of the budget
	last   wechat.Result
	putOff bool // was put off once already
	// questioned: a refusal was not believed, and the next call settles it.
	questioned bool
	claimed    time.Time // when the row was written: the client_msg_id is good from then on
	willing    time.Time // when the person was last known to be willing
	asked      time.Time // when the last call was made
}

// batchWork is a batch being sent.
type batchWork struct {
	read    time.Time // when its recipients were, of whom only the willing were
	pending sync.WaitGroup
	mu      sync.Mutex
	unsent  []int64       // claimed, surely not sent
	shed    chan struct{} // has something when unsent does
	alone   bool          // its only recipient is the broadcast's only one
	undone  bool          // something is left for another run of the batch
	again   time.Time
}

// willingAt is when those were last known to be willing whom nobody has been sent
// to and who are claimed now: a claim asks them if it is too long ago.
func (w *batchWork) willingAt(now time.Time) time.Time {
	if now.Sub(w.read) < readFor {
		return w.read
	}
	return now
}

// leave notes that a recipient is left for another run, not before a moment.
func (w *batchWork) leave(again time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.undone || again.Before(w.again) {
		w.again = again
	}
	w.undone = true
}

// undoneError says that part of a batch is left for another run of it.
type undoneError struct{ again time.Time }

func (e *undoneError) Error() string { return "part of the batch is left" }
