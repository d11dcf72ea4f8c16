package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// newRedis returns a client of the Redis that the replicas share. That it does not
// answer is no error here: /readyz tells it.
func newRedis(url string, log *slog.Logger) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL can't be read") // the cause may quote the password
	}
	// A call must fail within the time that a callback has.
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = time.Second, time.Second, time.Second
	options.ContextTimeoutEnabled = true
	// asynq retries without a pause, so the client pauses.
	options.MaxRetries, options.MinRetryBackoff, options.MaxRetryBackoff = 2, 50*time.Millisecond, 200*time.Millisecond
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(redisLog{log})
	return redis.NewClient(options), nil
}

// redisLog makes the Redis client write to the program's log, at the debug level:
// lost connections are returned as errors as well.
type redisLog struct{ log *slog.Logger }

// Printf is the client's way to log.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "Redis client", "says", fmt.Sprintf(format, args...))
}
