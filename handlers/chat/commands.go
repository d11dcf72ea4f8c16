package chat

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/models"
)

// Name is a command's name in code and in the sentences.
type Name string

// The commands. Unknown is any line that begins with none of them.
const (
	Unknown        Name = ""
	OpenID         Name = "openid"
	Help           Name = "help"
	Stop           Name = "stop"
	Start          Name = "start"
	Topics         Name = "topics"
	Join           Name = "join"
	Leave          Name = "leave"
	TopicsAdd      Name = "topics_add"
	TopicsRemove   Name = "topics_remove"
	BroadcastMe    Name = "broadcast_me"
	BroadcastTest  Name = "broadcast_test"
	BroadcastAll   Name = "broadcast_all"
	BroadcastTopic Name = "broadcast_topic"
	BroadcastTag   Name = "broadcast_tag"
	BroadcastList  Name = "broadcast_list"
	Lists          Name = "lists"
	ListsRemove    Name = "lists_remove"
	Status         Name = "status"
	Pause          Name = "pause"
	Resume         Name = "resume"
	Cancel         Name = "cancel"
	Retry          Name = "retry"
	Reached        Name = "reached"
	Rest           Name = "rest"
	Reschedule     Name = "reschedule"
	Schedule       Name = "schedule"
	List           Name = "list"
	Testers        Name = "testers"
	TestersAdd     Name = "testers_add"
	TestersRemove  Name = "testers_remove"
	Messages       Name = "messages"
	Sync           Name = "sync"
	SyncConfirm    Name = "sync_confirm"
	Stats          Name = "stats"
	Replies        Name = "replies"
	RepliesSet     Name = "replies_set"
	RepliesRemove  Name = "replies_remove"
	Who            Name = "who"
	Tags           Name = "tags"
	Admins         Name = "admins"
	AdminsAdd      Name = "admins_add"
	AdminsRemove   Name = "admins_remove"
	MessagesSet    Name = "messages_set"
	MessagesRemove Name = "messages_remove"
	Templates      Name = "templates"
	Approve        Name = "approve"
	Reject         Name = "reject"
	Console        Name = "console"
	ConsoleOut     Name = "console_out"
	Confirm        Name = "confirm"
)

// takes is what may follow a command's name.
type takes int

const (
	takesNothing       takes = iota
	takesMessage             // MESSAGE: [except KIND NAMES] [name] [again] [canary] [now] [at TIME], lines field=value
	takesGroups              // NAMES MESSAGE
	takesOf                  // #id MESSAGE
	takesNumber              // [#id]
	needsNumber              // #id
	takesNumberFlags         // #id [canary] [now]
	takesNumberAndWhy        // #id [why]
	takesTime                // #id TIME
	takesOpenID              // OPENID, or a person's name
	takesOpenIDAndName       // OPENID [NAME]
	takesOpenIDAndRole       // OPENID, or a person's name, ROLE
	takesName                // NAME
	takesNameAndFields       // NAME, lines field=value
	takesNameAndText         // NAME, a text on further lines
	takesNameAndWords        // NAME [words]
	takesNames               // NAMES of topics, and nothing else
	takesCode                // CODE
)

// command is one row of the table that the parser, the help and the replies
// share.
type command struct {
	name Name
	// en and zh are the ways to write it; the first of each is the one that
	// replies teach. Chinese ones may be written with or without their space.
	en, zh []string
	takes  takes
	// role is the least one that may use it; empty for everybody.
	role models.Role
	// reads: it changes nothing and shows nothing personal, so that the audit has no row
	// of it.
	reads bool
	// remember: the reply depends on more than the line, so that a redelivered
	// line must be answered from memory.
	remember bool
	// sends: it has messages sent, so that no guess at a mistyped line proposes it.
	sends bool
	// under is the command on whose line in the help this one stands, beside it or in
	// brackets; empty for a line of its own. That one's help sentence is for both.
	under Name
	// confirmed: in the console it takes the admin's word in the chat, since it has something
	// sent to more than the test list, or lets somebody in who could have that done.
	confirmed bool
	// keeps: what it does it keeps in the audit by itself.
	keeps bool
	// repeatable: it changes something, and carrying it out twice is the same as once.
	repeatable bool
	// run carries it out for a sender who may use it.
	run func(*Chat, context.Context, request) (string, error)
}

// commands is the table, in the order of the help. The handlers read it through a
// Composer, since Go forbids a table that its own entries refer to.
var commands = []command{
	{name: OpenID, en: []string{"openid"}, zh: []string{"openid", "我的openid"}, run: (*Chat).openID},
	{name: Help, en: []string{"help"}, zh: []string{"帮助"}, run: (*Chat).help},
	{name: Stop, en: []string{"stop"}, zh: []string{"退订", "取消订阅"}, remember: true, repeatable: true, run: (*Chat).optOut},
	{name: Start, en: []string{"start"}, zh: []string{"订阅"}, remember: true, repeatable: true, run: (*Chat).optOut},
	{name: Topics, en: []string{"topics"}, zh: []string{"主题"}, remember: true, run: (*Chat).topics},
	{name: Join, under: Topics, en: []string{"join"}, zh: []string{"订阅"}, takes: takesNames, remember: true, repeatable: true, run: (*Chat).setTopics},
	{name: Leave, under: Topics, en: []string{"leave"}, zh: []string{"退订", "取消订阅"}, takes: takesNames, remember: true, repeatable: true, run: (*Chat).setTopics},

	{name: BroadcastMe, en: []string{"broadcast me"}, zh: []string{"发给自己", "群发自己"}, takes: takesMessage, role: models.Editor, sends: true, remember: true, run: (*Chat).broadcast},
	{name: BroadcastTest, en: []string{"broadcast test"}, zh: []string{"群发测试"}, takes: takesMessage, role: models.Editor, sends: true, remember: true, run: (*Chat).broadcast},
	{name: BroadcastAll, en: []string{"broadcast all", "broadcast everyone", "broadcast everybody"}, zh: []string{"群发全部", "群发所有人", "群发所有", "群发全体", "群发全员"}, takes: takesMessage, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: BroadcastTopic, en: []string{"broadcast topic"}, zh: []string{"群发主题"}, takes: takesGroups, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: BroadcastTag, under: BroadcastTopic, en: []string{"broadcast tag"}, zh: []string{"群发标签"}, takes: takesGroups, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: BroadcastList, under: BroadcastTopic, en: []string{"broadcast list"}, zh: []string{"群发名单"}, takes: takesGroups, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: Status, en: []string{"broadcast status", "status"}, zh: []string{"群发状态"}, takes: takesNumber, role: models.Viewer, reads: true, remember: true, run: (*Chat).status},
	{name: Pause, en: []string{"broadcast pause", "pause"}, zh: []string{"暂停", "群发暂停"}, takes: takesNumber, role: models.Sender, remember: true, repeatable: true, run: (*Chat).pause},
	{name: Resume, under: Pause, en: []string{"broadcast resume", "resume"}, zh: []string{"继续", "群发继续"}, takes: takesNumber, role: models.Sender, confirmed: true, sends: true, remember: true, repeatable: true, run: (*Chat).resume},
	{name: Cancel, under: Pause, en: []string{"broadcast cancel", "cancel"}, zh: []string{"取消", "群发取消"}, takes: takesNumber, role: models.Sender, remember: true, repeatable: true, run: (*Chat).cancel},
	{name: Retry, en: []string{"broadcast retry", "retry"}, zh: []string{"重发", "群发重发"}, takes: takesNumberFlags, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: Rest, en: []string{"broadcast rest", "rest"}, zh: []string{"群发其余", "其余"}, takes: takesOf, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: Reached, under: Rest, en: []string{"broadcast reached", "reached"}, zh: []string{"群发已达", "已达"}, takes: takesOf, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).broadcast},
	{name: Schedule, en: []string{"schedule"}, zh: []string{"日程"}, role: models.Sender, reads: true, remember: true, run: (*Chat).schedule},
	{name: Reschedule, under: Schedule, en: []string{"reschedule"}, zh: []string{"改期"}, takes: takesTime, role: models.Sender, confirmed: true, remember: true, repeatable: true, run: (*Chat).reschedule},
	{name: Approve, en: []string{"approve", "broadcast approve"}, zh: []string{"同意", "群发同意"}, takes: needsNumber, role: models.Sender, confirmed: true, sends: true, remember: true, run: (*Chat).approve},
	{name: Reject, under: Approve, en: []string{"reject", "broadcast reject"}, zh: []string{"驳回", "群发驳回"}, takes: takesNumberAndWhy, role: models.Sender, remember: true, run: (*Chat).reject},
	{name: List, under: Status, en: []string{"broadcast list"}, zh: []string{"群发记录"}, role: models.Viewer, reads: true, remember: true, run: (*Chat).list},
	{name: Messages, en: []string{"messages"}, zh: []string{"消息"}, role: models.Editor, reads: true, remember: true, run: (*Chat).messages},
	{name: MessagesSet, under: Messages, en: []string{"messages set", "messages 设置"}, zh: []string{"消息 设置", "消息 set"}, takes: takesNameAndFields, role: models.Editor, remember: true, repeatable: true, run: (*Chat).setMessage},
	{name: MessagesRemove, under: Messages, en: []string{"messages remove", "messages 删除"}, zh: []string{"消息 删除", "消息 remove"}, takes: takesName, role: models.Editor, remember: true, repeatable: true, run: (*Chat).removeMessage},
	{name: Templates, en: []string{"templates"}, zh: []string{"模板", "模版"}, role: models.Editor, reads: true, remember: true, run: (*Chat).templates},
	{name: Testers, en: []string{"testers"}, zh: []string{"测试名单"}, role: models.Editor, reads: true, remember: true, run: (*Chat).testers},
	{name: TestersAdd, under: Testers, en: []string{"testers add", "testers 添加"}, zh: []string{"测试名单 添加", "测试名单 add"}, takes: takesOpenIDAndName, role: models.Editor, confirmed: true, remember: true, repeatable: true, run: (*Chat).addTester},
	{name: TestersRemove, under: Testers, en: []string{"testers remove", "testers 删除"}, zh: []string{"测试名单 删除", "测试名单 remove"}, takes: takesOpenID, role: models.Editor, remember: true, repeatable: true, run: (*Chat).removeTester},
	{name: TopicsAdd, under: Topics, en: []string{"topics add", "topics 添加"}, zh: []string{"主题 添加", "主题 add"}, takes: takesNameAndWords, role: models.Editor, remember: true, repeatable: true, run: (*Chat).addTopic},
	{name: TopicsRemove, under: Topics, en: []string{"topics remove", "topics 删除"}, zh: []string{"主题 删除", "主题 remove"}, takes: takesName, role: models.Editor, remember: true, repeatable: true, run: (*Chat).removeTopic},
	{name: Replies, en: []string{"replies"}, zh: []string{"回复"}, role: models.Editor, reads: true, remember: true, run: (*Chat).listReplies},
	{name: RepliesSet, under: Replies, en: []string{"replies set", "replies 设置"}, zh: []string{"回复 设置", "回复 set"}, takes: takesNameAndText, role: models.Editor, confirmed: true, remember: true, repeatable: true, run: (*Chat).setReply},
	{name: RepliesRemove, under: Replies, en: []string{"replies remove", "replies 删除"}, zh: []string{"回复 删除", "回复 remove"}, takes: takesName, role: models.Editor, remember: true, repeatable: true, run: (*Chat).removeReply},
	{name: Lists, en: []string{"lists"}, zh: []string{"名单"}, role: models.Viewer, reads: true, remember: true, run: (*Chat).lists},
	{name: ListsRemove, under: Lists, en: []string{"lists remove", "lists 删除"}, zh: []string{"名单 删除", "名单 remove"}, takes: takesName, role: models.Editor, remember: true, repeatable: true, run: (*Chat).removeList},
	{name: Sync, en: []string{"sync"}, zh: []string{"同步"}, role: models.Sender, remember: true, run: (*Chat).sync},
	{name: SyncConfirm, under: Sync, en: []string{"sync confirm", "sync 确认"}, zh: []string{"同步 确认", "同步 confirm"}, role: models.Sender, confirmed: true, remember: true, run: (*Chat).sync},
	{name: Stats, en: []string{"stats"}, zh: []string{"统计"}, role: models.Viewer, reads: true, remember: true, run: (*Chat).stats},

	{name: Tags, en: []string{"tags"}, zh: []string{"标签"}, role: models.Viewer, reads: true, remember: true, run: (*Chat).tags},
	{name: Who, en: []string{"who"}, zh: []string{"查询"}, takes: takesOpenID, role: models.Viewer, remember: true, run: (*Chat).who},
	{name: Console, en: []string{"console"}, zh: []string{"后台"}, role: models.Viewer, run: (*Chat).openConsole},
	{name: ConsoleOut, under: Console, en: []string{"console out", "console 退出"}, zh: []string{"后台 退出", "后台 out"}, role: models.Viewer, remember: true, repeatable: true, run: (*Chat).leaveConsole},
	{name: Confirm, under: Console, en: []string{"confirm"}, zh: []string{"确认"}, takes: takesCode, role: models.Viewer, sends: true, keeps: true, remember: true, run: (*Chat).confirm},
	{name: Admins, en: []string{"admins"}, zh: []string{"管理员"}, role: models.Owner, reads: true, remember: true, run: (*Chat).admins},
	{name: AdminsAdd, under: Admins, en: []string{"admins add", "admins 添加"}, zh: []string{"管理员 添加", "管理员 add"}, takes: takesOpenIDAndRole, role: models.Owner, confirmed: true, remember: true, repeatable: true, run: (*Chat).addAdmin},
	{name: AdminsRemove, under: Admins, en: []string{"admins remove", "admins 删除"}, zh: []string{"管理员 删除", "管理员 remove"}, takes: takesOpenID, role: models.Owner, remember: true, repeatable: true, run: (*Chat).removeAdmin},
}

// alias is one way to write a command.
type alias struct {
	command *command
	// words is set for one that must stand as whole words, solid for a Chinese
	// one, which needs no spaces.
	words []string
	solid string
}

// aliases has every alias, the longest first, so that `测试名单添加` is not read as
// `测试名单` and something after it.
var aliases = sortedAliases(commands)

func sortedAliases(table []command) []alias {
	var all []alias
	for i := range table {
		for _, s := range table[i].en {
			all = append(all, alias{command: &table[i], words: strings.Fields(s)})
		}
		for _, s := range table[i].zh {
			if s[0] < utf8.RuneSelf {
				continue // an English name that is taught in Chinese too
			}
			all = append(all, alias{command: &table[i], solid: strings.ReplaceAll(s, " ", "")})
		}
	}
	slices.SortStableFunc(all, func(a, b alias) int {
		return cmp.Or(cmp.Compare(len(b.words), len(a.words)), cmp.Compare(len(b.solid), len(a.solid)))
	})
	return all
}

// match tells whether the line begins with the alias and returns what follows.
func (a alias) match(line []word) (rest []word, ok bool) {
	if a.solid != "" {
		return a.matchSolid(line)
	}
	if len(line) < len(a.words) {
		return nil, false
	}
	for i, s := range a.words {
		if line[i].folded != s {
			return nil, false
		}
	}
	return slices.Clone(line[len(a.words):]), true
}

// matchSolid matches a Chinese alias, whatever the spaces in it. What is glued
// to its end is its argument if it can be one.
func (a alias) matchSolid(line []word) (rest []word, ok bool) {
	left := a.solid
	for i, w := range line {
		if len(w.folded) < len(left) {
			if left, ok = strings.CutPrefix(left, w.folded); !ok {
				return nil, false
			}
			continue
		}
		glued, fits := strings.CutPrefix(w.folded, left)
		if !fits {
			return nil, false
		}
		rest = slices.Clone(line[i+1:])
		if glued == "" {
			return rest, true
		}
		raw := []rune(w.raw)
		arg := word{raw: string(raw[len(raw)-utf8.RuneCountInString(glued):]), folded: glued}
		return slices.Insert(rest, 0, arg), a.command.takes.glued(glued)
	}
	return nil, false
}

// glued tells whether a folded word may be an argument without a space before
// it. `暂停7` is plain, but `暂停一下` and `订阅号` are other words.
func (t takes) glued(s string) bool {
	switch t {
	case takesMessage, takesGroups, takesName, takesNameAndFields, takesNameAndText, takesNameAndWords, takesNames:
		return true
	case takesNumber, needsNumber, takesNumberFlags:
		_, ok := broadcastNumber(s)
		return ok
	case takesCode:
		return isCode(s)
	case takesOf, takesTime, takesNumberAndWhy:
		return strings.HasPrefix(s, "#") || '0' <= s[0] && s[0] <= '9'
	case takesOpenID, takesOpenIDAndName, takesOpenIDAndRole:
		first, _ := utf8.DecodeRuneInString(s)
		return !unicode.Is(unicode.Han, first)
	case takesNothing:
	}
	return false
}
