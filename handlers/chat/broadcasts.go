package chat

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/wechat"
)

// listed is how many broadcasts the list shows.
const listed = 10

var audiences = map[Name]models.Audience{
	BroadcastMe:   models.AudienceMe,
	BroadcastTest: models.AudienceTest,
	BroadcastAll:  models.AudienceAll,
	Retry:         models.AudienceRetry,
	Reached:       models.AudienceReached,
	Rest:          models.AudienceRest,

	BroadcastTopic: models.AudienceGroups,
	BroadcastTag:   models.AudienceGroups,
	BroadcastList:  models.AudienceGroups,
}

// groupKinds are what the names behind a command mean.
var groupKinds = map[Name]models.GroupKind{
	BroadcastTopic: models.GroupTopic,
	BroadcastTag:   models.GroupTag,
	BroadcastList:  models.GroupList,
}

// groups are the groups that a command names.
func groups(cmd Command) (all []models.Group) {
	for _, name := range cmd.Groups {
		all = append(all, models.Group{Kind: groupKinds[cmd.Name], Name: name})
	}
	return all
}

func (c *Chat) broadcast(ctx context.Context, r request) (string, error) {
	q, err := c.asks(ctx, r)
	if err != nil {
		return "", err
	}
	asked, err := c.config.Engine.Create(ctx, q)
	if err != nil {
		return "", err
	}
	r.about(asked.Broadcast.ID)
	return c.askedText(asked, asked.Broadcast.AskedAt.Time), nil
}

// asks is what the engine is asked for by a command that makes a broadcast. The error says
// what is wrong with its time, and with the rest as well.
func (c *Chat) asks(ctx context.Context, r request) (broadcast.Request, error) {
	at, err := c.startAt(ctx, r)
	q := r.asked()
	q.At = at
	return q, err
}

// asked is what the engine is asked for by a command that makes a broadcast, without its
// time.
func (r request) asked() broadcast.Request {
	return broadcast.Request{
		Message:    r.Message,
		Audience:   audiences[r.Name],
		Groups:     groups(r.Command),
		Except:     r.Except,
		Of:         r.ID,
		AskedBy:    r.from,
		RequestKey: cmp.Or(r.requestKey, r.key),
		Again:      r.Again,
		Canary:     r.Canary,
		AnyHour:    r.Now,
		Fields:     changes(r.Fields),
		Digest:     r.digest,
	}
}

// LateReply says what became of a request whose sender was told that it was not
// known: asked, or err if it came to nothing.
func (c *Composer) LateReply(asked *broadcast.Created, err error) string {
	if err == nil {
		return wechat.FitText(c.say("late.stored", nil) + "\n" + c.askedText(asked, c.now()))
	}
	reason, known := c.errorText(err, Command{})
	if !known {
		return wechat.FitText(c.say("late.not_stored", nil))
	}
	return wechat.FitText(c.say("late.refused", nil) + "\n" + reason)
}

// whoseCount says whose count the number of recipients is, empty if they were counted.
func (c *Composer) whoseCount(of *broadcast.Created) string {
	switch {
	case of.Announced:
		return c.say("asked.announced", nil)
	case of.Listed:
		return c.say("asked.listed", nil)
	}
	return ""
}

// askedText says what was begun: number, message, recipients, how to stop it and
// how long that is possible from now on, where to watch it, what to mind, and the
// message as it looks, as far as there is room.
func (c *Composer) askedText(asked *broadcast.Created, now time.Time) string {
	b := asked.Broadcast
	id, v := "asked."+string(b.Audience), vars{"ID": b.ID, "Name": b.Name, "Of": strconv.FormatInt(b.OfID, 10), "Audience": clip(c.audience(b), maxAudience)}
	switch {
	case asked.SyncFirst:
		id = "asked.sync_first"
	case b.Audience != models.AudienceMe:
		v["Count"] = asked.Recipients
	}
	lines := append([]string{c.say(id, v)}, c.parts(asked.Parts)...)
	if whose := c.whoseCount(asked); whose != "" {
		lines = append(lines, whose)
	}
	if asked.Instead != 0 {
		lines = append(lines, c.say("asked.instead", vars{"ID": asked.Instead}))
	}
	lines = append(lines, c.askedCanary(b, !asked.SyncFirst))
	window := b.StartsIn(now)
	switch cancel := c.on(Cancel, b.ID); {
	case b.State == models.Pending:
		lines = append(lines, c.askedApproval(asked))
	case b.WaitsForQuietEnd() && window > 0:
		lines = append(lines, c.quietText("asked.quiet", b))
	case waitsForTime(b) && window > 0:
		lines = append(lines, c.say("asked.planned", c.startVars(b)))
	case b.Audience == models.AudienceMe:
	case window > 0:
		lines = append(lines, c.say("asked.window", vars{"In": window, "Cancel": cancel}))
	default:
		lines = append(lines, c.say("asked.now", vars{"Cancel": cancel}))
	}
	if b.AnyHour && !asked.Quiet.None() {
		lines = append(lines, c.say("asked.any_hour", vars{"Hours": asked.Quiet.String()}))
	}
	lines = append(lines, c.link(b.ID))
	text := fitList(joined(lines), c.warnings(b.ID, asked.Warnings), c.more)
	if asked.Message.TemplateID == "" {
		return text
	}
	return c.withCard(text, c.card(asked.Template, asked.Message), "")
}

func (c *Composer) warnings(id int64, warnings []check.Warning) []string {
	var lines []string
	for _, w := range warnings {
		v := vars{"Retry": c.write(Retry, "")}
		if id != 0 { // a rehearsed one has none
			v["Retry"] = c.on(Retry, id)
		}
		maps.Copy(v, w.Args)
		lines = append(lines, c.say("warning."+w.Code, v))
	}
	return lines
}

func (c *Chat) status(ctx context.Context, r request) (string, error) {
	st, err := c.config.Engine.Status(ctx, r.ID)
	if err != nil {
		return "", err
	}
	return c.statusText(*st), nil
}

func (c *Chat) pause(ctx context.Context, r request) (string, error) {
	b, err := c.config.Engine.Pause(ctx, r.ID, r.from)
	if err != nil {
		return "", err
	}
	r.about(b.ID)
	text := c.say("paused", vars{"ID": b.ID, "Resume": c.on(Resume, b.ID), "Cancel": c.on(Cancel, b.ID)})
	if waitsForTime(*b) {
		text += "\n" + c.say("pause.planned", vars{"At": c.moment(b.NotBefore.Time)})
	}
	return text, nil
}

func (c *Chat) resume(ctx context.Context, r request) (string, error) {
	resume := c.config.Engine.Resume
	if r.Now {
		resume = c.config.Engine.ResumeNow
	}
	b, err := resume(ctx, r.ID, r.from)
	if err != nil {
		return "", err
	}
	r.about(b.ID)
	return c.resumedText(*b), nil
}

func (c *Chat) cancel(ctx context.Context, r request) (string, error) {
	done, err := c.config.Engine.Cancel(ctx, r.ID, r.from)
	if err != nil {
		return "", err
	}
	b := done.Broadcast
	r.about(b.ID)
	if b.StartedAt.IsZero() {
		return c.say("cancelled.unstarted", vars{"ID": b.ID}), nil
	}
	v := vars{"ID": b.ID, "Status": c.on(Status, b.ID), "Taken": "", "Total": b.Recipients, "OnTheWay": ""}
	if done.Counted {
		v["Taken"] = done.Taken
	}
	if done.OnTheWay > 0 {
		v["OnTheWay"] = done.OnTheWay
	}
	lines := []string{c.say("cancelled.started", v)}
	if done.Counted {
		lines = append(lines, c.goOn(b, done.Left, done.Taken))
	}
	return joined(lines), nil
}

// goOn says how to write to those to whom a broadcast that ended early did not come, and
// to those who got it.
func (c *Composer) goOn(b models.Broadcast, left, taken int64) string {
	var lines []string
	if left > 0 && (b.State == models.Cancelled || taken > 0) { // nobody got what failed at once
		lines = append(lines, c.say("go_on.rest", vars{"Left": left, "Rest": c.on(Rest, b.ID)}))
	}
	if taken > 0 {
		lines = append(lines, c.say("go_on.reached", vars{"Taken": taken, "Reached": c.on(Reached, b.ID)}))
	}
	return joined(lines)
}

func (c *Chat) list(ctx context.Context, _ request) (string, error) {
	all, err := c.config.Engine.List(ctx, listed)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return c.say("list.empty", nil), nil
	}
	items := make([]string, len(all))
	for i, st := range all {
		b := st.Broadcast
		items[i] = c.say("list.item", vars{
			"ID": b.ID, "Name": clip(b.Name, 24), "Audience": c.audience(b), "State": c.state(b),
			"Taken": st.Counts.Taken(), "Total": b.Recipients, "At": b.AskedAt,
		}) + c.canaryMark(b)
		if n := st.Counts.Skipped; n > 0 {
			items[i] += " · " + c.say("count.skipped", vars{"N": n})
		}
		if waitsForTime(b) || b.WaitsForQuietEnd() {
			items[i] += " · " + c.say("list.planned", vars{"At": c.moment(b.NotBefore.Time)})
		}
	}
	head, link := c.say("list.head", nil), ""
	if url := c.links.History(); url != "" {
		link = "\n" + c.say("list.link", vars{"URL": url})
	}
	// The list is cut with the link in front of it, so that there is room for the link
	// at the end.
	rest := strings.TrimPrefix(fitList(head+link, items, c.more), head+link)
	return head + rest + link, nil
}

func (c *Composer) more(n int) string { return c.say("help.more", vars{"Count": int64(n)}) }

func (c *Composer) audience(b models.Broadcast) string {
	return AudienceText(c.locale.Locale, b)
}

func (c *Composer) state(b models.Broadcast) string {
	return c.say("state."+string(b.State), nil)
}

func (c *Composer) link(id int64) string {
	url := c.links.Broadcast(id)
	if url == "" {
		return ""
	}
	return c.say("link", vars{"URL": url})
}

func joined(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		if line != "" {
			fmt.Fprintln(&b, line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
