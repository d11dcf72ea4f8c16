package demo

import "wechat-broadcast/models"

// words are what the demo itself says in one language; what the account says
// comes from the server.
type words struct {
	intro                []string // takes followers, blocking and left where it says %s
	hint, others, typing string
	browser              string
	you, lin, wang       string
	noReply              string
	faulty               string // takes what is wrong
	whom                 string // takes a name
	onYours, onPhones    string
	onPhone              string // takes an OpenID
	details              string
	speed                string // takes a number
	starts               string // takes number and seconds
	bye, byeTyped        string

	outcomeHead              string // takes number, name and state
	recipients               string
	recipientsAre            string // takes a number and its parts
	delivered, deliveredNote string
	accepted, acceptedNote   string
	blocked, blockedNote     string
	failed, failedNote       string
	uncertain, uncertainNote string
	unsent, unsentNote       string
	sumRight, sumWrong       string
	ledger                   string // takes how many were reached, and one of the next two
	noneTwice                string
	someTwice                string // takes a number
	states                   map[models.BroadcastState]string

	quit []string
}

// wordsIn gives the words of a language: "zh", or English.
func wordsIn(language string) words {
	if language == "zh" {
		return chinese()
	}
	return english()
}

func english() words {
	return words{
		intro: []string{
			"A WeChat account's template-message broadcasts, run by chat: a demo.",
			"The real server, on a throw-away SQLite file, talks to a simulated WeChat platform with %s followers. Nothing leaves this machine, nothing is kept.",
			"You are the account's admin. Lin and Wang are on the test list with you.",
			"Of the followers, %s block the account's messages, and %s have left without the server knowing.",
		},
		hint:    "Say: openid · broadcast test · broadcast all · broadcast status · stats · help",
		others:  "Speak as somebody else: @lin stop · @wang broadcast all",
		typing:  "Leave with quit or Ctrl-D.",
		browser: "The same on two phones, in a browser on this machine:",

		you: "you", lin: "Lin", wang: "Wang",
		noReply: "(no reply)", faulty: "(the account does not answer: %v)",
		whom:     "Nobody here is called %q. There are: @lin, @wang",
		onYours:  "On your phone:",
		onPhones: "On the phones of the test list:",
		onPhone:  "On the phone of follower %s:",
		details:  "Details", speed: "%s a second", starts: "#%d starts in %d s",
		bye: "The demo is over. To chat yourself, run it in a terminal: go run . demo", byeTyped: "Bye.",

		outcomeHead: "Outcome of broadcast #%d · %s · %s",
		recipients:  "recipients", recipientsAre: "recipients %s: %s",
		delivered: "delivered", deliveredNote: "it reached the phone",
		accepted: "accepted", acceptedNote: "WeChat took it; no receipt yet",
		blocked: "blocked", blockedNote: "the follower blocks the account",
		failed: "failed", failedNote: "the person has left the account",
		uncertain: "uncertain", uncertainNote: "it may have been sent",
		unsent: "not sent", unsentNote: "stopped before their turn",
		sumRight: "= the sum", sumWrong: "is not the sum!",
		ledger:    "WeChat's own ledger (simulated): it reached %s phones, %s.",
		noneTwice: "each exactly once", someTwice: "%s of them twice",
		states: map[models.BroadcastState]string{
			models.Scheduled: "waiting", models.Running: "running", models.Paused: "paused",
			models.Finished: "finished", models.Cancelled: "cancelled", models.Failed: "stopped",
		},
		quit: []string{"quit", "exit", "bye"},
	}
}

func chinese() words {
	return words{
		intro: []string{
			"演示：在聊天里群发公众号的模板消息。",
			"真正的服务端（使用临时的 SQLite 文件）连接一个模拟的微信平台，有 %s 位关注者。一切都在本机运行，结束后不留任何数据。",
			"您是这个公众号的管理员。小林、小王和您在测试名单上。",
			"关注者中有 %s 位拒收公众号消息，还有 %s 位已取消关注，服务端尚不知情。",
		},
		hint:    "试试：openid · 群发测试 · 群发全部 · 群发状态 · 统计 · 帮助",
		others:  "换个人说话：@小林 退订 · @小王 群发全部",
		typing:  "输入“退出”或按 Ctrl-D 结束。",
		browser: "也可以在本机的浏览器里看两部手机：",

		you: "您", lin: "小林", wang: "小王",
		noReply: "（没有回复）", faulty: "（公众号没有应答：%v）",
		whom:     "这里没有人叫 %q，只有：@小林、@小王",
		onYours:  "您的手机收到：",
		onPhones: "测试名单上的手机收到：",
		onPhone:  "关注者 %s 的手机收到：",
		details:  "详情", speed: "每秒 %s", starts: "#%d 将在 %d 秒后开始",
		bye: "演示结束。想亲自聊一聊，请在终端里运行：go run . demo", byeTyped: "再见。",

		outcomeHead: "群发 #%d · %s 的结果 · %s",
		recipients:  "收件人", recipientsAre: "收件人 %s：%s",
		delivered: "已送达", deliveredNote: "到达手机",
		accepted: "已受理", acceptedNote: "微信已接收，回执未到",
		blocked: "被拒收", blockedNote: "对方拒收公众号消息",
		failed: "失败", failedNote: "对方已取消关注",
		uncertain: "不确定", uncertainNote: "可能已经发出",
		unsent: "未发送", unsentNote: "轮到之前就停了",
		sumRight: "= 以上之和", sumWrong: "与以上之和不符！",
		ledger:    "（模拟的）微信自己的账本：到达 %s 部手机，%s。",
		noneTwice: "每部一次，没有重复", someTwice: "其中重复 %s 部",
		states: map[models.BroadcastState]string{
			models.Scheduled: "等待中", models.Running: "进行中", models.Paused: "已暂停",
			models.Finished: "已完成", models.Cancelled: "已取消", models.Failed: "已停止",
		},
		quit: []string{"退出", "quit", "exit", "再见"},
	}
}
