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
		{"en", "broadcast reached #3", "second time. To send it to them all the same: broadcast reached #3 again"},
		{"zh", "群发已达 3 “周三 通知”", "再次收到同样的内容。确要发给他们：群发已达 #3 “周三 通知” 再发"},
		{"en", "broadcast rest #3 party\nthing1=closed", "broadcast rest #3 party again\nthing1=closed"},
	} {
		s := newStage(t, tt.language)
		b := models.Broadcast{ID: 7, Name: "notice", Recipients: 25_000, State: models.Finished, FinishedAt: models.At(now.Add(-time.Hour))}
		s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice", "To", models.AudienceAll, "Of", int64(0),
			"Status", broadcast.Status{Broadcast: b})
		got := s.ask(t, admin, tt.asked)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got:\n%s", tt.asked, got)
		}
		taught := tt.want
		for _, colon := range []string{"same: ", "more: ", "他们："} {
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
	s := newStage(t, "en")
	wantAll(t, s.LateReply(nil, models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice",
		"To", models.AudienceReached, "Of", int64(3))), "To send it once more: broadcast reached #3 notice again")
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
