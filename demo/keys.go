package demo

import (
	"cmp"
	"unicode/utf8"
)

// key is one thing typed: a character, or one of the others below.
type key rune

// The keys that are no character; those of the control characters are theirs.
const (
	keyCtrlA     key = 1
	keyCtrlC     key = 3
	keyCtrlD     key = 4
	keyCtrlE     key = 5
	keyBackspace key = 8
	keyCtrlK     key = 11
	keyEnter     key = 13
	keyCtrlU     key = 21
	keyCtrlW     key = 23

	keyNone key = -1 - iota // nothing that matters here
	keyUp
	keyDown
	keyLeft
	keyRight
	keyHome
	keyEnd
	keyDelete
)

const escape = 27

// nextKey reads one key from what a terminal in raw mode sent, and tells how
// many bytes it took: 0 if more must come first.
func nextKey(typed []byte) (k key, n int) {
	if len(typed) == 0 {
		return keyNone, 0
	}
	switch c := typed[0]; {
	case c == escape:
		return sequence(typed)
	case c == '\n':
		return keyEnter, 1
	case c == 127:
		return keyBackspace, 1
	case c < utf8.RuneSelf:
		return key(c), 1
	}
	if !utf8.FullRune(typed) {
		return keyNone, 0
	}
	r, n := utf8.DecodeRune(typed)
	if r == utf8.RuneError {
		return keyNone, n
	}
	return key(r), n
}

// sequence reads what begins with an escape: ESC [ … letter, ESC O letter, or a
// key together with Alt.
func sequence(typed []byte) (k key, n int) {
	if len(typed) < 2 {
		return keyNone, 0
	}
	switch typed[1] {
	case escape:
		return keyNone, 1
	case '[', 'O':
	default:
		return keyNone, 2
	}
	for i := 2; i < len(typed); i++ {
		if c := typed[i]; c >= 0x40 && c <= 0x7e {
			return cmp.Or(codes[string(typed[2:i+1])], keyNone), i + 1
		}
	}
	return keyNone, 0
}

var codes = map[string]key{
	"A": keyUp, "B": keyDown, "C": keyRight, "D": keyLeft, "3~": keyDelete,
	"H": keyHome, "1~": keyHome, "7~": keyHome, "F": keyEnd, "4~": keyEnd, "8~": keyEnd,
}
