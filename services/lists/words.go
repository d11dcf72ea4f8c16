package lists

import (
	"strings"

	"wechat-broadcast/lang"
)

// StandingLine says how many of the people of a file can be written to, and why not the others.
// words have the sentences of lang.People.
func (f *Looked) StandingLine(words *lang.Locale) string {
	parts := []string{words.Say("import.follow", lang.Vars{"Count": f.Follow})}
	for _, n := range []struct {
		id    string
		count int64
	}{{"opted_out", f.OptedOut}, {"blacklisted", f.Blacklisted}, {"away", f.Away}, {"unknown", f.Unknown}} {
		if n.count > 0 {
			parts = append(parts, words.Say("import."+n.id, lang.Vars{"Count": n.count}))
		}
	}
	return strings.Join(parts, words.Say("import.dot"))
}
