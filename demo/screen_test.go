package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// terminal is what the screen's output looks like to a person. It knows the
// few sequences that the screen uses.
type terminal struct {
	mu   sync.Mutex
	rows [][]rune // a wide character is followed by a 0
	x, y int
}

func (v *terminal) Write(text []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := string(text)
	for rest != "" {
		var n int
		var c rune
		if tail, ok := strings.CutPrefix(rest, "\x1b["); ok {
			if _, err := fmt.Sscanf(tail, "%d%c", &n, &c); err != nil {
				c = rune(tail[0])
			}
			rest = tail[strings.IndexRune(tail, c)+1:]
			v.sequence(n, c)
			continue
		}
		r := []rune(rest)[0]
		rest = rest[len(string(r)):]
		v.put(r)
	}
	return len(text), nil
}

func (v *terminal) sequence(n int, c rune) {
	switch c {
	case 'A':
		v.y -= n
	case 'C':
		v.x += n
	case 'J':
		v.rows = v.rows[:min(len(v.rows), v.y+1)]
		if v.y < len(v.rows) {
			v.rows[v.y] = v.rows[v.y][:min(len(v.rows[v.y]), v.x)]
		}
	default:
		panic(fmt.Sprintf("unknown sequence %d%c", n, c))
	}
}

func (v *terminal) put(r rune) {
	switch r {
	case '\r':
		v.x = 0
		return
	case '\n':
		v.y++
		return
	}
	for len(v.rows) <= v.y {
		v.rows = append(v.rows, nil)
	}
	for range cells(string(r)) {
		for len(v.rows[v.y]) <= v.x {
			v.rows[v.y] = append(v.rows[v.y], ' ')
		}
		v.rows[v.y][v.x] = r
		r = 0
		v.x++
	}
}

func (v *terminal) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	lines := make([]string, len(v.rows))
	for i, row := range v.rows {
		lines[i] = strings.TrimRight(strings.ReplaceAll(string(row), "\x00", ""), " ")
	}
	return strings.Join(lines, "\n")
}

func liveScreen(columns int) (*screen, *terminal) {
	v := &terminal{}
	return &screen{out: v, live: true, columns: func() int { return columns }}, v
}

func TestScreenKeepsItsFoot(t *testing.T) {
	t.Parallel()
	s, v := liveScreen(40)
	at := func(want string, x int) {
		t.Helper()
		if diff := cmp.Diff(want, v.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if v.x != x {
			t.Errorf("the cursor is in column %d, want %d", v.x, x)
		}
	}
	press := func(typed string) {
		for _, r := range typed {
			s.press(key(r))
		}
	}
	s.print("hello")
	s.open("你> ")
	press("群发")
	at("hello\n你> 群发", 8)
	s.print("  ← a notice", "    of two lines")
	at("hello\n  ← a notice\n    of two lines\n你> 群发", 8)
	s.setBar(func(int) string { return "50%" })
	at("hello\n  ← a notice\n    of two lines\n50%\n你> 群发", 8)
	s.press(keyLeft)
	s.press(keyBackspace)
	at("hello\n  ← a notice\n    of two lines\n50%\n你> 发", 4)
	s.print("between")
	at("hello\n  ← a notice\n    of two lines\nbetween\n50%\n你> 发", 4)
	if line, v := s.press(keyEnter); line != "发" || v != finished {
		t.Errorf("got %q, %v", line, v)
	}
	at("hello\n  ← a notice\n    of two lines\nbetween\n\n你> 发\n50%\n你>", 4)
	s.setBar(nil)
	s.close()
	at("hello\n  ← a notice\n    of two lines\nbetween\n\n你> 发\n", 0)
}

func TestScreenShowsTheEndOfALongLine(t *testing.T) {
	t.Parallel()
	s, v := liveScreen(12)
	s.open("> ")
	for _, r := range "0123456789微信" {
		s.press(key(r))
	}
	if got := v.String(); got != "> 56789微信" {
		t.Errorf("got %q", got)
	}
}

func TestScreenElsewhereHasNoControlCharacters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	s.print("one")
	s.setBar(func(int) string { return "a bar" })
	if _, err := io.WriteString(s, "log\x1b[2J line\n"); err != nil {
		t.Fatal(err)
	}
	s.close()
	if got := out.String(); got != "one\nlog[2J line\n" {
		t.Errorf("got %q", got)
	}
}

func TestTypedLines(t *testing.T) {
	t.Parallel()
	s, _ := liveScreen(40)
	s.open("> ")
	lines := make(chan string, 10)
	// One byte at a time: keys come in pieces.
	go new(input).read(t.Context(), oneByOne{strings.NewReader("群发\x1b[D\x1b[C全部\ropenid\r\x04never\r")}, s, lines)
	var got []string
	for line := range lines {
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"群发全部", "openid"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

func TestReadLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	i, err := newInput(t.Context(), strings.NewReader("one\r\n\ntwo"), newScreen(&out), "> ")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range i.lines {
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"one", "", "two"}, got); diff != "" || *i.failed != nil {
		t.Errorf("%v (-want +got):\n%s", *i.failed, diff)
	}
	i, err = newInput(t.Context(), strings.NewReader(strings.Repeat("x", longestLine+1)), newScreen(&out), "> ")
	if err != nil {
		t.Fatal(err)
	}
	for range i.lines {
		t.Error("a line that is too long is said")
	}
	if *i.failed == nil {
		t.Error("a line that is too long is no fault")
	}
}

func TestReadingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	i, err := newInput(ctx, strings.NewReader(strings.Repeat("x\n", 10*linesAhead)), newScreen(&out), "> ")
	if err != nil {
		t.Fatal(err)
	}
	<-i.lines
	cancel()
	for range i.lines { // it ends
	}
}
