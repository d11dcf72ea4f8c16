package chat

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/notify"
)

func TestARefusedRepetitionTellsWhatBecameOfTheFirst(t *testing.T) {
	t.Parallel()
	sent := models.Counts{Accepted: 700, Delivered: 10, Blocked: 5, Uncertain: 1}
	ended := models.At(now.Add(-3 * time.Hour))
	tests := []struct {
		name   string
		b      models.Broadcast
		counts models.Counts
		en, zh string
	}{
		{
			"in its undo window",
			models.Broadcast{State: models.Scheduled, NotBefore: models.At(now.Add(8 * time.Second))},
			models.Counts{},
			"“notice” is about to go out already, as #7, in 8 s, so I started no second one. To stop it: broadcast cancel #7",
			"「notice」已在等待开始（#7，8 秒后开始），没有再建一次。如需停止，请发送：取消 #7",
		},
		{
			"running",
			models.Broadcast{State: models.Running},
			sent,
			"“notice” is going out already, as #7: 716 of 25,000 so far, so I started no second one. Where it stands: broadcast status #7",
			"「notice」正在群发（#7，已发 716 / 25,000），没有再建一次。查看进度：群发状态 #7",
		},
		{
			"paused",
			models.Broadcast{State: models.Paused},
			sent,
			"“notice” is paused, as #7: 716 of 25,000 so far, so I started no second one.\n" +
				"To go on with the others: broadcast resume #7\nTo stop it for good: broadcast cancel #7",
			"「notice」已暂停（#7，已发 716 / 25,000），没有再建一次。\n要接着发给其他人，请发送：继续 #7\n不再发，请发送：取消 #7",
		},
		{
			"paused until the quota is reset",
			models.Broadcast{State: models.Paused, ResumeAt: models.At(time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC))},
			sent,
			"“notice” is paused, as #7: 716 of 25,000 so far, so I started no second one. It goes on by itself at 11-25 00:00 (Beijing).\n" +
				"To go on with the others: broadcast resume #7\nTo stop it for good: broadcast cancel #7",
			"「notice」已暂停（#7，已发 716 / 25,000），没有再建一次。11-25 00:00（北京时间）自动继续。\n要接着发给其他人，请发送：继续 #7\n不再发，请发送：取消 #7",
		},
		{
			"finished",
			models.Broadcast{State: models.Finished, FinishedAt: ended},
			sent,
			"“notice” went out already, as #7: to 716 of 25,000, 3 h ago. To send it to everyone once more: broadcast all notice again",
			"「notice」在 3 小时前已经群发过（#7，716 / 25,000）。确要给全体再发一遍：群发全部 notice 再发",
		},
		{
			"cancelled",
			models.Broadcast{State: models.Cancelled, FinishedAt: ended},
			sent,
			"“notice” was cancelled 3 h ago, as #7, at 716 of 25,000. Sent to everyone again, it reaches those 716 twice. " +
				"To do so all the same: broadcast all notice again",
			"「notice」在 3 小时前已取消（#7），发到 716 / 25,000。给全体再发，这 716 人会收到两次。确要再发：群发全部 notice 再发",
		},
		{
			"stopped",
			models.Broadcast{State: models.Failed, FinishedAt: ended},
			sent,
			"“notice” stopped itself 3 h ago, as #7, at 716 of 25,000. Sent to everyone again, it reaches those 716 twice. " +
				"To do so all the same: broadcast all notice again",
			"「notice」在 3 小时前已中止（#7），发到 716 / 25,000。给全体再发，这 716 人会收到两次。确要再发：群发全部 notice 再发",
		},
	}
	for _, tt := range tests {
		for language, want := range map[string]string{"en": tt.en, "zh": tt.zh} {
			t.Run(tt.name+" "+language, func(t *testing.T) {
				t.Parallel()
				b := tt.b
				b.ID, b.Name, b.Recipients = 7, "notice", 25_000
				s := newStage(t, language)
				b.Audience = models.AudienceAll
				s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice",
					"Status", broadcast.Status{Broadcast: b, Counts: tt.counts})
				if got := s.ask(t, admin, "broadcast all"); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// Whoever says the word again is taught to say it of the same people, with the same
// changes and at the same time.
func TestARefusedRepetitionTeachesTheSameCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ language, asked, want string }{
		{"en", "broadcast all", "To send it to everyone once more: broadcast all notice again"},
		{"en", "broadcast all party at tomorrow 09:00\nthing1=closed", "broadcast all party again at tomorrow 09:00\nthing1=closed"},
		{"zh", "群发全部 通知 定时 明天 9点\n通知内容＝周四闭馆\nurl=https://a.example/1", "群发全部 通知 再发 定时 明天 9点\n通知内容=周四闭馆\nurl=https://a.example/1"},
		{"en", "broadcast reached #3", "twice. To do so all the same: broadcast reached #3 notice again"},
		{"zh", "群发已达 3 “周三 通知”", "会收到两次。确要再发：群发已达 #3 “周三 通知” 再发"},
		{"en", "broadcast rest #3 party\nthing1=closed", "broadcast rest #3 party again\nthing1=closed"},
	} {
		s := newStage(t, tt.language)
		b := models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, Recipients: 25_000, State: models.Finished, FinishedAt: models.At(now.Add(-time.Hour))}
		s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice",
			"Status", broadcast.Status{Broadcast: b})
		got := s.ask(t, admin, tt.asked)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got:\n%s", tt.asked, got)
		}
		taught := tt.want
		for _, colon := range []string{"same: ", "more: ", "再发："} {
			if _, after, found := strings.Cut(taught, colon); found {
				taught = after
			}
		}
		want, cmd := Parse(tt.asked), Parse(taught)
		want.Again, want.Message = true, cmd.Message // a default has its name
		if diff := cmp.Diff(want, cmd); diff != "" {
			t.Errorf("%q says something else (-asked +taught):\n%s", taught, diff)
		}
	}
}

func TestACancelCountsTheCallsUnderWay(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.status.Broadcast = models.Broadcast{ID: 7, Recipients: 25_000, StartedAt: models.At(now)}
	s.status.Counts = models.Counts{Delivered: 716}
	want := "Broadcast #7 is cancelled: WeChat took 716 of 25,000 so far. Nobody else gets it; for the counts: broadcast status #7\n" +
		"To send it to the other 24,284 (nobody gets it twice): broadcast rest #7\n" +
		"To send a correction to the 716 who got it: broadcast reached #7 MESSAGE"
	if got := s.ask(t, admin, "cancel #7"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	s.onTheWay = 64
	wantAll(t, s.ask(t, admin, "cancel #7"), "716 of 25,000 so far. Up to 64 more are on their way and can't be called back. Nobody else gets it")
}

func TestALateReplyTellsWhatBecameOfTheRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	b := sample()
	b.NotBefore, b.AskedAt = models.At(now.Add(4*time.Second)), models.At(now.Add(-6*time.Second))
	wantAll(t, s.LateReply(&broadcast.Created{Broadcast: b, Recipients: 24_900}, nil),
		"it was taken.\nBroadcast #7 · notice → 24,900 followers\nStarts in 4 s. To stop it: broadcast cancel #7")
	wantAll(t, s.LateReply(nil, errors.New("connection lost")), "not taken", "ask for it again")
	wantAll(t, s.LateReply(nil, models.NewError(models.Conflict, models.ErrNoTesters)), "not taken", "The test list is empty")
}

func TestACommandThatMayHaveSucceededIsNotReportedAsFailed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"pause #7", "resume #7", "cancel #7", "stop", "start", "testers remove oAbCdEfGhIjKlMnOpQrStUvWxYz1"} {
		s := newStage(t, "en")
		s.err = errors.New("invalid connection")
		reply, remember, err := s.Reply(t.Context(), admin, text, "m:1")
		if err != nil || remember {
			t.Errorf("%s: remember %t, %v", text, remember, err)
		}
		wantAll(t, reply, "I don't know whether that is done", "send it again")
	}
}

func TestRecipientsWhoWithdrewAreCounted(t *testing.T) {
	t.Parallel()
	b := models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Finished, Recipients: 718, AskedFor: 1_001}
	st := broadcast.Status{Broadcast: b, Counts: models.Counts{Delivered: 718}}
	for language, want := range map[string]string{
		"en": "Of the 1,001 asked for, 283 opted out or left before their turn.",
		"zh": "原定 1,001 人，其中 283 人在轮到之前已退订或取消关注。",
	} {
		s := newStage(t, language)
		s.status = st
		wantAll(t, s.ask(t, admin, "status #7"), want)
		wantAll(t, s.Notice(notify.Finished, st), want)
	}
}

// What a refusal teaches goes to the same people, at the same time, with the same words
// as what was asked for: never to everyone, never at once.
func TestARefusedRepetitionTeachesTheCommandThatWasAskedFor(t *testing.T) {
	t.Parallel()
	b := models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, Recipients: 25_000, State: models.Finished, FinishedAt: models.At(now.Add(-time.Hour))}
	for _, tt := range []struct{ language, text, want string }{
		{"zh", "群发全部 notice 定时 明天9点\n通知内容：闭馆\nurl=https://a.example/?b=c", "群发全部 notice 再发 定时 明天9点\n通知内容=闭馆\nurl=https://a.example/?b=c"},
		{"zh", "群发已达 #7", "收到过的人会收到两次。确要再发：群发已达 #7 notice 再发"},
		{"zh", "群发其余 #7 “早 报” 定时 周五 18:30", "群发其余 #7 “早 报” 再发 定时 周五 18:30"},
		{"zh", "群发全部\n通知内容=" + strings.Repeat("长", 200), "请在原来那条指令的消息名后面加上「再发」"},
		{"en", "rest #7", "broadcast rest #7 again"},
		{"en", "broadcast all at tomorrow 09:00", "broadcast all notice again at tomorrow 09:00"},
		{"en", "reached #7 other\nthing1=x", "Whoever got it would get it twice. To do so all the same: broadcast reached #7 other again\nthing1=x"},
	} {
		s := newStage(t, tt.language)
		s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice",
			"Status", broadcast.Status{Broadcast: b, Counts: models.Counts{Accepted: 700}})
		if got := s.ask(t, admin, tt.text); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got:\n%s\nwant at its end:\n%s", tt.text, got, tt.want)
		}
	}
	s := newStage(t, "zh")
	late := models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice", "Status", broadcast.Status{Broadcast: b})
	if got := s.LateReply(nil, late); strings.Contains(got, "群发全部") || !strings.Contains(got, "「再发」") {
		t.Errorf("a late refusal teaches:\n%s", got)
	}
}

// Only what is paused can go on.
func TestAWaitingRestIsNotToBeResumed(t *testing.T) {
	t.Parallel()
	for state, resumes := range map[models.BroadcastState]bool{models.Scheduled: false, models.Running: false, models.Paused: true} {
		s := newStage(t, "zh")
		s.err = models.NewError(models.Conflict, models.ErrRestRunning, "ID", int64(7), "Rest", int64(8), "State", string(state))
		if got := s.ask(t, admin, "群发其余 #7"); strings.Contains(got, "继续 #8") != resumes {
			t.Errorf("%s:\n%s", state, got)
		}
	}
}

// What was not answered in time may be carried out later, so the sender of a command that
// changes something is not told that it failed. Others are told the same whatever they write.
func TestWhatWasNotAnsweredInTimeMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	for _, tt := range []struct{ who, text, want string }{
		{admin, "消息 设置 闭馆\n复制=notice", "还不知道刚才的操作是否成功"},
		{admin, "取消 #7", "还不知道刚才的操作是否成功"},
		{admin, "停", "还不知道是否已经暂停"},
		{admin, "群发自己", "没有成功"},
		{admin, "消息", "没有成功"},
		{follower, "退订", "还不知道刚才的操作是否成功"},
		{follower, "消息 设置 闭馆\n复制=notice", "没有成功"},
		{follower, "停", "没有成功"},
		{follower, "你好", "没有成功"},
	} {
		wantAll(t, s.Busy(t.Context(), tt.who, tt.text), tt.want)
	}
}

// A moment passes between the question and the stored start: nobody is told of a start in 0 s.
func TestAStartAtOnceIsNotCountedInSeconds(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	for _, tt := range []struct {
		wait          time.Duration
		reply, status string
	}{
		{0, "It starts now", "starts any moment"},
		{400 * time.Millisecond, "It starts now", "starts any moment"},
		{600 * time.Millisecond, "Starts in 1 s", "starts in 1 s"},
	} {
		b := models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Scheduled, NotBefore: models.At(now.Add(tt.wait))}
		wantAll(t, s.LateReply(&broadcast.Created{Broadcast: b, Recipients: 3}, nil), tt.reply)
		wantAll(t, s.progress(broadcast.Status{Broadcast: b}), tt.status)
	}
}
