package chat

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"wechat-broadcast/models"
)

// maxNear is how many commands a hint names at most.
const maxNear = 6

// unknown answers a line that begins with no command. An admin gets the nearest
// ones, but never one that sends: near those the line gets a question. Everybody else
// gets the same sentence whatever the line.
func (c *Chat) unknown(line string, role models.Role) string {
	if role == "" || line == "" {
		return c.say("unknown.hint", nil)
	}
	near, sends := c.near(line)
	switch {
	case soundsAlarmed(line) && !slices.Contains(near, c.quoted(Pause)):
		return c.say("unknown.alarm", vars{"Word": c.say("panic", nil)})
	case sends:
		return c.say("unknown.sends", vars{"Line": clip(quotable(line), 60), "Help": c.write(Help, "")})
	case len(near) > 0:
		return c.say("unknown.near", vars{"Names": near})
	default:
		return c.say("unknown.hint", nil)
	}
}

// near returns the commands that a folded line may have meant: those that it is
// the beginning of, or else the one that it resembles most, or whose name is in it.
// sends says that one of them has messages sent.
func (c *Chat) near(line string) (names []string, sends bool) {
	var begun []string
	best, nearest := -1, (*command)(nil)
	for i := range c.commands {
		cmd := &c.commands[i]
		for _, name := range slices.Concat(cmd.en, cmd.zh) {
			if strings.HasPrefix(name, line) {
				sends = sends || cmd.sends
				if taught := c.quoted(cmd.name); !slices.Contains(begun, taught) {
					begun = append(begun, taught)
				}
			}
			if d := distance(line, name); d >= 0 && (best < 0 || d < best) {
				best, nearest = d, cmd
			}
		}
	}
	switch {
	case len(begun) > 0:
		return begun[:min(len(begun), maxNear)], sends
	case nearest != nil:
		return []string{c.quoted(nearest.name)}, nearest.sends
	default:
		return nil, false
	}
}

// distance is how unlike a name a line is, -1 if it is something else: 0 if it has a
// Chinese name anywhere in it.
func distance(line, name string) int {
	if name[0] >= utf8.RuneSelf && strings.Contains(strings.ReplaceAll(line, " ", ""), strings.ReplaceAll(name, " ", "")) {
		return 0
	}
	if d := levenshtein.ComputeDistance(beginning(line, name), name); d <= tolerance(name) {
		return d
	}
	return -1
}

// beginning returns the part of a line that a command of this name would have
// taken: as many words, or of a Chinese one as many characters.
func beginning(line, name string) string {
	if name[0] < utf8.RuneSelf {
		words := strings.Fields(line)
		return strings.Join(words[:min(len(words), strings.Count(name, " ")+1)], " ")
	}
	runes := []rune(strings.ReplaceAll(line, " ", ""))
	return string(runes[:min(len(runes), utf8.RuneCountInString(name))])
}

// tolerance is how many letters may be wrong in a name; a Chinese character says
// as much as a syllable.
func tolerance(name string) int {
	n := utf8.RuneCountInString(name)
	if name[0] >= utf8.RuneSelf {
		return max(1, n/3)
	}
	return max(1, n/4)
}

func (c *Chat) quoted(name Name) string {
	if c.locale.Language == "zh" {
		return "「" + c.write(name, "") + "」"
	}
	return "“" + c.write(name, "") + "”"
}

func (c *Chat) openID(_ context.Context, r request) (string, error) { return r.from, nil }
