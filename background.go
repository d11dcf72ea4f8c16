package main

import (
	"context"
	"sync"
)

// background is work that goes on beside the requests, and that ends when the
// program does.
type background struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// goBackground runs f until it returns; its ctx ends with stopBackground.
func (b *background) goBackground(f func(ctx context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(context.Background())
	}
	ctx := b.ctx
	if ctx.Err() == nil {
		b.tasks.Go(func() { f(ctx) })
	}
}

// stopBackground ends the work and waits for it.
func (b *background) stopBackground() {
	b.mu.Lock()
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(context.Background())
	}
	b.cancel()
	b.mu.Unlock()
	b.tasks.Wait()
}
