package chat

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat/field"
)

// maxNamed is how many runes of a name stand in what is wrong with it: the rest of a reply
// must have room for the reason.
const maxNamed = 80

// faults says in the locale's language what is wrong with the message file, or
// with what fills a message: an item for each fault. What has no sentence, such
// as the words of a library, is repeated.
func (l locale) faults(err error) []string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var items []string
		for _, e := range joined.Unwrap() {
			items = append(items, l.faults(e)...)
		}
		return items
	}
	var (
		many     message.Problems
		unfilled *message.RenderError
		misfit   *field.Error
		file     *fs.PathError
	)
	switch {
	case errors.As(err, &many):
		items := make([]string, len(many))
		for i, p := range many {
			v := vars{"Key": clip(p.Path, maxNamed), "Variable": p.Variable, "Problem": l.words(p.Problem), "Hint": l.words(p.Hint)}
			if p.Line > 0 {
				v["Line"] = p.Line
			}
			items[i] = l.say("file.fault", v)
		}
		return items
	case errors.As(err, &unfilled):
		return []string{l.say("file.unfilled", vars{
			"Field": unfilled.Field, "Variable": unfilled.Variable, "Problem": l.words(unfilled.Problem),
		})}
	case errors.As(err, &misfit):
		return []string{l.say("field."+string(misfit.Rule), vars{
			"Key": misfit.Key, "Type": misfit.Type, "Limit": misfit.Limit,
			"Like": cmp.Or(l.SayIf("field.like."+misfit.Type), l.Say("field.like.any")),
		})}
	case errors.As(err, &file) && errors.Is(err, fs.ErrNotExist):
		return []string{l.say("file.absent", vars{"Path": file.Path})}
	case errors.As(err, &file):
		return []string{l.say("file.unreadable", vars{"Path": file.Path, "Detail": file.Err})}
	default:
		return []string{err.Error()}
	}
}

func (l locale) words(w message.Words) string {
	if w.Code == "" {
		return ""
	}
	v := maps.Clone(w.Args)
	if parser, ok := v["Detail"].(string); ok && w.Code == "problem.yaml" {
		v["Detail"] = lang.YAMLFault(parser)
	}
	return l.say(w.ID(), v)
}

// withOtherFaults says why a known command can't be carried out as written, and what
// else is wrong with its fields and its time, so that all can be mended at once.
func (c *Chat) withOtherFaults(ctx context.Context, cmd *command, r request) string {
	text := c.fault(cmd, r.Command)
	if r.Fault != FaultField && r.Fault != FaultNoTime && r.Fault != FaultTrial {
		return text
	}
	var err error
	switch cmd.takes {
	case takesNameAndFields:
		if len(r.Fields) == 0 {
			return text
		}
		err = c.config.Messages.Check(ctx, messages.Edit{Name: r.Arg, Lines: changes(r.Fields), By: r.from})
	case takesMessage, takesGroups, takesOf:
		if r.At != "" {
			_, err = when(r.At, c.now())
		}
		err = errors.Join(err, c.misasked(ctx, r))
	default:
		return text
	}
	if others, known := c.errorText(err, r.Command); known {
		return joined([]string{text, others})
	}
	return text
}
