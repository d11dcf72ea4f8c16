package chat

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"wechat-broadcast/models"
)

// Command is what a chat line asks for.
type Command struct {
	// Name is Unknown if the line begins with no command.
	Name Name
	// Message is the message's name as it was written; empty for the default.
	Message string
	// ID is a broadcast's number; 0 if none was given.
	ID int64
	// OpenID is the OpenID that was given, in its own case and the usual width, or the
	// name of a person that stands for it.
	OpenID string
	// Groups are the names of the topics, tags or lists to which it goes, or of the topics
	// to join or leave.
	Groups []string
	// Except are the groups that it leaves out.
	Except []models.Group
	// Again is true if the line says that the same message may go out again, Canary if it
	// says that a few are tried first, and Now if it overrules the quiet hours.
	Again, Canary, Now bool
	// At is the time that was given, as it was written; empty for none.
	At string
	// Arg is the name, the word, the role or the reason that was given, as it was written.
	Arg string
	// Fields are the further lines `field=value`, in their order.
	Fields []FieldLine
	// Text is what stands on the further lines, as it was written.
	Text string
	// Fault says why the line can't be carried out although its command is
	// known; empty if it can.
	Fault Fault
	// Words are those that the Fault is about.
	Words string
	// Line is the folded first line of an Unknown command, its words parted by
	// single spaces.
	Line string
}

// FieldLine is one line `field=value`. The field has the usual width, the value is as
// it was written, both without the space around them.
type FieldLine struct{ Field, Value string }

// Fault is a reason for which a known command can't be carried out as written.
type Fault string

// The faults.
const (
	FaultExtra    Fault = "extra"     // Words follow that mean nothing there
	FaultNumber   Fault = "number"    // Words are not a broadcast's number
	FaultNoNumber Fault = "no_number" // a broadcast's number is missing
	FaultOpenID   Fault = "openid"    // an OpenID is missing
	FaultNoTime   Fault = "no_time"   // a time is missing
	FaultNoName   Fault = "no_name"   // a name or a word is missing
	FaultNoRole   Fault = "no_role"   // a role is missing
	FaultNoText   Fault = "no_text"   // the text on the further lines is missing
	FaultQuote    Fault = "quote"     // Words begin with a quotation mark that does not end
	FaultNoGroup  Fault = "no_group"  // the name of a topic, tag or list is missing
	FaultExcept   Fault = "except"    // Words do not say whether a topic, a tag or a list is left out
	FaultTrial    Fault = "trial"     // Words can't be in a broadcast to the asker or the test list
	FaultCode     Fault = "code"      // Words are not a code, or there is none
	FaultField    Fault = "field"     // Words are further lines that are no `field=value`
)

// word is one word of a line: as written, and folded so that case and width
// don't matter. Both have the same number of runes.
type word struct{ raw, folded string }

// Parse reads a chat line. Case, full-width forms and any amount of space
// around and between words do not matter, save the case of OpenIDs. It accepts
// every string.
func Parse(text string) Command {
	cmd, _ := parse(text)
	return cmd
}

// parse is Parse. A line whose command is Unknown may still join or leave topics, if the
// names that stand behind the word without a space are some: maybe says which.
func parse(text string) (cmd, maybe Command) {
	if name := optWord(text); name != Unknown {
		return Command{Name: name}, maybe
	}
	first, further := firstLine(text)
	for _, a := range aliases {
		rest, ok := a.match(first)
		if !ok || a.shorterThan(rest, further) {
			continue
		}
		cmd := Command{Name: a.command.name}
		cmd.arguments(a.command.takes, rest, further)
		if a.command.takes == takesNames && isGlued(first, rest) {
			return Command{Line: folded(first)}, cmd
		}
		return cmd, maybe
	}
	return Command{Line: folded(first)}, maybe
}

// shorterThan tells whether another command begins with the same words, and that one is
// meant: `broadcast list` alone is List, and `退订 讲座` is Leave.
func (a alias) shorterThan(rest []word, further string) bool {
	switch a.command.name {
	case BroadcastList:
		return a.solid == "" && len(rest) == 0
	case Stop, Start:
		return a.solid != "" && len(rest)+len(words(further)) > 0
	default:
		return false
	}
}

// isGlued tells whether what follows a command begins within one of the line's words.
func isGlued(line, rest []word) bool {
	return len(rest) > 0 && rest[0] != line[len(line)-len(rest)]
}

// arguments reads what follows a command's name.
func (cmd *Command) arguments(takes takes, rest []word, further string) {
	switch takes {
	case takesMessage:
		cmd.message(rest)
		cmd.fields(further)
	case takesGroups:
		if cmd.Groups, rest = cmd.names(rest); cmd.Fault == "" {
			cmd.message(rest)
			cmd.fields(further)
		}
	case takesNames:
		cmd.topics(append(rest, words(further)...))
	case takesNameAndWords:
		rest = cmd.needName(append(rest, words(further)...))
		cmd.Text = raw(rest)
	case takesOf:
		if rest = cmd.needNumber(rest); cmd.Fault == "" {
			cmd.message(rest)
			cmd.fields(further)
		}
	case takesNumber:
		cmd.extra(cmd.overrule(cmd.number(cmd.overrule(append(rest, words(further)...)))))
	case needsNumber:
		cmd.extra(cmd.needNumber(append(rest, words(further)...)))
	case takesNumberFlags:
		cmd.extra(cmd.flags(cmd.needNumber(append(rest, words(further)...))))
	case takesNumberAndWhy:
		rest = cmd.needNumber(append(rest, words(further)...))
		cmd.Arg = raw(rest)
	case takesCode:
		cmd.code(append(rest, words(further)...))
	case takesTime:
		if rest = cmd.needNumber(append(rest, words(further)...)); cmd.Fault == "" {
			cmd.time(rest)
		}
	case takesOpenID:
		cmd.extra(cmd.person(append(rest, words(further)...)))
	case takesOpenIDAndName:
		rest = cmd.openID(append(rest, words(further)...))
		if cmd.Arg = raw(rest); cmd.Arg != "" {
			cmd.extra(cmd.name(rest))
		}
	case takesOpenIDAndRole:
		rest = cmd.person(append(rest, words(further)...))
		if cmd.Fault == "" && len(rest) == 0 {
			cmd.Fault = FaultNoRole
		}
		cmd.extra(cmd.name(rest))
	case takesName:
		cmd.extra(cmd.needName(append(rest, words(further)...)))
	case takesNameAndFields:
		cmd.extra(cmd.needName(rest))
		cmd.fields(further)
	case takesNameAndText:
		cmd.extra(cmd.needName(rest))
		if cmd.Text = strings.TrimFunc(further, space); cmd.Text == "" && cmd.Fault == "" {
			cmd.Fault = FaultNoText
		}
	case takesNothing:
		cmd.extra(append(rest, words(further)...))
	}
}

// time takes the words for the time.
func (cmd *Command) time(rest []word) {
	if len(rest) > 0 {
		if glued, isAt := cutAt(rest[0]); isAt { // `reschedule #7 at 09:00`
			rest = rest[1:]
			if glued.raw != "" {
				rest = slices.Insert(slices.Clone(rest), 0, glued)
			}
		}
	}
	if cmd.At = raw(rest); cmd.At == "" && cmd.Fault == "" {
		cmd.Fault = FaultNoTime
	}
}

// needNumber reads `#id`.
func (cmd *Command) needNumber(rest []word) []word {
	rest = cmd.number(rest)
	if cmd.ID == 0 && cmd.Fault == "" {
		cmd.Fault = FaultNoNumber
	}
	return rest
}

// number reads `[#id]` and returns what follows.
func (cmd *Command) number(rest []word) []word {
	if len(rest) == 0 {
		return nil
	}
	id, ok := broadcastNumber(rest[0].folded)
	if !ok {
		cmd.Fault, cmd.Words = FaultNumber, rest[0].raw
		return nil
	}
	cmd.ID = id
	return rest[1:]
}

// openID reads `OPENID` and returns what follows.
func (cmd *Command) openID(rest []word) []word {
	if len(rest) == 0 {
		cmd.Fault = FaultOpenID
		return nil
	}
	cmd.OpenID = strings.Map(narrow, rest[0].raw)
	return rest[1:]
}

// person reads an OpenID, or the name that an admin gave somebody, and returns what
// follows.
func (cmd *Command) person(rest []word) []word {
	if len(rest) == 0 {
		cmd.Fault = FaultOpenID
		return nil
	}
	rest = cmd.name(rest)
	cmd.OpenID, cmd.Arg = strings.Map(narrow, cmd.Arg), ""
	return rest
}

// needName reads a name.
func (cmd *Command) needName(rest []word) []word {
	if len(rest) == 0 {
		cmd.Fault = FaultNoName
	}
	return cmd.name(rest)
}

// quotes are the marks that a name of several words can stand in.
var quotes = []quote{{"“", "”"}, {"「", "」"}, {`"`, `"`}}

type quote struct{ begin, end string }

// name reads a name, which is one word or stands in quotation marks, and returns what
// follows.
func (cmd *Command) name(rest []word) []word {
	if len(rest) == 0 {
		return nil
	}
	for _, q := range quotes {
		inner, quoted := strings.CutPrefix(rest[0].raw, q.begin)
		if !quoted {
			continue
		}
		all := raw(slices.Insert(slices.Clone(rest[1:]), 0, word{raw: inner}))
		name, after, ended := strings.Cut(all, q.end)
		if !ended || strings.TrimSpace(name) == "" {
			cmd.Fault, cmd.Words = FaultQuote, raw(rest)
			return nil
		}
		cmd.Arg = strings.TrimSpace(name)
		return words(after)
	}
	cmd.Arg = rest[0].raw
	return rest[1:]
}

// fields reads the further lines `field=value`.
func (cmd *Command) fields(further string) {
	var unclear []string
	for line := range strings.FieldsFuncSeq(further, lineBreak) {
		line = strings.TrimFunc(line, space)
		if line == "" {
			continue
		}
		i := strings.IndexFunc(line, func(r rune) bool { return narrow(r) == '=' || narrow(r) == ':' })
		field := ""
		if i >= 0 {
			field = strings.TrimFunc(strings.Map(narrow, line[:i]), space)
		}
		if field == "" {
			unclear = append(unclear, line)
			continue
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		cmd.Fields = append(cmd.Fields, FieldLine{field, strings.TrimFunc(line[i+size:], space)})
	}
	if len(unclear) > 0 && cmd.Fault == "" {
		cmd.Fault, cmd.Words = FaultField, strings.Join(unclear, "\n")
	}
}

// extra makes words that mean nothing a fault: a typo must never be taken for
// its harmless reading.
func (cmd *Command) extra(rest []word) {
	if len(rest) > 0 && cmd.Fault == "" {
		cmd.Fault, cmd.Words = FaultExtra, raw(rest)
	}
}

// broadcastNumber reads #7 or 7 of a folded word.
func broadcastNumber(s string) (int64, bool) {
	digits := strings.TrimPrefix(s, "#")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && id > 0
}

func lineBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }

// firstLine splits text into the words of its first line that has any, and all that
// follows it.
func firstLine(text string) (first []word, further string) {
	for text != "" {
		line := text
		text = ""
		if i := strings.IndexFunc(line, lineBreak); i >= 0 {
			_, size := utf8.DecodeRuneInString(line[i:])
			line, text = line[:i], line[i+size:]
		}
		if first = words(line); len(first) > 0 {
			return first, text
		}
	}
	return nil, ""
}

func words(line string) []word {
	var ws []word
	for s := range strings.FieldsFuncSeq(line, space) {
		s = strings.ToValidUTF8(s, "\uFFFD")
		ws = append(ws, word{raw: s, folded: strings.Map(fold, s)})
	}
	return ws
}

// space tells whether r parts words. Copied text often carries invisible format
// characters (zero-width spaces, direction marks), so these do as well.
func space(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// fold maps r to its usual width and to lower case, one rune to one.
func fold(r rune) rune { return unicode.ToLower(narrow(r)) }

func narrow(r rune) rune {
	if folded := width.LookupRune(r).Folded(); folded != 0 {
		return folded
	}
	return r
}

func folded(ws []word) string { return join(ws, func(w word) string { return w.folded }) }

func raw(ws []word) string { return join(ws, func(w word) string { return w.raw }) }

func join(ws []word, f func(word) string) string {
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = f(w)
	}
	return strings.Join(parts, " ")
}
