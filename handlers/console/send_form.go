package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
)

// kinds are the kinds of groups, in the order of the page.
var kinds = []models.GroupKind{models.GroupTopic, models.GroupTag, models.GroupList}

// The audiences that the form has, by the commands that send to them.
var audiences = map[string]chat.Name{
	"all": chat.BroadcastAll, "topic": chat.BroadcastTopic, "tag": chat.BroadcastTag, "list": chat.BroadcastList,
	"rest": chat.Rest, "reached": chat.Reached,
}

// sending is to whom and when, in the form in which it is clicked together.
type sending struct {
	// Message is the message's name; empty for that of the broadcast Of.
	Message string
	// To is a key of audiences; empty if nothing is chosen.
	To string
	// Groups and Except are the names that are ticked, by kind.
	Groups, Except map[models.GroupKind][]string
	// Of is the number of a broadcast as it was written.
	Of string
	// At is the start as a browser writes it; empty for at once.
	At                 string
	Canary, Again, Now bool
	// Changes are the fields that differ this time, by key, and ChangesOf the message for
	// which they were written.
	Changes   map[string]string
	ChangesOf string
}

// readSending reads the form that was sent.
func readSending(form url.Values) sending {
	s := sending{
		Message: form.Get("message"), To: form.Get("to"), Of: strings.TrimSpace(form.Get("of")), At: strings.TrimSpace(form.Get("at")),
		Canary: form.Get("canary") != "", Again: form.Get("again") != "", Now: form.Get("now") != "", ChangesOf: form.Get("changes_of"),
		Groups: map[models.GroupKind][]string{}, Except: map[models.GroupKind][]string{}, Changes: map[string]string{},
	}
	for _, kind := range kinds {
		s.Groups[kind] = form["in."+string(kind)]
		s.Except[kind] = form["out."+string(kind)]
	}
	for name, values := range form {
		if key, ok := strings.CutPrefix(name, inputValue); ok {
			s.Changes[key] = inputLine(values[0])
		}
	}
	return s
}

// mixed returns the kinds of which groups are ticked although another audience is chosen:
// nobody may be sent to, or left out, by a guess.
func (s *sending) mixed() (ticked []models.GroupKind) {
	for _, kind := range kinds {
		if string(kind) != s.To && len(s.Groups[kind]) > 0 {
			ticked = append(ticked, kind)
		}
	}
	return ticked
}

// stray tells whether there are changes that were written for another message.
func (s *sending) stray() bool {
	return s.ChangesOf != s.Message && slices.ContainsFunc(mapValues(s.Changes), func(v string) bool { return v != "" })
}

func mapValues(m map[string]string) (values []string) {
	for _, v := range m {
		values = append(values, v)
	}
	return values
}

// command is the chat command that the form stands for; keys are those of the message's
// fields in their order.
func (s *sending) command(keys []string) chat.Command {
	cmd := chat.Command{
		Name: audiences[s.To], Message: s.Message, Canary: s.Canary, Again: s.Again, Now: s.Now, At: strings.Replace(s.At, "T", " ", 1),
		Groups: s.Groups[models.GroupKind(s.To)], Fields: s.changes(keys),
	}
	if s.To == "rest" || s.To == "reached" {
		cmd.ID, _ = strconv.ParseInt(strings.TrimPrefix(s.Of, "#"), 10, 64) // 0 is refused as none
	}
	for _, kind := range kinds {
		for _, name := range s.Except[kind] {
			cmd.Except = append(cmd.Except, models.Group{Kind: kind, Name: name})
		}
	}
	return cmd
}

// trial is the command that sends the message to the asker or to the test list, with the
// changes of this broadcast.
func (s *sending) trial(name chat.Name, keys []string) chat.Command {
	return chat.Command{Name: name, Message: s.Message, Fields: s.changes(keys)}
}

// changes are the fields that differ this time, each in a line of its own whatever is in it.
func (s *sending) changes(keys []string) (lines []chat.FieldLine) {
	if s.ChangesOf != s.Message {
		return nil
	}
	for _, key := range append(slices.Clone(keys), link) {
		value := s.Changes[key]
		if value == "" {
			continue
		}
		if key == link {
			key = "url"
		}
		lines = append(lines, chat.FieldLine{Field: key, Value: value})
	}
	return lines
}
