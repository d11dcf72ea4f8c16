package audience

import (
	"context"
	"slices"

	"wechat-broadcast/models"
)

// Some broadcasts are for a part of an earlier one's audience: those whom it reached
// (a correction), those whom it did not come to (the rest), those with whom it failed (a
// retry).

// Earlier returns the broadcast of a number for an audience that is a part of its own,
// nil for 0. One that is being sent, or may still be, is a *models.Error, and so is one whose
// deliveries were deleted.
func Earlier(ctx context.Context, store *models.Store, to models.Audience, id int64) (*models.Broadcast, error) {
	if id == 0 {
		return nil, nil
	}
	of, err := store.FindBroadcast(ctx, id)
	if err != nil {
		return nil, err
	}
	// A paused one is not finished, but it sends nothing: a correction may go out, and the
	// rest may be sent something else. A retry may not, or it would be sent to twice.
	if of.State.Final() || of.State == models.Paused && to != models.AudienceRetry {
		b := &models.Broadcast{Audience: to}
		Complete(b, of)
		return of, store.RefuseDeleted(ctx, b)
	}
	return nil, models.NewError(models.Conflict, models.ErrWrongState, "ID", of.ID, "State", string(of.State), "Action", string(to))
}

// Complete has b be for a part of an earlier broadcast's audience, and returns the
// paused broadcast that b takes the place of; 0 for none. The rest of a rest is that of
// the first broadcast. The rest of a retry is another retry, which is for those whom none
// before it tried.
func Complete(b, of *models.Broadcast) (instead int64) {
	b.OfID = of.ID
	target := of.Target
	if of.ThroughID == 0 { // nobody belongs to it yet, and its tags may change
		target = target.Forget()
	}
	b.Target = models.Target{Groups: target.Groups, Except: append(slices.Clone(target.Except), b.Target.Except...)}
	if b.Audience != models.AudienceRest {
		return 0
	}
	switch of.Audience {
	case models.AudienceRest:
		b.OfID = of.OfID
	case models.AudienceRetry:
		b.Audience, b.OfID = models.AudienceRetry, of.OfID
	case models.AudienceMe, models.AudienceTest, models.AudienceAll, models.AudienceReached, models.AudienceGroups:
	}
	// Whoever followed later was not in the audience.
	b.ThroughID, b.ThroughConsent = of.ThroughID, of.ThroughConsent
	if of.State == models.Paused {
		instead = of.ID
	}
	return instead
}
