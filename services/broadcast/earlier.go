package broadcast

import (
	"context"

	"wechat-broadcast/models"
)

// Some broadcasts are for a part of an earlier one's audience: those whom it reached
// (a correction), those whom it did not come to (the rest), those with whom it failed (a
// retry).

// earlier returns the broadcast that a request refers to, nil for none.
func (e *Engine) earlier(ctx context.Context, q Request) (*models.Broadcast, error) {
	if q.Of == 0 {
		return nil, nil
	}
	of, err := e.store.FindBroadcast(ctx, q.Of)
	if err != nil {
		return nil, err
	}
	// A paused one is not finished, but it sends nothing: a correction may go out, and the
	// rest may be sent something else. A retry may not, or it would be sent to twice.
	if of.State.Final() || of.State == models.Paused && q.Audience != models.AudienceRetry {
		return of, nil
	}
	return nil, models.NewError(models.Conflict, models.ErrWrongState,
		"ID", of.ID, "State", string(of.State), "Action", string(q.Audience))
}

// completes has b be for a part of an earlier broadcast's audience, and returns the
// paused broadcast that b takes the place of; 0 for none. The rest of a rest is that of
// the first broadcast. The rest of a retry is whom another retry of the same broadcast
// goes to; it is one, so that nobody is in both.
func completes(b, of *models.Broadcast) (instead int64) {
	if b.Audience == models.AudienceRest && of.Audience == models.AudienceRetry {
		b.Audience, b.OfID = models.AudienceRetry, of.OfID
		return 0
	}
	b.OfID = of.ID
	if b.Audience != models.AudienceRest {
		return 0
	}
	if of.Audience == models.AudienceRest {
		b.OfID = of.OfID
	}
	// Whoever followed later was not in the audience.
	b.MaxRecipientID = of.MaxRecipientID
	if of.State == models.Paused {
		instead = of.ID
	}
	return instead
}

// settled tells whether the outcomes that decide who belongs to the audience of a
// broadcast are those that stay: the last calls of the earlier ones are over.
func (e *Engine) settled(ctx context.Context, b *models.Broadcast) (bool, error) {
	if b.OfID == 0 {
		return true, nil
	}
	list, err := e.store.Completing(ctx, b)
	if err != nil {
		return false, err
	}
	for _, of := range list {
		if of.State == models.Running { // an admin resumed it
			continue
		}
		if done, err := e.Counted(ctx, of); err != nil || !done {
			return false, err
		}
	}
	return true, nil
}
