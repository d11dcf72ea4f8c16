package demo

import (
	"slices"
	"unicode"
)

const historyKept = 100 // lines

// editor is the line that is being typed, with the ones before it.
type editor struct {
	line    []rune
	cursor  int // before line[cursor]
	history []string
	at      int    // in history; len(history) is the line being typed
	draft   []rune // that line, while an older one is shown
}

// verdict is what a key meant beyond the line.
type verdict int

const (
	typing   verdict = iota
	finished         // the line is done
	leaving          // Ctrl-C, or Ctrl-D on an empty line
)

// press changes the line by a key. A finished line is returned and a new one
// begins.
func (e *editor) press(k key) (line string, v verdict) {
	switch k {
	case keyEnter:
		return e.finish(), finished
	case keyCtrlC:
		return "", leaving
	case keyCtrlD:
		if len(e.line) == 0 {
			return "", leaving
		}
		e.cut(e.cursor, e.cursor+1)
	case keyBackspace:
		e.cut(e.cursor-1, e.cursor)
	case keyDelete:
		e.cut(e.cursor, e.cursor+1)
	case keyCtrlU:
		e.cut(0, e.cursor)
	case keyCtrlK:
		e.cut(e.cursor, len(e.line))
	case keyCtrlW:
		e.cut(e.wordStart(), e.cursor)
	case keyLeft:
		e.cursor = max(0, e.cursor-1)
	case keyRight:
		e.cursor = min(len(e.line), e.cursor+1)
	case keyHome, keyCtrlA:
		e.cursor = 0
	case keyEnd, keyCtrlE:
		e.cursor = len(e.line)
	case keyUp:
		e.recall(e.at - 1)
	case keyDown:
		e.recall(e.at + 1)
	default:
		if k > 0 && unicode.IsPrint(rune(k)) {
			e.line = slices.Insert(e.line, e.cursor, rune(k))
			e.cursor++
		}
	}
	return "", typing
}

func (e *editor) finish() string {
	line := string(e.line)
	if line != "" && (len(e.history) == 0 || e.history[len(e.history)-1] != line) {
		e.history = append(e.history, line)
		e.history = e.history[max(0, len(e.history)-historyKept):]
	}
	e.line, e.cursor, e.at, e.draft = nil, 0, len(e.history), nil
	return line
}

// cut takes out part of the line, as far as there is one.
func (e *editor) cut(from, to int) {
	from, to = max(0, from), min(len(e.line), to)
	if from >= to {
		return
	}
	e.line = slices.Delete(e.line, from, to)
	e.cursor = from
}

func (e *editor) wordStart() int {
	i := e.cursor
	for i > 0 && e.line[i-1] == ' ' {
		i--
	}
	for i > 0 && e.line[i-1] != ' ' {
		i--
	}
	return i
}

// recall shows an older line, or the one that was being typed.
func (e *editor) recall(at int) {
	if at < 0 || at > len(e.history) {
		return
	}
	if e.at == len(e.history) {
		e.draft = slices.Clone(e.line)
	}
	e.at = at
	if at == len(e.history) {
		e.line = e.draft
	} else {
		e.line = []rune(e.history[at])
	}
	e.cursor = len(e.line)
}

// view is the part of the line that fits the columns, and how many columns of it
// are before the cursor.
func (e *editor) view(columns int) (text string, cursor int) {
	from := 0
	for cells(string(e.line[from:e.cursor])) > columns-1 {
		from++
	}
	to := e.cursor
	for to < len(e.line) && cells(string(e.line[from:to+1])) < columns {
		to++
	}
	return string(e.line[from:to]), cells(string(e.line[from:e.cursor]))
}
