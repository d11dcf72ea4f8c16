package demo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNextKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typed string
		want  key
		n     int
	}{
		{"", keyNone, 0},
		{"ab", 'a', 1},
		{"群发", '群', 3},
		{"群"[:2], keyNone, 0},
		{"\xff", keyNone, 1},
		{"\r", keyEnter, 1},
		{"\n", keyEnter, 1},
		{"\x7f", keyBackspace, 1},
		{"\x03", keyCtrlC, 1},
		{"\x1b", keyNone, 0},
		{"\x1b[", keyNone, 0},
		{"\x1b[A", keyUp, 3},
		{"\x1bOB", keyDown, 3},
		{"\x1b[1;5Cx", keyNone, 6},
		{"\x1b[3~", keyDelete, 4},
		{"\x1bb", keyNone, 2},
	}
	for _, tt := range tests {
		if k, n := nextKey([]byte(tt.typed)); k != tt.want || n != tt.n {
			t.Errorf("nextKey(%q) = %d, %d; want %d, %d", tt.typed, k, n, tt.want, tt.n)
		}
	}
}

func FuzzNextKey(f *testing.F) {
	f.Add([]byte("群发\x1b[A\x7f\r"))
	f.Add([]byte("\x1b\x1b[1;5C\xe7"))
	f.Fuzz(func(t *testing.T, typed []byte) {
		var e editor
		for len(typed) > 0 {
			k, n := nextKey(typed)
			if n < 0 || n > len(typed) {
				t.Fatalf("took %d of %d bytes", n, len(typed))
			}
			if n == 0 {
				return
			}
			typed = typed[n:]
			if line, _ := e.press(k); clean(line) != line {
				t.Errorf("the line %q has control characters", line)
			}
			if e.cursor < 0 || e.cursor > len(e.line) {
				t.Fatalf("the cursor is at %d of %d", e.cursor, len(e.line))
			}
			if text, cursor := e.view(10); cells(text) > 10 || cursor > cells(text) {
				t.Errorf("%q with the cursor at %d is shown in 10 columns", text, cursor)
			}
		}
	})
}

// typeAll types keys as a terminal sends them and gives the finished lines.
func typeAll(e *editor, typed string) (lines []string, left bool) {
	rest := []byte(typed)
	for len(rest) > 0 {
		k, n := nextKey(rest)
		if n == 0 {
			break
		}
		rest = rest[n:]
		switch line, v := e.press(k); v {
		case finished:
			lines = append(lines, line)
		case leaving:
			return lines, true
		case typing:
		}
	}
	return lines, false
}

func TestEditor(t *testing.T) {
	t.Parallel()
	const up, down, left, right, home = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C", "\x1b[H"
	tests := []struct {
		name, typed string
		want        []string
		left        bool
	}{
		{"plain", "openid\r", []string{"openid"}, false},
		{"wide with backspace", "群发x\x7f全部\r", []string{"群发全部"}, false},
		{"in the middle", "brodcast" + strings.Repeat(left, 5) + "a\r", []string{"broadcast"}, false},
		{"to the right again", "ab" + left + left + right + "x\r", []string{"axb"}, false},
		{"home and delete", "xopenid" + home + "\x1b[3~\r", []string{"openid"}, false},
		{"start over", "nonsense\x15stats\r", []string{"stats"}, false},
		{"last word", "broadcast all\x17test\r", []string{"broadcast test"}, false},
		{"to the end", "ab\x01\x0bcd\r", []string{"cd"}, false},
		{"history", "one\rtwo\r" + up + up + "\r", []string{"one", "two", "one"}, false},
		{"history and back", "one\rdra" + up + down + "ft\r", []string{"one", "draft"}, false},
		{"past the history", "one\r" + up + up + up + down + down + "x\r", []string{"one", "x"}, false},
		{"a paste", "one\rtwo\r", []string{"one", "two"}, false},
		{"Ctrl-C", "half\x03", nil, true},
		{"Ctrl-D on nothing", "\x04", nil, true},
		{"Ctrl-D on something", "ab" + home + "\x04\r", []string{"b"}, false},
		{"other control keys", "a\x0e\x00b\r", []string{"ab"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines, gone := typeAll(&editor{}, tt.typed)
			if diff := cmp.Diff(tt.want, lines); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if gone != tt.left {
				t.Errorf("left: %t", gone)
			}
		})
	}
}
