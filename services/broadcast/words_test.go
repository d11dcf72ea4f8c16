package broadcast_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/simulator"
)

// Of whatever stops a broadcast, or refuses all of it, the admin and the
// operator get the platform's words: nothing else names what is wrong.
func TestTheReasonCarriesThePlatformsWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code, followers int
		state           models.BroadcastState
		reason          string
	}{
		"data of everyone, too few for a streak":     {47003, 3, models.Failed, models.ReasonContent},
		"template of everyone, too few for a streak": {40037, 3, models.Failed, models.ReasonContent},
		"data, in a streak":                          {47003, 300, models.Failed, models.ReasonContent},
		"template, in a streak":                      {40037, 300, models.Failed, models.ReasonContent},
		"mini program":                               {40013, 3, models.Failed, models.ReasonContent},
		"bad JSON":                                   {47001, 3, models.Failed, models.ReasonContent},
		"account":                                    {48004, 3, models.Paused, models.ReasonAccount},
		"account, in a streak":                       {50002, 300, models.Paused, models.ReasonAccount},
		"credentials":                                {48001, 3, models.Paused, models.ReasonCredentials},
		"quota":                                      {45009, 3, models.Paused, models.ReasonQuota},
		"a streak":                                   {43019, 300, models.Paused, models.ReasonStreak},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &lines{}
				a := newAccount(t, setup{
					Options: simulator.Options{Followers: test.followers}, rate: 20, log: slog.New(slog.NewTextHandler(log, nil)),
				})
				a.onSend(func(w http.ResponseWriter, _ string) bool {
					answer(w, test.code)
					return true
				})
				a.start()
				id := a.ask("", models.AudienceAll)
				b := a.reaches(id, test.state)
				const words = "as the test says rid: 65609427-54c9eae0-289148d7"
				if b.Reason != test.reason || b.Detail != strconv.Itoa(test.code)+" "+words {
					t.Errorf("%s: %q", b.Reason, b.Detail)
				}
				for _, d := range a.deliveries(id) {
					if d.State == models.FailedFor && (d.Code != test.code || d.Detail != words) {
						t.Errorf("%+v", d)
					}
				}
				_ = loop.Sleep(t.Context(), time.Second)
				if n := log.count("level=WARN", words); n != 1 {
					t.Errorf("%d warnings with the words:\n%s", n, log)
				}
			})
		})
	}
}

// Our own words are in no reason, whatever the language: it is a code, with what
// the platform said or the field's name.
func TestAReasonOfOursIsNoSentence(t *testing.T) {
	t.Parallel()
	platform := func(code int, reason string) error {
		err := models.NewError(models.Unavailable, models.ErrPlatform, "Code", code, "Reason", reason)
		return errors.Join(err, errors.New("something beside"))
	}
	tests := map[string]struct {
		pull           error  // what pulling the followers comes to
		broken         string // what the stored message is changed to
		state          models.BroadcastState
		reason, detail string
	}{
		"the pull is refused":       {pull: platform(48001, "api unauthorized"), state: models.Paused, reason: models.ReasonSync, detail: "48001 api unauthorized"},
		"the pull is not answered":  {pull: platform(0, "no answer in time"), state: models.Paused, reason: models.ReasonSync},
		"the field's rule is new":   {broken: "replace(message, '2006年1月2日 15:04', 'soon')", state: models.Failed, reason: models.ReasonMessage, detail: "time2"},
		"the message is not read":   {broken: "'{'", state: models.Failed, reason: models.ReasonMessage},
		"the variable is not there": {broken: "replace(message, '请相互转告', '{{.Gone}}')", state: models.Failed, reason: models.ReasonMessage, detail: "messages.notice.data.keyword3.value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 3}, unpulled: test.pull != nil, undo: 5 * time.Second})
				a.pull = func(ctx context.Context) error { // after the chat's reply
					return cmp.Or(loop.Sleep(ctx, 10*time.Second), test.pull)
				}
				a.start()
				id := a.ask("", models.AudienceAll)
				if test.broken != "" {
					a.exec("UPDATE broadcasts SET message = "+test.broken+" WHERE id = ?", id)
				}
				b := a.reaches(id, test.state)
				if b.Reason != test.reason || b.Detail != test.detail || b.FinishedAt.IsZero() != (b.State == models.Paused) {
					t.Errorf("%s %q, ended %s", b.Reason, b.Detail, b.FinishedAt)
				}
			})
		})
	}
}

// lines is a log to look into.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// count counts the lines that have all the parts.
func (l *lines) count(parts ...string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		has := true
		for _, p := range parts {
			has = has && strings.Contains(line, p)
		}
		if has {
			n++
		}
	}
	return n
}
