package message

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a definition or a message file.
type Problem struct {
	Path     string // "messages.notice.url"; MESSAGES_FILE if the file can't be used at all
	Variable string // of a template, such as .Fields.city; may be empty
	Problem  Words  // what is wrong; never holds a secret
	Line     int    // in the message file; 0 if unknown
	Hint     Words  // what to do about it
}

// String returns the problem as one line of English: path, problem, hint.
func (p Problem) String() string {
	line := p.Path + ": "
	if p.Variable != "" {
		line += p.Variable + " "
	}
	line += p.Problem.String()
	if p.Line > 0 {
		line += fmt.Sprintf(" (line %d)", p.Line)
	}
	if !p.Hint.none() {
		line += "; " + p.Hint.String()
	}
	return strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// Problems is everything that is wrong.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// or returns the problems as an error, or nil if there are none: a typed nil in an
// error would not compare equal to nil.
func (p Problems) or() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func (p *Problems) add(path string, problem, hint Words) {
	*p = append(*p, Problem{Path: path, Problem: problem, Hint: hint})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
