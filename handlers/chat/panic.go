package chat

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// Panic is what a panic word does, in the audit.
const Panic Name = "panic"

// panicWords are what an admin writes in alarm, here without space and punctuation. They
// are no rows of the commands: only whole texts count, and `stop` is one only while there
// is something to stop.
var panicWords = []string{
	"stop", "stopit", "stopnow", "stopall", "stopsending", "stopbroadcast", "stopbroadcasts", "stopeverything", "stopthebroadcast",
	"stopthebroadcasts", "broadcaststop", "halt", "abort", "dontsend", "don'tsend", "donotsend", "recall", "undo", "emergencystop",
	"停下", "停下来", "停一下", "停发", "停掉", "停了", "停止", "停止发送", "停止群发", "停止推送", "快停", "快停下", "赶紧停", "马上停", "立即停止", "立刻停止", "全部停止", "全部暂停", "叫停",
	"别发", "别发了", "别再发", "先别发", "别群发", "别群发了", "不要发", "不要发了", "先不要发", "不发了", "不要群发",
	"撤回", "撤回群发", "撤回消息", "撤销", "撤销群发", "撤消", "中止", "中止群发", "中断", "终止", "终止群发", "取消群发", "取消全部", "发错了", "发错", "紧急停止",
}

// onlyStop matches 停 said once or again and again.
var onlyStop = regexp.MustCompile(`^停+$`)

// Alarming tells whether a whole text is a panic word. Case, width, space and the marks
// at its end do not matter.
func Alarming(text string) bool {
	bare := trimPunctuation(squeezed(text))
	return onlyStop.MatchString(bare) || slices.Contains(panicWords, bare)
}

// trimPunctuation returns a line without the marks at its end.
func trimPunctuation(line string) string {
	return strings.TrimRight(line, " .!?。！？~～…,，、;；")
}

// alarmParts are what a line of an admin has that means to stop, whatever else is said.
var alarmParts = []string{"停", "别发", "别群发", "不要发", "不要再发", "别再发", "撤回", "撤销", "中止", "终止", "发错", "stop", "abort"}

// soundsAlarmed tells whether a line may have meant to stop a broadcast.
func soundsAlarmed(line string) bool {
	return slices.ContainsFunc(alarmParts, func(part string) bool { return strings.Contains(line, part) })
}

// panicked carries out an admin's panic word. handled is false if there was nothing to
// pause and the word is what everybody leaves by, as `stop` is; `停发` from an admin is not.
// The text is then what stands behind the answer to that: what still starts later.
func (c *Chat) panicked(ctx context.Context, r request) (text string, handled bool, err error) {
	done, err := c.config.Engine.PauseAll(ctx, r.from)
	switch {
	case err != nil:
		return "", true, err
	case len(done.Paused) == 0 && r.Name == Stop && r.Fault == "" && !(Alarming(r.text) && !strings.Contains(squeezed(r.text), "stop")):
		return c.untouched(done), false, nil
	}
	return c.haltedText(done), true, nil
}

// haltedText says what a panic word paused, how each goes on or ends, and what is still
// to come.
func (c *Composer) haltedText(done *broadcast.Halted) string {
	if len(done.Paused) == 0 {
		return joined([]string{c.say("halted.nothing", nil), c.untouched(done)})
	}
	items := make([]string, 0, len(done.Paused))
	for _, st := range done.Paused {
		b := st.Broadcast
		v := vars{
			"ID": b.ID, "Name": b.Name, "Audience": c.audience(b), "Taken": st.Counts.Taken(), "Total": b.Recipients,
			"Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID),
		}
		id := "halted.started"
		if b.StartedAt.IsZero() {
			id = "halted.unstarted"
		}
		items = append(items, c.say(id, v))
	}
	head := c.say("halted.head", vars{"Count": int64(len(items))})
	later := c.untouched(done)
	// What comes later is said in any case: it stands before what may be cut off.
	return fitList(joined([]string{head, later}), items, c.more)
}

// untouched names the broadcasts that a panic word leaves alone: those that start later,
// and those that wait for approvals.
func (c *Composer) untouched(done *broadcast.Halted) string {
	pending := ""
	if len(done.Pending) > 0 {
		numbers := make([]string, len(done.Pending))
		for i, b := range done.Pending {
			numbers[i] = fmt.Sprintf("#%d", b.ID)
		}
		pending = c.say("halted.pending", vars{"Numbers": numbers, "Cancel": c.on(Cancel, done.Pending[0].ID)})
	}
	return joined([]string{c.later(done.Later), pending})
}

// later names the broadcasts that a panic word leaves alone: they start later.
func (c *Composer) later(list []models.Broadcast) string {
	if len(list) == 0 {
		return ""
	}
	names := make([]string, 0, len(list))
	for _, b := range list {
		names = append(names, fmt.Sprintf("#%d %s", b.ID, c.say("halted.at", vars{"At": b.NotBefore})))
	}
	return c.say("halted.later", vars{"Names": names, "Cancel": c.on(Cancel, list[0].ID)})
}
