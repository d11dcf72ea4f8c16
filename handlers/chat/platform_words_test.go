package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/notify"
)

// errmsg is what the platform says. No reply repeats it.
const errmsg = "xyzzy plugh rid: 65609427"

// Wherever the chat tells of an answer of the platform, it tells what its code means,
// and nothing of the platform's English.
func TestThePlatformsErrorsAreTold(t *testing.T) {
	t.Parallel()
	told := map[string]func(s *stage) string{
		"reason": func(s *stage) string {
			s.status.Broadcast = models.Broadcast{ID: 7, Audience: models.AudienceAll, State: models.Paused, Reason: models.ReasonStreak, Detail: "43116 " + errmsg}
			return s.ask(t, admin, "broadcast status") + s.Notice(notify.Paused, s.status)
		},
		"stall": func(s *stage) string {
			s.status.Broadcast = models.Broadcast{ID: 7, Audience: models.AudienceAll, State: models.Running, Recipients: 9}
			s.status.Stall = &broadcast.Stall{Since: now.Add(-4 * time.Minute), Reason: broadcast.StallUnknown, Detail: "43116 " + errmsg}
			return s.ask(t, admin, "broadcast status") + s.Notice(notify.Stalled, s.status)
		},
		"halted": func(s *stage) string {
			s.err = models.NewError(models.Conflict, models.ErrHalted, "ID", int64(3), "Detail", "43116 "+errmsg)
			return s.ask(t, admin, "broadcast all")
		},
		"refused": func(s *stage) string {
			s.err = models.NewError(models.Unavailable, models.ErrPlatform, "Code", 43116, "Reason", errmsg)
			return s.ask(t, admin, "broadcast all") + s.SyncNotice(followers.SyncResult{}, s.err)
		},
		"tester not checked": func(s *stage) string {
			s.err = models.NewError(models.Unavailable, models.ErrTesterUnchecked, "Code", 43116, "Reason", errmsg)
			return s.ask(t, admin, "testers add "+follower)
		},
	}
	want := map[string]string{"zh": "模板被封禁（微信错误码 43116）", "en": "The template is banned (WeChat error 43116)"}
	for name, tell := range told {
		for _, language := range lang.Languages {
			got := tell(newStage(t, language))
			if !strings.Contains(got, want[language]) || strings.Contains(got, "xyzzy") {
				t.Errorf("%s, %s:\n%s", name, language, got)
			}
		}
	}
}

// A call that brought no answer is told in the chat's language, too.
func TestMissingAnswersAreTold(t *testing.T) {
	t.Parallel()
	for noted, want := range map[string][2]string{
		"no answer in time":                       {"（没有及时应答）", "(no answer in time)"},
		"the answer is not the platform's JSON":   {"（应答不是微信的格式）", "(the answer is not WeChat's JSON)"},
		"HTTP 502":                                {"（HTTP 502）", "(HTTP 502)"},
		"get access token: HTTP 503":              {"（HTTP 503）", "(HTTP 503)"},
		"dial tcp 1.2.3.4:443: no route, unheard": {"微信接口没有正常应答。", "(dial tcp 1.2.3.4:443: no route, unheard)"},
		"": {"微信接口没有正常应答。", "WeChat's API gives no usable answer."},
		"dial tcp 1.2.3.4:443: connect: connection refused": {"（连接被拒绝）", "(the connection is refused)"},
	} {
		for i, language := range []string{"zh", "en"} {
			s := newStage(t, language)
			s.status.Broadcast = models.Broadcast{ID: 7, Audience: models.AudienceAll, State: models.Running, Recipients: 9}
			s.status.Stall = &broadcast.Stall{Since: now.Add(-4 * time.Minute), Reason: broadcast.StallNoAnswer, Detail: noted}
			wantAll(t, s.ask(t, admin, "broadcast status"), want[i])
		}
	}
}

// What an admin did is told as such, and calls whose outcome is open are not said to
// be under way while nothing is sent.
func TestWhatAnAdminDidIsTold(t *testing.T) {
	t.Parallel()
	for state, want := range map[models.BroadcastState]map[string][]string{
		models.Paused:    {"zh": {"管理员已暂停。", "待确认 36"}, "en": {"An admin paused it.", "not settled 36"}},
		models.Cancelled: {"zh": {"管理员已取消（09:00）。", "待确认 36"}, "en": {"An admin cancelled it at 09:00.", "not settled 36"}},
		models.Running:   {"zh": {"发送中 36"}, "en": {"under way 36"}},
	} {
		for _, language := range lang.Languages {
			s := newStage(t, language)
			b := sample()
			b.State, b.Reason = state, models.ReasonAdmin
			if state == models.Cancelled {
				b.FinishedAt = models.At(now)
			}
			s.status = broadcast.Status{Broadcast: b, Counts: models.Counts{Accepted: 1_000, Sending: 36}}
			wantAll(t, s.ask(t, admin, "broadcast status #7"), want[language]...)
		}
	}
}

// A value of the wrong form is answered with what the field takes.
func TestEachFieldTypeSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		l := newStage(t, language).locale
		for _, kind := range []string{
			"character_string", "number", "letter", "symbol", "time", "date", "amount", "phone_number", "car_number", "name", "phrase",
		} {
			if !l.Has("field.like." + kind) {
				t.Errorf("%s: nothing says what a %s takes", language, kind)
			}
		}
	}
}
