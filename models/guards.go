package models

import (
	"strings"
	"time"

	"gorm.io/gorm"
)

// refuse returns why a broadcast may not be stored, nil if it may. What it is for the
// rest of is cancelled.
func (s *Store) refuse(tx *gorm.DB, b *Broadcast, q Asked) error {
	if b.Audience.Trial() {
		return nil
	}
	if err := refuseDeleted(tx, b); err != nil {
		return err
	}
	if err := s.refuseTwice(tx, b, q); err != nil || !q.RequireTest {
		return err
	}
	return refuseUntested(tx, b)
}

// testedWithin is how long before a broadcast its content may have been tested.
const testedWithin = 24 * time.Hour

// refuseUntested refuses a broadcast whose content the platform took for nobody on the
// test list, nor for an admin alone, within testedWithin.
func refuseUntested(tx *gorm.DB, b *Broadcast) error {
	var tests []int64
	err := tx.Model(&Broadcast{}).Where("digest = ? AND audience IN ?", b.Digest, trials).Pluck("id", &tests).Error
	if err != nil {
		return err
	}
	var went []int64
	if len(tests) > 0 {
		err = tx.Model(&Delivery{}).Where("broadcast_id IN ? AND state IN ? AND sent_at > ?", tests, []DeliveryState{Accepted, Delivered},
			At(b.AskedAt.Add(-testedWithin))).Limit(1).Pluck("recipient_id", &went).Error
	}
	if err != nil || len(went) > 0 {
		return err
	}
	return NewError(Conflict, ErrUntested, "Name", b.Name)
}

// refuseTwice returns why a broadcast may not be stored beside the others, nil if it may.
func (s *Store) refuseTwice(tx *gorm.DB, b *Broadcast, q Asked) error {
	switch b.Audience {
	case AudienceMe, AudienceTest:
	case AudienceAll, AudienceGroups:
	case AudienceRetry:
		if of, err := s.takeRetry(tx, b, q.Instead); err != nil || of.Digest == b.Digest {
			return err
		}
	case AudienceReached:
		if _, err := endedOrPaused(tx, b.OfID, string(AudienceReached)); err != nil {
			return err
		}
	case AudienceRest:
		if err := s.takeRest(tx, b, q.Instead); err != nil {
			return err
		}
	}
	if q.Again {
		return nil
	}
	return refuseSame(tx, b, q.Fills)
}

// refuseHalted refuses a broadcast while another one waits for an admin's word
// because the account is at stake.
func refuseHalted(tx *gorm.DB) error {
	halted, err := first[Broadcast](tx.Where("state = ?", Paused).Where(haltedRows, ReasonAccount, ReasonRestored).Order("id DESC"))
	if err != nil || halted == nil {
		return err
	}
	words, _ := halted.Halted()
	return NewError(Conflict, ErrHalted, "ID", halted.ID, "Detail", words)
}

// haltedRows is the condition of Halted on a paused broadcast's row. It takes ReasonAccount
// and ReasonRestored.
const haltedRows = "(reason = ? OR reason = ? AND detail LIKE '%" + surely + " %')"

// Halted tells whether a broadcast is paused because the account is at stake, also if the
// database was put back to an older state since, and what the platform said.
func (b *Broadcast) Halted() (words string, ok bool) {
	switch {
	case b.State != Paused:
		return "", false
	case b.Reason == ReasonAccount:
		return b.Detail, true
	case b.Reason == ReasonRestored:
		_, words, ok = strings.Cut(b.Detail, surely+" ")
	}
	return words, ok
}

// takeRetry refuses to retry what has not ended, or is being retried by another one than
// the paused retry that b takes the place of, which it cancels. It returns what b retries.
func (s *Store) takeRetry(tx *gorm.DB, b *Broadcast, instead int64) (*Broadcast, error) {
	var of Broadcast
	if err := tx.Take(&of, b.OfID).Error; err != nil {
		return nil, err
	}
	if !of.State.Final() {
		return nil, NewError(Conflict, ErrWrongState, "ID", of.ID, "State", string(of.State), "Action", "retry")
	}
	if err := s.takePlace(tx, b, instead); err != nil {
		return nil, err
	}
	other, err := first[Broadcast](tx.Where("of_id = ? AND audience = ? AND state IN ?", of.ID, AudienceRetry, open))
	if err != nil || other == nil {
		return &of, err
	}
	return nil, NewError(Conflict, ErrRetryRunning, "ID", of.ID, "Retry", other.ID)
}

// open are the states of a broadcast that has not ended.
var open = []BroadcastState{Pending, Scheduled, Running, Paused}

// endedOrPaused returns a broadcast if nobody is sent it now; otherwise it refuses what
// is asked for some of its recipients.
func endedOrPaused(tx *gorm.DB, id int64, action string) (*Broadcast, error) {
	var of Broadcast
	if err := tx.Take(&of, id).Error; err != nil {
		return nil, err
	}
	if !of.State.Final() && of.State != Paused {
		return nil, NewError(Conflict, ErrWrongState, "ID", of.ID, "State", string(of.State), "Action", action)
	}
	return &of, nil
}

// takeRest sees to it that nothing but b goes to the rest of a broadcast: it cancels the
// paused one that b takes the place of, and refuses b while another of them has not ended.
func (s *Store) takeRest(tx *gorm.DB, b *Broadcast, instead int64) error {
	if err := s.takePlace(tx, b, instead); err != nil {
		return err
	}
	other, err := first[Broadcast](tx.Where("(id = ? OR of_id = ? AND audience = ?) AND state IN ?", b.OfID, b.OfID, AudienceRest, open))
	if err != nil || other == nil {
		return err
	}
	return NewError(Conflict, ErrRestRunning, "ID", b.OfID, "Rest", other.ID, "State", string(other.State))
}

// takePlace cancels the paused broadcast that b takes the place of, 0 for none. It refuses
// b if that one was resumed meanwhile.
func (s *Store) takePlace(tx *gorm.DB, b *Broadcast, instead int64) error {
	if instead == 0 {
		return nil
	}
	of, err := endedOrPaused(tx, instead, string(AudienceRest))
	if err != nil || of.State != Paused {
		return err
	}
	_, err = s.move(tx, Move{Event: EventCancel, Reason: ReasonAdmin}, b.AskedAt.Time, "id = ?", instead)
	return err
}
