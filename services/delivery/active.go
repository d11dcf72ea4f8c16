package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
)

// Active is a broadcast that this process sends.
type Active struct {
	Broadcast models.Broadcast

	ctx        context.Context // ends when nothing more is to be sent
	cancel     context.CancelCauseFunc
	content    *message.Content
	stream     *throttle.Stream
	meter      throttle.Meter // of the outcomes
	departures departures
	calls      atomic.Int64 // that wait for their answer

	mu      sync.Mutex
	stopped bool
	fatal   int // the code that failed the broadcast
	stops   chan models.Move
}

// Activate returns a broadcast ready to be sent, or already stopped if its message
// can't be made. End must follow.
func (s *Sender) Activate(b models.Broadcast) *Active {
	a := &Active{Broadcast: b, stream: s.throttle.Stream(), stops: make(chan models.Move, 1)}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	var err error
	if a.content, err = message.NewContent(b); err != nil {
		a.Stop(*unfillableMove(b, err, s.log))
	}
	return a
}

// Unfillable is the move of a broadcast whose message can no longer be made: the
// program, and with it what it allows, is another than when it was asked for. It is
// nil if it can.
func Unfillable(b models.Broadcast, log *slog.Logger) *models.Move {
	if _, err := message.NewContent(b); err != nil {
		return unfillableMove(b, err, log)
	}
	return nil
}

func unfillableMove(b models.Broadcast, err error, log *slog.Logger) *models.Move {
	log.Warn("the message can't be filled in", "broadcast", b.ID, "message", b.Name, "err", err)
	return &models.Move{Event: models.EventFail, Reason: models.ReasonMessage, Detail: faultyField(err)}
}

// faultyField names the field for which a message can't be made, if it is one.
func faultyField(err error) string {
	var (
		problems message.Problems
		unfilled *message.RenderError
		misfit   *field.Error
	)
	switch {
	case errors.As(err, &problems) && len(problems) > 0:
		return problems[0].Path
	case errors.As(err, &unfilled):
		return unfilled.Field
	case errors.As(err, &misfit):
		return misfit.Key
	}
	return ""
}

// Context ends when nothing more is to be sent.
func (a *Active) Context() context.Context { return a.ctx }

// End has nothing more be sent, for a cause.
func (a *Active) End(cause error) { a.cancel(cause) }

// Stop ends the sending with a move that the broadcast must make; the first one
// counts.
func (a *Active) Stop(m models.Move) { a.stop(m, 0) }

// Stops has the move with which the sending stopped itself.
func (a *Active) Stops() <-chan models.Move { return a.stops }

// Stopped tells whether the sending stopped itself.
func (a *Active) Stopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

// Calls counts the calls that wait for their answer.
func (a *Active) Calls() int64 { return a.calls.Load() }

// Meter counts the outcomes.
func (a *Active) Meter() *throttle.Meter { return &a.meter }

// Departed returns whom the end of the sending leaves to mark as having left.
func (a *Active) Departed() []models.Departure { return a.departures.rest() }

// stop is Stop because of the platform's answer with that code.
func (a *Active) stop(m models.Move, code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return
	}
	a.stopped = true
	if m.Event == models.EventFail {
		a.fatal = code
	}
	a.cancel(&throttle.Stopped{Move: m})
	a.stops <- m
}

// stopFor stops the sending if err is a throttle's reason to.
func (a *Active) stopFor(err error) {
	var stopped *throttle.Stopped
	if errors.As(err, &stopped) {
		a.Stop(stopped.Move)
	}
}

// fatalCode is the code that failed the broadcast, 0 for none.
func (a *Active) fatalCode() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fatal
}

// left notes that the platform calls a recipient gone, and stops the sending when it
// does so of too many in a row.
func (a *Active) left(recipient int64, now time.Time, res wechat.Result) {
	if a.departures.add(recipient, now) {
		a.Stop(models.Move{Event: models.EventStop, Reason: models.ReasonGone, Detail: res.Words()})
	}
}
