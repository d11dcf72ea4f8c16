package broadcast

import (
	"context"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lease"
	"wechat-broadcast/services/throttle"
)

// What the tests need of the inside.
const (
	KeepReceipts = keepReceipts
	OwnLeases    = ownLeases
)

// Throttle is the engine's, to bring it into a state.
func (e *Engine) Throttle() *throttle.Throttle { return e.throttle }

// Purge does what is done once an hour.
func (e *Engine) Purge(ctx context.Context) { e.purge(ctx) }

// Lead leads as if the lock had been taken just now.
func (e *Engine) Lead(ctx context.Context, lock *models.SendLock) { e.lead(ctx, lock) }

// LeaseFor has the leases on batches last as long as that.
func (e *Engine) LeaseFor(t lease.Times) { e.worker.Lease = t }

// StopOne has one of the broadcasts that are sent here stop itself.
func (e *Engine) StopOne(m models.Move) { e.worker.All()[0].Stop(m) }

// RedisAnswers tells whether Redis does.
func (e *Engine) RedisAnswers() bool { return e.cluster.Answers() }
