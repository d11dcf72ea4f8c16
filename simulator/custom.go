package simulator

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	noticeLength  = 2048 // bytes
	talkWindow    = 48 * time.Hour
	talkAllowance = 5
	joinWindow    = time.Minute
	joinAllowance = 3
)

// Notice is a customer-service message that a follower received.
type Notice struct {
	OpenID string    `json:"openid"`
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
}

// windows are the times within which the account may write to a person of its own accord: five messages within 48
// hours of their last message, three within a minute of their following or tapping a button (WeChat: customer service
// message docs).
type windows struct {
	mu      sync.Mutex
	open    map[uint32]window
	notices map[string][]Notice
}

type window struct {
	until time.Time
	left  int
}

func newWindows() *windows {
	return &windows{open: make(map[uint32]window), notices: make(map[string][]Notice)}
}

// spoke opens the window of someone who wrote.
func (w *windows) spoke(id uint32, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[id] = window{now.Add(talkWindow), talkAllowance}
}

// touched opens the short window of someone who followed or tapped a button, unless a longer one is open.
func (w *windows) touched(id uint32, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until := now.Add(joinWindow); w.open[id].until.Before(until) {
		w.open[id] = window{until, joinAllowance}
	}
}

// use takes a message from the allowance and gives 0, or the code of the refusal.
func (w *windows) use(id uint32, n Notice) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := w.open[id]
	switch {
	case !n.At.Before(open.until):
		return 45015
	case open.left == 0:
		return 45047
	}
	open.left--
	w.open[id] = open
	w.notices[n.OpenID] = append(w.notices[n.OpenID], n)
	return 0
}

// Notices gives the customer-service messages that someone received, oldest first.
func (s *Simulator) Notices(openID string) []Notice {
	s.windows.mu.Lock()
	defer s.windows.mu.Unlock()
	return slices.Clone(s.windows.notices[openID])
}

// counts gives how many notices each person received.
func (w *windows) counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := make(map[string]int, len(w.notices))
	for openID, list := range w.notices {
		counts[openID] = len(list)
	}
	return counts
}

// customSend serves POST /cgi-bin/message/custom/send for text messages (WeChat: sendCustomMessage docs).
func (s *Simulator) customSend(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var m struct {
		ToUser  string `json:"touser"`
		MsgType string `json:"msgtype"`
		Text    struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	if !readJSON(body, &m) {
		return 47001
	}
	id, known := s.people.id(m.ToUser)
	switch {
	case !known && !wellFormed(m.ToUser):
		return 40003
	case !known || !s.people.follows(id):
		return 43004
	case m.MsgType != "text":
		return 40008
	case m.Text.Content == "":
		return 44004
	case len(m.Text.Content) > noticeLength:
		return 45002
	}
	notice := Notice{OpenID: m.ToUser, At: s.opts.Now(), Text: m.Text.Content}
	if code := s.windows.use(id, notice); code != 0 {
		return code
	}
	if s.opts.OnNotice != nil {
		s.opts.OnNotice(notice)
	}
	s.done(w)
	return 0
}
