package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/zone"
)

// planned is a broadcast that starts on Friday, 27 November 2026 at 09:00 in Beijing,
// three days from now.
func planned() models.Broadcast {
	at := models.At(time.Date(2026, 11, 27, 9, 0, 0, 0, zone.Beijing))
	return models.Broadcast{
		ID: 7, Name: "notice", Audience: models.AudienceAll, AskedBy: admin, State: models.Scheduled, Recipients: 24_900,
		AskedAt: models.At(now), PlannedStart: at, NotBefore: at,
	}
}

// In whatever way the time is written, in whatever place of the line, it is the engine's.
func TestTheTimeOfABroadcast(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, at, audience, rest string }{
		{"broadcast all notice at 2026-11-27 09:00", "2026-11-27 09:00:00", "all", ""},
		{"broadcast all notice at 11-27 09:00", "2026-11-27 09:00:00", "all", ""},
		{"broadcast all at 09:00 notice", "", "", ""},
		{"broadcast all notice at 09:00", "2026-11-25 09:00:00", "all", ""}, // it is 09:00
		{"broadcast all notice at tomorrow 09:00 again", "2026-11-25 09:00:00", "all", " Again:true"},
		{"broadcast test notice at friday 18:30", "2026-11-27 18:30:00", "test", ""},
		{"broadcast me notice at in 2 hours", "2026-11-24 11:00:00", "me", ""},
		{"broadcast me notice at 6:30 pm", "2026-11-24 18:30:00", "me", ""},
		{"群发全部 notice 定时 明天 9:00", "2026-11-25 09:00:00", "all", ""},
		{"群发全部 notice 定时明天9点", "2026-11-25 09:00:00", "all", ""},
		{"群发全部 notice 再发 定时 周五 18:30", "2026-11-27 18:30:00", "all", " Again:true"},
		{"群发全部notice 定时 11月27日 9点半", "2026-11-27 09:30:00", "all", ""},
		{"群发测试 notice 定时 下周一上午九点", "2026-11-30 09:00:00", "test", ""},
		{"群发自己 notice 定时 今晚８点", "2026-11-24 20:00:00", "me", ""},
		{"群发自己 notice 定时 2小时后", "2026-11-24 11:00:00", "me", ""},
	}
	for _, tt := range tests {
		s := newStage(t, "zh")
		s.asked.Broadcast = planned()
		s.ask(t, admin, tt.text)
		if tt.at == "" {
			s.wantCalls(t)
			continue
		}
		at, err := time.ParseInLocation(time.DateTime, tt.at, zone.Beijing)
		if err != nil {
			t.Fatal(err)
		}
		want := "ask Message:notice Audience:" + tt.audience + " AskedBy:" + admin + " RequestKey:m:1 At:" + at.String() + tt.rest
		if len(s.calls) != 1 || s.calls[0] != want {
			t.Errorf("%q: %q, want %q", tt.text, s.calls, want)
		}
	}
}

func TestRepliesAboutAPlannedStart(t *testing.T) {
	t.Parallel()
	nextYear := models.At(time.Date(2027, 1, 5, 9, 0, 0, 0, zone.Beijing))
	tests := []struct {
		name, language, text string
		change               func(*models.Broadcast)
		want                 string
	}{
		{
			"asked", "zh", "群发全部 定时 周五 9:00", nil,
			"群发 #7 · notice → 24,900 位关注者\n11月27日（周五）09:00（北京时间）开始，还有 3 天；收件人到时会重新统计。\n" +
				"如需停止，请发送：取消 #7\n要改时间，请发送：改期 #7 时间",
		},
		{
			"asked", "en", "broadcast all at friday 09:00", nil,
			"Broadcast #7 · notice → 24,900 followers\nStarts on Friday, 2026-11-27 at 09:00 (Beijing time), in 3 days. The recipients are counted again at the start.\n" +
				"To stop it: broadcast cancel #7\nFor another time: reschedule #7 TIME",
		},
		{
			"asked for next year", "zh", "群发全部 定时 1月5日 9:00", func(b *models.Broadcast) { b.PlannedStart, b.NotBefore = nextYear, nextYear },
			"群发 #7 · notice → 24,900 位关注者\n2027年1月5日（周二）09:00（北京时间）开始，还有 42 天；收件人到时会重新统计。\n" +
				"如需停止，请发送：取消 #7\n要改时间，请发送：改期 #7 时间",
		},
		{
			"to oneself", "en", "broadcast me at friday 09:00", func(b *models.Broadcast) { b.Audience = models.AudienceMe },
			"Broadcast #7 · notice → you\nStarts on Friday, 2026-11-27 at 09:00 (Beijing time), in 3 days. The recipients are counted again at the start.\n" +
				"To stop it: broadcast cancel #7\nFor another time: reschedule #7 TIME",
		},
		{
			"status", "zh", "群发状态", nil,
			"群发 #7 · notice · 全体关注者\n等待开始 · 11月27日（周五）09:00（北京时间）开始，还有 3 天\n如需停止，请发送：取消 #7\n要改时间，请发送：改期 #7 时间",
		},
		{
			"status of a missed one", "en", "status", func(b *models.Broadcast) {
				b.State, b.Reason, b.PlannedStart = models.Paused, models.ReasonMissed, models.At(now.Add(-2*time.Hour))
				b.NotBefore = b.PlannedStart
			},
			"Broadcast #7 · notice · all followers\nPaused · was to start on Tuesday, 2026-11-24 at 07:00 (Beijing time)\n" +
				"It was to start on Tuesday, 2026-11-24 at 07:00 (Beijing time). The server was not running then, or could not reach its database, " +
				"and more than an hour has passed, so it did not start by itself. Nobody got it.\n" +
				"To send it now: broadcast resume #7\nFor another time: reschedule #7 TIME\nTo stop it for good: broadcast cancel #7",
		},
		{
			"pause", "en", "pause #7", func(b *models.Broadcast) { b.State = models.Paused },
			"Broadcast #7 is paused.\nTo go on: broadcast resume #7\nTo stop it for good: broadcast cancel #7\n" +
				"It was to start on Friday, 2026-11-27 at 09:00 (Beijing time); it does not while it is paused.",
		},
		{
			"resume before its time", "zh", "继续 #7", nil,
			"群发 #7 恢复等待，11月27日（周五）09:00（北京时间）开始，还有 3 天。\n如需停止，请发送：取消 #7",
		},
		{
			"resume after its time", "zh", "继续 #7", func(b *models.Broadcast) {
				b.PlannedStart, b.NotBefore = models.At(now.Add(-time.Hour)), models.At(now)
			},
			"群发 #7 原定 11月24日（周二）08:00（北京时间）开始，时间已过，现在就开始。\n如需停止，请发送：取消 #7",
		},
		{
			"resume once it has begun", "en", "resume #7", func(b *models.Broadcast) { b.StartedAt = models.At(now) },
			"Broadcast #7 goes on.",
		},
		{"cancel", "en", "cancel #7", nil, "Broadcast #7 is cancelled. Nobody got it."},
		{
			"reschedule", "zh", "改期 #7 周五 9点", nil,
			"群发 #7 · notice 改为 11月27日（周五）09:00（北京时间）开始，还有 3 天。\n如需停止，请发送：取消 #7",
		},
		{
			"reschedule of a paused one", "en", "reschedule 7 friday 9:00", func(b *models.Broadcast) { b.State = models.Paused },
			"Broadcast #7 · notice is now planned for Friday, 2026-11-27 at 09:00 (Beijing time), but it is paused and does not start by itself.\n" +
				"To let it start then: broadcast resume #7\nTo stop it for good: broadcast cancel #7",
		},
		{
			"schedule", "zh", "日程", nil,
			"等待开始的群发（北京时间），最早的在前。\n改时间：改期 #编号 时间；取消：取消 #编号\n\n#7 notice → 全体关注者 24,900 人\n11月27日（周五）09:00，还有 3 天",
		},
		{
			"schedule", "en", "schedule", func(b *models.Broadcast) { b.State = models.Paused },
			"Waiting to start (Beijing time), the soonest first.\nAnother time: reschedule #id TIME; to stop one: broadcast cancel #id\n\n" +
				"#7 notice → all followers, 24,900\nFriday, 2026-11-27 at 09:00, paused: it does not start by itself",
		},
		{
			"list", "zh", "群发记录", nil,
			"最近的群发，新的在前：\n#7 notice · 全体关注者 · 等待开始 · 0 / 24,900 · 11-24 09:00 · 11月27日（周五）09:00 开始",
		},
	}
	for _, tt := range tests {
		s := newStage(t, tt.language)
		b := planned()
		if tt.change != nil {
			tt.change(&b)
		}
		s.status = broadcast.Status{Broadcast: b}
		s.asked = &broadcast.Created{Broadcast: b, Recipients: b.Recipients}
		s.waiting, s.list = []models.Broadcast{b}, []broadcast.Status{s.status}
		if got := s.ask(t, admin, tt.text); got != tt.want {
			t.Errorf("%s, %s: got:\n%s\nwant:\n%s", tt.name, tt.language, got, tt.want)
		}
	}
}

func TestRescheduleIsTheEngines(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.status.Broadcast = planned()
	for _, text := range []string{"reschedule #7 friday 18:30", "Reschedule 7 at 11-27 18:30", "改期 #7 周五 18:30", "改期7 定时 周五晚上6点半"} {
		s.ask(t, admin, text)
	}
	const want = "reschedule to 2026-11-27 18:30:00 7 by " + admin
	s.wantCalls(t, want, want, want, want)
}

// What is no time is said in words that mend it, and nothing is done.
func TestFaultsOfTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		language, text string
		want           []string
	}{
		{"zh", "群发全部 notice 定时 明天9点钟吧", []string{"「明天9点钟吧」", "周五 18:30", "什么都没做"}},
		{"en", "broadcast all notice at tomorow 9:00", []string{"“tomorow 9:00”", "friday 18:30", "did nothing"}},
		{"zh", "群发全部 notice 定时 明天", []string{"没有写几点", "明天 9:00"}},
		{"en", "broadcast all notice at friday", []string{"which time", "friday 09:00"}},
		{"zh", "群发全部 notice 定时 2月30日 9点", []string{"没有「2月30日 9点」这个时间"}},
		{"en", "broadcast all notice at 24:00", []string{"no such time as “24:00”", "00:00 of the next day"}},
		{"zh", "群发全部 notice 定时 11-23 9:00", []string{"11月23日（周一）09:00", "已经过去"}},
		{"en", "broadcast all notice at today 08:00", []string{"Tuesday, 2026-11-24 at 08:00", "past"}},
		{"zh", "群发全部 notice 定时 2028年1月1日 9:00", []string{"2028年1月1日（周六）09:00", "超过一年"}},
		{"en", "broadcast all notice at 2028-01-01 09:00", []string{"Saturday, 2028-01-01 at 09:00", "year away"}},
		{"en", "broadcast all notice at", []string{"time is missing"}},
		{"en", "reschedule #7", []string{"time is missing"}},
		{"en", "reschedule friday 18:30", []string{"“friday”", "#7"}},
		{"zh", "改期 #7 明天", []string{"没有写几点"}},
		{"en", "reschedule #7 soon", []string{"“soon”"}},
		// With another fault.
		{"en", "broadcast all noitce at tomorow 9:00", []string{"“tomorow 9:00”", "no message “noitce”"}},
		{"zh", "群发全部 闭管 定时 明天", []string{"没有写几点", "没有名为「闭管」的消息"}},
		// What looks like a time where a message's name stands.
		{"zh", "群发全部 notice 明天9点", []string{"「明天9点」像是时间", "定时 明天9点"}},
		{"zh", "群发全部 明天 9点", []string{"「明天 9点」像是时间", "定时 明天 9点"}},
		{"en", "broadcast all friday 18:30", []string{"“friday 18:30” looks like a time", "at friday 18:30"}},
		{"en", "broadcast all notice 9:00", []string{"“9:00” looks like a time", "at 9:00"}},
		{"en", "broadcast all notice agian", []string{"“agian”"}},
	}
	for _, tt := range tests {
		s := newStage(t, tt.language)
		wantAll(t, s.ask(t, admin, tt.text), tt.want...)
		s.wantCalls(t)
	}
}

func TestRefusalsAboutAPlannedStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		language, text string
		err            error
		want           []string
	}{
		{"zh", "群发全部 明天9点", models.NewError(models.Invalid, models.ErrMessageUnknown, "Name", "明天9点"), []string{"没有名为「明天9点」的消息", "定时 明天9点"}},
		{"en", "broadcast all 9:00", models.NewError(models.Invalid, models.ErrMessageUnknown, "Name", "9:00"), []string{"no message “9:00”", "at 9:00"}},
		{"zh", "改期 #7 明天9点", models.NewError(models.Conflict, models.ErrBegun, "ID", int64(7)), []string{"#7 已经开始", "暂停 #7", "取消 #7"}},
		{"en", "reschedule #7 9:00", models.NewError(models.Conflict, models.ErrWrongState, "ID", int64(7), "State", "finished", "Action", "reschedule"), []string{"#7 is finished", "reschedule"}},
		{"zh", "改期 #9 明天9点", models.NewError(models.NotFound, models.ErrBroadcastUnknown, "ID", int64(9)), []string{"没有编号为 #9"}},
	}
	for _, tt := range tests {
		s := newStage(t, tt.language)
		s.err = tt.err
		wantAll(t, s.ask(t, admin, tt.text), tt.want...)
	}
}

func TestAnEmptySchedule(t *testing.T) {
	t.Parallel()
	wantAll(t, newStage(t, "zh").ask(t, admin, "日程"), "群发全部 定时 明天 9:00")
	wantAll(t, newStage(t, "en").ask(t, admin, "schedule"), "broadcast all at tomorrow 09:00")
}

// A schedule that is too long says how many more there are.
func TestALongSchedule(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		for range 100 {
			b := planned()
			b.Name = strings.Repeat("长", 64)
			s.waiting = append(s.waiting, b)
		}
		got := s.ask(t, admin, "schedule")
		shown := strings.Count(got, "#7")
		if shown < 10 || !strings.Contains(got, s.more(100-shown)) {
			t.Errorf("%d shown:\n%s", shown, got)
		}
	}
}

func TestTheReminderOfAPlannedStart(t *testing.T) {
	t.Parallel()
	b := planned()
	b.State, b.StartedAt = models.Running, b.PlannedStart
	st := broadcast.Status{Broadcast: b}
	for language, want := range map[string]string{
		"zh": "群发 #7 · notice 按计划开始，发给全体关注者 24,900 人。\n如需停止，请发送：取消 #7\n先停一停，请发送：暂停 #7",
		"en": "Broadcast #7 · notice has started as planned, to 24,900 recipients (all followers).\nTo stop it: broadcast cancel #7\nTo hold it: broadcast pause #7",
	} {
		s := newStage(t, language)
		if got := s.Notice(notify.Started, st); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		small := st
		small.Warnings = []check.Warning{{Code: check.WarnQuota, Args: map[string]any{"Remain": int64(10_000), "Recipients": int64(24_900), "ResumeAt": now}}}
		wantAll(t, s.Notice(notify.Started, small), want, "10,000")
	}
}

func TestWhyAPlannedBroadcastFailed(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	for detail, want := range map[string]string{"": "no longer has the template", "thing4": "don't fit the message: thing4"} {
		b := planned()
		b.State, b.Reason, b.Detail = models.Failed, models.ReasonTemplate, detail
		wantAll(t, s.Notice(notify.Failed, broadcast.Status{Broadcast: b}), want, "Nobody got it")
	}
}
