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

// who tells what is known of a person.
func (c *Chat) who(ctx context.Context, r request) (string, error) {
	k, err := c.config.Followers.Who(ctx, r.OpenID)
	if err != nil {
		return "", err
	}
	r.concerns(k.OpenID)
	if k.ID == 0 || k.Stranger {
		return c.stranger(k), nil
	}
	lines := []string{person(k.OpenID, k.Name), c.follows(k), c.wish(k)}
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
	if len(k.Sent) == 0 {
		none := "who.sent_none"
		if k.Gone != 0 {
			none = "who.sent_none_kept"
		}
		return joined(append(lines, c.say(none, nil))), nil
	}
	items := make([]string, len(k.Sent))
	for i, s := range k.Sent {
		items[i] = c.sent(s)
	}
	return fitList(joined(append(lines, c.say("who.sent", vars{"Count": int64(len(items))}))), items, c.more), nil
}

// stranger tells of somebody who was never known to follow.
func (c *Chat) stranger(k *followers.Known) string {
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
func (c *Chat) follows(k *followers.Known) string {
	id, at := "who.follows", k.SubscribedAt
	if !k.Subscribed {
		id, at = "who.left", k.LeftAt
	}
	return c.say(id, vars{"Since": since(at)})
}

// wish says whether the person opted out, and since when.
func (c *Chat) wish(k *followers.Known) string {
	if !k.OptedOut {
		return c.say("who.opted_in", nil)
	}
	return c.say("who.opted_out", vars{"Since": since(k.OptedOutAt)})
}

// next says whether the person would get the next broadcast to all, and why not.
func (c *Chat) next(k *followers.Known) string {
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
func (c *Chat) sent(s models.Sent) string {
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
