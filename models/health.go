package models

import (
	"context"
	"errors"
	"sync"
)

// Health is whether one way to use the database works. The zero Health is well.
type Health struct {
	mu  sync.Mutex
	err error
}

// Note takes note of how the last use went, and returns its error.
func (h *Health) Note(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // that says nothing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	return err
}

// Fault returns why the last use failed, nil if it did not.
func (h *Health) Fault() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
