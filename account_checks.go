package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"wechat-broadcast/handlers"
	"wechat-broadcast/models"
)

// checks are what must be in order for the account to be served.
func (a *account) checks() []handlers.Check {
	checks := []handlers.Check{
		{Name: "database", Check: a.checkDatabase},
		{Name: "storage", Check: a.checkStorage, KeepFor: 5 * time.Second},
		{Name: "platform", Check: a.checkPlatform, KeepFor: 5 * time.Second},
	}
	if a.redis != nil {
		checks = append(checks, handlers.Check{Name: "redis", Check: a.checkRedis})
	}
	return checks
}

// checkRedis tells whether Redis answers.
func (a *account) checkRedis(ctx context.Context) error {
	err := a.redis.Ping(ctx).Err()
	var fault net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault), errors.Is(err, context.DeadlineExceeded):
		return errors.New("can't reach Redis; sending waits for it")
	default:
		return fmt.Errorf("ask Redis: %w", err)
	}
}

func (a *account) checkDatabase(ctx context.Context) error {
	if err := a.store.Ping(ctx); err != nil {
		return err
	}
	if !a.migrated() {
		return errors.New("the database is not migrated yet")
	}
	return nil
}

func (a *account) migrated() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

// checkStorage tells whether the database takes what comes of a broadcast. For a
// database that does not answer it returns nil: checkDatabase tells that.
func (a *account) checkStorage(ctx context.Context) error {
	if !a.migrated() {
		return nil
	}
	err := a.engine.StorageFault()
	if err == nil {
		err = a.store.CheckWrite(ctx, time.Now())
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the write may have used up the first
	defer cancel()
	switch {
	case a.store.Ping(ctx) != nil:
		return nil
	case models.DiskFull(err):
		return fmt.Errorf("the database's disk is full, nothing can be sent: %w", err)
	default:
		return err
	}
}

func (a *account) checkPlatform(ctx context.Context) error {
	_, err := a.platform.Token(ctx)
	return err
}
