package cluster

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// keepStall is how long what one replica told of a stall is believed.
const keepStall = 15 * time.Second

func stallName(id int64) string { return "stall:" + strconv.FormatInt(id, 10) }

// TellStall has the other replicas know why a broadcast gets no further. What was
// told before ends by itself.
func (s *Sync) TellStall(ctx context.Context, id int64, stall any) {
	if !s.Answers() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	text, err := json.Marshal(stall)
	if err == nil {
		err = s.redis.Set(ctx, s.key(stallName(id)), text, keepStall).Err()
	}
	if err != nil {
		s.log.DebugContext(ctx, "tell the other replicas of a stall", "err", err)
	}
}

// Stall reads into stall why a broadcast gets no further, as the replica that leads
// told, and tells whether it did.
func (s *Sync) Stall(ctx context.Context, id int64, stall any) bool {
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	text, err := s.redis.Get(ctx, s.key(stallName(id))).Bytes()
	return err == nil && json.Unmarshal(text, stall) == nil
}
