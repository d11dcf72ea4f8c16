package chat

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// repliesFresh is how old the replies may be that a text is compared with; those that
	// another process changed count after that. repliesWithin is how long they may take
	// to be read: without them a text is still answered.
	repliesFresh  = time.Second
	repliesWithin = 500 * time.Millisecond
	// maxWord is how long a word with a reply may be, in runes.
	maxWord = 64
)

// replyStore is what the chat asks of a *models.Store.
type replyStore interface {
	AutoReplies(ctx context.Context) ([]models.AutoReply, error)
	SetAutoReply(ctx context.Context, r models.AutoReply) (before *models.AutoReply, err error)
	RemoveAutoReply(ctx context.Context, folded string) (*models.AutoReply, error)
}

// replies looks words up in the replies, which are read once a second at most.
type replies struct {
	kept *cache.Cache[struct{}, map[string]string]
	// last are those that were read last, for as long as the database is away.
	last atomic.Pointer[map[string]string]
	// changed is when this process changed them, in Unix nanoseconds.
	changed atomic.Int64
}

func newReplies(store replyStore) *replies {
	r := &replies{}
	r.kept = cache.New(1, cache.For[map[string]string](repliesFresh), func(ctx context.Context, _ struct{}) (map[string]string, error) {
		ctx, cancel := context.WithTimeout(ctx, repliesWithin)
		defer cancel()
		list, err := store.AutoReplies(ctx)
		if err != nil {
			return nil, err
		}
		texts := make(map[string]string, len(list))
		for _, one := range list {
			texts[one.Folded] = one.Text
		}
		r.last.Store(&texts)
		return texts, nil
	})
	return r
}

// find returns the reply to a folded word. While the database is away it is that of the
// last look; the error says so.
func (r *replies) find(ctx context.Context, folded string) (text string, found bool, err error) {
	texts, _, err := r.kept.GetWithin(ctx, struct{}{}, time.Duration(time.Now().UnixNano()-r.changed.Load()))
	if err != nil {
		if last := r.last.Load(); last != nil {
			texts = *last
		}
	}
	text, found = texts[folded]
	return text, found, err
}

// autoReply returns what the account answers to a text that is one of its words.
func (c *Chat) autoReply(ctx context.Context, text string) (reply string, found bool) {
	word := squeezed(text)
	if word == "" || utf8.RuneCountInString(word) > maxWord {
		return "", false
	}
	reply, found, err := c.replies.find(ctx, word)
	if err != nil {
		c.log.WarnContext(ctx, "look up the replies; those of the last look count", "err", err)
	}
	return reply, found
}

// listReplies shows the words with a reply, and who changed each last.
func (c *Chat) listReplies(ctx context.Context, r request) (string, error) {
	all, err := c.config.Replies.AutoReplies(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return c.say("replies.empty", vars{"Set": c.write(RepliesSet, "")}), nil
	}
	items := make([]string, len(all))
	for i, one := range all {
		begin, _, _ := strings.Cut(one.Text, "\n")
		if begin != one.Text {
			begin += "…"
		}
		by := one.ChangedBy
		if by == r.from {
			by = c.say("replies.you", nil)
		}
		items[i] = c.say("replies.item", vars{"Word": one.Word, "Text": clip(begin, 30), "By": by, "At": one.ChangedAt})
	}
	return fitList(c.say("replies.head", vars{"Count": int64(len(all))}), items, c.more), nil
}

// setReply sets the reply to a word, or says everything that is wrong with the two.
func (c *Chat) setReply(ctx context.Context, r request) (string, error) {
	word := strings.Join(strings.Fields(r.Arg), " ")
	if faults := c.replyFaults(word, r.Text); len(faults) > 0 {
		return joined(append(faults, c.say("replies.nothing_done", nil))), nil
	}
	before, err := c.config.Replies.SetAutoReply(ctx, models.AutoReply{
		Folded: squeezed(word), Word: word, Text: r.Text, ChangedBy: r.from, ChangedAt: models.At(c.now()),
	})
	if err != nil {
		return "", err
	}
	c.replies.changed.Store(time.Now().UnixNano())
	v := vars{"Word": word, "Text": r.Text}
	switch {
	case before == nil:
		return c.say("replies.added", v), nil
	case before.Text == r.Text:
		return c.say("replies.same", v), nil
	default:
		v["Before"] = before.Text
		return c.say("replies.changed", v), nil
	}
}

// replyFaults returns what is wrong with a word and its reply.
func (c *Chat) replyFaults(word, text string) []string {
	var faults []string
	name := c.parse(word).Name
	switch {
	case Alarming(word):
		faults = append(faults, c.say("replies.panic_word", vars{"Word": word}))
	case optWord(word) != Unknown:
		faults = append(faults, c.say("replies.opt_word", vars{"Word": word, "Command": c.write(name, "")}))
	case name != Unknown:
		faults = append(faults, c.say("replies.command", vars{"Word": word, "Command": c.write(name, "")}))
	}
	if n := utf8.RuneCountInString(word); n > maxWord {
		faults = append(faults, c.say("replies.word_long", vars{"N": int64(n), "Limit": int64(maxWord)}))
	}
	if squeezed(word) == "" {
		faults = append(faults, c.say("replies.word_empty", nil))
	}
	switch {
	case len(text) > wechat.MaxText:
		faults = append(faults, c.say("replies.text_long", vars{"N": int64(len(text)), "Limit": int64(wechat.MaxText)}))
	case wechat.FitText(text) != text:
		faults = append(faults, c.say("replies.text_odd", nil))
	}
	return faults
}

// removeReply removes the reply to a word.
func (c *Chat) removeReply(ctx context.Context, r request) (string, error) {
	before, err := c.config.Replies.RemoveAutoReply(ctx, squeezed(r.Arg))
	if err != nil {
		return "", err
	}
	c.replies.changed.Store(time.Now().UnixNano())
	return c.say("replies.removed", vars{"Word": before.Word, "Before": before.Text}), nil
}
