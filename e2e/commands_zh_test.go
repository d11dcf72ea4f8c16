package e2e

import "strings"

// Who may do what, and the rest of what an owner is asked about people.
func (c *conversation) adminsChinese() []line {
	return []line{
		{who: stranger, text: "我的openid", has: []string{stranger}},
		{who: admin, text: "管理员", has: []string{"共 1 位管理员", admin, "由服务器设置"}},
		{who: admin, text: "管理员　添加 " + sender + " 发送", has: []string{sender, "「发送」"}},
		{who: admin, text: "管理员添加 " + editor + " 编辑", has: []string{editor, "「编辑」"}},
		{who: admin, text: "管理员 添加 " + viewer + " 查看", has: []string{viewer, "「查看」"}},
		{who: admin, text: "管理员", has: []string{"共 4 位管理员", sender, editor, viewer}},
		{who: sender, text: "帮助", has: []string{"你已成为本公众号的管理员", "群发全部", "改期", "群发主题", "驳回"}, lacks: []string{"管理员 ["}},
		{who: editor, text: "帮助", has: []string{"「编辑」", "消息 [设置", "主题 [添加", "名单 [删除"}, lacks: []string{"群发全部", "同步", "驳回"}},
		{who: viewer, text: "帮助", has: []string{"「查看」", "群发状态", "标签", "名单"}, lacks: []string{"消息 [", "删除"}},
		{who: follower, text: "帮助", has: []string{"退订", "订阅", "主题", "订阅 主题名"}, lacks: []string{"群发状态", "标签", "添加"}},
		{who: admin, text: "管理员 添加 " + viewer + " 所有者", has: []string{"所有者", "不能在聊天里授予"}, refused: true},
		{who: admin, text: "管理员 添加 没有 老板", has: []string{"「没有」", "「老板」", "查看、编辑、发送"}, refused: true},
		{who: admin, text: "管理员 添加 " + viewer, has: []string{"缺少权限"}, refused: true},
		{who: admin, text: "管理员 添加", has: []string{"缺少 OpenID"}, refused: true},
		{who: admin, text: "管理员 添加 " + stranger + " 发送", has: []string{"微信说"}, refused: true},
		{who: admin, text: "管理员 删除 " + admin, has: []string{"ADMIN_OPENIDS"}, refused: true},
		{who: admin, text: "管理员 删除 " + follower, has: []string{"不是管理员"}, refused: true},
	}
}

// What followers write, and what they are answered.
func (c *conversation) followersChinese() []line {
	return []line{
		{who: follower, text: "我要退订", has: []string{"您不会再收到群发", "「订阅」"}},
		{who: viewer, text: "查询 " + follower, has: []string{follower, "已退订", "不会收到"}},
		{who: follower, text: "不要再发了！", has: []string{"您已经退订"}},
		{who: follower, text: "订阅", has: []string{"欢迎回来", "「退订」"}},
		{who: follower, text: "你好，怎么退订报纸", has: []string{"「退订」", "「帮助」"}},
		{who: viewer, text: "查询 " + follower, has: []string{"没有退订"}},
		{who: viewer, text: "查询 没有", has: []string{"「没有」"}, refused: true},
		{who: viewer, text: "查询", has: []string{"缺少 OpenID"}, refused: true},
		{who: sender, text: "同步", has: []string{"开始同步"}},
		{who: editor, text: "测试名单", has: []string{"空的", "测试名单 添加"}, setup: func() {
			eventually(c.t, patience, "the followers are pulled", func() bool { return strings.Contains(c.platform.say(viewer, "统计"), "关注者：1,200") })
		}},
		{who: editor, text: "群发测试", has: []string{"测试名单是空的"}, refused: true},
		{who: editor, text: "测试名单 添加 " + follower + " 小王", has: []string{"小王 · " + follower}},
		{who: editor, text: "测试名单 添加 " + viewer + " 小王", has: []string{"「小王」", "换一个称呼"}, refused: true},
		{who: editor, text: "测试名单 添加 " + stranger, has: []string{"微信说"}, refused: true},
		{who: editor, text: "测试名单 删除 小李", has: []string{"小李"}, refused: true},
		{who: editor, text: "测试名单", has: []string{"小王 · " + follower}},
		{who: viewer, text: "查询 小王", has: []string{"小王 · " + follower, "怎么退订报纸"}, setup: func() { c.heard("怎么退订报纸") }},
		{who: editor, text: "回复 设置 开放时间\n周一至周日 9:00–21:00 😀", has: []string{"「开放时间」", "😀"}},
		{who: follower, text: "开放时间", has: []string{"周一至周日 9:00–21:00 😀"}},
		{who: editor, text: "回复", has: []string{"开放时间：周一"}},
		{who: editor, text: "回复 设置 开放时间", has: []string{"缺少内容"}, refused: true},
		{who: editor, text: "回复 设置 停发\nx", has: []string{"「停发」"}, refused: true},
		{who: editor, text: "回复 设置 " + strings.Repeat("词", 70) + "\n" + strings.Repeat("长", 700), has: []string{"64", "2,047"}, refused: true},
		{who: editor, text: "回复 删除 地址", has: []string{"「地址」"}, refused: true},
		{who: editor, text: "回复 删除 开放时间", has: []string{"已删除"}},
		{who: viewer, text: "后台", has: []string{"PUBLIC_URL"}, refused: true},
		{who: viewer, text: "后台退出", has: []string{"退出 0 处登录"}},
		{who: viewer, text: "确认 482193", has: []string{"没有等你确认的操作"}, refused: true},
		{who: viewer, text: "确认", has: []string{"六位数字"}, refused: true},
		{who: viewer, text: "统计", has: []string{"关注者：1,200", "已退订：0", "测试名单：1", "/ 10,000,000"}},
	}
}

// Messages from the phone.
func (c *conversation) messagesChinese() []line {
	return []line{
		{who: editor, text: "模板", has: []string{"共 3 个模板", "1. 通知提醒", "通知内容、通知时间、备注"}},
		{who: editor, text: "消息 设置 「早 报」\n模板=1\n通知内容=周五闭馆\n通知时间：2026年11月27日 09:00\n备注＝😀", has: []string{"「早 报」已写好", "【通知提醒】", "通知内容：周五闭馆", "备注：😀"}},
		{who: editor, text: "消息设置 “早 报”\n链接：https://example.com/a=b", has: []string{"已改好", "→ https://example.com/a=b", "备注：😀"}},
		{who: editor, text: "消息", has: []string{"共 3 条消息", "早 报", "周五闭馆", editor + " 改于"}},
		{who: editor, text: "消息 设置 副本\n复制=早 报\n备注=副本", has: []string{"备注：副本"}},
		{who: editor, text: "消息 设置 坏\n模板=2\n订单号=汉字\n时间=下雨\n金额=很多\n地点=这里\nurl=ftp://x\n只有几个字", has: []string{
			"只有几个字", "「坏」没有保存", "订单号 只能写", "时间 要写成日期", "金额 要写成金额", "地点：没有这个字段", "url",
		}, refused: true},
		{who: editor, text: "消息 设置 坏\n模板=9\n通知内容=x", has: []string{"「9」", "「模板」"}, refused: true},
		{who: editor, text: "消息 设置 坏\n模板=1\n模板=2", has: []string{"模板：写了两次"}, refused: true},
		{who: editor, text: "消息 设置 坏\n模板=1\n通知内容=x", has: []string{"通知时间：缺少", "备注：缺少"}, refused: true},
		{who: editor, text: "消息 设置 再发\n复制=notice", has: []string{"「再发」不能作消息名"}, refused: true},
		{who: editor, text: "消息 设置 " + strings.Repeat("长", 600) + "\n复制=notice", has: []string{"没有保存", "最多 64 个字"}, refused: true},
		{who: editor, text: "消息 设置", has: []string{"缺少名称"}, refused: true},
		{who: editor, text: "消息 设置 「早", has: []string{"引号没有成对"}, refused: true},
		{who: editor, text: "消息 设置 notice\n备注=x", has: []string{"消息文件", "复制=notice"}, refused: true},
		{who: editor, text: "消息 删除 notice", has: []string{"消息文件"}, refused: true},
		{who: editor, text: "消息 删除 没有", has: []string{"没有名为「没有」的消息", "早 报"}, refused: true},
		{who: editor, text: "消息 设置 副本\n通知内容=给{姓名}\n备注={卡号}，{日期}", has: []string{"备注：{卡号}，20"}},
		{who: sender, text: "群发全部 副本", has: []string{"通知内容（{姓名}）", "备注（{卡号}）"}, refused: true},
		{who: editor, text: "消息 删除 副本", has: []string{"「副本」已删除"}},
	}
}

// Broadcasts, from the first try to the correction.
func (c *conversation) broadcastsChinese() []line {
	return []line{
		{who: editor, text: "群发自己　notice\nthing1=一\n通知时间＝2026-11-28 10:00\n备注: 二\nurl：https://example.com/x", has: []string{"#1 · notice → 你自己", "通知内容：一", "备注：二", "→ https://example.com/x"}},
		{who: editor, text: "群发测试 notice\n备注=试发", has: []string{"#2 · notice", "备注：试发"}, setup: func() { c.got(editor, 1, "一", "二", "2026-11-28 10:00", "https://example.com/x") }},
		{who: viewer, text: "群发状态 #2", has: []string{"#2 · notice", "测试名单"}, setup: func() { c.got(follower, 1, "试发", "图书馆周三闭馆") }},

		{who: editor, text: "发给自己 gone", has: []string{"账号里没有模板 gone-"}, refused: true, setup: func() { c.ends(2) }},
		{who: sender, text: "群发全部 没有", has: []string{"没有名为「没有」的消息", "早 报"}, refused: true},
		{who: sender, text: "群发全部 notice\n地点=x\nTIME2=下雨\n链接=ftp://x\n备注", has: []string{"备注", "地点：没有这个字段", "通知时间 要写成", "链接"}, refused: true},
		{who: sender, text: "群发全部 notice 定时 11-20 9:00\n地点=x", has: []string{"已经过去", "地点"}, refused: true},
		{who: sender, text: "群发全部 没有 定时 不久", has: []string{"「不久」", "「没有」"}, refused: true},
		{who: sender, text: "群发全部 notice 定时\n地点=x", has: []string{"缺少时间", "地点"}, refused: true},
		{who: sender, text: "群发全部 notice 定时 2030年1月1日 9:00", has: []string{"2030年1月1日", "超过一年"}, refused: true},
		{who: sender, text: "群发全部 notice 定时 明天", has: []string{"没有写几点", "明天 9:00"}, refused: true},
		{who: sender, text: "群发全部 notice 明天9点", has: []string{"定时 明天9点"}, refused: true},
		{who: sender, text: "群发全部 notice 谢谢", has: []string{"「谢谢」"}, refused: true},
		{who: sender, text: "群发全布 notice", has: []string{"没有执行", "要发给谁"}, refused: true},

		{who: sender, text: "日程", has: []string{"定时 明天 9:00"}},
		{who: sender, text: "群发全部 “早 报” 定时 明天 9:00\n备注=定好了", has: []string{"#3 · 早 报 → 1,200", "09:00", "备注：定好了", "改期 #3"}},
		{who: sender, text: "日程", has: []string{"#3 早 报", "1,200"}},
		{who: sender, text: "改期 #3 昨天 9:00", has: []string{"已经过去"}, refused: true},
		{who: sender, text: "改期 #3", has: []string{"缺少时间"}, refused: true},
		{who: sender, text: "改期 明天 9:00", has: []string{"没有执行"}, refused: true},
		{who: sender, text: "改期 #99 明天 9:00", has: []string{"#99"}, refused: true},
		{who: sender, text: "改期 #3 周五 18:30", has: []string{"#3", "（周五）18:30"}},
		{who: sender, text: "群发全部 “早 报” 定时 明天 9:00\n备注=定好了", has: []string{"#3", "没有再建一次"}, refused: true},
		{who: editor, text: "消息 设置 “早 报”\n备注=后来改的", has: []string{"已改好"}},
		{who: sender, text: "暂停 #3", has: []string{"#3 已暂停", "继续 #3"}},
		{who: sender, text: "继续", has: []string{"#3 恢复等待", "周五"}},
		{who: viewer, text: "群发记录", has: []string{"#3 早 报", "0 / 1,200", "#2 notice", "#1 notice"}},
		{who: sender, text: "取消 #3", has: []string{"#3 已取消", "没有人收到"}},
		{who: sender, text: "继续 #3", has: []string{"#3 已取消"}, refused: true},
		{who: sender, text: "取消", has: []string{"没有可以取消的群发"}, refused: true},

		{who: sender, text: "群发所有人 “早 报”", has: []string{"#4 · 早 报 → 1,200", "备注：后来改的"}, setup: func() { c.holds(100) }},
		{who: sender, text: "改期 #4 明天 9:00", has: []string{"#4 已经开始", "取消 #4"}, setup: func() { c.callsSince(50) }},
		{who: sender, text: "群发其余 #4", has: []string{"#4 正在进行"}},
		{who: sender, text: "群发已达 #4 notice", has: []string{"#4 正在进行"}},
		{who: sender, text: "重发 #4", has: []string{"#4 正在进行"}},
		{who: sender, text: "群发全部 “早 报”", has: []string{"#4", "没有再建一次"}},
		{who: viewer, text: "别发了！！", has: []string{"已暂停 1 个群发", "#4 早 报", "/ 1,200", "继续 #4", "取消 #4"}},
		{who: viewer, text: "继续 #4", has: []string{"「发送」"}},
		{who: sender, text: "群发全部 “早 报”", has: []string{"#4", "没有再建一次"}, refused: true},
		{who: sender, text: "取消 #4", has: []string{"#4 已取消", "/ 1,200", "群发其余 #4", "群发已达 #4"}},
		{who: sender, text: "群发其余 #4", has: []string{"#5 · 早 报", "#4 中还没发过"}, setup: func() { c.platform.waitsAfter(0) }},
		{who: sender, text: "群发其余 #4", has: []string{"没有其余的人"}, refused: true, setup: func() { c.ends(5) }},
		{who: viewer, text: "群发状态 #4", has: []string{"已取消", "群发已达 #4"}, lacks: []string{"群发其余"}},
		{who: sender, text: "群发其余 #44", has: []string{"#44"}, refused: true},
		{who: sender, text: "群发已达 #44 没有", has: []string{"#44", "「没有」"}, refused: true},
		{who: sender, text: "群发已达 #4 “早 报” 定时 明天 9:00", has: []string{"群发已达 #4 “早 报” 再发 定时 明天 9:00"}, lacks: []string{"群发全部"}, refused: true},
		{who: sender, text: "群发全部 “早 报”", has: []string{"群发全部 “早 报” 再发"}, refused: true},
		{who: sender, text: "群发已达 #4 notice", has: []string{"#6 · notice", "#4 中已收到"}},
		{who: sender, text: "重发 #6", has: []string{"没有可以重发的人"}, refused: true, setup: func() { c.ends(6) }},
		{who: sender, text: "重发", has: []string{"重发 #7"}, refused: true},
		{who: sender, text: "群发全部 “早 报” 再发 定时 明天 9:00", has: []string{"#7"}},
		{who: admin, text: "停止群发", has: []string{"没有需要暂停的", "#7", "取消 #7"}, refused: true},
		{who: admin, text: "stop", has: []string{"已退订", "没有暂停", "取消 #7"}},
		{who: admin, text: "start", has: []string{"欢迎回来"}},
		{who: sender, text: "取消", has: []string{"#7 已取消"}},
	}
}
