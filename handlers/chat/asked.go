package chat

import (
	"strings"

	"wechat-broadcast/models"
)

// API is what asks for a broadcast over HTTP: no command, but the sentences about what is
// wrong tell then how to mend it there.
const API Name = "api"

// Addressed is to whom a broadcast goes, as a text names it.
type Addressed struct {
	Audience models.Audience
	// Groups are those to whom it goes, and Except those whom it leaves out.
	Groups, Except []models.Group
	// Of is the earlier broadcast for some of whose recipients it is; 0 for none.
	Of int64
}

// ParseAudience reads to whom a broadcast goes: what stands behind `broadcast` or `群发` in a
// command, up to the message's name. ok is false if there is anything else in it: a word that
// overrules a guard must not come in with a name.
func ParseAudience(text string) (to Addressed, ok bool) {
	if strings.ContainsFunc(text, lineBreak) {
		return to, false
	}
	for _, begin := range []string{"broadcast ", "群发", ""} {
		cmd := Parse(begin + text)
		audience, is := audiences[cmd.Name]
		if !is || cmd.Name == Retry || cmd.Fault != "" {
			continue
		}
		more := cmd.Message != "" || cmd.Again || cmd.Canary || cmd.Now || cmd.At != "" || len(cmd.Fields) > 0
		return Addressed{audience, groups(cmd), cmd.Except, cmd.ID}, !more
	}
	return to, false
}

// ErrorText says what a *models.Error means to whoever asked over HTTP; known is false for
// another error.
func (c *Composer) ErrorText(err error) (text string, known bool) {
	return c.errorText(err, Command{Name: API})
}

// ErrorCode returns the code of a *models.Error, or of the first of several, and "" for
// another error.
func ErrorCode(err error) string {
	first, _, _ := strings.Cut(code(err), ", ")
	return first
}

// asker is how whoever asked for a broadcast is called: an admin by their name or a part of
// their OpenID, and a token by its name.
func (c *Composer) asker(names map[string]string, asker string) string {
	if name, isToken := models.TokenOf(asker); isToken {
		return c.say("asker.token", vars{"Name": clip(name, 24)})
	}
	return clip(nameOf(names, asker), 24)
}
