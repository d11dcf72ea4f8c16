package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"wechat-broadcast/models"
)

// claims are those of a batch that is being sent, stored with it before the first of the
// recipients is sent to. It is safe for concurrent use.
type claims struct {
	store *models.Store
	batch models.Batch

	mu   sync.Mutex
	list models.Claims // as stored
}

// add claims recipients. It fails, and none of them may be sent to, with ErrLeaseLost if the
// batch is another's by now.
func (c *claims) add(ctx context.Context, recipients []int64, now time.Time) error {
	if len(recipients) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := append(slices.Clip(c.list), models.Claim{At: models.At(now), Recipients: recipients})
	held, err := c.store.StoreClaims(ctx, c.batch, list)
	switch {
	case err != nil:
		return err
	case !held:
		return ErrLeaseLost
	}
	c.list = list
	return nil
}

// drop takes back the claims of recipients who surely were not sent to. Who has lost the
// lease changes nothing.
func (c *claims) drop(ctx context.Context, recipients []int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list.Without(recipients)
	if list.Size() == c.list.Size() {
		return nil
	}
	_, err := c.store.StoreClaims(ctx, c.batch, list)
	if err == nil {
		c.list = list
	}
	return err
}

// without returns the recipients less some of them.
func without(recipients, less []int64) []int64 {
	if len(less) == 0 {
		return recipients
	}
	return slices.DeleteFunc(slices.Clone(recipients), func(id int64) bool { return slices.Contains(less, id) })
}
