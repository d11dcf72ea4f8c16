package copying_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/copying"
)

// Neither database is used if a lock was lost, however shortly before the end.
func TestACopyWithoutItsLocksDoesNotEndWell(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, to *models.Store) {
		from := modelstest.SQLite(t)
		fill(t, from, 20)
		c := copier(from, to)
		lock, err := c.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Release() }()
		var lost atomic.Bool
		gone := errors.New("somebody else has it")
		check := lock.Check
		lock.Check = func(ctx context.Context) error {
			if lost.Load() {
				return gone
			}
			return check(ctx)
		}
		c.Show = func(p copying.Progress) {
			if p.Comparing && p.Done == p.Total {
				lost.Store(true)
			}
		}
		if _, err := c.Copy(t.Context(), lock); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		if err := from.Migrate(t.Context()); err != nil {
			t.Errorf("the source is marked: %v", err)
		}
		if err := to.Migrate(t.Context()); !unusable(err, "incomplete") {
			t.Errorf("a server starts on the target: %v", err)
		}
	})
}

// Whoever has a lock gives signs of life while the target is prepared too, however long that
// takes: without one for 8 s its connection is ended.
func TestTheLocksOfACopyAreKeptWhileItPrepares(t *testing.T) {
	t.Parallel()
	from, path := modelstest.SQLite(t), filepath.Join(t.TempDir(), "copy.db")
	to, err := models.Open(models.SQLite, path, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	slow := flock.New(path + ".migrate.lock") // another one migrates it
	if err := slow.Lock(); err != nil {
		t.Fatal(err)
	}
	c := copier(from, to)
	lock, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	signs, check := make(chan struct{}, 100), lock.Check
	lock.Check = func(ctx context.Context) error {
		signs <- struct{}{}
		return check(ctx)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := c.Copy(t.Context(), lock)
		ended <- err
	}()
	for range 3 {
		select {
		case <-signs:
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Fatal("no sign of life")
		}
	}
	if err := slow.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
