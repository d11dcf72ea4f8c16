package models

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// Event is what moves a broadcast from one state to another.
type Event string

// The events: what the scheduler, an admin, the sending or the platform's answers
// make of a broadcast.
const (
	EventDue     Event = "due"     // its time has come
	EventMiss    Event = "miss"    // its time has passed by StartsWithin, and nothing started it
	EventGoOn    Event = "go_on"   // a pause that ends by itself is over
	EventPause   Event = "pause"   // an admin's word
	EventResume  Event = "resume"  // an admin's word
	EventCancel  Event = "cancel"  // an admin's word
	EventStop    Event = "stop"    // the sending can't go on for now
	EventQuiet   Event = "quiet"   // the quiet hours began
	EventHalt    Event = "halt"    // another broadcast showed that the account is at stake
	EventRestore Event = "restore" // it is not known what was sent of it
	EventFail    Event = "fail"    // it can't be sent at all
	EventFinish  Event = "finish"  // every recipient has an outcome

	EventApprove Event = "approve" // enough other admins approved it
	EventReject  Event = "reject"  // another admin's word
	EventExpire  Event = "expire"  // it waited for ApprovalWithin
)

// transition is what an event does to a broadcast.
type transition struct {
	from []BroadcastState
	// resting says that it also moves a broadcast whose pause would end by itself.
	// An admin's pause has no end, so that it stays.
	resting bool
	to      BroadcastState
}

// transitions is the one table of what may move a broadcast, and where to.
var transitions = map[Event]transition{
	EventDue:     {from: []BroadcastState{Scheduled}, to: Running},
	EventMiss:    {from: []BroadcastState{Scheduled}, to: Paused},
	EventGoOn:    {resting: true, to: Running},
	EventPause:   {from: []BroadcastState{Scheduled, Running}, resting: true, to: Paused},
	EventResume:  {from: []BroadcastState{Paused}, to: Scheduled}, // so that one that was paused in its undo window keeps it
	EventCancel:  {from: []BroadcastState{Pending, Scheduled, Running, Paused}, to: Cancelled},
	EventStop:    {from: []BroadcastState{Running}, to: Paused},
	EventQuiet:   {from: []BroadcastState{Running}, resting: true, to: Paused},
	EventHalt:    {from: []BroadcastState{Scheduled, Running}, resting: true, to: Paused},
	EventRestore: {from: []BroadcastState{Scheduled, Running, Paused}, to: Paused},
	EventFail:    {from: []BroadcastState{Running}, to: Failed},
	EventFinish:  {from: []BroadcastState{Running}, to: Finished},

	EventApprove: {from: []BroadcastState{Pending}, to: Scheduled},
	EventReject:  {from: []BroadcastState{Pending}, to: Cancelled},
	EventExpire:  {from: []BroadcastState{Pending}, to: Cancelled},
}

// Moves tells whether an event moves a broadcast as it stands.
func (b *Broadcast) Moves(on Event) bool {
	t := transitions[on]
	return slices.Contains(t.from, b.State) || t.resting && b.State == Paused && !b.ResumeAt.IsZero()
}

// Move is an event with what it sets besides the state.
type Move struct {
	Event
	// Reason is one of the Reason… codes.
	Reason string
	// Detail is what the reason adds; see Broadcast.
	Detail string
	// ResumeAt is when a pause ends by itself; zero for never.
	ResumeAt time.Time
	// NotBefore is when an approved one may start.
	NotBefore time.Time
}

// To is the state that a move leads to.
func (m Move) To() BroadcastState { return transitions[m.Event].to }

// MoveBroadcast has a broadcast make a move at a moment, if the table of
// transitions lets it, and tells whether it did: of two that try, one succeeds.
func (s *Store) MoveBroadcast(ctx context.Context, id int64, m Move, now time.Time) (moved bool, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		n, err := s.move(tx, m, now, "id = ?", id)
		moved = n == 1
		return err
	})
	return moved && err == nil, err
}

// HaltOthers pauses every broadcast but one: the account itself is at stake. Those
// that an admin paused stay as they are.
func (s *Store) HaltOthers(ctx context.Context, id int64, detail string, now time.Time) error {
	return s.inTx(ctx, func(tx *gorm.DB) error {
		_, err := s.move(tx, Move{Event: EventHalt, Reason: ReasonAccount, Detail: detail}, now, "id <> ?", id)
		return err
	})
}

// PauseAll pauses every broadcast that runs, would go on by itself, or starts until a
// moment, as an admin asked, and returns them as they were before.
func (s *Store) PauseAll(ctx context.Context, until, now time.Time) (paused []Broadcast, err error) {
	const soon = "NOT (state = ? AND not_before > ?)"
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		t := transitions[EventPause]
		where := []any{Scheduled, At(until)}
		err := forUpdate(tx).Where(soon, where...).Where(t.condition(s, EventPause, now)).Order("id DESC").Find(&paused).Error
		if err != nil {
			return err
		}
		_, err = s.move(tx, Move{Event: EventPause, Reason: ReasonAdmin}, now, soon, where...)
		return err
	})
	return paused, wrap(err, "pause all broadcasts")
}

// move has the broadcasts for which a condition holds make a move, those that the table
// lets make it, and returns how many did. The webhooks that tell of it are kept with it.
func (s *Store) move(tx *gorm.DB, m Move, now time.Time, where string, args ...any) (int64, error) {
	rows := tx.Model(&Broadcast{}).Where(where, args...).Where(transitions[m.Event].condition(s, m.Event, now))
	if m.Reason == ReasonCanary { // once: a process that lags behind must not stop the others' sends
		rows = rows.Where("canary_at = 0")
	}
	if s.webhooks && webhookTypes[m.To()] != "" {
		list, err := lockWithWebhooks(tx, rows, m, now)
		if err != nil || len(list) == 0 {
			return 0, wrap(err, "move broadcast to "+string(m.To()))
		}
		rows = tx.Model(&Broadcast{}).Where("id IN ?", list)
	}
	res := rows.Updates(m.sets(now))
	return res.RowsAffected, wrap(res.Error, "move broadcast to "+string(m.To()))
}

// sets is what a move changes in the row of a broadcast.
func (m Move) sets(now time.Time) map[string]any {
	t := transitions[m.Event]
	set := map[string]any{
		"state": t.to, "reason": m.Reason, "detail": cut(m.Detail, maxReason), "resume_at": At(m.ResumeAt),
	}
	switch t.to {
	case Running:
		set["started_at"] = gorm.Expr("CASE WHEN started_at = 0 THEN ? ELSE started_at END", At(now))
	case Finished, Failed, Cancelled:
		set["finished_at"] = At(now)
	case Scheduled:
		if m.Event == EventApprove {
			set["not_before"], set["notified_state"] = At(m.NotBefore), untoldApproval
			break
		}
		// An admin resumed it, so that another pause is news, for the same reason too. That
		// it runs is none, if it did before.
		set["notified_state"] = gorm.Expr("CASE WHEN started_at = 0 THEN '' ELSE ? END", Running)
		set["intercepted"] = -1 // what was counted of a canary is not of the whole
		// A planned start that passed meanwhile is now.
		set["not_before"] = gorm.Expr("CASE WHEN not_before < ? THEN ? ELSE not_before END", At(now), At(now))
	case Paused:
		if m.Reason == ReasonCanary { // from now on the others may be planned
			set["canary_at"] = At(now)
		}
	case Pending:
	}
	return set
}

// condition is what must hold of the row of a broadcast that moves.
func (t transition) condition(s *Store, on Event, now time.Time) *gorm.DB {
	c := s.w.Where("state IN ?", t.from)
	switch {
	case on == EventDue: // its time may have been moved since somebody looked
		c = c.Where("not_before <= ?", At(now))
	case on == EventMiss:
		c = c.Where("not_before <= ? AND started_at = 0", At(now.Add(-StartsWithin)))
	case on == EventFinish: // the others of its audience have no batches yet
		c = c.Where("canary = 0 OR canary_at > 0")
	case on == EventResume: // as ApprovalLate
		c = c.Where("(NOT (approvals > 0 AND started_at = 0 AND reason IN ? AND not_before < ?) OR "+haltedRows+")",
			[]string{ReasonAdmin, ReasonMissed, ReasonRestored}, At(now.Add(-StartsWithin)), ReasonAccount, ReasonRestored)
	case on == EventExpire: // it may wait anew since somebody looked
		c = c.Where("pending_since <= ?", At(now.Add(-ApprovalWithin)))
	case on == EventQuiet: // one whose pause is over goes on pausing
		c = s.w.Where("at_any_hour = 0 AND (state IN ? OR state = ? AND resume_at > 0 AND resume_at <= ?)", t.from, Paused, At(now))
	case on == EventGoOn:
		c = c.Or("state = ? AND resume_at > 0 AND resume_at <= ?", Paused, At(now))
	case t.resting:
		c = c.Or("state = ? AND resume_at > 0", Paused)
	}
	return c
}
