package chat

import (
	"context"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// tags lists the account's tags, with how many followers have each by the platform's
// count, and how to send to one.
func (c *Chat) tags(ctx context.Context, _ request) (string, error) {
	list, err := c.config.Engine.Tags(ctx)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return c.say("tags.empty", nil), nil
	}
	items := make([]string, len(list))
	for i, t := range list {
		items[i] = c.say("tags.item", vars{"Name": quotable(t.Name), "Count": t.Count})
	}
	// The one that most have is the example.
	largest := list[0]
	for _, t := range list {
		if t.Count > largest.Count {
			largest = t
		}
	}
	head := c.say("tags.head", vars{"Count": int64(len(list)), "Broadcast": c.write(BroadcastTag, c.named(quotable(largest.Name)))})
	return fitList(head, items, c.more), nil
}

// intercepted says how many messages the platform kept back, if it is known that it did.
func (c *Composer) intercepted(where string, b models.Broadcast) string {
	if b.Intercepted <= 0 {
		return ""
	}
	return c.say(where+".intercepted", vars{"N": b.Intercepted})
}

// tagGone tells whether the reason of a broadcast is a tag that is not there any more,
// whose name is its Detail then.
func tagGone(b models.Broadcast) bool {
	refusal, refused := lang.ParseRefusal(b.Detail)
	return b.Reason == models.ReasonTags && b.Detail != "" && (!refused || refusal.Words == "") // it may be a number
}
