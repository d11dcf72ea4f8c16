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

type readiness struct{ probes []probe }

func newReadiness(checks []Check) *readiness {
	r := &readiness{}
	for _, c := range checks {
		r.probes = append(r.probes, newProbe(c))
	}
	return r
}

// serve runs every check at once and answers 200, or 503 with the reason of
// each that failed.
func (r *readiness) serve(g *gin.Context) {
	reasons := make([]string, len(r.probes))
	var wg sync.WaitGroup
	for i, p := range r.probes {
		wg.Go(func() { reasons[i] = p.run(g.Request.Context()) })
	}
	wg.Wait()
	failed := map[string]string{}
	for i, p := range r.probes {
		if reasons[i] != "" {
			failed[p.name] = reasons[i]
		}
	}
	if len(failed) > 0 {
		g.JSON(http.StatusServiceUnavailable, gin.H{"status": "unavailable", "checks": failed})
		return
	}
	g.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// probe is a check with its last answer: why it failed, or "". However many ask at
// once, it runs once.
type probe struct {
	name    string
	answers *cache.Cache[struct{}, string]
}

func newProbe(c Check) probe {
	keep := func(reason string, _ time.Duration) time.Duration {
		if reason != "" {
			return min(c.KeepFor, keepFailure)
		}
		return c.KeepFor
	}
	return probe{c.Name, cache.New(1, keep, func(ctx context.Context, _ struct{}) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, checkWithin)
		defer cancel()
		if err := caught(func() error { return c.Check(ctx) }); err != nil {
			return cmp.Or(cut(strings.Join(strings.Fields(err.Error()), " "), 300), "failed"), nil
		}
		return "", nil
	})}
}

// run returns why the check failed, or "".
func (p probe) run(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	reason, err := p.answers.Get(ctx, struct{}{})
	if err != nil {
		return "no answer within " + checkWithin.String()
	}
	return reason
}
