// Package cluster is what the replicas of one database share beside it, on Redis:
// the queue of batches, the rate, and what is learnt about both.
package cluster

import (
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/throttle"
)

// Config is what a Cluster needs.
type Config struct {
	Redis *redis.Client
	// Account is the AppID. It is a part of every key and queue name, so that several
	// accounts can use one Redis.
	Account string
	// Throttle is shared with the other replicas from now on.
	Throttle *throttle.Throttle
	// Patience is how long batches under way may take to return when the program ends.
	Patience time.Duration
	Now      func() time.Time
	Log      *slog.Logger
}

// Cluster is this replica's part.
type Cluster struct {
	*Sync
	Queue *Queue
}

// New returns a Cluster. Close must follow.
func New(c Config) *Cluster {
	s := &Sync{
		redis: c.Redis, account: c.Account, throttle: c.Throttle, now: c.Now, log: c.Log,
		wakes: make(chan struct{}, 1), outcomes: map[int64]int64{}, ups: make(chan struct{}), down: c.Now(),
	}
	c.Throttle.Share(newBucket(s), s.soon)
	return &Cluster{Sync: s, Queue: newQueue(s, c.Patience)}
}

// Close ends what New began, should Run not have.
func (c *Cluster) Close() { _ = c.Queue.redis.Close() }

func (s *Sync) key(name string) string { return "wechat-broadcast:" + s.account + ":" + name }

// lane names a lane's queue on Redis.
func (s *Sync) lane(l audience.Lane) string { return string(l) + "-" + s.account }
