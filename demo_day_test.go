package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The scripts tell an operator's day: a message is written, seen, tested and planned, its
// broadcast is tried on a few, stopped on its way, goes on with other words, and is corrected.
// Followers join a topic and are sent to, and the people on a list each get their own text.
// Nobody gets any of it twice, and whoever got the first is who gets the correction.
func TestDemoTellsTheOperatorsDay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script, locale string
		parts          []string       // in this order
		taken          *regexp.Regexp // what the stopped broadcast had sent, of all
		rest, reached  *regexp.Regexp // how many the two that follow it go to
		outcome        *regexp.Regexp // the number of a broadcast, and how many phones it came to
		twice          string
	}{
		{
			"demo/day.en.txt", "C",
			[]string{
				"1. Library notice\n    Notice, Sent, Note", "“closing” is written", "Broadcast #1 · closing → you", "On your phone:",
				"│ Notice  Closed on Friday ", "it reached 1 phone, exactly once.", "│ Note    This is only a test ", "it reached 3 phones, each exactly once.",
				"For another time: reschedule #3 TIME", "#3 closing → all followers, 250", "#3 · closing now starts on", "#3 is cancelled. Nobody got it.",
				"50 of them are tried first", "#4 · closing: the canary of 50 (of 250) was tried", "Delivered: ", "Intercepted by WeChat: 0",
				"To send it to the other 200: broadcast resume #4", "#4 now goes to the other 200.",
				"Paused 1 broadcast:\n    #4 closing", "Broadcast #4 is cancelled: WeChat took ", "broadcast rest #4", "broadcast reached #4",
				"│ Notice  Closed on Saturday ",
				"Zhao ← You have joined lectures.", "Welcome to the City Library", "Lin ← You have joined lectures.",
				"#7 · closing → 52 of topic lectures", "readers: 11 people, 10 would be sent to, fields {name} {book} {due}",
				"Reader: {name}", "Only a list with {name} {book} {due} can", "#8 · reminder → 10 of list readers",
				"list readers, 11 people: 1 not following · 10 to send to", "Reader: Lin", "Book: Emma",
				"Lin ← Sorry, I", "Lin ← Done: you won't get our broadcasts",
				"← Lin · oDemo-lin-", "Opted out on ", "Topics: lectures", "Last wrote “unsubscribe”", "#8 reminder · delivered", "#7 closing · delivered", "The demo is over",
			},
			regexp.MustCompile(`#4 is cancelled: WeChat took ([0-9,]+) of 250`),
			regexp.MustCompile(`#5 · closing → ([0-9,]+) people left of #4`), regexp.MustCompile(`#6 · closing → ([0-9,]+) people reached by #4`),
			regexp.MustCompile(`(?s)Outcome of broadcast #(\d).*?it reached ([0-9,]+) phone`), "of them twice",
		},
		{
			"demo/day.zh.txt", "zh_CN.UTF-8",
			[]string{
				"1. 图书馆通知\n    通知内容、通知时间、备注", "「闭馆」已写好", "群发 #1 · 闭馆 → 你自己", "你的手机收到：",
				"│ 通知内容  周五闭馆一天 ", "1 部手机收到，", "│ 备注      测试，请勿转发 ", "3 部手机收到，每部一条，没有重复。",
				"改期 #3 时间", "#3 闭馆 → 全体关注者 250 人", "群发 #3 · 闭馆 改为 ", "群发 #3 已取消，没有人收到。",
				"先试发 50 人", "群发 #4 · 闭馆 已试发 50 人（共 250 人）", "已送达：", "被微信拦截：0",
				"要发给其余 200 人，请发送：继续 #4", "群发 #4 开始发给其余 200 人。",
				"已暂停 1 个群发：\n    #4 闭馆", "群发 #4 已取消，微信已受理 ", "群发其余 #4", "群发已达 #4",
				"│ 通知内容  周六闭馆一天 ",
				"小赵 ← 已订阅「讲座」。", "感谢关注市图书馆", "小林 ← 已订阅「讲座」。",
				"群发 #7 · 闭馆 → 主题「讲座」的 52 人", "「读者」11 人，可发送 10，字段 {姓名} {书名} {到期日}",
				"读者：{姓名}", "要有 {姓名} {书名} {到期日} 的名单才能填上", "群发 #8 · 还书 → 名单「读者」的 10 人",
				"名单「读者」11 人：未关注 1 · 将发送 10", "读者：小林", "书名：《红楼梦》",
				"小林 ← 抱歉", "小林 ← 已退订",
				"← 小林 · oDemo-lin-", "已退订（", "订阅的主题：讲座", "不要再发了", "#8 还书 · 已送达", "#7 闭馆 · 已送达", "演示结束",
			},
			regexp.MustCompile(`#4 已取消，微信已受理 ([0-9,]+) / 250`),
			regexp.MustCompile(`#5 · 闭馆 → #4 中还没发过的 ([0-9,]+) 人`), regexp.MustCompile(`#6 · 闭馆 → #4 中已收到的 ([0-9,]+) 人`),
			regexp.MustCompile(`(?s)群发 #(\d)[^\n]* 的结果.*?([0-9,]+) 部手机收到`), "不止一条",
		},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			script, err := os.ReadFile(tt.script)
			if err != nil {
				t.Fatal(err)
			}
			out := runDemoOn(t, tt.locale, string(script), "--followers", "250")
			rest := out
			for _, part := range tt.parts {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("no %q, or not in its place", part)
					continue
				}
				rest = after
			}
			if strings.Contains(out, tt.twice) {
				t.Error("somebody got a message twice")
			}
			number := func(re *regexp.Regexp) int {
				m := re.FindStringSubmatch(out)
				if m == nil {
					t.Errorf("nothing says %s", re)
					return 0
				}
				return count(t, m[1])
			}
			phones := map[string]int{}
			for _, m := range tt.outcome.FindAllStringSubmatch(out, -1) {
				phones[m[1]] = count(t, m[2])
			}
			// The platform knows of 3 who block the account, and of 2 who have left it.
			if taken := number(tt.taken); taken == 0 || taken >= 245 {
				t.Errorf("the broadcast was stopped when %d were taken", taken)
			}
			if got := phones["4"] + phones["5"]; got != 245 {
				t.Errorf("the stopped broadcast and its rest reached %v phones, together %d, want 245", phones, got)
			}
			if left := number(tt.rest); left < phones["5"] || left > 250-phones["4"] {
				t.Errorf("the rest are %d, reached were %v", left, phones)
			}
			if got := number(tt.reached); got != phones["4"] || phones["6"] != got {
				t.Errorf("%d got the correction, reached were %v", got, phones)
			}
			if phones["7"] == 0 || phones["7"] > 52 || phones["8"] != 10 {
				t.Errorf("the topic and the list reached %v phones, want up to 52 and 10", phones)
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}
