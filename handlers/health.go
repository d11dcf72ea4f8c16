package handlers

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/cache"
)

const (
	// checkWithin is how long a readiness check may take.
	checkWithin = 3 * time.Second
	// keepFailure is how long a failure is used again at most, so that what is
	// well again is seen to be.
	keepFailure = time.Second
)

// Check is one thing that must be in order before the process can do its work.
type Check struct {
	// Name is what /readyz calls it, such as "database".
	Name string
	// Check returns why it is not in order, in words without secrets.
	Check func(ctx context.Context) error
	// KeepFor is how long an answer is used again, a failure for a second at most;
	// 0 asks each time.
	KeepFor time.Duration
}

// readiness runs every check at once and answers 200, or 503 with the reason of each
// that failed.
func readiness(checks []Check) gin.HandlerFunc {
	answers := newAnswers(checks)
	return func(g *gin.Context) {
		reasons := askAll(g.Request.Context(), answers)
		failed := map[string]string{}
		for i, c := range checks {
			if reasons[i] != "" {
				failed[c.Name] = reasons[i]
			}
		}
		if len(failed) > 0 {
			g.JSON(http.StatusServiceUnavailable, gin.H{"status": "unavailable", "checks": failed})
			return
		}
		g.JSON(http.StatusOK, gin.H{"status": "ok"})
	}
}

func newAnswers(checks []Check) []*cache.Cache[struct{}, string] {
	answers := make([]*cache.Cache[struct{}, string], len(checks))
	for i, c := range checks {
		answers[i] = newAnswer(c)
	}
	return answers
}

// askAll returns why each check failed, or "" if it did not.
func askAll(ctx context.Context, answers []*cache.Cache[struct{}, string]) []string {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	reasons := make([]string, len(answers))
	var wg sync.WaitGroup
	for i, answer := range answers {
		wg.Go(func() {
			var err error
			if reasons[i], err = answer.Get(ctx, struct{}{}); err != nil {
				reasons[i] = "no answer within " + checkWithin.String()
			}
		})
	}
	wg.Wait()
	return reasons
}

// newAnswer keeps the answer of a check: why it failed, or "". However many ask at
// once, it runs once.
func newAnswer(c Check) *cache.Cache[struct{}, string] {
	keep := func(reason string, _ time.Duration) time.Duration {
		if reason != "" {
			return min(c.KeepFor, keepFailure)
		}
		return c.KeepFor
	}
	return cache.New(1, keep, func(ctx context.Context, _ struct{}) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, checkWithin)
		defer cancel()
		if err := caught(func() error { return c.Check(ctx) }); err != nil {
			return cmp.Or(cut(strings.Join(strings.Fields(err.Error()), " "), 300), "failed"), nil
		}
		return "", nil
	})
}
