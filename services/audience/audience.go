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
	// Canary says that a part of it can be tried first.
	Canary bool
	// Guarded says that the quiet hours hold for it, and the cap on messages per person.
	Guarded bool
	// empty says why a broadcast to nobody is refused.
	empty string
}

// policies is the one table of the audiences.
var policies = map[models.Audience]Policy{
	models.AudienceMe:     {Lane: laneTests, Unconditional: true, empty: models.ErrNoRecipients},
	models.AudienceTest:   {Lane: laneTests, empty: models.ErrNoTesters},
	models.AudienceAll:    {Lane: laneAll, Undo: true, NeedsSync: true, Canary: true, Guarded: true, empty: models.ErrNoRecipients},
	models.AudienceGroups: {Lane: laneAll, Undo: true, NeedsSync: true, Canary: true, Guarded: true, empty: models.ErrNobodyInGroups},
	models.AudienceRetry:  {Lane: laneAll, Canary: true, Guarded: true, empty: models.ErrNothingToRetry},
	// Who was reached, or is left, is known without the follower list, unless nothing was
	// planned yet.
	models.AudienceReached: {Lane: laneAll, Undo: true, Canary: true, Guarded: true, empty: models.ErrNobodyReached},
	models.AudienceRest:    {Lane: laneAll, Undo: true, NeedsSync: true, Canary: true, Guarded: true, empty: models.ErrNothingRest},
}

// Of returns the policy of a broadcast's audience.
func Of(b *models.Broadcast) Policy { return policies[b.Audience] }

// SampleSize is how many recipients a sample has at most.
const SampleSize = 100

// Sampled is some of the recipients of a broadcast, and the groups of its audience in
// numbers if it has groups.
type Sampled struct {
	People []models.Recipient
	Parts  []models.Part
}

// Sample counts the recipients of a broadcast, whose number it sets, and returns some
// of them. A broadcast to nobody is a *models.Error, unless a tag was not pulled yet.
func Sample(ctx context.Context, store *models.Store, b *models.Broadcast) (found Sampled, err error) {
	if found.Parts, err = count(ctx, store, b); err != nil {
		return found, err
	}
	if b.Recipients > 0 {
		found.People, err = store.SampleAudience(ctx, b, SampleSize)
		if err != nil || len(found.People) > 0 {
			return found, err
		}
	}
	if b.Target.Unpulled() { // who has the tag is not known yet
		return found, nil
	}
	code := Of(b).empty
	if code == models.ErrNoTesters {
		testers, err := store.Testers(ctx)
		if err != nil {
			return found, err
		}
		if len(testers) > 0 {
			code = models.ErrTestersAway
		}
	}
	return found, models.NewError(models.Conflict, code, "ID", b.OfID, "Parts", found.Parts)
}

// Listed returns some of the people on the lists of a broadcast, followers or not.
func Listed(ctx context.Context, store *models.Store, b *models.Broadcast) (found Sampled, err error) {
	found.People, err = store.SampleListed(ctx, b, SampleSize)
	return found, err
}

// count sets how many recipients a broadcast has; of groups it returns the numbers of each,
// whose sum that is.
func count(ctx context.Context, store *models.Store, b *models.Broadcast) (parts []models.Part, err error) {
	if b.Audience != models.AudienceGroups {
		b.Recipients, err = store.CountAudience(ctx, b)
		return nil, err
	}
	parts, err = store.CountParts(ctx, b)
	b.Recipients = 0
	for _, p := range parts {
		b.Recipients += p.Left
	}
	return parts, err
}
