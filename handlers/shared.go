package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"wechat-broadcast/services/loop"
)

const (
	// sharedWithin is how long Redis may take. Without an answer the replica relies
	// on its own memory and the database, and leaves Redis alone for sharedRest.
	sharedWithin = 500 * time.Millisecond
	sharedRest   = time.Second
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
	redis redis.Scripter
	app   string
	log   *slog.Logger
	// most and reserve are as in signatures.
	most, reserve int
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

// add remembers a claim for all replicas, by the same rule as signatures.add; false
// if Redis does not answer.
func (s *shared) add(ctx context.Context, c claim, now time.Time) (verdict, bool) {
	minute := c.minute()
	name := func(what string, minute int64) string {
		return "wechat-broadcast:" + s.app + ":" + what + ":" + strconv.FormatInt(minute, 10)
	}
	keys := []string{name("signatures", minute), name("refused", minute)}
	first, last := now.Unix()/60, now.Add(2*fresh+seenSlack).Unix()/60
	for m := first; m <= last; m++ {
		keys = append(keys, name("signatures", m))
	}
	kept := time.Unix((minute+1)*60, 0).Sub(now)
	if kept <= 0 {
		return claimNew, true // it is accepted no more
	}
	receipt := 0
	if c.receipt {
		receipt = 1
	}
	args := []any{string(c.id[:]), string(c.body[:]), kept.Milliseconds(), roomFor(c, s.most, s.reserve), receipt}
	for _, place := range c.places() {
		args = append(args, place)
	}
	v, ok := s.run(ctx, claimScript, keys, args...)
	switch n, known := v.(int64); {
	case !ok:
		return claimNew, false
	case known && n == 1:
		return claimFull, true
	case known:
		return claimNew, true
	}
	if body, _ := v.(string); body != string(c.body[:]) {
		return claimOther, true
	}
	return claimSame, true
}

// claimScript returns the body of a signature that is known, or an empty one if it
// was refused, or 0 if it is new, or 1 if there is no room for it. KEYS are the
// signatures of its minute, those that were refused, and the signatures of all
// minutes that count.
//
//nolint:dupword // Lua's blocks end one after the other
var claimScript = redis.NewScript(`
local body = redis.call('HGET', KEYS[1], ARGV[1])
if body then return body end
if ARGV[5] == '0' and redis.call('EXISTS', KEYS[2]) == 1 then
  local refused = true
  for i = 6, 9 do
    refused = refused and redis.call('GETBIT', KEYS[2], ARGV[i]) == 1
  end
  if refused then
    return ''
  end
end
local count = 0
for i = 3, #KEYS do count = count + redis.call('HLEN', KEYS[i]) end
if count >= tonumber(ARGV[4]) then
  for i = 6, 9 do redis.call('SETBIT', KEYS[2], ARGV[i], 1) end
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0`)

// enter waits until no other replica handles a message, and returns the reply if
// one did. Otherwise it is this one's to handle, and leave must follow. A lock of a
// library would take two calls of Redis where one script takes one, twice a message,
// and as many lines: the reply is looked for before each try, and no try may wait
// for a Redis that does not answer.
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
		if err := loop.Sleep(ctx, sharedPoll); err != nil {
			return "", false, nil, fmt.Errorf("wait for the replica that has the message: %w", err)
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
