// Package canary has some recipients of a broadcast tried before all others: it chooses
// them, and waits for what becomes of them.
package canary

import (
	"context"
	"log/slog"
	"math"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
)

const (
	// least and most are how many recipients a canary has that is a percentage.
	least, most = 50, 1000
	// spread is how many candidates are kept at least for each place in a canary.
	spread = 8
	// readAtOnce is how many recipients are read at once when a canary is chosen.
	readAtOnce = 10_000
)

// Share is how many recipients a canary has: a percentage of the audience, or a number.
type Share struct {
	// Percent is 0 if Number counts.
	Percent float64
	Number  int64
}

// Of returns how many recipients the canary of an audience of n has. It may be more than n:
// then there is nothing to try first.
func (s Share) Of(n int64) int64 {
	if s.Percent == 0 {
		return s.Number
	}
	return min(max(int64(math.Ceil(float64(n)*s.Percent/100)), least), most)
}

// limit is how many recipients a canary has at most.
func (s Share) limit() int64 {
	if s.Percent == 0 {
		return s.Number
	}
	return most
}

// Wanted is the Canary of a broadcast to n people, or to nobody knows how many, 0. It is
// decided when the audience is frozen if they can't be told yet, or are too few now.
func (s Share) Wanted(n int64) int64 {
	if wanted := s.Of(n); wanted < n {
		return wanted
	}
	return models.CanaryAsSet
}

// Check refuses a canary of an audience of which no part can be tried first.
func Check(to models.Audience, canary bool) error {
	if canary && !audience.Of(&models.Broadcast{Audience: to}).Canary {
		return models.NewError(models.Invalid, models.ErrCanaryAudience)
	}
	return nil
}

// Chooser chooses who is tried first. All fields are required.
type Chooser struct {
	Store *models.Store
	Share Share
	Now   func() time.Time
	Log   *slog.Logger
}

// Choose decides who of all to whom a broadcast goes is tried first, and enters it into b.
// If they are no more than would be tried first, the broadcast has no canary.
func (c *Chooser) Choose(ctx context.Context, b *models.Broadcast) error {
	limit := b.Canary
	if limit < 0 {
		limit = c.Share.limit()
	}
	picker := newPicker(limit)
	for after := int64(0); ; {
		ids, err := c.Store.AudienceIDs(ctx, b, after, readAtOnce)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			picker.add(id)
		}
		after = ids[len(ids)-1]
	}
	wanted := b.Canary
	if wanted < 0 {
		wanted = c.Share.Of(picker.seen)
	}
	var chosen []int64
	if picker.seen > wanted {
		chosen = picker.pick(wanted)
	}
	if err := c.Store.ChooseCanary(ctx, b, chosen, picker.seen, c.Now()); err != nil {
		return err
	}
	c.Log.InfoContext(ctx, "canary chosen", "broadcast", b.ID, "canary", b.Canary, "of", picker.seen)
	return nil
}

// picker picks ids that are spread evenly over all that are added, in one pass and without
// keeping all of them.
type picker struct {
	kept   []int64
	most   int   // kept at a time
	stride int64 // every so many is kept
	seen   int64
}

// newPicker returns one that can pick up to n ids.
func newPicker(n int64) *picker { return &picker{most: int(2 * spread * n), stride: 1} }

// add adds the next id.
func (p *picker) add(id int64) {
	if p.seen%p.stride == 0 {
		if len(p.kept) == p.most { // every other one goes
			for i := range p.kept[:p.most/2] {
				p.kept[i] = p.kept[2*i]
			}
			p.kept, p.stride = p.kept[:p.most/2], 2*p.stride
		}
		if p.seen%p.stride == 0 {
			p.kept = append(p.kept, id)
		}
	}
	p.seen++
}

// pick returns n of the ids, which must be at least as many, in their order.
func (p *picker) pick(n int64) []int64 {
	picked := make([]int64, n)
	for i := range picked {
		// The middle of each part, so that neither end is always among them.
		picked[i] = p.kept[(2*int64(i)+1)*int64(len(p.kept))/(2*n)]
	}
	return picked
}
