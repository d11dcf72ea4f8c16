package e2e

import "strings"

// Who may do what, and the rest of what an owner is asked about people.
func (c *conversation) adminsEnglish() []line {
	return []line{
		{who: stranger, text: "openid", has: []string{stranger}},
		{who: admin, text: "admins", has: []string{"One admin", admin, "by the server's settings"}},
		{who: admin, text: "Ａｄｍｉｎｓ　ａｄｄ " + sender + " Sender", has: []string{sender, "role sender now"}},
		{who: admin, text: "admins add " + editor + " editor", has: []string{editor, "role editor now"}},
		{who: admin, text: "admins add " + viewer + " viewer", has: []string{viewer, "role viewer now"}},
		{who: admin, text: "admins", has: []string{"4 admins", sender, editor, viewer}},
		{who: sender, text: "help", has: []string{"You are an admin", "role sender", "broadcast all", "reschedule", "broadcast topic", "approve"}, lacks: []string{"admins"}},
		{who: editor, text: "help", has: []string{"role editor", "messages [set NAME", "topics [add NAME", "lists [remove NAME"}, lacks: []string{"broadcast all", "sync", "approve"}},
		{who: viewer, text: "help", has: []string{"role viewer", "broadcast status", "tags", "lists"}, lacks: []string{"messages", "remove"}},
		{who: follower, text: "help", has: []string{"stop", "start", "topics", "join TOPIC", "leave TOPIC"}, lacks: []string{"broadcast status", "tags", "add NAME"}},
		{who: admin, text: "admins add " + viewer + " owner", has: []string{"owner", "can't be given"}, refused: true},
		{who: admin, text: "admins add nobody king", has: []string{"“nobody”", "“king”", "viewer, editor and sender"}, refused: true},
		{who: admin, text: "admins add " + viewer, has: []string{"role is missing"}, refused: true},
		{who: admin, text: "admins add", has: []string{"OpenID is missing"}, refused: true},
		{who: admin, text: "admins add " + stranger + " sender", has: []string{"No follower"}, refused: true},
		{who: admin, text: "admins remove " + admin, has: []string{"ADMIN_OPENIDS"}, refused: true},
		{who: admin, text: "admins remove " + follower, has: []string{"is no admin"}, refused: true},
	}
}

// What followers write, and what they are answered.
func (c *conversation) followersEnglish() []line {
	return []line{
		{who: follower, text: "TD", has: []string{"“start”"}},
		{who: viewer, text: "who " + follower, has: []string{follower, "opted out", "Would not get"}},
		{who: follower, text: "Unsubscribe!", has: []string{"You are not getting"}},
		{who: follower, text: " START ", has: []string{"“stop”"}},
		{who: follower, text: "please don't stop writing", has: []string{"“stop”", "“help”"}},
		{who: viewer, text: "who " + follower, has: []string{"Has not opted out"}},
		{who: viewer, text: "who nobody", has: []string{"“nobody”"}, refused: true},
		{who: viewer, text: "who", has: []string{"OpenID is missing"}, refused: true},
		{who: sender, text: "sync", has: []string{"Syncing"}},
		{who: editor, text: "testers", has: []string{"empty", "testers add"}, setup: func() {
			eventually(c.t, patience, "the followers are pulled", func() bool { return strings.Contains(c.platform.say(viewer, "stats"), "Followers: 1,200") })
		}},
		{who: editor, text: "broadcast test", has: []string{"test list is empty"}, refused: true},
		{who: editor, text: "testers add " + follower + " May", has: []string{"May · " + follower}},
		{who: editor, text: "testers add " + viewer + " May", has: []string{follower, "called May already", "another name"}, refused: true},
		{who: editor, text: "testers add " + stranger, has: []string{"No follower"}, refused: true},
		{who: editor, text: "testers remove June", has: []string{"June"}, refused: true},
		{who: editor, text: "testers", has: []string{"May · " + follower}},
		{who: viewer, text: "who may", has: []string{"May · " + follower, "please don't stop writing"}, setup: func() { c.heard("please don't stop writing") }},
		{who: editor, text: "replies set hours\nfrom 9 to 5 😀", has: []string{"“hours”", "from 9 to 5 😀"}},
		{who: follower, text: "HOURS", has: []string{"from 9 to 5 😀"}},
		{who: editor, text: "replies", has: []string{"hours: from 9 to 5"}},
		{who: editor, text: "replies set hours", has: []string{"text is missing"}, refused: true},
		{who: editor, text: "replies set help\nx", has: []string{"“help”"}, refused: true},
		{who: editor, text: "replies set " + strings.Repeat("w", 70) + "\n" + strings.Repeat("长", 700), has: []string{"64", "2,047"}, refused: true},
		{who: editor, text: "replies remove minutes", has: []string{"“minutes”"}, refused: true},
		{who: editor, text: "replies remove hours", has: []string{"removed"}},
		{who: viewer, text: "console", has: []string{"PUBLIC_URL"}, refused: true},
		{who: viewer, text: "console out", has: []string{"0 sessions"}},
		{who: viewer, text: "confirm 482193", has: []string{"nothing of yours"}, refused: true},
		{who: viewer, text: "confirm", has: []string{"six digits"}, refused: true},
		{who: viewer, text: "stats", has: []string{"Followers: 1,200", "Opted out: 0", "Test list: 1", "of 10,000,000"}},
	}
}

// Messages from the phone.
func (c *conversation) messagesEnglish() []line {
	return []line{
		{who: editor, text: "templates", has: []string{"3 templates", "1. 通知提醒", "通知内容, 通知时间, 备注"}},
		{who: editor, text: "messages set “early news”\ntemplate=1\nthing1=Closed on friday\n通知时间：2026-11-27 09:00\n备注＝😀", has: []string{"“early news” is written", "[通知提醒]", "通知内容: Closed on friday", "备注: 😀"}},
		{who: editor, text: "Messages Set \"early news\"\nurl: https://example.com/a=b", has: []string{"is changed", "→ https://example.com/a=b", "备注: 😀"}},
		{who: editor, text: "messages", has: []string{"3 messages", "early news", "Closed on friday", "changed by " + editor}},
		{who: editor, text: "messages set copied\ncopy=early news\n备注=copied", has: []string{"备注: copied"}},
		{who: editor, text: "messages set bad\ntemplate=2\n订单号=汉字\n时间=rain\n金额=much\nplace=here\nurl=ftp://x\njust words", has: []string{
			"just words", "“bad” was not saved", "订单号", "时间 takes a date", "金额", "place: there is no such field", "url",
		}, refused: true},
		{who: editor, text: "messages set bad\ntemplate=9\n通知内容=x", has: []string{"“9”", "templates"}, refused: true},
		{who: editor, text: "messages set bad\ntemplate=1\ntemplate=2", has: []string{"template"}, refused: true},
		{who: editor, text: "messages set bad\ntemplate=1\n通知内容=x", has: []string{"通知时间", "备注"}, refused: true},
		{who: editor, text: "messages set again\ncopy=notice", has: []string{"“again” can't be a message's name"}, refused: true},
		{who: editor, text: "messages set " + strings.Repeat("长", 600) + "\ncopy=notice", has: []string{"was not saved", "at most 64"}, refused: true},
		{who: editor, text: "messages set", has: []string{"name is missing"}, refused: true},
		{who: editor, text: "messages set “early", has: []string{"“early"}, refused: true},
		{who: editor, text: "messages set notice\n备注=x", has: []string{"message file", "copy=notice"}, refused: true},
		{who: editor, text: "messages remove notice", has: []string{"message file"}, refused: true},
		{who: editor, text: "messages remove nothing", has: []string{"no message “nothing”", "early news"}, refused: true},
		{who: editor, text: "messages set copied\n通知内容={name}\n备注={card} on {date}", has: []string{"备注: {card} on 20"}},
		{who: sender, text: "broadcast all copied", has: []string{"{name}", "{card}"}, refused: true},
		{who: editor, text: "messages remove copied", has: []string{"“copied” is deleted"}},
	}
}

// Broadcasts, from the first try to the correction.
func (c *conversation) broadcastsEnglish() []line {
	return []line{
		{who: editor, text: "ｂｒｏａｄｃａｓｔ　ｍｅ notice\nthing1=one\n通知时间＝2026-11-28 10:00\n备注: two\nurl：https://example.com/x", has: []string{"#1 · notice → you", "通知内容: one", "备注: two", "→ https://example.com/x"}},
		{who: editor, text: "broadcast test notice\n备注=tested", has: []string{"#2 · notice", "备注: tested"}, setup: func() { c.got(editor, 1, "one", "two", "2026-11-28 10:00", "https://example.com/x") }},
		{who: viewer, text: "broadcast status #2", has: []string{"#2 · notice", "test list"}, setup: func() { c.got(follower, 1, "tested", "图书馆周三闭馆") }},

		{who: editor, text: "broadcast me gone", has: []string{"no template gone-"}, refused: true, setup: func() { c.ends(2) }},
		{who: sender, text: "broadcast all notcie", has: []string{"no message “notcie”", "early news"}, refused: true},
		{who: sender, text: "broadcast all notice\nplace=x\ntime2=rain\nurl=ftp://x\n备注", has: []string{"备注", "place", "通知时间 takes a date", "url"}, refused: true},
		{who: sender, text: "broadcast all notice at yesterday 09:00\nplace=x", has: []string{"past", "place"}, refused: true},
		{who: sender, text: "broadcast all notcie at soon", has: []string{"“soon”", "“notcie”"}, refused: true},
		{who: sender, text: "broadcast all notice at\nplace=x", has: []string{"time is missing", "place"}, refused: true},
		{who: sender, text: "broadcast all notice at 2030-01-01 09:00", has: []string{"2030-01-01", "year"}, refused: true},
		{who: sender, text: "broadcast all notice at tomorrow", has: []string{"tomorrow 09:00"}, refused: true},
		{who: sender, text: "broadcast all notice 9:00", has: []string{"at 9:00"}, refused: true},
		{who: sender, text: "broadcast all notice please", has: []string{"“please”"}, refused: true},
		{who: sender, text: "broadcst all notice", has: []string{"I did nothing", "To whom"}, refused: true},

		{who: sender, text: "schedule", has: []string{"at tomorrow 09:00"}},
		{who: sender, text: "broadcast all “early news” at tomorrow 09:00\n备注=planned", has: []string{"#3 · early news → 1,200", "09:00", "备注: planned", "reschedule #3"}},
		{who: sender, text: "schedule", has: []string{"#3 early news", "1,200"}},
		{who: sender, text: "reschedule #3 11-20 09:00", has: []string{"past"}, refused: true},
		{who: sender, text: "reschedule #3", has: []string{"time is missing"}, refused: true},
		{who: sender, text: "reschedule tomorrow 9:00", has: []string{"“tomorrow”", "#7"}, refused: true},
		{who: sender, text: "reschedule #99 tomorrow 9:00", has: []string{"#99"}, refused: true},
		{who: sender, text: "reschedule #3 friday 18:30", has: []string{"#3", "Friday", "18:30"}},
		{who: sender, text: "broadcast all “early news” at tomorrow 09:00\n备注=planned", has: []string{"#3", "no second one"}, refused: true},
		{who: editor, text: "messages set “early news”\n备注=changed later", has: []string{"is changed"}},
		{who: sender, text: "broadcast pause #3", has: []string{"#3 is paused", "resume #3"}},
		{who: sender, text: "resume", has: []string{"#3 waits again", "Friday"}},
		{who: viewer, text: "broadcast list", has: []string{"#3 early news", "0 of 1,200", "#2 notice", "#1 notice"}},
		{who: sender, text: "cancel #3", has: []string{"#3 is cancelled", "Nobody got it"}},
		{who: sender, text: "resume #3", has: []string{"#3 is cancelled"}, refused: true},
		{who: sender, text: "cancel", has: []string{"no broadcast to cancel"}, refused: true},

		{who: sender, text: "broadcast all “early news”", has: []string{"#4 · early news → 1,200", "备注: changed later"}, setup: func() { c.holds(100) }},
		{who: sender, text: "reschedule #4 tomorrow 9:00", has: []string{"#4 has", "cancel #4"}, setup: func() { c.callsSince(50) }},
		{who: sender, text: "rest #4", has: []string{"#4 is running"}},
		{who: sender, text: "reached #4 notice", has: []string{"#4 is running"}},
		{who: sender, text: "retry #4", has: []string{"#4 is running"}},
		{who: sender, text: "broadcast all “early news”", has: []string{"#4", "no second one"}},
		{who: viewer, text: "Stop!!", has: []string{"Paused 1 broadcast", "#4 early news", "of 1,200", "resume #4", "cancel #4"}},
		{who: viewer, text: "resume #4", has: []string{"sender"}},
		{who: sender, text: "broadcast all “early news”", has: []string{"#4", "no second one"}, refused: true},
		{who: sender, text: "broadcast cancel #4", has: []string{"#4 is cancelled", "of 1,200", "rest #4", "reached #4"}},
		{who: sender, text: "rest #4", has: []string{"#5 · early news", "left of #4"}, setup: func() { c.platform.waitsAfter(0) }},
		{who: sender, text: "rest #4", has: []string{"nobody is left"}, refused: true, setup: func() { c.ends(5) }},
		{who: viewer, text: "broadcast status #4", has: []string{"Cancelled", "reached #4"}, lacks: []string{"rest #4"}},
		{who: sender, text: "rest #44", has: []string{"#44"}, refused: true},
		{who: sender, text: "reached #44 notcie", has: []string{"#44", "notcie"}, refused: true},
		{who: sender, text: "reached #4 “early news” at tomorrow 09:00", has: []string{"reached #4 “early news” again at tomorrow 09:00"}, lacks: []string{"broadcast all"}, refused: true},
		{who: sender, text: "broadcast all “early news”", has: []string{"broadcast all “early news” again"}, refused: true},
		{who: sender, text: "reached #4 notice", has: []string{"#6 · notice", "reached by #4"}},
		{who: sender, text: "broadcast retry #6", has: []string{"nobody to retry"}, refused: true, setup: func() { c.ends(6) }},
		{who: sender, text: "retry", has: []string{"retry #7"}, refused: true},
		{who: sender, text: "broadcast all “early news” again at tomorrow 09:00", has: []string{"#7"}},
		{who: admin, text: "stop sending", has: []string{"nothing to pause", "#7", "cancel #7"}, refused: true},
		{who: admin, text: "stop", has: []string{"you won't get our broadcasts", "Not paused", "cancel #7"}},
		{who: admin, text: "start", has: []string{"Welcome back"}},
		{who: sender, text: "cancel", has: []string{"#7 is cancelled"}},
	}
}
