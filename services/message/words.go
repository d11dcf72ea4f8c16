package message

import (
	"fmt"
	"log/slog"
	"sync"

	"wechat-broadcast/lang"
)

// Words are a sentence for a person: its code, and what fills it.
type Words struct {
	Code string
	Args lang.Vars
}

func (w Words) none() bool { return w.Code == "" }

// NewWords returns the sentence of a code; args are alternating names and values.
func NewWords(code string, args ...any) Words {
	w := Words{Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if w.Args == nil {
			w.Args = lang.Vars{}
		}
		w.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	return w
}

// words are those about what is wrong with a message.
var words = NewWords

// ID is that of the sentence in lang.
func (w Words) ID() string { return "file." + w.Code }

// String returns the sentence in English, for the terminal and the log.
func (w Words) String() string {
	if w.none() {
		return ""
	}
	return english().Say(w.ID(), w.Args)
}

// english says what is wrong with messages on the terminal and in the log.
var english = sync.OnceValue(func() *lang.Locale {
	l, err := lang.New("en", slog.New(slog.DiscardHandler), lang.Problems, lang.Plain)
	if err != nil {
		panic(err) // the sentences are part of the program
	}
	return l
})
