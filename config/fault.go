package config

import (
	"errors"
	"log/slog"
	"strings"
	"unicode"

	"wechat-broadcast/lang"
)

// Fault is one thing that is wrong with what the operator wrote, in words.
type Fault struct {
	Key     string // the setting
	Problem string // what is wrong; never holds a secret
	Hint    string // what to do about it
	line    string
}

// NewFault words a fault of a setting in the language of a locale, which has the
// sentences of lang.Terminal.
func NewFault(l *lang.Locale, key string, problem, hint lang.Words) Fault {
	return finding{key: key, problem: problem, hint: hint}.in(l)
}

// String returns the fault as one line: key, problem, remedy.
func (f Fault) String() string { return f.line }

// Faults is everything that is wrong, so that the operator can put it right in one go.
type Faults []Fault

// Error returns one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// finding is a fault that is not worded yet: the language may stand further down.
type finding struct {
	key     string
	origin  string // where it stands, such as config.yaml:2; empty for the environment
	problem lang.Words
	hint    lang.Words
}

func (f finding) in(l *lang.Locale) Fault {
	worded := Fault{Key: f.key, Problem: f.problem.In(l), Hint: f.hint.In(l)}
	line := l.Say("fault_line", lang.Vars{"Key": f.key, "Problem": worded.Problem, "Origin": f.origin, "Hint": worded.Hint})
	worded.line = strings.Join(strings.FieldsFunc(line, unicode.IsControl), " ")
	return worded
}

// faultsIn returns findings as an error in a language, or nil if there are none.
func faultsIn(language string, findings []finding) error {
	if len(findings) == 0 {
		return nil
	}
	l, err := lang.New(language, slog.New(slog.DiscardHandler), lang.Terminal)
	if err != nil {
		return err
	}
	faults := make(Faults, len(findings))
	for i, f := range findings {
		faults[i] = f.in(l)
	}
	return faults
}

// problem is what is wrong with a value. It holds the value only if that is no secret.
type problem struct{ lang.Words }

// Error returns the problem in English.
func (p problem) Error() string { return p.String() }

// wrong returns the problem of an id as an error; args are alternating names and values.
func wrong(id string, args ...any) error { return problem{lang.Sentence("problem."+id, args...)} }

// wordsOf returns the words of an error that is a problem.
func wordsOf(err error) lang.Words {
	var p problem
	if errors.As(err, &p) {
		return p.Words
	}
	return lang.Sentence("problem.unnamed", "Text", err.Error())
}

func hint(id string, args ...any) lang.Words { return lang.Sentence("hint."+id, args...) }
