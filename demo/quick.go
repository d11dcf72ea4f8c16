package demo

// quickLines are the lines that a phone offers to say with one tap, by language and
// phone. One of several lines is put into the box first, to be changed.
var quickLines = map[[2]string][]string{
	{"zh", phoneLin}: {"退订", "订阅", "主题", "订阅 讲座", "openid", "帮助", "群发全部"},
	{"en", phoneLin}: {"stop", "start", "topics", "join lectures", "openid", "help", "broadcast all"},
	{"zh", phoneAdmin}: {
		"模板", "消息 设置 闭馆\n模板=1\n通知内容=周五闭馆一天\n通知时间={日期} {时间}\n备注=请相互转告", "消息", "发给自己", "群发测试", "群发全部",
		"群发全部 定时 明天 9:00", "日程", "群发全部 试发", "主题", "群发主题 讲座", "标签", "名单",
		"消息 设置 还书\n模板=3\n读者={姓名}\n书名={书名}\n到期日={到期日}", "群发名单 读者 还书", "停", "继续", "取消", "群发状态", "查询 小林", "统计", "openid", "帮助",
	},
	{"en", phoneAdmin}: {
		"templates", "messages set closing\ntemplate=1\nNotice=Closed on Friday\nSent={date} {time}\nNote=Please pass it on",
		"messages", "broadcast me", "broadcast test", "broadcast all",
		"broadcast all at tomorrow 09:00", "schedule", "broadcast all canary", "topics", "broadcast topic lectures", "tags", "lists",
		"messages set reminder\ntemplate=3\nReader={name}\nBook={book}\nDue={due}", "broadcast list readers reminder", "stop", "resume", "cancel", "status", "who Lin", "stats", "openid", "help",
	},
}

func quick(language, phone string) []string { return quickLines[[2]string{language, phone}] }
