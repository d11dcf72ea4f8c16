package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// sharedWithin is how long Redis may take. Without an answer the replica relies
	// on its own memory and the database, and leaves Redis alone for sharedRest.
	sharedWithin = 500 * time.Millisecond
	sharedRest   = time.Second
	// keepSignatures is longer than a signature is good for.
	keepSignatures = 11 * time.Minute
	// keepAnswers outlasts the platform's redeliveries; the database remembers for
	// longer what matters for longer.
	keepAnswers = 2 * time.Minute
	// handledWithin is when a message is surely handled, or its replica dead.
	handledWithin = answerWithin + saveWithin + time.Second
	sharedPoll    = 50 * time.Millisecond
)

// shared is the memory that the replicas have in common: which body each
// signature came with, and how each message was answered. What it forgets, or
// can't be asked about, the database still knows where it matters.
type shared struct {
	redis redis.UniversalClient
	app   string
	log   *slog.Logger
	// rest is until when Redis is left alone, in Unix milliseconds.
	rest atomic.Int64
}

// key names a thing without telling what it holds: names may hold OpenIDs.
func (s *shared) key(what, name string) string {
	return "wechat-broadcast:" + s.app + ":" + what + ":" + digest(name)
}

// run runs a script; false if Redis does not answer.
func (s *shared) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, bool) {
	if time.Now().UnixMilli() < s.rest.Load() {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, sharedWithin)
	defer cancel()
	v, err := script.Run(ctx, s.redis, keys, args...).Result()
	if err == nil || errors.Is(err, redis.Nil) {
		return v, true
	}
	s.rest.Store(time.Now().Add(sharedRest).UnixMilli())
	s.log.DebugContext(ctx, "replicas do not share their memory now", "error", err)
	return nil, false
}

// firstBody returns the hash of the body that a signature came with first, to
// whichever replica: this one if there was none, or Redis does not answer.
func (s *shared) firstBody(ctx context.Context, signature string, sum [sha256.Size]byte) [sha256.Size]byte {
	v, ok := s.run(ctx, firstScript, []string{s.key("signature", signature)}, hex.EncodeToString(sum[:]), keepSignatures.Milliseconds())
	if !ok {
		return sum
	}
	text, _ := v.(string)
	first, err := hex.DecodeString(text)
	if err != nil || len(first) != len(sum) {
		return sum
	}
	return [sha256.Size]byte(first)
}

var firstScript = redis.NewScript(`
local first = redis.call('GET', KEYS[1])
if first then return first end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`)

// enter waits until no other replica handles a message, and returns the reply if
// one did. Otherwise it is this one's to handle, and leave must follow.
func (s *shared) enter(ctx context.Context, key string) (reply string, answered bool, leave func(reply string, ok bool), err error) {
	keys, mine := []string{s.key("reply", key), s.key("handling", key)}, rand.Text()
	for {
		v, ok := s.run(ctx, enterScript, keys, mine, handledWithin.Milliseconds())
		switch state, _ := v.(int64); {
		case !ok:
			return "", false, func(string, bool) {}, nil
		case state == 1:
			return "", false, s.leaver(ctx, keys, mine), nil
		}
		if text, ok := v.(string); ok {
			return text, true, nil, nil
		}
		timer := time.NewTimer(sharedPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", false, nil, fmt.Errorf("wait for the replica that has the message: %w", ctx.Err())
		}
	}
}

// enterScript returns the reply, or 1 for who may handle the message, or 0.
var enterScript = redis.NewScript(`
local reply = redis.call('GET', KEYS[1])
if reply then return reply end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`)

// leaver ends the handling of a message: with the reply for the other copies,
// or for another try.
func (s *shared) leaver(ctx context.Context, keys []string, mine string) func(reply string, ok bool) {
	return func(reply string, ok bool) {
		stored := 0
		if ok {
			stored = 1
		}
		s.run(context.WithoutCancel(ctx), leaveScript, keys, mine, stored, reply, keepAnswers.Milliseconds())
	}
}

var leaveScript = redis.NewScript(`
if ARGV[2] == '1' then redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 0`)
