package modelstest

import (
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis returns a client of the server and database that TEST_REDIS_URL
// (redis://host:port/0) names, or skips the test, aloud. It is shared: tests keep
// apart by the names of their keys, which hold an AppID of their own.
func Redis(tb testing.TB) *redis.Client {
	tb.Helper()
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		tb.Skip("skipped on Redis: set TEST_REDIS_URL=redis://127.0.0.1:6379/0 to run it")
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatalf("TEST_REDIS_URL: %v", err)
	}
	options.DialTimeout, options.ReadTimeout = time.Second, time.Second
	client := redis.NewClient(options)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}
