package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
)

// lineBreak stands in a line for the beginning of a new one: a message of several lines
// is typed, or written in a script, in one.
const lineBreak = `\n`

// say does what one line says: it is said by whoever it names, or is an action.
func (d *Account) say(ctx context.Context, line string, shown bool) error {
	line = strings.TrimSpace(clean(line))
	if line == "" {
		return nil
	}
	// Whoever types can wait without it, and do something else meanwhile.
	if until, ok := d.waits(line); ok && !shown {
		return d.waitFor(ctx, until)
	}
	who, text, ok := d.speaker(strings.ReplaceAll(line, lineBreak, "\n"))
	if !ok {
		d.remark("nobody", lang.Vars{"Name": who.name})
		return nil
	}
	if !shown {
		d.echo(who, text)
	}
	if done, err := d.moves(ctx, who, text); done || err != nil {
		return err
	}
	if err := d.tell(ctx, who, text); err != nil || shown {
		return err
	}
	// A small broadcast is over in a moment, and a script reads better if its
	// next line comes after it. One to all goes on: it can be cancelled.
	return d.demo.await(ctx, d.fewEnded)
}

// remark prints what the demo itself has to say about a line.
func (d *Account) remark(id string, vars lang.Vars) {
	d.screen.print(hang("  ", d.words.of(d.words.terminal(id, vars)), d.screen.width())...)
}

// echo shows on the screen what someone says who did not type it there.
func (d *Account) echo(who person, text string) {
	d.screen.print(append([]string{""}, hang(d.words.of(who.name)+"> ", text, d.screen.width())...)...)
}

// tell sends what someone says to the account, and shows the reply.
func (d *Account) tell(ctx context.Context, who person, text string) error {
	d.phones.chat(who.openID, entryOut, text)
	reply, err := d.platform.Say(ctx, who.openID, text)
	switch {
	case errors.Is(err, simulator.ErrFaulty) && ctx.Err() == nil:
		reply = d.words.terminal("faulty", lang.Vars{"Reason": err})
	case err != nil:
		return fmt.Errorf("say %q: %w", text, err)
	case reply == "":
		reply = d.words.terminal("no_reply")
	}
	d.hear(who.openID, reply)
	return d.observe(ctx)
}

// hear shows what the account wrote to someone.
func (d *Account) hear(openID, text string) {
	d.last = time.Now()
	d.phones.chat(openID, entryIn, clean(text))
	var who []string
	if d.words.account != "" {
		who = append(who, d.words.account)
	}
	if openID != d.ids.admin {
		who = append(who, d.person(openID).name)
	}
	prefix := "  ← "
	if who != nil {
		prefix = "  " + strings.Join(who, " · ") + " ← "
	}
	d.screen.print(hang(prefix, clean(text), d.screen.width())...)
}

// person is someone who can speak.
type person struct {
	name, openID string
	latin        string // the name as one can write it in every language
}

func (d *Account) person(openID string) person {
	for _, p := range d.others() {
		if p.openID == openID {
			return p
		}
	}
	return person{name: d.words.terminal("you"), openID: d.ids.admin}
}

// others are the people with a name beside the admin.
func (d *Account) others() []person {
	return []person{
		{d.words.terminal("lin"), d.ids.lin, "lin"},
		{d.words.terminal("wang"), d.ids.wang, "wang"},
		{d.words.terminal("zhao"), d.ids.zhao, "zhao"},
	}
}

// named tells whether an OpenID is that of someone with a name, the admin included.
func (d *Account) named(openID string) bool {
	return openID == d.ids.admin || slices.ContainsFunc(d.others(), func(p person) bool { return p.openID == openID })
}

// speaker tells who says a line, and what: "@lin stop" is Lin's. With a name
// that nobody has, ok is false and who has it.
func (d *Account) speaker(line string) (who person, text string, ok bool) {
	rest, named := cutAt(line)
	if !named {
		return d.person(d.ids.admin), line, true
	}
	name, text, _ := strings.Cut(rest, " ")
	for _, p := range d.others() {
		if strings.EqualFold(name, p.name) || strings.EqualFold(name, p.latin) {
			return p, strings.TrimSpace(text), true
		}
	}
	return person{name: name}, "", false
}

// cutAt returns a line without the @ that it begins with.
func cutAt(line string) (rest string, ok bool) {
	return strings.CutPrefix(strings.Replace(line, "＠", "@", 1), "@")
}

// moves lets someone follow the account, leave it or scan its QR code, if that is what a text
// says. done is true if it does, or if the person can say nothing since they do not follow.
func (d *Account) moves(ctx context.Context, who person, text string) (done bool, err error) {
	if who.openID == d.ids.admin {
		return false, nil
	}
	away := d.away[who.openID]
	if who.openID == d.ids.lin {
		away = d.isOn(linLeft)
	}
	follows, leaves := d.isWord("follow", text), d.isWord("unfollow", text)
	scene, scans := d.scans(text)
	switch {
	case scans && (!away || who.openID != d.ids.lin): // Lin comes back by the switch
		return true, d.scan(ctx, who, scene)
	case away && !follows:
		d.remark("away", lang.Vars{"Name": who.name})
		return true, nil
	case !follows && !leaves:
		return false, nil
	case follows && !away:
		d.remark("follows", lang.Vars{"Name": who.name})
		return true, nil
	case who.openID == d.ids.lin: // there is a switch for it
		return true, d.turn(ctx, linLeft, leaves)
	case leaves:
		err = d.platform.Unfollow(ctx, who.openID)
	default:
		err = d.platform.Follow(ctx, who.openID)
	}
	if err != nil {
		return true, fmt.Errorf("%s: %q: %w", who.name, text, err)
	}
	d.away[who.openID] = !away
	return true, d.observe(ctx)
}

// scan lets someone scan the account's QR code with a scene, by which one comes to follow.
func (d *Account) scan(ctx context.Context, who person, scene string) error {
	reply, err := d.platform.Scan(ctx, who.openID, scene)
	if err != nil {
		return fmt.Errorf("%s scans %q: %w", who.name, scene, err)
	}
	d.away[who.openID] = false
	if reply != "" {
		d.hear(who.openID, reply)
	}
	return d.observe(ctx)
}

// isWord tells whether a text is one of the words of a sentence, which are parted by
// spaces.
func (d *Account) isWord(id, text string) bool {
	for _, word := range strings.Fields(d.words.terminal(id)) {
		if strings.EqualFold(word, text) {
			return true
		}
	}
	return false
}

// all is what waitFor waits for if no share is named.
const all = 101

// waits reads a line by which a script waits: "@wait" for the end of all that was begun,
// "@wait 30%" until so much of a broadcast has an outcome.
func (d *Account) waits(line string) (until int, ok bool) {
	rest, named := cutAt(line)
	word, share, _ := strings.Cut(rest, " ")
	if !named || !d.isWord("wait", word) {
		return 0, false
	}
	if share = strings.TrimSpace(share); share == "" {
		return all, true
	}
	digits, _ := strings.CutSuffix(strings.Replace(share, "％", "%", 1), "%")
	until, err := strconv.Atoi(digits)
	return until, err == nil && until > 0 && until <= 100
}

// waitFor waits for the end of all that was begun, or until the latest broadcast that
// runs has come so far, in percent. If it ends or pauses before, that is enough.
func (d *Account) waitFor(ctx context.Context, until int) error {
	if until == all {
		return d.demo.await(ctx, d.demo.quiet)
	}
	return d.demo.await(ctx, func() bool {
		var latest *track
		for _, t := range d.inOrder() {
			if !t.over() {
				latest = t
			}
		}
		return latest == nil || percent(latest.st) >= until
	})
}

// tellWaiting says which broadcasts have not ended: what waits for its time, or is paused.
func (d *Account) tellWaiting() {
	for _, t := range d.inOrder() {
		b := t.st.Broadcast
		v := lang.Vars{"ID": b.ID, "Name": b.Name, "At": lang.Moment(b.NotBefore.Time)[:len("2006-01-02 15:04")]}
		switch b.State {
		case models.Pending, models.Scheduled:
			d.remark("left.scheduled", v)
		case models.Paused:
			d.remark("left.paused", v)
		case models.Running, models.Finished, models.Cancelled, models.Failed:
		}
	}
}
