package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	unlimited      = 10_000_000 // what quota/get says of an API without a limit
	clearsPerMonth = 10
)

// beijing is where the platform's days begin.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// beijingDay numbers the days of the platform's clock.
func beijingDay(now time.Time) int64 { return (now.Unix() + 8*60*60) / (24 * 60 * 60) }

// quota counts the calls of one API by day and minute.
type quota struct {
	mu       sync.Mutex
	day      int64
	used     int
	minute   int64
	inMinute int
}

// take counts a call and gives 0, or the code of the limit that it exceeds. A limit of 0 is none.
func (q *quota) take(now time.Time, daily, perMinute int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	if perMinute > 0 && q.inMinute >= perMinute {
		return 45011
	}
	if daily > 0 && q.used >= daily {
		return 45009
	}
	q.used++
	q.inMinute++
	return 0
}

// turn begins a new day or minute. The caller holds mu.
func (q *quota) turn(now time.Time) {
	if day := beijingDay(now); day != q.day {
		q.day, q.used = day, 0
	}
	if minute := now.Unix() / 60; minute != q.minute {
		q.minute, q.inMinute = minute, 0
	}
}

func (q *quota) today(now time.Time) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	return q.used
}

func (q *quota) set(now time.Time, used int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	q.used = used
}

// limit is the daily and per-minute limit of a path; 0 is none.
func (s *Simulator) limit(path string) (daily, perMinute int) {
	limits := s.limits.Load()
	switch path {
	case pathSend:
		return limits.SendDaily, limits.SendMinute
	case pathUserGet:
		return max(0, limits.UserGetDaily), 0
	case pathToken:
		return max(0, limits.TokenDaily), 0
	case pathStableToken:
		return 500_000, 10_000
	case pathCustom:
		return 500_000, 0
	case pathUserInfo, pathUserInfoBatch:
		return 5_000_000, 0
	default:
		return 0, 0
	}
}

// quotaGet serves POST /cgi-bin/openapi/quota/get (WeChat: getApiQuota docs).
func (s *Simulator) quotaGet(w http.ResponseWriter, _ *http.Request, body []byte) {
	var ask struct {
		Path string `json:"cgi_path"`
	}
	if json.Unmarshal(body, &ask) != nil {
		s.refuse(w, 47001, "")
		return
	}
	q, known := s.quotas[strings.TrimSuffix(ask.Path, "/")]
	if !known {
		s.refuse(w, 76003, "")
		return
	}
	daily, perMinute := s.limit(ask.Path)
	if daily == 0 {
		daily = unlimited
	}
	used := q.today(s.opts.Now())
	rate := "{}"
	if perMinute > 0 {
		rate = fmt.Sprintf(`{"call_count":%d,"refresh_second":60}`, perMinute)
	}
	s.tally.code(0)
	writeJSON(w, fmt.Appendf(nil, `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":%d,"used":%d,"remain":%d},"rate_limit":%s,"component_rate_limit":{}}`,
		daily, used, max(0, daily-used), rate))
}

// clearQuota serves POST /cgi-bin/clear_quota: every counter starts again, ten times a month (WeChat: clearQuota docs).
func (s *Simulator) clearQuota(w http.ResponseWriter, _ *http.Request, body []byte) {
	var ask struct {
		AppID string `json:"appid"`
	}
	if json.Unmarshal(body, &ask) != nil {
		s.refuse(w, 47001, "")
		return
	}
	if ask.AppID != s.opts.AppID {
		s.refuse(w, 40013, "")
		return
	}
	now := s.opts.Now()
	if !s.clears.allow(now) {
		s.refuse(w, 48006, "")
		return
	}
	for _, q := range s.quotas {
		q.set(now, 0)
	}
	s.done(w)
}

// clears counts the uses of clear_quota in a month of Beijing time.
type clears struct {
	mu    sync.Mutex
	month string
	used  int
}

func (c *clears) allow(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if month := now.In(beijing).Format("2006-01"); month != c.month {
		c.month, c.used = month, 0
	}
	if c.used >= clearsPerMonth {
		return false
	}
	c.used++
	return true
}
