package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

const (
	longestLine = 64 << 10 // bytes
	linesAhead  = 16       // typed while one is being answered
)

// input is where lines come from.
type input struct {
	lines <-chan string // closed at the end
	// failed says why the lines ended, if not because there are no more. It may
	// be read once lines is closed.
	failed *error
	// typed: the lines are typed on this screen and stand there already.
	typed bool
	// restore gives the terminal back as it was.
	restore func()
}

// newInput reads from a terminal key by key, from elsewhere line by line.
// It stops sending lines when ctx ends.
func newInput(ctx context.Context, in io.Reader, s *screen, prompt string) (*input, error) {
	lines := make(chan string, linesAhead)
	i := &input{lines: lines, failed: new(error), restore: func() {}}
	file, ok := in.(*os.File)
	if !ok || !s.live || !isTerminal(in) {
		go i.scan(ctx, in, lines)
		return i, nil
	}
	before, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("prepare the terminal: %w", err)
	}
	i.typed = true
	i.restore = func() {
		s.close()
		_ = term.Restore(int(file.Fd()), before)
	}
	s.open(prompt)
	go i.read(ctx, file, s, lines)
	return i, nil
}

func (i *input) scan(ctx context.Context, in io.Reader, lines chan<- string) {
	defer close(lines)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, longestLine)
	for scanner.Scan() {
		if !send(ctx, lines, scanner.Text()) {
			return
		}
	}
	if err := scanner.Err(); err != nil {
		*i.failed = fmt.Errorf("read the lines to say: %w", err)
	}
}

func (i *input) read(ctx context.Context, in io.Reader, s *screen, lines chan<- string) {
	defer close(lines)
	var typed []byte
	buf := make([]byte, 1024)
	for {
		n, err := in.Read(buf)
		typed = append(typed, buf[:n]...)
		for len(typed) > 0 {
			k, used := nextKey(typed)
			if used == 0 {
				break
			}
			typed = typed[used:]
			switch line, v := s.press(k); v {
			case finished:
				if !send(ctx, lines, line) {
					return
				}
			case leaving:
				return
			case typing:
			}
		}
		if err != nil {
			return
		}
	}
}

// send hands a line over, unless ctx ends first.
func send(ctx context.Context, lines chan<- string, line string) bool {
	select {
	case lines <- line:
		return true
	case <-ctx.Done():
		return false
	}
}
