package chat

import (
	"context"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/topics"
)

// maxHeard is how much of a person's last text is shown, in runes.
const maxHeard = 60

// since writes a moment that may be years ago, in Beijing time; empty for none.
func since(at models.Time) string {
	if at.IsZero() {
		return ""
	}
	return lang.Moment(at.Time)[:len("2006-01-02 15:04")]
}

// Person is what admins are told of a person.
type Person struct {
	*followers.Known
	// Lines say how the person stands, and why they would or would not be sent the next
	// broadcast.
	Lines []string
	// Sent are lines with what became of the broadcasts of Known.Sent, under SentHead.
	SentHead string
	Sent     []string
}

// Look returns what is known of the person that an admin means, with the role check, the
// audit and the words of the command who. key names the look: one that comes again is kept
// once. Without a person it returns why.
func (c *Chat) Look(ctx context.Context, openID, text, via, key string) (p *Person, reply string, err error) {
	cmd, r, err := c.formed(ctx, openID, Command{Name: Who, OpenID: text}, via, key)
	if err != nil {
		return nil, c.notFormed(ctx, cmd, r, err), err
	}
	k, err := c.config.Followers.Who(ctx, r.OpenID)
	if err == nil {
		r.concerns(k.OpenID)
	}
	c.keep(ctx, r, cmd, c.came(err, r.Command))
	if err != nil {
		reply, known := c.errorText(err, r.Command)
		if !known {
			c.log.WarnContext(ctx, "look up a person", "err", err)
			reply = c.say("busy", nil)
		}
		return nil, reply, err
	}
	return c.person(k), "", nil
}

// who tells what is known of a person.
func (c *Chat) who(ctx context.Context, r request) (string, error) {
	k, err := c.config.Followers.Who(ctx, r.OpenID)
	if err != nil {
		return "", err
	}
	r.concerns(k.OpenID)
	p := c.person(k)
	if k.ID == 0 || k.Stranger {
		return joined(p.Lines), nil
	}
	head := joined(append([]string{person(k.OpenID, k.Name)}, append(p.Lines, p.SentHead)...))
	if len(p.Sent) == 0 {
		return head, nil
	}
	return fitList(head, p.Sent, c.more), nil
}

// person puts into words what is known of a person.
func (c *Composer) person(k *followers.Known) *Person {
	if k.ID == 0 || k.Stranger {
		return &Person{Known: k, Lines: strings.Split(c.stranger(k), "\n")}
	}
	lines := []string{c.follows(k), c.wish(k)}
	if len(k.Topics) > 0 {
		lines = append(lines, c.say("who.topics", vars{"Names": clip(c.names(topics.Names(k.Topics)), 200)}))
	}
	if k.Tester {
		lines = append(lines, c.say("who.tester", nil))
	}
	if k.Blacklisted {
		lines = append(lines, c.say("who.blacklisted", nil))
	}
	lines = append(lines, c.next(k))
	if k.Heard != "" {
		lines = append(lines, c.say("who.heard", vars{"Text": clip(strings.Join(strings.Fields(k.Heard), " "), maxHeard), "At": since(k.HeardAt)}))
	}
	if k.Gone != 0 {
		lines = append(lines, c.say("who.sent_gone", vars{"ID": k.Gone}))
	}
	p := &Person{Known: k, Lines: lines}
	for _, s := range k.Sent {
		p.Sent = append(p.Sent, c.sent(s))
	}
	switch {
	case len(k.Sent) > 0:
		p.SentHead = c.say("who.sent", vars{"Count": int64(len(p.Sent))})
	case k.Gone != 0:
		p.SentHead = c.say("who.sent_none_kept", nil)
	default:
		p.SentHead = c.say("who.sent_none", nil)
	}
	return p
}

// stranger tells of somebody who was never known to follow.
func (c *Composer) stranger(k *followers.Known) string {
	says := "who.unasked"
	switch {
	case k.Asked && k.Follows:
		says = "who.follows_unknown"
	case k.Asked:
		says = "who.not_theirs"
	}
	id := "who.unknown"
	if k.Stranger {
		id = "who.stranger"
	}
	return c.say(id, vars{"OpenID": k.OpenID}) + "\n" + c.say(says, vars{"Sync": c.write(Sync, "")})
}

// follows says whether the person follows, and since when.
func (c *Composer) follows(k *followers.Known) string {
	id, at := "who.follows", k.SubscribedAt
	if !k.Subscribed {
		id, at = "who.left", k.LeftAt
	}
	return c.say(id, vars{"Since": since(at)})
}

// wish says whether the person opted out, and since when.
func (c *Composer) wish(k *followers.Known) string {
	if !k.OptedOut {
		return c.say("who.opted_in", nil)
	}
	return c.say("who.opted_out", vars{"Since": since(k.OptedOutAt)})
}

// next says whether the person would get the next broadcast to all, and why not.
func (c *Composer) next(k *followers.Known) string {
	switch {
	case !k.Subscribed && k.OptedOut:
		return c.say("who.next_neither", nil)
	case !k.Subscribed:
		return c.say("who.next_left", nil)
	case k.OptedOut:
		return c.say("who.next_opted_out", nil)
	case k.Blacklisted:
		return c.say("who.next_blacklisted", nil)
	case !k.CappedUntil.IsZero():
		return c.say("who.next_capped", vars{"Max": k.Cap.Max, "Within": k.Cap.Within, "Until": c.moment(k.CappedUntil)})
	default:
		return c.say("who.next", nil)
	}
}

// sent is the line with what became of a broadcast for the person.
func (c *Composer) sent(s models.Sent) string {
	how := string(s.State)
	if s.State == models.FailedFor && s.ErrCode == 0 {
		// Without a code it is a receipt, or the message could not be filled in.
		how = "unfilled"
		if strings.HasPrefix(s.Detail, "failed") {
			how = "unreached"
		}
	}
	at := s.SentAt
	if at.IsZero() {
		at = s.UpdatedAt
	}
	v := vars{"ID": s.BroadcastID, "Name": clip(s.Name, 16), "How": c.say("who.state."+how, nil), "Code": "", "At": since(at)}
	if s.ErrCode != 0 {
		v["Code"] = s.ErrCode
	}
	return c.say("who.item", v)
}
