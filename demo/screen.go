package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

const (
	usualColumns = 80
	mostColumns  = 100 // longer lines are hard to read
)

// screen is where the demo is seen. On a terminal the foot of it, a bar and the
// line being typed, stays below what is printed; elsewhere lines are printed
// and nothing else.
type screen struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool // a terminal
	columns func() int

	bar    func(columns int) string // nil for none
	prompt string
	editor *editor // nil if nothing can be typed
	foot   int     // lines of the foot that are on the screen
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, columns: func() int { return usualColumns }}
	if file, ok := out.(*os.File); ok && isTerminal(file) {
		s.live = true
		s.columns = func() int {
			columns, _, err := term.GetSize(int(file.Fd()))
			if err != nil || columns < 1 {
				return usualColumns
			}
			return columns
		}
	}
	return s
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width is the columns that text should fill at most.
func (s *screen) width() int { return min(mostColumns, max(20, s.columns()-1)) }

// print shows lines above the foot.
func (s *screen) print(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redraw(lines)
}

// Write shows text above the foot: the server's log goes this way.
func (s *screen) Write(text []byte) (int, error) {
	s.print(strings.Split(clean(strings.TrimRight(string(text), "\n")), "\n")...)
	return len(text), nil
}

// setBar shows a bar in the foot, which is drawn for the columns there are; nil
// takes it away.
func (s *screen) setBar(bar func(columns int) string) {
	if !s.live {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bar == nil && s.bar == nil {
		return
	}
	s.bar = bar
	s.redraw(nil)
}

// open begins the line that can be typed.
func (s *screen) open(prompt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompt, s.editor = prompt, &editor{}
	s.redraw(nil)
}

// setPrompt changes what stands before the line that can be typed.
func (s *screen) setPrompt(prompt string) {
	if !s.live {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompt = prompt
	s.redraw(nil)
}

// press hands a key to the line being typed. A line that is finished is
// returned, and stays on the screen.
func (s *screen) press(k key) (string, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, v := s.editor.press(k)
	switch {
	case v == finished && strings.TrimSpace(line) != "":
		s.redraw(append([]string{""}, hang(s.prompt, line, s.width())...))
	case v != leaving:
		s.redraw(nil)
	}
	return line, v
}

// close takes the foot away.
func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bar, s.editor = nil, nil
	s.redraw(nil)
}

// redraw prints lines and draws the foot anew below them, in one write so that
// it does not flicker. The caller holds mu.
func (s *screen) redraw(lines []string) {
	if !s.live {
		for _, line := range lines {
			fmt.Fprintln(s.out, line)
		}
		return
	}
	var b strings.Builder
	if s.foot > 0 {
		b.WriteString("\r")
		if s.foot > 1 {
			fmt.Fprintf(&b, "\x1b[%dA", s.foot-1)
		}
		b.WriteString("\x1b[J")
	}
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	s.foot = 0
	columns := s.columns()
	if s.bar != nil {
		b.WriteString(s.bar(columns))
		s.foot++
	}
	if s.editor != nil {
		if s.foot > 0 {
			b.WriteString("\r\n")
		}
		text, cursor := s.editor.view(max(2, columns-cells(s.prompt)))
		b.WriteString(s.prompt + text + "\r")
		if n := cells(s.prompt) + cursor; n > 0 {
			fmt.Fprintf(&b, "\x1b[%dC", n)
		}
		s.foot++
	}
	_, _ = io.WriteString(s.out, b.String()) // what the terminal did not take can be told to nobody
}
