// Package audience says to whom a broadcast goes, and what follows from that for its
// life. Who belongs to an audience is a condition on the rows of models.
package audience

import (
	"context"

	"wechat-broadcast/models"
)

// Lane is the queue that the batches of a broadcast wait in.
type Lane string

const (
	laneAll   Lane = "broadcasts"
	laneTests Lane = "tests"
)

// Lanes are all of them. Broadcasts for testers and for the admin have one of their
// own, or they would wait behind thousands.
var Lanes = []Lane{laneAll, laneTests}

// Policy is what follows from an audience.
type Policy struct {
	Lane Lane
	// Undo says that the broadcast waits for the undo window before its first send.
	Undo bool
	// NeedsSync says that the follower list must have been complete once.
	NeedsSync bool
	// Unconditional says that it goes to its people even if they opted out or are not
	// known as followers: they asked for it.
	Unconditional bool
	// Guarded says that the quiet hours hold for it, and the cap on messages per person.
	Guarded bool
	// empty says why a broadcast to nobody is refused.
	empty string
}

// policies is the one table of the audiences.
var policies = map[models.Audience]Policy{
	models.AudienceMe:     {Lane: laneTests, Unconditional: true, empty: models.ErrNoRecipients},
	models.AudienceTest:   {Lane: laneTests, empty: models.ErrNoTesters},
	models.AudienceAll:    {Lane: laneAll, Undo: true, NeedsSync: true, Guarded: true, empty: models.ErrNoRecipients},
	models.AudienceGroups: {Lane: laneAll, Undo: true, NeedsSync: true, Guarded: true, empty: models.ErrNobodyInGroups},
	models.AudienceRetry:  {Lane: laneAll, Guarded: true, empty: models.ErrNothingToRetry},
	// Who was reached, or is left, is known without the follower list, unless nothing was
	// planned yet.
	models.AudienceReached: {Lane: laneAll, Undo: true, Guarded: true, empty: models.ErrNobodyReached},
	models.AudienceRest:    {Lane: laneAll, Undo: true, NeedsSync: true, Guarded: true, empty: models.ErrNothingRest},
}

// Of returns the policy of a broadcast's audience.
func Of(b *models.Broadcast) Policy { return policies[b.Audience] }

// SampleSize is how many recipients a sample has at most.
const SampleSize = 100

// Sample counts the recipients of a broadcast, whose number it sets, and returns some
// of them. A broadcast to nobody is a *models.Error.
func Sample(ctx context.Context, store *models.Store, b *models.Broadcast) ([]models.Recipient, error) {
	p := Of(b)
	if p.Unconditional { // a person who writes to the account follows it
		if err := store.EnsureRecipient(ctx, b.AskedBy, b.AskedAt.Time); err != nil {
			return nil, err
		}
	}
	var err error
	if b.Recipients, err = store.CountAudience(ctx, b); err != nil {
		return nil, err
	}
	if b.Recipients > 0 {
		people, err := store.SampleAudience(ctx, b, SampleSize)
		if err != nil || len(people) > 0 {
			return people, err
		}
	}
	code := p.empty
	if code == models.ErrNoTesters {
		testers, err := store.Testers(ctx)
		if err != nil {
			return nil, err
		}
		if len(testers) > 0 {
			code = models.ErrTestersAway
		}
	}
	return nil, models.NewError(models.Conflict, code, "ID", b.OfID)
}
