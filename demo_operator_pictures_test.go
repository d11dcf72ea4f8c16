package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"wechat-broadcast/web/webtest"
)

// write says a text on one of the phones, as if it were typed.
func write(b *webtest.Browser, phone, text string) {
	b.Until(`document.querySelector("#phone-` + phone + ` textarea") !== null`)
	quoted, _ := json.Marshal(text) // text always encodes
	webtest.Eval[bool](b, `(() => {
		const form = document.querySelector("#phone-`+phone+` form");
		form.querySelector("textarea").value = `+string(quoted)+`;
		form.requestSubmit();
		return true;
	})()`)
}

// look shows a phone alone, without the lines that it offers.
func look(b *webtest.Browser, phone string) {
	webtest.Eval[bool](b, `document.querySelector("button[data-tab=`+phone+`]").click() ?? true`)
	webtest.Eval[bool](b, `document.querySelectorAll(".quick, .tabs, .demo-head").forEach((e) => { e.style.display = "none"; }) ?? true`)
	webtest.Eval[bool](b, `document.querySelectorAll(".handset").forEach((e) => { e.style.height = "calc(100vh - 10px)"; e.style.marginTop = "4px"; }) ?? true`)
	webtest.Eval[bool](b, `document.querySelectorAll("textarea").forEach((e) => { e.placeholder = ""; }) ?? true`)
}

// TestScreenshotsOperator takes the pictures of the operator's page into the folder that
// SCREENSHOTS names: what an admin and a follower see on their phones.
func TestScreenshotsOperator(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("skipped: set SCREENSHOTS to a folder, and TEST_BROWSER, to take pictures")
	}
	for language, say := range map[string]struct {
		set, me, plan, all, stop, cancel, rest, who, lin, leave string
		// what tells that the account has answered
		written, seen, planned, running, paused, cancelled, known, left string
	}{
		"en": {
			set: "messages set closing\ntemplate=1\nNotice=Closed on Friday\nSent={date} {time}\nNote=Please pass it on",
			me:  "broadcast me closing", plan: "broadcast all closing at tomorrow 09:00", all: "broadcast all closing", stop: "stop",
			cancel: "cancel #3", who: "who Lin", lin: "when are you open?", leave: "unsubscribe",
			written: "is written", seen: "#1 · closing is finished", planned: "reschedule #2", paused: "Paused 1", cancelled: "#3 is cancelled",
			known: "On the test list", left: "you won't get",
		},
		"zh": {
			set: "消息 设置 闭馆\n模板=1\n通知内容=周五闭馆一天\n通知时间={日期} {时间}\n备注=请相互转告",
			me:  "发给自己 闭馆", plan: "群发全部 闭馆 定时 明天 9:00", all: "群发全部 闭馆", stop: "停",
			cancel: "取消 #3", who: "查询 小林", lin: "几点开门？", leave: "不要再发了",
			written: "已写好", seen: "#1 · 闭馆 已完成", planned: "改期 #2", paused: "已暂停 1", cancelled: "#3 已取消",
			known: "在测试名单里", left: "已退订",
		},
	} {
		b := webtest.New(t)
		address, _ := startDemo(t, language, "1000")
		b.Window(390, 760, "light")
		b.Open(address)
		look(b, "admin")
		picture := func(name string) { b.Picture(filepath.Join(folder, "operator-"+name+"-"+language+".png")) }
		ask := func(text, answer string) {
			write(b, "admin", text)
			b.Until(says("admin", answer))
		}
		ask(say.set, say.written)
		picture("write")
		ask(say.me, say.seen)
		picture("look")
		ask(say.plan, say.planned)
		picture("plan")
		write(b, "admin", map[string]string{"en": "cancel #2", "zh": "取消 #2"}[language])
		write(b, "admin", say.all)
		b.Until(`parseInt(document.querySelector("#strip-percent").textContent) > 30`)
		ask(say.stop, say.paused)
		ask(say.cancel, say.cancelled)
		picture("stop")
		look(b, "lin")
		write(b, "lin", say.lin)
		write(b, "lin", say.leave)
		b.Until(says("lin", say.left))
		picture("follower")
		look(b, "admin")
		ask(say.who, say.known)
		picture("who")
	}
}
