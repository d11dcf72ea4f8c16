package chat

import (
	"log/slog"
	"maps"
	"regexp"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// maxArgument bounds what a single argument, such as the platform's words or
// what somebody typed, takes of a reply, in runes.
const maxArgument = 300

// vars fills a sentence, as lang.Vars do. It may have errors, lists and times of
// the database as well. Texts in it are cut to maxArgument.
type vars = lang.Vars

// locale says sentences in one language.
type locale struct{ *lang.Locale }

func newLocale(language string, log *slog.Logger) (locale, error) {
	l, err := lang.New(language, log, lang.Platform, lang.Chat, lang.Problems)
	if err != nil {
		return locale{}, err
	}
	return locale{l}, nil
}

func (l locale) say(id string, v vars) string {
	v = maps.Clone(v)
	for name, value := range v {
		switch value := value.(type) {
		case string:
			v[name] = clip(value, maxArgument)
		case models.Time:
			v[name] = value.Time
		case []string:
			v[name] = clip(strings.Join(value, l.Say("list_separator")), maxArgument)
		case error:
			v[name] = clip(strings.Join(l.faults(value), "\n"), maxArgument)
		}
	}
	return l.Say(id, v)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// openIDs finds what may be one among words.
var openIDs = regexp.MustCompile(`[A-Za-z0-9_-]{25,}`)

// quotable returns somebody's words as a reply may repeat them: OpenIDs are
// masked as in logs.
func quotable(words string) string {
	return openIDs.ReplaceAllStringFunc(words, models.MaskOpenID)
}
