package config

import "strings"

// Fault is one thing that is wrong with what the operator wrote.
type Fault struct {
	Key     string // the setting
	Problem string // what is wrong; never holds a secret
	Hint    string // what to do about it
}

// String returns the fault as one line of English: key, problem, remedy.
func (f Fault) String() string {
	line := f.Key + ": " + f.Problem
	if f.Hint != "" {
		line += "; " + f.Hint
	}
	return strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

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

// or returns the faults as an error, or nil if there are none: a typed nil in
// an error would not compare equal to nil.
func (f Faults) or() error {
	if len(f) == 0 {
		return nil
	}
	return f
}
