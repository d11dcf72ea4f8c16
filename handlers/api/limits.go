package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"wechat-broadcast/services/tokens"
)

// kind is which limit of a token holds for a route.
type kind int

const (
	reads kind = iota
	moves      // pause, resume, cancel: reading too much must not keep a token from them
	asks       // for broadcasts
)

// limitOf are the limits of a token: requests a second, and how many at once.
var limitOf = map[kind]struct {
	perSecond rate.Limit
	burst     int
}{
	reads: {20, 100},
	moves: {10, 50},
	asks:  {5, 50},
}

const (
	// tokensAtMost is how many tokens are known whose requests are limited, and
	// placesAtMost how many places from which wrong tokens come. Those that were not heard
	// of for longest are forgotten.
	tokensAtMost = 1000
	placesAtMost = 4096
	// wrongPerSecond and wrongBurst are how often a place may show a wrong token.
	wrongPerSecond, wrongBurst = 2, 100
)

type limitKey struct {
	token int64
	kind  kind
}

// limits are those of the tokens.
type limits struct {
	mu sync.Mutex
	by *lru.Cache[limitKey, *rate.Limiter]
}

func newLimits() *limits { return &limits{by: newCache[limitKey](3 * tokensAtMost)} }

func newCache[K comparable](size int) *lru.Cache[K, *rate.Limiter] {
	kept, err := lru.New[K, *rate.Limiter](size)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return kept
}

// take takes a request of a token's limit, or returns how long it must wait for one.
func (l *limits) take(token int64, k kind, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return take(l.by, limitKey{token, k}, limitOf[k].perSecond, limitOf[k].burst, now)
}

func take[K comparable](by *lru.Cache[K, *rate.Limiter], key K, perSecond rate.Limit, burst int, now time.Time) time.Duration {
	limiter, known := by.Get(key)
	if !known {
		limiter = rate.NewLimiter(perSecond, burst)
		by.Add(key, limiter)
	}
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// Gate limits how often wrong tokens are tried from one place. It is asked only after a token
// turned out to be wrong, so that nobody can lock out a right one. It is safe for concurrent
// use, and one for all accounts.
type Gate struct {
	now func() time.Time
	mu  sync.Mutex
	by  *lru.Cache[netip.Prefix, *rate.Limiter]
}

// NewGate returns a Gate.
func NewGate(now func() time.Time) *Gate {
	return &Gate{now: now, by: newCache[netip.Prefix](placesAtMost)}
}

// refuse answers a request whose secret is nobody's, or which has none.
func (t *Gate) refuse(g *gin.Context, w words, secret string) Outcome {
	g.Header("WWW-Authenticate", `Bearer realm="api"`)
	if secret == "" {
		return w.refuse(g, newFault(http.StatusUnauthorized, "no_token"))
	}
	g.Header("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
	t.mu.Lock()
	wait := take(t.by, placeOf(g.Request.RemoteAddr), wrongPerSecond, wrongBurst, t.now())
	t.mu.Unlock()
	if wait > 0 {
		return w.refuse(g, tooMany(wait))
	}
	return w.refuse(g, newFault(http.StatusUnauthorized, "wrong_token"))
}

// placeOf returns the network of an address: whoever has one address of it is likely to have
// the others.
func placeOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 24
	if addr.Is6() {
		bits = 56
	}
	place, _ := addr.Prefix(bits) // the bits are those of the address
	return place
}

// Secret returns the secret that a request shows, empty for none, and the account that it
// names. Known is false if it can't be a secret of any account.
func Secret(r *http.Request) (secret, account string, known bool) {
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", "", false
	}
	secret = strings.TrimSpace(header[len(scheme):])
	account, known = tokens.AccountOf(secret)
	return secret, account, known
}
