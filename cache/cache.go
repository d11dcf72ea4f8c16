// Package cache keeps values that take long to get for a while, and lets all who
// ask for one at the same moment share one load.
package cache

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// Cache keeps values by key. It is safe for concurrent use.
//
// It does not use the library's expirable.LRU: that starts a goroutine that never
// ends, and gives every entry the same time.
type Cache[K comparable, V any] struct {
	load func(ctx context.Context, key K) (V, error)
	ttl  func(value V, took time.Duration) time.Duration
	// kept is an *lru.Cache. As a field it would have each package that knows of a Cache
	// compile all methods of its types again, three quarters of all that some compile.
	kept interface {
		Get(key K) (entry[V], bool)
		Add(key K, value entry[V]) (evicted bool)
	}
	flight singleflight.Group
}

type entry[V any] struct {
	value        V
	began, until time.Time // of the load; of the entry
}

// New returns a Cache of at most size values; a size below 1 panics. load gets the
// value of a key. Its ctx does not end with the caller's, so it must limit its own
// time. ttl is how long a value is kept, which may depend on the value and on how
// long its load took; a value with a ttl of 0 is not kept. An error never is.
func New[K comparable, V any](size int, ttl func(value V, took time.Duration) time.Duration,
	load func(ctx context.Context, key K) (V, error),
) *Cache[K, V] {
	kept, err := lru.New[K, entry[V]](size)
	if err != nil {
		panic(err)
	}
	return &Cache[K, V]{load: load, ttl: ttl, kept: kept}
}

// For returns a ttl that is the same for all values.
func For[V any](ttl time.Duration) func(V, time.Duration) time.Duration {
	return func(V, time.Duration) time.Duration { return ttl }
}

// Get returns the value of a key: the one that is kept, or else a new one. The
// error is that of the load, or that of ctx if it ends first; the load then goes on
// for the others. A panic of load is one of everybody who waits for it.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) {
	value, _, err := c.GetWithin(ctx, key, math.MaxInt64)
	return value, err
}

// GetWithin is Get for a value that must have been loaded less than age ago; with 0
// only a new load will do, or one that is under way. It also returns when the load
// began.
func (c *Cache[K, V]) GetWithin(ctx context.Context, key K, age time.Duration) (value V, began time.Time, err error) {
	e, ok := c.find(key, age)
	if !ok {
		e, err = c.fetch(ctx, key, age)
	}
	return e.value, e.began, err
}

// find returns the entry that is kept, if it has not run out and is not too old.
func (c *Cache[K, V]) find(key K, age time.Duration) (entry[V], bool) {
	e, ok := c.kept.Get(key)
	return e, ok && time.Now().Before(e.until) && time.Since(e.began) < age
}

// panicked is a panic of a load.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n\n%s", p.value, p.stack) }

// fetch loads a value, or joins the load that is under way.
func (c *Cache[K, V]) fetch(ctx context.Context, key K, age time.Duration) (entry[V], error) {
	apart := context.WithoutCancel(ctx)
	loaded := c.flight.DoChan(fmt.Sprintf("%#v", key), func() (_ any, err error) {
		defer func() {
			if v := recover(); v != nil { // in this goroutine it would end the process
				err = &panicked{v, debug.Stack()}
			}
		}()
		if e, ok := c.find(key, age); ok { // another load ended just now
			return e, nil
		}
		e := entry[V]{began: time.Now()}
		if e.value, err = c.load(apart, key); err != nil {
			return e, err
		}
		now := time.Now()
		if ttl := c.ttl(e.value, now.Sub(e.began)); ttl > 0 {
			e.until = now.Add(ttl)
			c.kept.Add(key, e)
		}
		return e, nil
	})
	select {
	case res := <-loaded:
		if p, ok := res.Err.(*panicked); ok { //nolint:errorlint // it is never wrapped here
			panic(p)
		}
		e, _ := res.Val.(entry[V])
		return e, res.Err
	case <-ctx.Done():
		return entry[V]{}, ctx.Err()
	}
}
