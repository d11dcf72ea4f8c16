package e2e

import "strings"

// Topics, by word, by menu and by QR code, from both sides.
func (c *conversation) topicsChinese() []line {
	return []line{
		{who: follower, text: "主题", has: []string{"没有可以订阅的主题", "「订阅」", "「退订」"}},
		{who: editor, text: "主题 添加", has: []string{"缺少名称"}, refused: true},
		{who: editor, text: "主题添加讲座 每周三晚上", has: []string{"已添加主题「讲座」（每周三晚上）", "「订阅 讲座」", "群发主题 讲座 消息名"}},
		{who: editor, text: "主题　添加　“电影 之夜”", has: []string{"已添加主题「电影 之夜」", "群发主题 “电影 之夜” 消息名"}},
		{who: editor, text: "主题 添加 讲座", has: []string{"已经有了"}, refused: true},
		{who: editor, text: "主题 添加 讲座 改到周四", has: []string{"已修改主题「讲座」的说明：改到周四"}},
		{who: editor, text: "主题 添加 " + strings.Repeat("长", 70) + "、" + strings.Repeat("长", 70) + " " + strings.Repeat("话", 300), has: []string{"逗号、顿号", "最多 64", "说明太长", "没有添加"}, refused: true},
		{who: editor, text: "主题 添加 全部", has: []string{"「全部」在指令里另有意思"}, refused: true},
		{who: editor, text: "主题 删除 烹饪", has: []string{"没有主题「烹饪」", "讲座、电影 之夜"}, refused: true},
		{who: editor, text: "主题 删除", has: []string{"缺少名称"}, refused: true},

		{who: follower, text: "订阅讲座", has: []string{"已订阅「讲座」", "「退订 讲座」"}},
		{who: follower, text: "订阅 讲座", has: []string{"已经订阅了「讲座」"}, refused: true},
		{who: follower, text: "订阅 烹饪、讲座", has: []string{"没有「烹饪」这个主题", "讲座、电影 之夜"}, refused: true},
		{who: follower, text: "订阅 「电影 之夜」，讲座", has: []string{"已订阅「电影 之夜、讲座」", "其中一个"}},
		{who: follower, text: "主题", has: []string{"✓ 讲座", "✓ 电影 之夜"}, lacks: []string{"添加"}},
		{who: follower, text: "退订 烹饪", has: []string{"没有「烹饪」这个主题", "只发送「退订」"}, refused: true},
		{who: follower, text: "退订报纸", has: []string{"只发送「退订」"}, refused: true},
		{who: follower, text: "退订讲座、电影 之夜", has: []string{"已退订「讲座、电影 之夜」", "没有订阅任何主题", "「退订」"}},
		{who: follower, text: "取消订阅讲座", has: []string{"没有订阅「讲座」"}, refused: true},
		{who: follower, text: "退订", has: []string{"「订阅」"}},
		{who: follower, text: "订阅讲座", has: []string{"已订阅「讲座」", "已退订全部群发", "「订阅」"}},
		{who: viewer, text: "查询 " + follower, has: []string{"已退订（", "订阅的主题：讲座"}},
		{who: follower, text: "订阅", has: []string{"欢迎回来"}},
		{who: viewer, text: "订阅讲座", has: []string{"已订阅「讲座」"}, setup: func() { c.joinsElsewhere("订阅 讲座", "退订 讲座", "退订") }},
		{who: viewer, text: "主题", has: []string{"✓ 讲座", "3 人已订阅，其中 3 人"}, lacks: []string{"主题 添加"}},
		{who: editor, text: "主题", has: []string{"主题 添加 名称", "3 人已订阅，其中 3 人"}},
	}
}

// Tags and lists, and what can be wrong with an audience.
func (c *conversation) groupsChinese() []line {
	return []line{
		{who: viewer, text: "标签", has: []string{"还没有标签", "用户管理"}},
		{who: viewer, text: "名单", has: []string{"还没有名单", "wechat-broadcast import"}},
		{who: sender, text: "群发主题", has: []string{"没有执行：缺少名称", "群发主题 讲座"}, refused: true},
		{who: sender, text: "群发名单", has: []string{"没有执行：缺少名称"}, refused: true},
		{who: viewer, text: "标签", has: []string{"共 3 个", "老师 · 3 人", "两 个词 · 1 人", "群发标签 老师"}, setup: func() { c.hasGroups("老师", "员工", "两 个词", "读者", "姓名", "到期") }},
		{who: viewer, text: "名单", has: []string{"共 1 份名单", "「读者」3 人，可发送 2，字段 {姓名} {到期}", "群发名单 读者"}},
		{who: sender, text: "群发名单没有 notice", has: []string{"没有执行：没有名单「没有」", "读者"}, refused: true},
		{who: sender, text: "群发标签 没有，也没有 notice", has: []string{"没有标签「没有、也没有」", "老师、员工、两 个词"}, refused: true},
		{who: sender, text: "群发主题烹饪 notcie 不含 标签 没有 定时 随便\n地点=x\n几个字", has: []string{"几个字", "「随便」", "「notcie」", "没有主题「烹饪」", "没有标签「没有」"}, refused: true},
		{who: sender, text: "群发主题 烹饪、讲座 notcie 不含名单没有", has: []string{"「notcie」", "没有主题「烹饪」", "没有名单「没有」"}, refused: true},
		{who: sender, text: "群发主题 “讲座 notice", has: []string{"引号没有成对"}, refused: true},
		{who: sender, text: "群发主题 讲座 notice 不含", has: []string{"群发主题 讲座 不含 标签 员工"}, refused: true},
		{who: sender, text: "群发主题讲座不含 员工", has: []string{"没有主题「讲座不含」"}, refused: true},
		{who: sender, text: "群发全部 不含", has: []string{"群发全部 不含 标签 员工"}, refused: true},
		{who: sender, text: "群发自己 试发", has: []string{"没有执行：「试发」不能用在「发给自己」后面"}, lacks: []string{"「现在」", "「不含」"}, refused: true},
		{who: sender, text: "群发测试 notice 现在 不含标签员工", has: []string{"「不含」、「现在」不能用在「群发测试」后面"}, refused: true},
		{who: sender, text: "群发标签「两 个词」不含标签员工 notice", has: []string{"没有可以发送的人", "不含 1"}, refused: true},
		{who: sender, text: "群发名单 读者 notice\n备注={城市}", has: []string{"缺 {城市}：2 人", "{姓名} {到期}"}, refused: true},
		{who: editor, text: "名单 删除 没有", has: []string{"没有名单「没有」"}, refused: true},
		{who: editor, text: "名单 删除", has: []string{"缺少名称"}, refused: true},
		{who: viewer, text: "查询 oNobody00000000000000000000", has: []string{"在名单里", "不在关注者当中"}, refused: true},
	}
}

// Broadcasts to groups; each goes to whom the reply says.
func (c *conversation) groupBroadcastsChinese() []line {
	return []line{
		{who: sender, text: "群发名单读者 notice\n备注={姓名}：{到期}", has: []string{"#1 · notice → 名单「读者」的 2 人", "3 人：未关注 1 · 将发送 2", "备注：小王：周五"}},
		{who: sender, text: "群发名单 读者 notice\n备注={姓名}：{到期}", has: []string{"#1", "名单「读者」", "再发"}, refused: true, setup: func() {
			c.ends(1)
			c.got(follower, 1, "小王：周五")
			c.got(viewer, 1, "小李：周一")
		}},
		{who: sender, text: "群发主题讲座、“电影 之夜” 不含标签员工 notice 再发 试发", has: []string{
			"#2 · notice → 主题「讲座、电影 之夜」（不含标签「员工」）的 3 人", "先试发 2 人", "继续 #2",
		}},
		{who: viewer, text: "群发状态", has: []string{"已暂停 · 2 / 3", "试发：3 人中的 2 人", "继续 #2"}, setup: func() { c.pauses(2) }},
		{who: viewer, text: "群发记录", has: []string{"#2 notice", "已试发，等「继续 #2」"}},
		{who: sender, text: "继续", has: []string{"#2 开始发给其余 1 人"}},
		{who: sender, text: "群发标签老师、“两 个词” notice 不含主题讲座 现在", has: []string{"#3 · notice → 标签「老师、两 个词」（不含主题「讲座」）的 1 人", "3 人：不含 2 · 将发送 1", "1 人：与前面重复 1 · 将发送 0"}, setup: func() {
			c.ends(2)
			c.got(follower, 2, "请相互转告")
		}},
		{who: sender, text: "群发标签 老师 定时 明天9点 不含 名单 读者", has: []string{"「notice」", "#3", "再发"}, refused: true, setup: func() {
			c.ends(3)
			c.got(editor, 1, "请相互转告")
		}},
		{who: sender, text: "群发标签 老师 notice 再发 定时明天9点 不含 名单 读者", has: []string{"#4 · notice → 标签「老师」（不含名单「读者」）的 1 人", "09:00"}},
		{who: viewer, text: "群发记录", has: []string{"#4 notice", "标签「老师」（不含名单「读者」）"}},
		{who: editor, text: "名单 删除 读者", has: []string{"已删除名单「读者」"}},
		{who: editor, text: "主题 删除 讲座", has: []string{"已删除主题「讲座」", "3 人订阅", "主题 添加 讲座"}},
		{who: sender, text: "群发主题 讲座 notice", has: []string{"没有主题「讲座」", "电影 之夜"}, refused: true},
		{who: follower, text: "订阅 讲座", has: []string{"没有「讲座」这个主题", "电影 之夜"}, refused: true},
		{who: editor, text: "主题 添加 讲座", has: []string{"已恢复", "3 人"}},
		{who: sender, text: "取消 #4", has: []string{"没有人收到"}},
		{who: sender, text: "同意", has: []string{"同意 #7"}, refused: true},
		{who: sender, text: "同意 #1", has: []string{"没有执行：群发 #1 已完成"}, refused: true},
		{who: sender, text: "驳回 #99 不行", has: []string{"没有编号为 #99 的群发"}, refused: true},
		{who: sender, text: "驳回 原因", has: []string{"「原因」", "驳回 #7"}, refused: true},
	}
}

// An account whose broadcasts are tested, approved, and sent by day.
func (c *conversation) guardsChinese() []line {
	return []line{
		{who: sender, text: "群发标签 老师 notice 定时 明天12点", has: []string{"没有测试过", "群发测试 notice", "「发给自己」"}, refused: true},
		{who: sender, text: "群发自己 notice", has: []string{"#1 · notice"}},
		{who: sender, text: "群发标签 老师 notice\n备注=别的", has: []string{"没有测试过", "群发测试 notice\n备注=别的"}, refused: true, setup: func() { c.ends(1) }},
		{who: sender, text: "群发标签 老师 notice", has: []string{"#2 · notice → 标签「老师」的 3 人", "需要另外 1 位管理员同意", "取消 #2"}},
		{who: sender, text: "群发标签 老师 notice", has: []string{"正在等待同意（#2"}, refused: true},
		{who: viewer, text: "群发状态 #2", has: []string{"已有 0 / 1 人同意", "备注：请相互转告", "同意 #2", "驳回 #2 原因"}},
		{who: sender, text: "日程", has: []string{"#2 notice → 标签「老师」", "等待同意"}},
		{who: viewer, text: "群发记录", has: []string{"#2 notice · 标签「老师」 · 等待同意"}},
		{who: sender, text: "继续", has: []string{"没有可以继续的群发"}, refused: true},
		{who: sender, text: "继续 #2 现在", has: []string{"#2 正在等待同意"}, refused: true},
		{who: sender, text: "暂停 #2", has: []string{"#2 正在等待同意"}, refused: true},
		{who: sender, text: "同意 #2", has: []string{"没有执行：群发 #2 是你自己发起的", "取消 #2"}, refused: true},
		{who: sender, text: "驳回 #2 不行", has: []string{"#2 是你自己发起的"}, refused: true},
		{who: editor, text: "同意 #2", has: []string{"「发送」"}, refused: true},
		{who: admin, text: "同意#2", has: []string{"已同意", "取消 #2"}},
		{who: sender, text: "群发标签 员工 notice", has: []string{"#3", "管理员同意"}},
		{who: sender, text: "改期 #3 明天12点", has: []string{"#3", "12:00", "同意"}},
		{who: admin, text: "驳回 #3 日期不对", has: []string{"已驳回（日期不对）", "没有人收到"}},
		{who: admin, text: "同意 #3", has: []string{"没有执行：群发 #3 已取消"}, refused: true, setup: func() { c.ends(2) }},
		{who: viewer, text: "群发状态 #3", has: []string{"已取消", "已驳回：日期不对"}},
	}
}

// Hours in which nothing is sent, and a cap.
func (c *conversation) quietChinese() []line {
	return []line{
		{who: sender, text: "群发标签 老师 notice", has: []string{"#1 · notice → 标签「老师」的 3 人", "正值免打扰时段", "自动开始", "继续 #1 现在"}},
		{who: viewer, text: "群发状态", has: []string{"等待开始 · ", "自动开始", "免打扰时段", "继续 #1 现在"}},
		{who: sender, text: "日程", has: []string{"#1 notice", "等免打扰时段结束"}},
		{who: sender, text: "暂停 #1", has: []string{"#1 已暂停"}},
		{who: sender, text: "继续 #1", has: []string{"现在是免打扰时段", "#1", "自动开始"}},
		{who: sender, text: "继续 #1 现在", has: []string{"#1 继续"}},
		{who: sender, text: "群发标签 老师 notice 再发 现在", has: []string{"#2", "不受免打扰时段"}, setup: func() {
			c.ends(1)
			c.got(follower, 1)
		}},
		{who: viewer, text: "群发状态 #2", has: []string{"已完成", "跳过 3"}, setup: func() { c.ends(2) }},
		{who: viewer, text: "查询 " + follower, has: []string{"之前的群发不会收到", "24 小时内最多收 1 次", "#2 notice · 跳过", "#1 notice · "}},
		{who: viewer, text: "群发记录", has: []string{"#2 notice · 标签「老师」 · 已完成 · 0 / 3", "跳过 3"}, setup: func() { c.got(follower, 1) }},
		{who: sender, text: "群发标签 老师 notice 再发", has: []string{"#3", "免打扰时段"}},
		{who: sender, text: "取消 #3", has: []string{"没有人收到"}},
		{who: sender, text: "继续 #3 现在", has: []string{"#3 已取消"}, refused: true},
	}
}
