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
	"wechat-broadcast/zone"
)

// The quiet hours end on Wednesday, 25 November 2026 at 08:00 in Beijing.
var quietEnd = models.At(time.Date(2026, 11, 25, 8, 0, 0, 0, zone.Beijing))

// quieted is a broadcast that waits for the end of the quiet hours.
func quieted() models.Broadcast {
	return models.Broadcast{
		ID: 7, Name: "notice", Audience: models.AudienceAll, AskedBy: admin, State: models.Scheduled, Recipients: 24_900,
		AskedAt: models.At(now), NotBefore: quietEnd, Reason: models.ReasonQuiet,
	}
}

func TestNowGoesOnInTheQuietHours(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"resume #7 now": "resume now 7", "RESUME 7 NOW": "resume now 7", "resume now": "resume now 0", "resume now #7": "resume now 7",
		"broadcast resume #7 now": "resume now 7", "继续 #7 现在": "resume now 7", "继续7 现在": "resume now 7", "继续 现在": "resume now 0",
		"继续 ＃７　现在": "resume now 7", "resume #7\nnow": "resume now 7",
		"resume #7": "resume 7", "继续": "resume 0",
		"resume #7 now please": "", "resume #7 again": "", "pause #7 now": "", "cancel #7 now": "", "暂停 #7 现在": "", "status now": "",
	}
	for text, want := range tests {
		s := newStage(t, "zh")
		s.status.Broadcast = sample()
		s.ask(t, admin, text)
		if want == "" {
			s.wantCalls(t)
			continue
		}
		if len(s.calls) != 1 || s.calls[0] != want+" by "+admin {
			t.Errorf("%q: %q, want %q", text, s.calls, want)
		}
	}
}

func TestRepliesAboutQuietHours(t *testing.T) {
	t.Parallel()
	plan := func(b *models.Broadcast) {
		b.PlannedStart = models.At(time.Date(2026, 11, 24, 23, 0, 0, 0, zone.Beijing))
	}
	begun := func(b *models.Broadcast) { b.StartedAt = models.At(now.Add(-time.Hour)) }
	pausedFor := func(b *models.Broadcast) {
		begun(b)
		b.State, b.ResumeAt, b.NotBefore = models.Paused, quietEnd, models.At(now.Add(-time.Hour))
	}
	tests := []struct {
		text   string
		change func(*models.Broadcast)
		en, zh []string
	}{
		{
			"broadcast all", nil,
			[]string{"Quiet hours: it starts by itself", "Beijing time", "08:00", "broadcast cancel #7", "broadcast resume #7 now"},
			[]string{"正值免打扰时段", "11月25日（周三）08:00", "取消 #7", "继续 #7 现在"},
		},
		{
			"broadcast all at 23:00", plan,
			[]string{"Planned for", "23:00", "08:00", "broadcast resume #7 now"},
			[]string{"原定 11月24日（周二）23:00", "11月25日（周三）08:00", "继续 #7 现在"},
		},
		{
			"resume #7", nil,
			[]string{"Quiet hours: broadcast #7 starts by itself", "08:00", "broadcast resume #7 now"},
			[]string{"现在是免打扰时段", "自动开始", "继续 #7 现在"},
		},
		{
			"resume #7", begun,
			[]string{"goes on by itself"},
			[]string{"自动继续", "继续 #7 现在"},
		},
		{
			"reschedule #7 23:00", plan,
			[]string{"is planned for", "23:00", "quiet hours", "08:00", "broadcast resume #7 now"},
			[]string{"改为 11月24日（周二）23:00", "免打扰时段", "11月25日（周三）08:00", "继续 #7 现在"},
		},
		{
			"status #7", nil,
			[]string{"starts by itself on", "08:00", "Nothing is sent in the quiet hours.", "broadcast resume #7 now"},
			[]string{"08:00（北京时间）自动开始", "免打扰时段内不发送", "继续 #7 现在"},
		},
		{
			"status #7", pausedFor,
			[]string{"Paused", "Nothing is sent in the quiet hours.", "It goes on by itself on", "08:00", "broadcast resume #7 now"},
			[]string{"已暂停", "免打扰时段内不发送", "08:00（北京时间）自动继续", "继续 #7 现在"},
		},
		{"schedule", nil, []string{"08:00", "waits for the end of the quiet hours"}, []string{"08:00", "等免打扰时段结束"}},
		{"broadcast list", nil, []string{"08:00"}, []string{"08:00"}},
	}
	for _, tt := range tests {
		for _, language := range lang.Languages {
			s := newStage(t, language)
			b := quieted()
			if tt.change != nil {
				tt.change(&b)
			}
			s.asked.Broadcast, s.status.Broadcast, s.waiting, s.list = b, b, []models.Broadcast{b}, []broadcast.Status{{Broadcast: b}}
			want := tt.en
			if language == "zh" {
				want = tt.zh
			}
			wantAll(t, s.ask(t, admin, tt.text), want...)
		}
	}
}

// Whoever overrules the quiet hours is told that they did, if there are any.
func TestTheReplyToNow(t *testing.T) {
	t.Parallel()
	hours := zone.Hours{From: 22 * time.Hour, To: 8 * time.Hour}
	for _, anyHour := range []bool{true, false} {
		for _, quiet := range []zone.Hours{hours, {}} {
			s := newStage(t, "zh")
			s.asked.Broadcast, s.asked.Quiet = sample(), quiet
			s.asked.Broadcast.AnyHour = anyHour
			reply := s.ask(t, admin, "群发全部 现在")
			if told := strings.Contains(reply, "不受免打扰时段（22:00-08:00）限制"); told != (anyHour && !quiet.None()) {
				t.Errorf("overruled %t, hours %q:\n%s", anyHour, quiet, reply)
			}
		}
	}
}

// A refusal that proposes the command again proposes it with the word now, too.
func TestAgainKeepsNow(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(3), "Name", "notice",
		"Status", broadcast.Status{Broadcast: models.Broadcast{ID: 3, Name: "notice", Audience: models.AudienceAll, State: models.Finished, FinishedAt: models.At(now.Add(-time.Hour))}})
	wantAll(t, s.ask(t, admin, "群发全部 notice 现在"), "群发全部 notice 再发 现在")
}

func TestThoseWhoWereSkippedAreTold(t *testing.T) {
	t.Parallel()
	b := sample()
	b.State, b.FinishedAt, b.Recipients = models.Finished, models.At(now), 1000
	st := broadcast.Status{Broadcast: b, Counts: models.Counts{Delivered: 960, Skipped: 40}}
	for language, want := range map[string][3]string{
		"zh": {"跳过 40", "跳过（最近收到的群发已达上限）：40", "1,000 / 1,000（100%）"},
		"en": {"skipped 40", "Skipped, had as many broadcasts as allowed lately: 40", "1,000 of 1,000 (100%)"},
	} {
		s := newStage(t, language)
		s.status, s.list = st, []broadcast.Status{st}
		wantAll(t, s.ask(t, admin, "status #7"), want[0], want[2])
		wantAll(t, s.ask(t, admin, "broadcast list"), want[0])
		notice := s.Notice(notify.Finished, st)
		wantAll(t, notice, want[1])
		st := st
		st.Counts = models.Counts{Skipped: 1000}
		wantAll(t, s.Notice(notify.Finished, st), strings.Replace(want[1], "40", "1,000", 1))
	}
}

func TestWhoIsAtTheCap(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{
		"zh": {"11月25日（周三）08:00（北京时间）之前的群发不会收到", "最多收 3 次", "#7 notice · 跳过，最近收到的群发已达上限"},
		"en": {"Gets no broadcast before", "08:00 (Beijing time)", "at most 3 within", "#7 notice · skipped, had as many"},
	} {
		s := newStage(t, language)
		s.known = &followers.Known{
			Recipient:   models.Recipient{ID: 1, OpenID: follower, Subscribed: true},
			CappedUntil: quietEnd.Time, Cap: models.Cap{Max: 3, Within: 24 * time.Hour},
			Sent: []models.Sent{{Delivery: models.Delivery{BroadcastID: 7, State: models.Skipped, Detail: models.DetailCap, UpdatedAt: models.At(now)}, Name: "notice"}},
		}
		reply := s.ask(t, admin, "who "+follower)
		wantAll(t, reply, want...)
		t.Log(reply)
	}
}
