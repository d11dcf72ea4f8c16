package broadcast

import "context"

// Event is something that an admin is to be told of although they did not ask. What
// ended or paused is no Event: that is in the database.
type Event struct {
	Kind EventKind
	// AskedBy is the OpenID of the admin.
	AskedBy string
	// Status is that of the broadcast, with the Stall that began or is over.
	Status Status
	// Created and Err are what became of a request whose asker could not be answered in
	// time; Err is nil if it was stored.
	Created *Created
	Err     error
}

// EventKind says what an Event tells.
type EventKind string

// The kinds.
const (
	EventStalled EventKind = "stalled" // a broadcast gets no further
	EventGoesOn  EventKind = "goes_on" // it does again
	EventLate    EventKind = "late"    // what became of a request
)

// Events has what admins are to be told of.
func (e *Engine) Events() <-chan Event { return e.events }

// emit hands an Event on, unless ctx ends first.
func (e *Engine) emit(ctx context.Context, v Event) {
	select {
	case e.events <- v:
	case <-ctx.Done():
	}
}
