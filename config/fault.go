package config

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Fault is one thing that is wrong with what the operator wrote. Those of the
// message file, which the chat tells too, have Words in other languages.
type Fault struct {
	Key      string // the setting, or the path inside the file: "messages.notice.url"
	Variable string // of a template, such as .Fields.city; may be empty
	Problem  Words  // what is wrong; never holds a secret
	Line     int    // of the message file; 0 if that says nothing
	Mend     Words  // what to do about it
}

// String returns the fault as one line of English: key, problem, remedy.
func (f Fault) String() string {
	line := f.Key + ": "
	if f.Variable != "" {
		line += f.Variable + " "
	}
	line += f.Problem.English
	if f.Line > 0 {
		line += fmt.Sprintf(" (line %d)", f.Line)
	}
	if f.Mend.English != "" {
		line += "; " + f.Mend.English
	}
	return strings.Join(strings.FieldsFunc(line, isLineBreak), " ")
}

// Faults is everything that is wrong, so that the operator can mend it in one go.
type Faults []Fault

// Error returns one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// or returns the faults as an error, or nil if there are none: a typed nil in
// an error would not compare equal to nil.
func (f Faults) or() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }

// nearest returns the known name that looks most like a mistyped one, or ""
// if none is near enough to be worth a hint.
func nearest(name string, known []string) string {
	best, bestDistance := "", max(2, len(name)/4)+1
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}
