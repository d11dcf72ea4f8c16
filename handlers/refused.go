package handlers

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refusalsEvery is how often refusals are counted up in the log, and
	// refusalsShown how many of a kind have a line of their own in that time.
	refusalsEvery = time.Minute
	refusalsShown = 5
	// refusalKinds is how many kinds are told apart; there are some forty.
	refusalKinds = 100
)

// refusals keep strangers from filling the log: of each kind of refusal the first
// few are written, and the others counted.
type refusals struct {
	log *slog.Logger
	// due is when the count of the others is logged, in Unix nanoseconds; 0 if there
	// are none.
	due atomic.Int64

	mu    sync.Mutex
	ends  time.Time
	kinds map[string]int
}

// shown tells whether a request that was answered with status gets a line. An
// error of ours always gets one.
func (r *refusals) shown(status int, n *note) bool {
	r.tell()
	if status < http.StatusBadRequest || n.err != nil {
		return true
	}
	kind := cmp.Or(n.reason, strings.ToLower(http.StatusText(status)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); !now.Before(r.ends) {
		r.kinds, r.ends = map[string]int{}, now.Add(refusalsEvery)
	}
	if _, known := r.kinds[kind]; !known && len(r.kinds) >= refusalKinds {
		kind = "others"
	}
	r.kinds[kind]++
	if r.kinds[kind] <= refusalsShown {
		return true
	}
	r.due.Store(r.ends.UnixNano())
	return false
}

// tell logs how many refusals had no line, once refusalsEvery is over. Each
// request calls it, so no timer is needed.
func (r *refusals) tell() {
	due := r.due.Load()
	if due == 0 || time.Now().UnixNano() < due || !r.due.CompareAndSwap(due, 0) {
		return
	}
	r.mu.Lock()
	kinds := r.kinds
	r.kinds, r.ends = nil, time.Time{}
	r.mu.Unlock()
	var total int
	var list []string
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(kinds[b]-kinds[a], strings.Compare(a, b))
	}) {
		if n := kinds[kind] - refusalsShown; n > 0 {
			total += n
			list = append(list, fmt.Sprintf("%s: %d", kind, n))
		}
	}
	if total == 0 {
		return // another request began the next count in between
	}
	r.log.Warn("more requests were refused than have a line",
		"count", total, "within", refusalsEvery.String(), "kinds", strings.Join(list, ", "))
}
