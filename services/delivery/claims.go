package delivery

import (
	"context"
	"slices"
	"sync"

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

// add stores further claims. It fails, and nobody whom they name may be sent to, with
// ErrLeaseLost if the batch is another's by now.
func (c *claims) add(ctx context.Context, further models.Claims) error {
	if len(further) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Concat(c.list, further)
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
