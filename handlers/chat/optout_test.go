package chat

import (
	"slices"
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/broadcast"
)

// What people write to leave, as they write it.
func TestWhatPeopleWriteToLeaveOptsThemOut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"TD", "td", "ＴＤ", "T", "t", "退", "退订", "退订。", "退订！", "退 订", " 退订\n", "「退订」", "【退订】", "“退订”", "退订~", "退订!!!", "退\u200b订",
		"回复TD", "我要退订", "我 要 退 订 ！", "取消订阅", "取消订阅。", "我要取消订阅", "不要再发了", "不要再发了！！", "别再发了", "不想收了", "取消推送", "关闭推送", "屏蔽", "拒收", "别发了", "停发！",
		"stop", "STOP", "Stop.", "stop!", "ｓｔｏｐ", "unsubscribe", "Unsubscribe.", "UNSUBSCRIBE ME", "please unsubscribe", "quit", "Quit.", "stop all", "STOPALL",
		"opt out", "Opt-out", "optout", "remove me", "Remove me!", "cancel subscription", "cancel my subscription", "don't send me messages", "Don’t send me messages!", "leave me alone",
	} {
		s := newStage(t, "zh")
		if got := s.ask(t, follower, text); !strings.Contains(got, "已退订") {
			t.Errorf("%q is answered %q", text, got)
		}
		s.wantCalls(t, "opt out "+follower)
	}
	for _, text := range []string{"start", "订阅", "订阅。", "重新订阅", "恢复订阅", "我要订阅", "subscribe", "Subscribe!", "resubscribe", "opt in"} {
		s := newStage(t, "zh")
		wantAll(t, s.ask(t, follower, text), "欢迎回来")
		s.wantCalls(t, "opt in "+follower)
	}
}

func TestATextThatOnlyContainsSuchAWordGetsTheHintHowToLeave(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"怎么退订", "退订后还能看吗", "退订吧", "退订？", "我想问一下怎么取消订阅", "你们不要再发了好吗", "别再发了，烦死了", "请问如何关闭推送", "退订\n谢谢", "停",
		"stop please", "please stop", "how do I unsubscribe?", "I want to opt out of this", "remove me from the list", "can I quit",
	} {
		for _, language := range lang.Languages {
			s := newStage(t, language)
			wantAll(t, s.ask(t, follower, text), map[string]string{"zh": "请只发送「退订」", "en": "send just “stop”"}[language])
			s.wantCalls(t)
		}
	}
	// Others get the usual hint, also if their text has such a word inside another.
	for _, text := range []string{"你好", "明天开门吗", "stopwatch", "nonstop", "quite good", "T恤", "退休", "not today", "tdd", "N"} {
		s := newStage(t, "zh")
		if got := s.ask(t, follower, text); got != s.say("unknown.hint", nil) {
			t.Errorf("%q: %q", text, got)
		}
		s.wantCalls(t)
	}
}

func TestOptWordsAreFolded(t *testing.T) {
	t.Parallel()
	for _, w := range slices.Concat(leaveWords, returnWords) {
		if w != squeezed(w) || w != strings.Trim(w, trimmed) {
			t.Errorf("%q is never found", w)
		}
	}
	for _, w := range leaveWords {
		if slices.Contains(returnWords, w) {
			t.Errorf("%q does both", w)
		}
	}
}

// An admin in a hurry who writes what followers leave with must not only be opted out
// while the broadcast goes on.
func TestAnAdminsWordToLeaveStopsBroadcastsFirst(t *testing.T) {
	t.Parallel()
	for text, stops := range map[string]bool{
		"stop": true, "Stop.": true, "「stop」": true, "stop all": true, "不要再发了！": true, "别再发了": true, "请不要再发": true, "停发": true,
		"TD": false, "退订": false, "unsubscribe": false, "取消订阅": false, "不想收了": false,
	} {
		for _, running := range []bool{true, false} {
			s := newStage(t, "zh")
			if running {
				s.halted.Paused = []broadcast.Status{{Broadcast: sample()}}
			}
			got := s.ask(t, admin, text)
			switch {
			case stops && running:
				wantAll(t, got, "#7")
				s.wantCalls(t, "pause all by "+admin)
			case stops && text == "停发":
				wantAll(t, got, "没有需要暂停的")
				s.wantCalls(t, "pause all by "+admin)
			case stops:
				wantAll(t, got, "已退订")
				s.wantCalls(t, "pause all by "+admin, "opt out "+admin)
			default:
				wantAll(t, got, "已退订")
				s.wantCalls(t, "opt out "+admin)
			}
		}
	}
}
