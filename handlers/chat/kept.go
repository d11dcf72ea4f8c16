package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// keptWithin is how long looking for kept notices may take. The platform hangs up
// after 5 s; a reply without them is better than none.
const keptWithin = time.Second

// withKept adds to a reply to an admin the notices that the platform refused
// before, as far as they fit. The rest comes with the reply to the admin's next
// message.
func (c *Chat) withKept(ctx context.Context, openID, key, reply string) string {
	if until, ok := ctx.Deadline(); ok && time.Until(until) < 2*keptWithin {
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, keptWithin)
	defer cancel()
	kept, err := c.config.Notices.Kept(ctx, openID, key)
	if err != nil {
		c.log.WarnContext(ctx, "look for kept notices; they come with the next reply", "err", err)
		return reply
	}
	if len(kept) == 0 {
		return reply
	}
	text, ids := c.addKept(ctx, reply, kept)
	if len(ids) == 0 {
		return text
	}
	mine, err := c.config.Notices.Say(ctx, openID, ids, key)
	if err != nil {
		// The admin may get them once more, which is better than never.
		c.log.WarnContext(ctx, "mark kept notices as said", "err", err)
		return text
	}
	if len(mine) < len(ids) { // the reply to another message has the rest
		kept = slices.DeleteFunc(kept, func(b models.Broadcast) bool { return !slices.Contains(mine, b.ID) })
		text, _ = c.addKept(ctx, reply, kept)
	}
	return text
}

// addKept adds as many notices to a reply as fit, and sums up the others. It
// returns the text and the broadcasts that it names.
func (c *Chat) addKept(ctx context.Context, reply string, kept []models.Broadcast) (text string, ids []int64) {
	if len(kept) == 0 {
		return reply, nil
	}
	text, rest, gap := reply+"\n\n"+c.say("kept.head", nil), kept, "\n"
	for len(rest) > 0 {
		st, err := c.config.Engine.Status(ctx, rest[0].ID)
		if err != nil {
			break
		}
		longer := text + gap + c.Notice(string(st.Broadcast.State), *st)
		if len(longer)+len(c.keptMore(rest[1:])) > wechat.MaxText {
			break
		}
		text, rest, gap = longer, rest[1:], "\n\n"
	}
	if more := c.keptMore(rest); len(text)+len(more) <= wechat.MaxText {
		text, rest = text+more, nil
	}
	named := kept[:len(kept)-len(rest)]
	if len(named) == 0 {
		return reply, nil
	}
	for _, b := range named {
		ids = append(ids, b.ID)
	}
	return text, ids
}

// keptMore names the broadcasts whose notices don't fit.
func (c *Chat) keptMore(rest []models.Broadcast) string {
	if len(rest) == 0 {
		return ""
	}
	numbers := make([]string, len(rest))
	for i, b := range rest {
		numbers[i] = fmt.Sprintf("#%d", b.ID)
	}
	return "\n" + c.say("kept.more", vars{"Numbers": numbers, "Status": c.on(Status, rest[0].ID)})
}
