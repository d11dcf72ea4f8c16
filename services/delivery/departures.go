package delivery

import (
	"slices"
	"sync"
	"time"

	"wechat-broadcast/models"
)

// goneStreak is how many recipients in a row the platform may call gone. People
// do leave one after the other, but a platform that says so of everybody is at
// fault, and to believe it would empty the follower list.
const goneStreak = 20

// departures are the recipients of a broadcast of whom the platform says that they no
// longer follow. They are marked as having left once an acceptance shows that
// the platform still tells people apart, or when it ends without a streak.
// Whoever a crash or a pause leaves unmarked is tried again by the next
// broadcast, or marked by a sync. Each replica counts its own sends only.
type departures struct {
	mu      sync.Mutex
	row     int                // refusals with no acceptance between them
	waiting []models.Departure // not marked yet
	doubted bool               // there was a streak: nobody is marked any more
}

// add notes a refusal and tells whether it completes a streak.
func (d *departures) add(recipient int64, at time.Time) (streak bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.doubted {
		return false
	}
	d.row++
	d.waiting = append(d.waiting, models.Departure{RecipientID: recipient, At: models.At(at)})
	if d.row < goneStreak {
		return false
	}
	d.doubted, d.waiting = true, nil
	return true
}

// accepted ends a row of refusals and returns whom to mark: those who were
// refused before the accepted call was made. Of later ones it says nothing, since
// the platform may have failed between the two.
func (d *departures) accepted(asked time.Time) []models.Departure {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.row = 0
	i := slices.IndexFunc(d.waiting, func(w models.Departure) bool { return w.At.After(asked) })
	if i < 0 {
		i = len(d.waiting)
	}
	known := slices.Clone(d.waiting[:i])
	d.waiting = slices.Delete(d.waiting, 0, i)
	return known
}

// rest returns who is left to mark at the end.
func (d *departures) rest() []models.Departure {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest := d.waiting
	d.waiting = nil
	return rest
}
