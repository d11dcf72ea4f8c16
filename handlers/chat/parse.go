package chat

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Command is what a chat line asks for.
type Command struct {
	// Name is Unknown if the line begins with no command.
	Name Name
	// Message is the message's name as it was written; empty for the default.
	Message string
	// ID is a broadcast's number; 0 if none was given.
	ID int64
	// OpenID is the OpenID that was given, in its own case and the usual width.
	OpenID string
	// Again is true if the line says that the same message may go out again.
	Again bool
	// Fault says why the line can't be carried out although its command is
	// known; empty if it can.
	Fault Fault
	// Words are those that the Fault is about.
	Words string
	// Line is the folded first line of an Unknown command, its words parted by
	// single spaces.
	Line string
}

// Fault is a reason for which a known command can't be carried out as written.
type Fault string

// The faults.
const (
	FaultExtra    Fault = "extra"     // Words follow that mean nothing there
	FaultNumber   Fault = "number"    // Words are not a broadcast's number
	FaultNoNumber Fault = "no_number" // a broadcast's number is missing
	FaultOpenID   Fault = "openid"    // an OpenID is missing
	FaultLines    Fault = "lines"     // further lines would change fields
	FaultAt       Fault = "at"        // a time would schedule it
)

// word is one word of a line: as written, and folded so that case and width
// don't matter. Both have the same number of runes.
type word struct{ raw, folded string }

// Parse reads a chat line. Case, full-width forms and any amount of space
// around and between words do not matter, save the case of OpenIDs. It accepts
// every string.
func Parse(text string) Command {
	first, further := lines(text)
	for _, a := range aliases {
		rest, ok := a.match(first)
		if !ok {
			continue
		}
		cmd := Command{Name: a.command.name}
		switch a.command.takes {
		case takesMessage:
			cmd.message(rest, further)
		case takesNumber:
			cmd.number(append(rest, further...))
		case needsNumber:
			cmd.number(append(rest, further...))
			if cmd.ID == 0 && cmd.Fault == "" {
				cmd.Fault = FaultNoNumber
			}
		case takesOpenID:
			cmd.openID(append(rest, further...))
		case takesNothing:
			cmd.extra(append(rest, further...))
		}
		return cmd
	}
	return Command{Line: join(first, func(w word) string { return w.folded })}
}

// message reads `[name] [again]`.
func (cmd *Command) message(rest, further []word) {
	for i, w := range rest {
		if w.folded == "at" {
			cmd.Fault, cmd.Words = FaultAt, raw(rest[i:])
			return
		}
	}
	if len(further) > 0 {
		cmd.Fault, cmd.Words = FaultLines, raw(further)
		return
	}
	if len(rest) > 0 && !again(rest[0]) {
		cmd.Message = rest[0].raw
		rest = rest[1:]
	}
	if len(rest) > 0 && again(rest[0]) {
		cmd.Again = true
		rest = rest[1:]
	}
	cmd.extra(rest)
}

// number reads `[#id]`.
func (cmd *Command) number(rest []word) {
	if len(rest) == 0 {
		return
	}
	id, ok := broadcastNumber(rest[0].folded)
	if !ok {
		cmd.Fault, cmd.Words = FaultNumber, rest[0].raw
		return
	}
	cmd.ID = id
	cmd.extra(rest[1:])
}

// openID reads `OPENID`.
func (cmd *Command) openID(rest []word) {
	if len(rest) == 0 {
		cmd.Fault = FaultOpenID
		return
	}
	cmd.OpenID = strings.Map(narrow, rest[0].raw)
	cmd.extra(rest[1:])
}

// extra makes words that mean nothing a fault: a typo must never be taken for
// its harmless reading.
func (cmd *Command) extra(rest []word) {
	if len(rest) > 0 {
		cmd.Fault, cmd.Words = FaultExtra, raw(rest)
	}
}

// againWords are what Again can be written as: in English, in Chinese. The
// message file takes neither for a message's name.
var againWords = []string{"again", "再发"}

func again(w word) bool { return slices.Contains(againWords, w.folded) }

// broadcastNumber reads #7 or 7 of a folded word.
func broadcastNumber(s string) (int64, bool) {
	digits := strings.TrimPrefix(s, "#")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && id > 0
}

// lines splits text into the words of its first line that has any and those of
// all lines after it.
func lines(text string) (first, further []word) {
	breaks := func(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }
	for line := range strings.FieldsFuncSeq(text, breaks) {
		ws := words(line)
		if first == nil {
			first = ws
			continue
		}
		further = append(further, ws...)
	}
	return first, further
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

func raw(ws []word) string { return join(ws, func(w word) string { return w.raw }) }

func join(ws []word, f func(word) string) string {
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = f(w)
	}
	return strings.Join(parts, " ")
}
