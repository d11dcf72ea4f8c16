// Package tokenstore keeps an account's access token in Redis, where its replicas
// find it, so that one of them refreshes it for all.
package tokenstore

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
	// timeout is how long Redis may take to answer. Without an answer a replica gets
	// its token alone.
	timeout = time.Second
	// countFor is how long a day's forced refreshes are counted.
	countFor = 48 * time.Hour
)

// Store is where the replicas of an account keep its access token. The token lies
// there encrypted under a key that follows from the AppSecret, so that a reader of
// Redis does not get it.
type Store struct {
	redis redis.UniversalClient
	locks *redsync.Redsync
	app   string
	aead  cipher.AEAD
}

// New returns the store of an account.
func New(rdb redis.UniversalClient, appID, appSecret string) (*Store, error) {
	key, err := hkdf.Key(sha256.New, []byte(appSecret), nil, "wechat-broadcast access token", 32)
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
	return &Store{redis: rdb, locks: redsync.New(goredis.NewPool(rdb)), app: appID, aead: aead}, nil
}

func (s *Store) key(name string) string { return "wechat-broadcast:" + s.app + ":token:" + name }

// stored is a token as it is stored, before it is encrypted.
type stored struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // milliseconds since the Unix epoch
}

// Load returns the stored token and its end; an empty one if there is none that can be
// read.
func (s *Store) Load(ctx context.Context) (token string, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := s.redis.Get(ctx, s.key("current")).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return "", time.Time{}, nil
	case err != nil:
		return "", time.Time{}, fmt.Errorf("read shared token: %w", err)
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(s.app))
	var t stored
	if err != nil || json.Unmarshal(plain, &t) != nil {
		return "", time.Time{}, nil // of another AppSecret, or program
	}
	return t.Token, time.UnixMilli(t.Expires), nil
}

// Save has the other replicas find a token, as long as it is good.
func (s *Store) Save(ctx context.Context, token string, expires, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	life := expires.Sub(now)
	if life <= 0 {
		return nil
	}
	plain, err := json.Marshal(stored{token, expires.UnixMilli()})
	if err != nil {
		return err
	}
	encrypted := s.aead.Seal(nil, nil, plain, []byte(s.app)) //nolint:gosec // it makes its own nonce
	if err := s.redis.Set(ctx, s.key("current"), encrypted, life).Err(); err != nil {
		return fmt.Errorf("store shared token: %w", err)
	}
	return nil
}

// Lock makes this replica the one that refreshes, unless another is: then it
// returns nil. A replica that dies keeps the others waiting for expiry.
func (s *Store) Lock(ctx context.Context, expiry time.Duration) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	refreshing := s.locks.NewMutex(s.key("refreshing"), redsync.WithExpiry(expiry), redsync.WithTries(1))
	err = refreshing.LockContext(ctx)
	var taken *redsync.ErrTaken
	switch {
	case errors.As(err, &taken):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock token refresh: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		_, _ = refreshing.UnlockContext(ctx) // else it ends by itself
	}, nil
}

// ReserveForced takes one of the day's forced refreshes for all replicas, of which there
// are perDay with a pause between two, or says how long to wait for the next.
func (s *Store) ReserveForced(ctx context.Context, now time.Time, perDay int, pause time.Duration) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := s.key("forced")
	free, err := s.redis.SetNX(ctx, last, 1, pause).Result()
	if err != nil {
		return 0, fmt.Errorf("reserve forced refresh: %w", err)
	}
	if !free {
		wait, err = s.redis.PTTL(ctx, last).Result()
		return max(wait, time.Second), err
	}
	day := s.forcedDay(now)
	n, err := s.redis.Incr(ctx, day).Result()
	if err == nil {
		err = s.redis.Expire(ctx, day, countFor).Err()
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("reserve forced refresh: %w", err)
	case n > int64(perDay):
		return zone.Midnight(now, 1).Sub(now), nil
	}
	return 0, nil
}

// ExhaustForced ends forced refreshes for the day for all replicas: all perDay are used up.
func (s *Store) ExhaustForced(ctx context.Context, now time.Time, perDay int) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Should it fail, the platform says so once more.
	_ = s.redis.Set(ctx, s.forcedDay(now), perDay, countFor).Err()
}

func (s *Store) forcedDay(now time.Time) string {
	return s.key("forced:" + zone.Day(now))
}
