package handlers

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"
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

// readiness answers /readyz.
type readiness struct{ probes []*probe }

func newReadiness(checks []Check, now func() time.Time) *readiness {
	r := &readiness{}
	for _, c := range checks {
		r.probes = append(r.probes, &probe{Check: c, now: now})
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
			failed[p.Name] = reasons[i]
		}
	}
	if len(failed) > 0 {
		g.JSON(http.StatusServiceUnavailable, gin.H{"status": "unavailable", "checks": failed})
		return
	}
	g.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// probe is a check with its last answer. However many ask at once, it runs once.
type probe struct {
	Check
	now    func() time.Time
	flight singleflight.Group

	mu   sync.Mutex
	at   time.Time
	last string
}

// run returns why the check failed, or "".
func (p *probe) run(ctx context.Context) string {
	if reason, ok := p.kept(); ok {
		return reason
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	// Whoever asked first may go away; the others still want to know.
	apart := context.WithoutCancel(ctx)
	ch := p.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(apart, checkWithin)
		defer cancel()
		reason := ""
		if err := caught(func() error { return p.Check.Check(ctx) }); err != nil {
			reason = cmp.Or(cut(strings.Join(strings.Fields(err.Error()), " "), 300), "failed")
		}
		p.keep(reason)
		return reason, nil
	})
	select {
	case res := <-ch:
		reason, _ := res.Val.(string)
		return reason
	case <-ctx.Done():
		return "no answer within " + checkWithin.String()
	}
}

func (p *probe) kept() (reason string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := p.KeepFor
	if p.last != "" {
		keep = min(keep, keepFailure)
	}
	return p.last, !p.at.IsZero() && p.now().Sub(p.at) < keep
}

func (p *probe) keep(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.last = p.now(), reason
}
