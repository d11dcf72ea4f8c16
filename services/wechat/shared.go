package wechat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"

	"wechat-broadcast/zone"
)

const (
	// shareWithin is how long Redis may take to answer. Without an answer a replica
	// gets its token alone.
	shareWithin = time.Second
	// refreshLock is how long a replica that died while it refreshed keeps the
	// others waiting.
	refreshLock = 15 * time.Second
	// refreshPoll is how often a replica looks whether another's refresh is done.
	refreshPoll = 100 * time.Millisecond
	// newerBy is how much longer a token must be good to count as the next one.
	newerBy = time.Minute
)

// shared is where the replicas of an account keep its access token, so that one
// of them refreshes it for all. The token lies there encrypted under a key that
// follows from the AppSecret, so that a reader of Redis does not get it.
type shared struct {
	redis redis.UniversalClient
	locks *redsync.Redsync
	app   string
	aead  cipher.AEAD
	now   func() time.Time
}

func newShared(cfg Config, now func() time.Time) (*shared, error) {
	key, err := hkdf.Key(sha256.New, []byte(cfg.AppSecret), nil, "wechat-broadcast access token", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &shared{redis: cfg.Redis, locks: redsync.New(goredis.NewPool(cfg.Redis)), app: cfg.AppID, aead: aead, now: now}, nil
}

func (s *shared) key(name string) string { return "wechat-broadcast:" + s.app + ":token:" + name }

// storedToken is a grant as it is stored, before it is encrypted.
type storedToken struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // milliseconds since the Unix epoch
}

// load returns the stored token; false if there is none that can be read.
func (s *shared) load(ctx context.Context) (grant, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	raw, err := s.redis.Get(ctx, s.key("current")).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return grant{}, false, nil
	case err != nil:
		return grant{}, false, fmt.Errorf("read shared token: %w", err)
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(s.app))
	var g storedToken
	if err != nil || json.Unmarshal(plain, &g) != nil {
		return grant{}, false, nil // of another AppSecret, or program
	}
	return grant{token: g.Token, expires: time.UnixMilli(g.Expires)}, true, nil
}

// store has the other replicas find a token.
func (s *shared) store(ctx context.Context, g grant) error {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	life := g.expires.Sub(s.now())
	if life <= 0 {
		return nil
	}
	plain, err := json.Marshal(storedToken{g.token, g.expires.UnixMilli()})
	if err != nil {
		return err
	}
	encrypted := s.aead.Seal(nil, nil, plain, []byte(s.app)) //nolint:gosec // it makes its own nonce
	if err := s.redis.Set(ctx, s.key("current"), encrypted, life).Err(); err != nil {
		return fmt.Errorf("store shared token: %w", err)
	}
	return nil
}

// lock makes this replica the one that refreshes, unless another is: then it
// returns nil.
func (s *shared) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	refreshing := s.locks.NewMutex(s.key("refreshing"), redsync.WithExpiry(refreshLock), redsync.WithTries(1))
	err = refreshing.LockContext(ctx)
	var taken *redsync.ErrTaken
	switch {
	case errors.As(err, &taken):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock token refresh: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareWithin)
		defer cancel()
		_, _ = refreshing.UnlockContext(ctx) // else it ends by itself
	}, nil
}

// reserveForced takes one of the day's forced refreshes for all replicas, or
// says how long to wait for the next.
func (s *shared) reserveForced(ctx context.Context) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	last := s.key("forced")
	free, err := s.redis.SetNX(ctx, last, 1, forcedPause).Result()
	if err != nil {
		return 0, fmt.Errorf("reserve forced refresh: %w", err)
	}
	if !free {
		wait, err = s.redis.PTTL(ctx, last).Result()
		return max(wait, time.Second), err
	}
	now := s.now()
	day := s.forcedDay(now)
	n, err := s.redis.Incr(ctx, day).Result()
	if err == nil {
		err = s.redis.Expire(ctx, day, 2*longLife).Err()
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("reserve forced refresh: %w", err)
	case n > forcedPerDay:
		return untilMidnight(now), nil
	}
	return 0, nil
}

// exhaustForced ends forced refreshes for the day for all replicas.
func (s *shared) exhaustForced(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	// Should it fail, the platform says so once more.
	_ = s.redis.Set(ctx, s.forcedDay(s.now()), forcedPerDay, 2*longLife).Err()
}

func (s *shared) forcedDay(now time.Time) string {
	return s.key("forced:" + zone.Day(now))
}

// obtainShared takes the token that another replica has refreshed, or refreshes
// it for all of them. Without Redis it does so alone: the platform's stable
// token is the same for everyone.
func (t *tokens) obtainShared(ctx context.Context) (g grant, how string, err error) {
	for waited := time.Duration(0); waited < refreshLock; waited += refreshPoll {
		g, ok, err := t.found(ctx)
		if ok {
			return g, "shared", nil
		}
		if err != nil {
			break
		}
		unlock, err := t.shared.lock(ctx)
		if err != nil {
			break
		}
		if unlock != nil {
			defer unlock()
			if g, ok, _ := t.found(ctx); ok { // the other's refresh was at its end
				return g, "shared", nil
			}
			break
		}
		timer := time.NewTimer(refreshPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return grant{}, "error", fmt.Errorf("wait for access token: %w", ctx.Err())
		}
	}
	g, how, err = t.obtain(ctx)
	if err == nil {
		if err := t.shared.store(ctx, g); err != nil {
			t.log.WarnContext(ctx, "access token not shared", "error", err)
		}
	}
	return g, how, err
}

// found returns the stored token, and whether it is of use: not refused, and newer
// than the one that this replica has.
func (t *tokens) found(ctx context.Context) (grant, bool, error) {
	g, ok, err := t.shared.load(ctx)
	if err != nil || !ok {
		return grant{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	good := g.token != t.refused && t.now().Before(g.expires) &&
		(t.current == "" || g.token != t.current && g.expires.After(t.expires.Add(newerBy)))
	return g, good, nil
}
