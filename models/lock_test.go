package models_test

import (
	"errors"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// A machine that lost its power keeps its connection, and with it the lock; one
// that gives signs of life keeps both.
func TestALockWithoutASignOfLifeIsTakenOver(t *testing.T) {
	t.Parallel()
	dsn := modelstest.MigratedDSN(t)
	open := func() *models.Store {
		s, err := models.Open(models.MySQL, dsn, modelstest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		s.SetHungAfter(300 * time.Millisecond)
		return s
	}
	first, second := open(), open()
	ctx := t.Context()
	if err := first.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	lock, err := first.TakeSendLock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for alive := time.Now(); time.Since(alive) < time.Second; {
		if err := lock.Check(ctx); err != nil {
			t.Fatalf("the holder lost it: %v", err)
		}
		if _, err := second.TakeSendLock(ctx); !errors.Is(err, models.ErrLocked) {
			t.Fatalf("taken from a holder that is alive: %v", err)
		}
	}
	var taken *models.SendLock
	for hung := time.Now(); taken == nil; {
		if taken, err = second.TakeSendLock(ctx); err != nil && !errors.Is(err, models.ErrLocked) {
			t.Fatal(err)
		}
		if time.Since(hung) > 30*time.Second {
			t.Fatal("not taken over")
		}
	}
	if err := lock.Check(ctx); err == nil {
		t.Error("who was taken for hung still thinks that it holds the lock")
	}
	if err := taken.Check(ctx); err != nil {
		t.Errorf("the new holder: %v", err)
	}
	_ = lock.Release()
	if err := taken.Check(ctx); err != nil {
		t.Errorf("the new holder, after the old one gave its own back: %v", err)
	}
	if err := taken.Release(); err != nil {
		t.Error(err)
	}
}
