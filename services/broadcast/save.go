package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/loop"
)

const (
	// replySlack is what is left of the asker's time when the reply goes out before
	// it is known whether a request was stored.
	replySlack = 300 * time.Millisecond
	// storeFor is how long one try to store or confirm a request may take.
	storeFor = time.Minute
)

// creation is a request that is being stored.
type creation struct {
	requestKey string
	done       chan struct{} // closed once the rest is set
	asked      *Created
	err        error
}

// save stores a request and returns what to tell the asker. The database may
// take longer than the asker can wait: then the error is ErrNotKnownYet, and what
// became of the request follows as a message. Until that is known, the same
// request by the same person gets the same broadcast, whatever its key.
func (e *Engine) save(ctx context.Context, b *models.Broadcast, q models.Asked, found check.Found) (*Created, error) {
	ctx, cancel := beforeDeadline(ctx, replySlack)
	defer cancel()
	same := fmt.Sprintln(b.AskedBy, b.Audience, b.OfID, b.Target.Forget(), b.Digest, b.PlannedStart, b.Canary != 0)
	if c := e.lateCreation(same); c != nil {
		select {
		case <-c.done:
			if c.err == nil {
				return c.asked, nil
			}
		case <-ctx.Done():
			return nil, errNotKnownYet()
		}
	}
	c := &creation{requestKey: b.RequestKey, done: make(chan struct{})}
	e.background.Go(func() {
		defer close(c.done)
		c.asked, c.err = e.storeRequest(b, q, found)
	})
	select {
	case <-c.done:
		return c.asked, c.err
	case <-ctx.Done():
	}
	e.mu.Lock()
	e.late[same] = c
	e.mu.Unlock()
	e.log.WarnContext(ctx, "the database has not said in time whether a broadcast was stored", "message", b.Name)
	e.background.Go(func() { e.finishLate(same, c, b.AskedBy) })
	return nil, errNotKnownYet()
}

func errNotKnownYet() error { return models.NewError(models.Unavailable, models.ErrNotKnownYet) }

func (e *Engine) lateCreation(same string) *creation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.late[same]
}

// unconfirmed tells whether the asker does not know yet that a broadcast was
// stored. It must not start: the asker could not stop it.
func (e *Engine) unconfirmed(requestKey string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.late {
		if c.requestKey == requestKey {
			return true
		}
	}
	return false
}

// storeRequest stores b, or learns for sure that it was not stored. found is what the
// checks before it found.
func (e *Engine) storeRequest(b *models.Broadcast, q models.Asked, found check.Found) (*Created, error) {
	ctx, cancel := context.WithTimeout(e.inBackground, storeFor)
	defer cancel()
	drawn := *b
	created, err := e.store.CreateBroadcast(ctx, b, q)
	if errors.Is(err, models.ErrMaybeStored) {
		e.log.WarnContext(ctx, "the database may have stored a broadcast, asking it", "err", err)
		created = true
		b, err = e.confirm(b.RequestKey)
	}
	if err != nil {
		e.withdraw(ctx, &drawn)
		return nil, e.explained(err)
	}
	if !slices.Equal(drawn.Target.Groups, b.Target.Groups) { // the same request was stored before
		e.withdraw(ctx, &drawn)
	}
	asked, err := e.created(ctx, b, nil)
	if err != nil { // it is stored all the same
		asked = &Created{Broadcast: *b, Recipients: b.Recipients, Approvers: e.approvers(ctx, b), Names: e.names(ctx)}
	}
	asked.Found = found
	if created && q.Instead != 0 {
		asked.Instead = q.Instead
		e.halt(q.Instead)
	}
	if created {
		e.prepare(*b)
		e.log.InfoContext(ctx, "broadcast asked for", "broadcast", b.ID, "message", b.Name, "audience", b.Audience,
			"admin", models.MaskOpenID(b.AskedBy), "recipients", asked.Recipients)
		e.wake()
	}
	return asked, nil
}

// confirm asks the database, until it answers, what became of a request.
func (e *Engine) confirm(requestKey string) (b *models.Broadcast, err error) {
	err = loop.Persist(e.inBackground, e.log, "confirm a broadcast", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, storeFor)
		defer cancel()
		b, err = e.store.ConfirmRequest(ctx, requestKey)
		return err
	})
	if err == nil && b == nil {
		return nil, errors.New("the database did not store the broadcast")
	}
	return b, err
}

// explained adds to a refusal of what was sent already how far that came.
func (e *Engine) explained(err error) error {
	var told *models.Error
	if !errors.As(err, &told) || told.Code != models.ErrSameMessage {
		return err
	}
	ctx, cancel := context.WithTimeout(e.inBackground, askPlatform)
	defer cancel()
	id, _ := told.Args["ID"].(int64)
	if st, err := e.Status(ctx, id); err == nil {
		told.Args["Status"] = *st
	}
	return err
}

// finishLate tells the asker what became of a request, once that is known. The
// undo window counts from then on.
func (e *Engine) finishLate(same string, c *creation, askedBy string) {
	<-c.done
	told := Event{Kind: EventLate, AskedBy: askedBy, Err: c.err}
	if c.err == nil {
		asked := *c.asked // others may have it, too
		told.Created = &asked
		if b := &asked.Broadcast; audience.Of(b).Undo {
			notBefore, why := e.notBefore(b)
			b.NotBefore, b.Reason = models.At(notBefore), why
			_ = loop.Persist(e.inBackground, e.log, "postpone a broadcast", func(ctx context.Context) error {
				return e.store.PostponeBroadcast(ctx, b.ID, notBefore, why)
			})
		}
	}
	e.mu.Lock()
	delete(e.late, same)
	e.mu.Unlock()
	if e.inBackground.Err() != nil {
		return
	}
	e.emit(e.inBackground, told)
}

// beforeDeadline returns ctx with a deadline that is earlier by d, if it has one.
func beforeDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if at, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, at.Add(-d))
	}
	return context.WithCancel(ctx)
}
