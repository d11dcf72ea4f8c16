package demo

import (
	"log/slog"

	"wechat-broadcast/lang"
)

// words says in one language what the demo itself says; what the account says
// comes from the server.
type words struct {
	*lang.Locale
	account string // that what is said on the terminal is about; empty if there is only one
}

// of begins a text of the terminal's with the account that it is about.
func (w words) of(text string) string {
	if w.account == "" {
		return text
	}
	return w.account + " · " + text
}

func newWords() (map[string]words, error) {
	all := map[string]words{}
	for _, language := range lang.Languages {
		l, err := lang.New(language, slog.New(slog.DiscardHandler), lang.Platform, lang.Pages, lang.Demo)
		if err != nil {
			return nil, err
		}
		all[language] = words{Locale: l}
	}
	return all, nil
}

// terminal returns a sentence of the terminal's, filled with the vars.
func (w words) terminal(id string, vars ...lang.Vars) string { return w.Say("terminal."+id, vars...) }
