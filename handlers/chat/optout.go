package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// leaveWords are what people write to get no more broadcasts, beside the command: as the
// whole text, whatever its case, width, space and the punctuation around it. They are
// folded, and without space. Some are panicWords, too, which count first from an admin.
var leaveWords = []string{
	"stop", "td", "t", "退", "退订", "退定", "退阅", "回td", "回复td", "退订td", "td退订",
	"我要退订", "我想退订", "我退订", "要退订", "想退订", "请退订", "申请退订", "帮我退订", "请帮我退订", "给我退订", "马上退订", "立即退订",
	"取消订阅", "我要取消订阅", "我想取消订阅", "取消关注", "我要取消关注", "取关", "不订阅", "不订阅了", "我不订阅了",
	"别发", "别发了", "别再发", "不要发", "不要发了", "停发", "停止发送", "停止推送", "不要再发了", "不要再发", "别再发了", "不要给我发了", "别给我发了", "不要再给我发了", "别再给我发了", "请不要再发", "请不要再发了",
	"不要发消息了", "别发消息了", "不想收了", "我不想收了", "不想再收了", "不想收到了", "不想再收到", "不想再收到了", "不想收消息", "不想收消息了", "不收了", "我不收了",
	"取消推送", "关闭推送", "不要推送", "不要推送了", "别推送了", "不要再推送", "不要再推送了", "别再推送了", "取消通知", "关闭通知", "不要通知了", "关闭消息", "取消消息",
	"拒收", "我要拒收", "屏蔽", "请勿打扰", "勿扰", "不要打扰", "别打扰我", "不要骚扰我", "别骚扰我",
	"unsubscribe", "unsubscribeme", "pleaseunsubscribe", "pleaseunsubscribeme", "unsub", "quit", "stopall", "optout", "optmeout", "iwanttooptout",
	"removeme", "pleaseremoveme", "takemeoff", "takemeoffthelist", "takemeoffyourlist", "cancelsubscription", "cancelmysubscription",
	"nomore", "nomoremessages", "leavemealone", "dontsendmemessages", "donotsendmemessages",
}

// returnWords are what people write to get broadcasts again, likewise.
var returnWords = []string{
	"start", "订阅", "我要订阅", "我想订阅", "重新订阅", "恢复订阅", "继续订阅", "恢复接收", "恢复推送", "开启推送", "打开推送", "取消退订",
	"subscribe", "subscribeme", "resubscribe", "unstop", "optin", "optmein",
}

// leavePhrases show in English, as words of a longer text, that somebody may want to
// leave. In Chinese, leaveWords of two characters or more do.
var leavePhrases = []string{"stop", "unsubscribe", "unsubscribing", "quit", "opt out", "remove me", "cancel my subscription"}

var optWords = func() map[string]Name {
	all := map[string]Name{}
	for _, w := range leaveWords {
		all[w] = Stop
	}
	for _, w := range returnWords {
		all[w] = Start
	}
	return all
}()

// trimmed is the punctuation that may stand around such a word: people copy the quotation
// marks of a hint, and end sentences.
const trimmed = "。．.!！,，、;；:：~～…·-—*#「」『』“”‘’\"'【】《》〈〉()（）[]<>"

// optWord tells whether the whole of a text is what people write to leave or to come
// back: Stop, Start, or Unknown.
func optWord(text string) Name {
	return optWords[strings.Trim(unhyphened.Replace(squeezed(text)), trimmed)]
}

// unhyphened writes opt-out and don't like optout and dont.
var unhyphened = strings.NewReplacer("-", "", "'", "", "’", "")

// wantsOut tells whether a text that is more than such a word has one in it, or is what
// an admin would stop a broadcast with, so that its sender should be told how to leave.
func wantsOut(text string) bool {
	whole := squeezed(text)
	if Alarming(text) {
		return true
	}
	for _, w := range leaveWords {
		if w[0] >= utf8.RuneSelf && utf8.RuneCountInString(w) > 1 && strings.Contains(whole, w) {
			return true
		}
	}
	tokens := strings.FieldsFunc(strings.Map(fold, text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	spoken := " " + strings.Join(tokens, " ") + " "
	return slices.ContainsFunc(leavePhrases, func(p string) bool { return strings.Contains(spoken, " "+p+" ") })
}

// squeezed returns a text folded as commands are, and without its space.
func squeezed(text string) string {
	return strings.Map(func(r rune) rune {
		if space(r) {
			return -1
		}
		return fold(r)
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
