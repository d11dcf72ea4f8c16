package models_test

import (
	"errors"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("second migration: %v", err)
		}
	})
}

func TestSendLockHasOneHolder(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		first, err := s.TakeSendLock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Check(ctx); err != nil {
			t.Errorf("check a lock that is held: %v", err)
		}
		if _, err := s.TakeSendLock(ctx); !errors.Is(err, models.ErrLocked) {
			t.Errorf("second holder: got %v, want ErrLocked", err)
		}
		if err := first.Release(); err != nil {
			t.Fatal(err)
		}
		again, err := s.TakeSendLock(ctx)
		if err != nil {
			t.Fatalf("take a lock that was given back: %v", err)
		}
		if err := again.Release(); err != nil {
			t.Error(err)
		}
	})
}
