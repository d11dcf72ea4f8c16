package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/wechat"
)

// canaryOf is a broadcast to 5,000 people of whom 50 are tried first.
func canaryOf(change func(b *models.Broadcast)) models.Broadcast {
	b := models.Broadcast{
		ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Scheduled, Canary: 50, Recipients: 5000,
		AskedAt: models.At(now), NotBefore: models.At(now.Add(10 * time.Second)), Intercepted: -1,
	}
	change(&b)
	return b
}

func tried(b *models.Broadcast) {
	b.State, b.Reason, b.CanarySegment = models.Paused, models.ReasonCanary, 3
	b.StartedAt, b.CanaryAt = models.At(now.Add(-time.Minute)), models.At(now)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text+"\n", "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
	if len(text) > wechat.MaxText {
		t.Errorf("%d bytes", len(text))
	}
}

func TestTheReplyToACanarySaysHowManyAreTriedFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change    func(b *models.Broadcast)
		syncFirst bool
		en, zh    string
	}{
		"some": {
			change: func(*models.Broadcast) {},
			en:     "50 of them are tried first; then it pauses, you are told what came of it, and the others get it only after: broadcast resume #7",
			zh:     "先试发 50 人，然后暂停并告诉你结果；其余的人要等你发送：继续 #7",
		},
		"one": {
			change: func(b *models.Broadcast) { b.Canary = 1 },
			en:     "1 of them is tried first; then it pauses, you are told what came of it, and the others get it only after: broadcast resume #7",
			zh:     "先试发 1 人，然后暂停并告诉你结果；其余的人要等你发送：继续 #7",
		},
		"nobody counted yet": {
			change: func(b *models.Broadcast) { b.Canary, b.Recipients = models.CanaryAsSet, 0 }, syncFirst: true,
			en: "Some of them are tried first; then it pauses, you are told what came of it, and the others get it only after: broadcast resume #7",
			zh: "先试发一部分人，然后暂停并告诉你结果；其余的人要等你发送：继续 #7",
		},
		"too few": {
			change: func(b *models.Broadcast) { b.Canary, b.Recipients = models.CanaryAsSet, 40 },
			en:     "They are so few that there is nobody to try first, so it goes to all of them at once.",
			zh:     "人数太少，不用试发，直接发给全部。",
		},
		"too few, planned": {
			change: func(b *models.Broadcast) {
				b.Canary, b.Recipients = models.CanaryAsSet, 40
				b.PlannedStart = models.At(now.Add(time.Hour))
				b.NotBefore = b.PlannedStart
			},
			en: "They are so few that there is nobody to try first. If they still are at the start, it goes to all of them at once.",
			zh: "目前人数太少，不用试发；到时如果还是这么少，就直接发给全部。",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := canaryOf(test.change)
			for language, want := range map[string]string{"en": test.en, "zh": test.zh} {
				s := newStage(t, language)
				s.asked = &broadcast.Created{Broadcast: b, Recipients: b.Recipients, SyncFirst: test.syncFirst}
				wantLines(t, s.askedText(s.asked, now), want)
			}
		})
	}
}

func TestTheReportOnACanary(t *testing.T) {
	t.Parallel()
	st := broadcast.Status{
		Broadcast: canaryOf(func(b *models.Broadcast) { tried(b); b.Intercepted = 2 }),
		Counts: models.Counts{
			Delivered: 30, Accepted: 5, Blocked: 1, Failed: 6, Uncertain: 1, Sending: 3, Deferred: 3, Skipped: 2,
		},
		Price: models.Price{Left: 1, OptedOut: 2},
		Failures: []models.Failures{
			{State: models.FailedFor, ErrCode: 43101, N: 3},
			{State: models.FailedFor, Detail: "failed: system failed", N: 2},
			{State: models.Uncertain, N: 1},
			{State: models.FailedFor, Detail: "said stop or left before the next call", N: 1},
		},
	}
	common := map[string][]string{
		"en": {
			"– 3 ×: The recipient refuses this template (WeChat error 43101)", "– 2 ×: WeChat could not deliver it", "– 1 ×: it could not be sent to this person",
			"Skipped by the cap on messages per person: 2", "Not tried, opted out or left before their turn: 2", "Intercepted by WeChat: 2",
		},
		"zh": {
			"– 3 人：对方拒收这个模板（微信错误码 43101）", "– 2 人：微信未能送达", "– 1 人：没能发给这些人",
			"达到每人上限，跳过：2", "轮到之前已退订或取消关注，没有发：2", "被微信拦截：2",
		},
	}
	notices := map[string][]string{
		"en": {
			"Broadcast #7 · notice: the canary of 50 (of 5,000) was tried, and it is paused.", "Delivered: 30", "Accepted, no receipt yet: 5", "Blocked by the recipient: 1", "Failed: 6\n– 3 ×: The recipient refuses this template (WeChat error 43101)",
			"Uncertain, may have arrived: 1", "So far 1 unfollowed and 2 opted out after it.", "To send it to the other 4,950: broadcast resume #7", "To stop it for good: broadcast cancel #7",
		},
		"zh": {
			"群发 #7 · notice 已试发 50 人（共 5,000 人），现在暂停。", "已送达：30", "已受理，还没收到送达回报：5", "对方拒收：1", "失败：6", "不确定，可能已送达：1",
			"暂缓（最近发得太频繁）：3", "到目前为止，收到后取消关注 1 人，退订 2 人。", "要发给其余 4,950 人，请发送：继续 #7", "要取消，请发送：取消 #7",
		},
	}
	statuses := map[string][]string{
		"en": {"Canary: tried on 50 of 5,000", "The first recipients were tried. It goes on only when an admin says so.", "To go on: broadcast resume #7", "To stop it for good: broadcast cancel #7"},
		"zh": {"试发：5,000 人中的 50 人", "已先试发一部分人，管理员确认后才继续。", "要继续，请发送：继续 #7", "要取消，请发送：取消 #7"},
	}
	for language, lines := range common {
		s := newStage(t, language)
		wantLines(t, s.Notice(notify.Paused, st), append(notices[language], lines...)...)
		wantLines(t, s.statusText(st), append(statuses[language], lines...)...)
		if s.statusText(st) == "" || strings.Contains(s.Notice(notify.Paused, broadcast.Status{Broadcast: canaryOf(tried)}), "-1") {
			t.Error("an unknown count is told")
		}
	}
}

func TestWhatIsSaidOfACanaryOnItsWay(t *testing.T) {
	t.Parallel()
	running := canaryOf(func(b *models.Broadcast) {
		b.State, b.CanarySegment, b.StartedAt = models.Running, 3, models.At(now.Add(-time.Second))
	})
	stopped := running
	stopped.State, stopped.Reason = models.Paused, models.ReasonAdmin
	goesOn := canaryOf(tried)
	goesOn.State, goesOn.Reason = models.Scheduled, ""
	planned := canaryOf(func(b *models.Broadcast) {
		b.PlannedStart = models.At(now.Add(time.Hour))
		b.NotBefore = b.PlannedStart
	})
	counts := models.Counts{Accepted: 12, Sending: 3}
	for language, want := range map[string][]string{
		"en": {
			"Canary: 12 of 50 tried. At its end it pauses; the others get it only after: broadcast resume #7",
			"Broadcast #7 goes on with its canary. At the end of that it pauses; the others get it only after another: broadcast resume #7",
			"Broadcast #7 now goes to the other 4,950.\nTo stop it: broadcast cancel #7",
			" · canary of 50", " · canary tried, waits for broadcast resume #7",
		},
		"zh": {
			"试发：12/50。试发完会暂停，其余的人要等你发送：继续 #7",
			"群发 #7 接着试发。试发完会再暂停，其余的人要等你再次发送：继续 #7",
			"群发 #7 开始发给其余 4,950 人。\n如需停止，请发送：取消 #7",
			" · 试发 50 人", " · 已试发，等「继续 #7」",
		},
	} {
		s := newStage(t, language)
		wantLines(t, s.statusText(broadcast.Status{Broadcast: running, Counts: counts}), want[0])
		wantLines(t, s.statusText(broadcast.Status{Broadcast: stopped, Counts: counts}), want[0])
		if got := s.resumedText(stopped); got != want[1] {
			t.Errorf("resumed in its canary: %q", got)
		}
		if got := s.resumedText(goesOn); got != want[2] {
			t.Errorf("resumed after its canary: %q", got)
		}
		if got := s.canaryMark(planned); got != want[3] {
			t.Errorf("in a list: %q", got)
		}
		if got := s.canaryMark(canaryOf(tried)); got != want[4] {
			t.Errorf("in a list, waiting: %q", got)
		}
		s.waiting, s.list = []models.Broadcast{planned}, []broadcast.Status{{Broadcast: canaryOf(tried)}}
		for command, mark := range map[string]string{"schedule": want[3], "broadcast list": want[4]} {
			if got := s.ask(t, admin, command); !strings.Contains(got, mark) {
				t.Errorf("%s:\n%s", command, got)
			}
		}
		ended := goesOn
		ended.State, ended.PlannedAt = models.Finished, models.At(now)
		if text := s.statusText(broadcast.Status{Broadcast: ended}) + s.canaryMark(ended); strings.Contains(text, "anary") || strings.Contains(text, "试发") {
			t.Errorf("of one that has ended:\n%s", text)
		}
	}
}

func TestWhatACanaryIsAskedFor(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"broadcast all canary": true, "群发全部 试发": true, "broadcast all notice canary at tomorrow 9:00": true, "rest #7 canary": true,
		"reached #7 notice canary": true, "retry #7 canary": true, "重发 #7 试发": true, "retry #7": false, "broadcast topic lectures canary": true,
	} {
		if cmd := Parse(line); cmd.Fault != "" || cmd.Canary != want {
			t.Errorf("%s: %+v", line, cmd)
		}
	}
	if cmd := Parse("retry #7 canaries"); cmd.Fault != FaultExtra {
		t.Errorf("%+v", cmd)
	}
	s := newStage(t, "en")
	again := s.again(Parse("broadcast all notice canary at tomorrow 9:00"), "notice")
	if again != "broadcast all notice again canary at tomorrow 9:00" {
		t.Errorf("to send it once more: %q", again)
	}
	// Both faults of a line are told.
	text := s.ask(t, admin, "broadcast test canary at nonsense")
	if !strings.Contains(text, "nonsense") || !strings.Contains(text, "leave the word out") {
		t.Errorf("two faults:\n%s", text)
	}
}
