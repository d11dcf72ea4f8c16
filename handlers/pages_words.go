package handlers

import (
	"log/slog"
	"strconv"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// words says what stands on pages in one language.
type words struct{ *lang.Locale }

func newWords(language string, log *slog.Logger) (*words, error) {
	l, err := lang.New(language, log, lang.Platform, lang.Pages)
	if err != nil {
		return nil, err
	}
	return &words{l}, nil
}

// cause is why a delivery failed, in words.
type cause struct{ What, Todo string }

func (w *words) cause(state models.DeliveryState, code int, detail string) cause {
	name := "unfilled"
	switch {
	case state == models.Uncertain:
		name = "uncertain"
	case code != 0:
		if name = strconv.Itoa(code); !w.Has("cause." + name + ".what") {
			name = "unknown"
		}
	case strings.HasPrefix(detail, "failed"):
		if name = detail; !w.Has("cause." + name + ".what") {
			name = "receipt"
		}
	}
	return cause{w.Say("cause." + name + ".what"), w.Say("cause." + name + ".todo")}
}
