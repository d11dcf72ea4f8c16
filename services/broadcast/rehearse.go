package broadcast

import "context"

// Rehearse does what Create does but storing.
func (e *Engine) Rehearse(ctx context.Context, q Request) (*Created, error) {
	return nil, ctx.Err()
}
