package broadcast

import (
	"context"

	"wechat-broadcast/models"
)

// settleAmong is how many of the broadcasts that ended early are looked through.
const settleAmong = 20

// settle sees to it that a broadcast that was cancelled or failed leaves nobody
// without an outcome: those whose calls were in doubt, those who were put off,
// those whom a crash left begun.
func (e *Engine) settle(ctx context.Context) error {
	list, err := e.store.Broadcasts(ctx, settleAmong, models.Cancelled, models.Failed)
	if err != nil {
		return err
	}
	for _, b := range list {
		if e.settled[b.ID] {
			continue
		}
		busy, err := e.busy(ctx, b.ID)
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		n, err := e.store.SettleEnded(ctx, b.ID, e.now())
		if err != nil {
			return err
		}
		e.settled[b.ID] = true
		if n > 0 {
			e.log.InfoContext(ctx, "recipients settled whose outcome was open", "broadcast", b.ID, "recipients", n)
		}
	}
	return nil
}

// sending tells whether this process still sends a broadcast, or waits for its
// last calls.
func (e *Engine) sending(id int64) bool { return e.runOf(id) != nil }

// busy tells whether anybody still sends a broadcast, or waits for its last
// calls.
func (e *Engine) busy(ctx context.Context, id int64) (bool, error) {
	if e.sending(id) || e.crew == nil {
		return e.sending(id), nil
	}
	return e.store.Leased(ctx, id)
}
