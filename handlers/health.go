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

// readinessAnswer is what /readyz says of an account, or of several.
type readinessAnswer struct {
	Status   string                     `json:"status"`
	Checks   map[string]string          `json:"checks,omitempty"`
	Accounts map[string]readinessAnswer `json:"accounts,omitempty"`
}

func (r readinessAnswer) write(g *gin.Context) {
	status := http.StatusOK
	if r.Status != statusReady {
		status = http.StatusServiceUnavailable
	}
	g.JSON(status, r)
}

// The statuses of /readyz.
const (
	statusReady   = "ok"
	statusUnready = "unavailable"
)

// ready asks whether the account of a place can do its work.
func (p Place) ready(ctx context.Context) readinessAnswer {
	account, leave, err := p.Enter()
	if err != nil {
		return readinessAnswer{Status: statusUnready, Checks: map[string]string{startCheck: reasonOf(err)}}
	}
	defer leave()
	if account.Readiness == nil {
		return readinessAnswer{Status: statusReady}
	}
	if failed := account.Readiness.failed(ctx); len(failed) > 0 {
		return readinessAnswer{Status: statusUnready, Checks: failed}
	}
	return readinessAnswer{Status: statusReady}
}

// readiness answers 200 if the account can do its work, or 503 with the reason of each
// check that failed. Of several accounts it is 200 while one of them can, and says how
// each is; ?account=NAME is about that one.
func (a places) readiness(g *gin.Context) {
	ctx, cancel := context.WithTimeout(g.Request.Context(), checkWithin)
	defer cancel()
	name, asked := g.GetQuery("account")
	switch {
	case asked:
		p, known := a.find(name)
		if !known || name == "" {
			g.JSON(http.StatusNotFound, gin.H{"status": "unknown", "error": "there is no account of that name"})
			return
		}
		p.ready(ctx).write(g)
	case !a.several():
		a[0].ready(ctx).write(g)
	default:
		a.allReady(ctx).write(g)
	}
}

// allReady asks all accounts at once.
func (a places) allReady(ctx context.Context) readinessAnswer {
	of := make([]readinessAnswer, len(a))
	var wg sync.WaitGroup
	for i, p := range a {
		wg.Go(func() { of[i] = p.ready(ctx) })
	}
	wg.Wait()
	all := readinessAnswer{Status: statusUnready, Accounts: map[string]readinessAnswer{}}
	for i, p := range a {
		all.Accounts[p.Name] = of[i]
		if of[i].Status == statusReady {
			all.Status = statusReady
		}
	}
	return all
}

// reasonOf returns an error as one short line.
func reasonOf(err error) string {
	return cmp.Or(cut(strings.Join(strings.Fields(err.Error()), " "), 300), "failed")
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
			return reasonOf(err), nil
		}
		return "", nil
	})
}
