package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	unlimited      = 10_000_000 // what quota/get says of an API without a limit; unconfirmed
	clearsPerMonth = 10
)

// beijing is where the platform's days begin.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// beijingDay numbers the days of the platform's clock.
func beijingDay(now time.Time) int64 { return (now.Unix() + 8*60*60) / (24 * 60 * 60) }

// bounds are how many calls of one API may be made in a time; 0 is for no limit.
type bounds struct{ day, minute, second int }

// quota counts the calls of one API by day, minute and second.
type quota struct {
	mu                  sync.Mutex
	day, minute, second counter
}

// counter counts what happens in a span of time, which has a number.
type counter struct {
	span int64
	n    int
}

// in is how many there were in a span. A new one begins with 0.
func (c *counter) in(span int64) *int {
	if c.span != span {
		*c = counter{span: span}
	}
	return &c.n
}

// take counts a call and gives 0, or the code of the limit that it exceeds.
func (q *quota) take(now time.Time, b bounds) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	day, minute, second := q.day.in(beijingDay(now)), q.minute.in(now.Unix()/60), q.second.in(now.Unix())
	if b.minute > 0 && *minute >= b.minute || b.second > 0 && *second >= b.second {
		return 45011
	}
	if b.day > 0 && *day >= b.day {
		return 45009
	}
	*day++
	*minute++
	*second++
	return 0
}

func (q *quota) today(now time.Time) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return *q.day.in(beijingDay(now))
}

func (q *quota) set(now time.Time, used int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.day.in(beijingDay(now)) = used
}

// limit is what bounds the calls of a path.
func (s *Simulator) limit(path string) bounds {
	limits := s.limits.Load()
	switch path {
	case pathSend:
		return bounds{limits.SendDaily, limits.SendMinute, limits.SendSecond}
	case pathUserGet:
		return bounds{day: max(0, limits.UserGetDaily)}
	case pathToken:
		return bounds{day: max(0, limits.TokenDaily)}
	case pathStableToken:
		return bounds{day: 500_000, minute: 10_000}
	case pathCustom:
		return bounds{day: 500_000}
	case pathUserInfo, pathUserInfoBatch:
		return bounds{day: 5_000_000}
	case pathTagged:
		return bounds{day: limits.TaggedDaily}
	default:
		return bounds{}
	}
}

// quotaGet serves POST /cgi-bin/openapi/quota/get (WeChat: getApiQuota docs).
func (s *Simulator) quotaGet(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		Path string `json:"cgi_path"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	limit, used := otherPaths[ask.Path], 0
	if q, simulated := s.quotas[ask.Path]; simulated {
		limit, used = s.limit(ask.Path), q.today(s.opts.Now())
	} else if code := badPath(ask.Path); code != 0 {
		return code
	}
	daily := cmp.Or(limit.day, unlimited)
	calls, seconds := cmp.Or(limit.minute, unlimited), 60
	if limit.minute == 0 && limit.second > 0 {
		calls, seconds = limit.second, 1
	}
	s.tally.code(0)
	writeJSON(w, fmt.Appendf(nil, `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":%d,"used":%d,"remain":%d},`+
		`"rate_limit":{"call_count":%d,"refresh_second":%d},"component_rate_limit":{}}`,
		daily, used, max(0, daily-used), calls, seconds))
	return 0
}

// badPath is why quota/get knows nothing of a path; 0 if it does, though it is not simulated (WeChat: getApiQuota docs;
// which code a path with a host in it gets once it has a leading slash is unconfirmed).
func badPath(path string) int {
	_, known := otherPaths[path]
	switch {
	case known:
		return 0
	case !strings.HasPrefix(path, "/"): // or a URL
		return 76003
	case strings.HasPrefix(path, "/sns/"):
		return 76022
	default:
		return 76021
	}
}

// otherPaths are paths of the platform that are not simulated, with their published limits.
var otherPaths = map[string]bounds{
	"/cgi-bin/message/mass/sendall":          {day: 100, minute: 60}, // WeChat: Batch_Sends_and_Originality_Checks docs
	"/cgi-bin/qrcode/create":                 {day: 100_000},         // WeChat: API_Call_Limits docs
	"/cgi-bin/message/subscribe/bizsend":     {},
	"/cgi-bin/message/template/subscribe":    {},
	"/cgi-bin/template/get_industry":         {},
	"/cgi-bin/template/api_set_industry":     {},
	"/cgi-bin/template/api_add_template":     {},
	"/cgi-bin/template/del_private_template": {},
	"/cgi-bin/openapi/rid/get":               {},
	"/cgi-bin/openapi/quota/clear":           {},
	"/cgi-bin/callback/check":                {},
}

// clearQuota serves POST /cgi-bin/clear_quota: every counter starts again, ten times a month (WeChat: clearQuota docs).
func (s *Simulator) clearQuota(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		AppID string `json:"appid"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	if ask.AppID != s.opts.AppID {
		return 40013
	}
	now := s.opts.Now()
	if !s.clears.allow(now) {
		return 48006
	}
	for _, q := range s.quotas {
		q.set(now, 0)
	}
	s.done(w)
	return 0
}

// clears counts the uses of clear_quota in a month of Beijing time.
type clears struct {
	mu    sync.Mutex
	month counter
}

func (c *clears) allow(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = now.In(beijing)
	used := c.month.in(int64(now.Year()*12) + int64(now.Month()))
	if *used >= clearsPerMonth {
		return false
	}
	*used++
	return true
}
