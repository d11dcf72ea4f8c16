package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The paths of the platform's API.
const (
	pathToken         = "/cgi-bin/token"
	pathStableToken   = "/cgi-bin/stable_token"
	pathUserGet       = "/cgi-bin/user/get"
	pathUserInfo      = "/cgi-bin/user/info"
	pathUserInfoBatch = "/cgi-bin/user/info/batchget"
	pathSend          = "/cgi-bin/message/template/send"
	pathTemplates     = "/cgi-bin/template/get_all_private_template"
	pathCustom        = "/cgi-bin/message/custom/send"
	pathQuotaGet      = "/cgi-bin/openapi/quota/get"
	pathClearQuota    = "/cgi-bin/clear_quota"
	pathAPIDomainIP   = "/cgi-bin/get_api_domain_ip"
	pathCallbackIP    = "/cgi-bin/getcallbackip"
	pathTags          = "/cgi-bin/tags/get"
	pathTagged        = "/cgi-bin/user/tag/get"
	pathBlacklist     = "/cgi-bin/tags/members/getblacklist"
	pathIntercepted   = "/wxa/sec/queryblocktmplmsg"
)

// bodyLimit bounds request bodies, in bytes.
const bodyLimit = 1 << 20

// Simulator is a WeChat platform with one Official Account. It is an http.Handler, and can listen by itself.
type Simulator struct {
	opts    Options
	started time.Time

	people     *people
	marks      *marks
	intercepts *interceptions
	tokens     *tokens
	templates  templates
	ledger     ledger
	windows    *windows
	quotas     map[string]*quota
	clears     clears
	tally      *tally
	seal       *seal
	outbox     *outbox
	client     *http.Client

	faults   atomic.Pointer[faultPlan]
	limits   atomic.Pointer[Limits]
	receipts atomic.Pointer[Receipts]
	callback atomic.Pointer[string]
	barrier  atomic.Pointer[barrier] // nil when no answer is kept back

	calls      atomic.Uint64 // numbers whatever needs a number
	msgIDs     atomic.Int64  // of template messages: 19 digits
	userMsgIDs atomic.Int64  // of followers' messages
	bodies     sync.Pool

	apis     map[string]api
	commands map[string]command

	ctx    context.Context //nolint:containedctx // the life of the simulator, which outlasts any call
	stop   context.CancelFunc
	work   sync.WaitGroup
	listen listening
}

// New makes a platform. It does not listen yet, but sends callbacks; Close ends it.
func New(o Options) (*Simulator, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("check simulator options: %w", err)
	}
	o = o.withDefaults()
	now := o.Now()
	s := &Simulator{
		opts: o, started: now,
		people: newPeople(o), marks: newMarks(), intercepts: newInterceptions(), tokens: newTokens(o.TokenTTL, o.TokenOverlap), templates: newTemplates(o),
		ledger: ledger{texts: newPayloads()}, windows: newWindows(), tally: newTally(), outbox: newOutbox(),
		client: &http.Client{
			Transport: &http.Transport{
				MaxIdleConnsPerHost: o.CallbackWorkers, MaxConnsPerHost: 0, IdleConnTimeout: 30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		quotas: make(map[string]*quota),
	}
	if o.EncodingAESKey != "" {
		var err error
		if s.seal, err = newSeal(o.EncodingAESKey, o.AppID); err != nil {
			return nil, err
		}
	}
	s.bodies.New = func() any { return new(bytes.Buffer) }
	// Ids begin with the time, so that a simulator that was restarted does not use them again.
	s.msgIDs.Store(3_000_000_000_000_000_000 + now.UnixMilli()%1_000_000_000_000*1_000_000)
	s.userMsgIDs.Store(20_000_000_000_000_000 + now.UnixMilli()*1000)
	s.faults.Store(newFaultPlan(o.Faults))
	s.limits.Store(&o.Limits)
	s.receipts.Store(&o.Receipts)
	s.callback.Store(&o.CallbackURL)
	s.apis = map[string]api{
		"GET " + pathUserGet:        s.userGet,
		"GET " + pathUserInfo:       s.userInfo,
		"POST " + pathUserInfoBatch: s.userInfoBatch,
		"GET " + pathTemplates:      s.listTemplates,
		"POST " + pathTemplates:     s.listTemplates,
		"POST " + pathCustom:        s.customSend,
		"POST " + pathQuotaGet:      s.quotaGet,
		"POST " + pathClearQuota:    s.clearQuota,
		"GET " + pathAPIDomainIP:    s.addresses,
		"GET " + pathCallbackIP:     s.addresses,
		"GET " + pathTags:           s.listTags,
		"POST " + pathTagged:        s.listTagged,
		"POST " + pathBlacklist:     s.listBlacklist,
		"POST " + pathIntercepted:   s.listIntercepted,
	}
	for _, path := range []string{
		pathToken, pathStableToken, pathUserGet, pathUserInfo, pathUserInfoBatch, pathSend, pathTemplates, pathCustom,
		pathQuotaGet, pathClearQuota, pathAPIDomainIP, pathCallbackIP, pathTags, pathTagged, pathBlacklist, pathIntercepted,
	} {
		s.quotas[path] = new(quota)
	}
	s.commands = s.newCommands()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.work.Go(func() { s.sendReceipts(o.CallbackWorkers) })
	return s, nil
}

// SetFaults changes the faults from now on.
func (s *Simulator) SetFaults(f Faults) error {
	if err := f.Validate(); err != nil {
		return fmt.Errorf("check faults: %w", err)
	}
	if f.SlowFor == 0 {
		f.SlowFor = s.opts.Faults.SlowFor
	}
	s.faults.Store(newFaultPlan(f))
	return nil
}

// Faults gives the faults in force.
func (s *Simulator) Faults() Faults { return s.faults.Load().Faults }

// SetLimits changes the limits from now on. What was used of them stays used.
func (s *Simulator) SetLimits(l Limits) { s.limits.Store(&l) }

// SetReceipts changes how receipts are sent for messages accepted from now on.
func (s *Simulator) SetReceipts(r Receipts) error {
	if err := r.Validate(); err != nil {
		return fmt.Errorf("check receipts: %w", err)
	}
	s.receipts.Store(&r)
	return nil
}

// SetCallback changes the callback URL from now on; "" is none.
func (s *Simulator) SetCallback(url string) error {
	if err := checkCallbackURL(url); err != nil {
		return err
	}
	s.callback.Store(&url)
	return nil
}

// UseQuota sets how much of today's quota of an API path was used.
func (s *Simulator) UseQuota(path string, used int) error {
	q, known := s.quotas[path]
	if !known {
		return fmt.Errorf("there is no API %q", path)
	}
	q.set(s.opts.Now(), used)
	return nil
}

// ServeHTTP answers the platform's API and, under /_sim/, the simulator's own.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.listen.down.Load() {
		cut(w)
		return
	}
	code, detail := 0, ""
	switch path := r.URL.Path; {
	case path == pathSend:
		s.templateSend(w, r)
	case strings.HasPrefix(path, "/_sim/"):
		s.control(w, r)
	case s.strikeElsewhere(w):
	case path == pathToken:
		code, detail = s.token(w, r)
	case path == pathStableToken:
		code, detail = s.stableToken(w, r)
	default:
		code = s.api(w, r)
	}
	if code != 0 {
		s.refuse(w, code, detail)
	}
}

// strikeElsewhere lets the faults that are not about a recipient happen to another API than template/send, and tells
// whether one did.
func (s *Simulator) strikeElsewhere(w http.ResponseWriter) bool {
	plan := s.faults.Load()
	if !plan.Everywhere {
		return false
	}
	chance := newRNG(s.opts.Seed, s.calls.Add(1))
	pause := plan.Latency
	if s.strikes(&chance, plan.Slow, &s.tally.faults.Slow) {
		pause += plan.SlowFor
	}
	switch {
	case !s.wait(pause):
		cut(w)
	case s.strikeBefore(w, &chance, &plan.Faults):
	case chance.chance(plan.SystemError):
		s.refuse(w, -1, "")
	default:
		return false
	}
	return true
}

// api answers a call with that body, or gives the error code of its refusal.
type api func(w http.ResponseWriter, r *http.Request, body []byte) (code int)

// api serves the calls that need a token: path and method, token, quota, body.
func (s *Simulator) api(w http.ResponseWriter, r *http.Request) (code int) {
	serve, known := s.apis[r.Method+" "+r.URL.Path]
	if !known {
		if _, get := s.apis["GET "+r.URL.Path]; get {
			return 43001
		} else if _, post := s.apis["POST "+r.URL.Path]; post {
			return 43002
		}
		return 40066
	}
	now := s.opts.Now()
	if code := s.tokens.check(r.URL.Query().Get("access_token"), now); code != 0 {
		return code
	}
	if code := s.quotas[r.URL.Path].take(now, s.limit(r.URL.Path)); code != 0 {
		return code
	}
	body := s.body(r)
	defer body.free()
	if r.Method == http.MethodPost && len(body.bytes) == 0 && r.URL.Path != pathTemplates {
		return 44002
	}
	return serve(w, r, body.bytes)
}

// pooled is a request body in a buffer that goes back to the pool.
type pooled struct {
	bytes []byte
	free  func()
}

// body reads a request body; one that is too long or breaks off is empty.
func (s *Simulator) body(r *http.Request) pooled {
	buf, _ := s.bodies.Get().(*bytes.Buffer)
	buf.Reset()
	n, err := buf.ReadFrom(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil || n > bodyLimit {
		buf.Reset()
	}
	return pooled{bytes: buf.Bytes(), free: func() { s.bodies.Put(buf) }}
}

// listTemplates serves /cgi-bin/template/get_all_private_template, which has no errcode on success (WeChat:
// getAllTemplates docs). SDKs ask by POST too.
func (s *Simulator) listTemplates(w http.ResponseWriter, _ *http.Request, _ []byte) int {
	s.tally.code(0)
	writeValue(w, struct {
		List []Template `json:"template_list"`
	}{s.templates.list})
	return 0
}

func (s *Simulator) addresses(w http.ResponseWriter, _ *http.Request, _ []byte) int {
	s.tally.code(0)
	writeJSON(w, []byte(`{"ip_list":["127.0.0.1","101.226.103.0/25"]}`))
	return 0
}
