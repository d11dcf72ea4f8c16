package lang

import (
	"fmt"
	"log/slog"
	"sync"
)

// Words are a sentence that is not said yet: its id, and what fills it. Words may
// fill others.
type Words struct {
	ID   string
	Vars Vars
}

// Sentence returns the sentence of an id; args are alternating names and values.
func Sentence(id string, args ...any) Words {
	w := Words{ID: id, Vars: Vars{}}
	for i := 0; i+1 < len(args); i += 2 {
		w.Vars[fmt.Sprint(args[i])] = args[i+1]
	}
	return w
}

// In says the sentence; "" if there is none.
func (w Words) In(l *Locale) string {
	if w.ID == "" {
		return ""
	}
	return l.Say(w.ID, w.Vars)
}

// String says a sentence of the commands in English, for the log.
func (w Words) String() string { return w.In(english()) }

var english = sync.OnceValue(func() *Locale {
	l, err := New("en", slog.New(slog.DiscardHandler), Terminal)
	if err != nil {
		panic(err) // the sentences are part of the program
	}
	return l
})
