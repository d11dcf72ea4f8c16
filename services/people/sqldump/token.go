package sqldump

import (
	"bytes"
	"io"
	"strings"
)

// maxText is how many bytes of a text are kept. What is longer is cut, so that memory stays
// flat whatever a table holds.
const maxText = 1 << 20

type kind byte

const (
	word   kind = iota // a name, keyword or number without quotes
	name               // in backticks
	text               // in single quotes
	double             // in double quotes: a text, or a name in ANSI mode
	mark               // one character
	end                // the end of a statement
)

type token struct {
	kind kind
	text string
	line int
}

func (t token) is(character string) bool { return t.kind == mark && t.text == character }

// keyword tells whether a token is one of some words, in upper case.
func (t token) keyword(words ...string) bool {
	if t.kind != word {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

// named tells whether a token can be a name.
func (t token) named() bool { return t.kind == word || t.kind == name || t.kind == double }

// next returns the next token; io.EOF at the end of the file between two of them, or a
// *Fault if the file ends within one.
func (r *Reader) next() (token, error) {
	if r.held != nil {
		t := *r.held
		r.held = nil
		return t, nil
	}
	if err := r.skipSpace(); err != nil {
		return token{}, err
	}
	line := r.line
	if r.atDelimiter() {
		_, _ = r.in.Discard(len(r.delimiter))
		return token{end, "", line}, nil
	}
	b, err := r.read()
	if err != nil {
		return token{}, err
	}
	switch {
	case b == '\'' || b == '"' || b == '`':
		return r.quoted(b, line)
	case inWord(b):
		return token{word, r.word(b), line}, nil
	default:
		return token{mark, string(rune(b)), line}, nil
	}
}

func (r *Reader) hold(t token) { r.held = &t }

func (r *Reader) read() (byte, error) {
	b, err := r.in.ReadByte()
	if b == '\n' && err == nil {
		r.line++
	}
	return b, err
}

// peek returns the next bytes, fewer at the end of the file.
func (r *Reader) peek(n int) []byte {
	p, _ := r.in.Peek(n)
	return p
}

func (r *Reader) atDelimiter() bool {
	return string(r.peek(len(r.delimiter))) == r.delimiter
}

func inWord(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '$' || b == '@' || b == '.' || b >= 0x80
}

func (r *Reader) word(first byte) string {
	r.buf = append(r.buf[:0], first)
	number := '0' <= first && first <= '9' || first == '.'
	for {
		p := r.peek(1)
		if len(p) == 0 {
			return string(r.buf)
		}
		last := r.buf[len(r.buf)-1] | 0x20
		exponent := number && last == 'e' && (p[0] == '+' || p[0] == '-') && !bytes.ContainsAny(r.buf, "xX")
		if !inWord(p[0]) && !exponent || r.atDelimiter() {
			return string(r.buf)
		}
		b, _ := r.read() // it was peeked at
		if len(r.buf) < 2*maxText {
			r.buf = append(r.buf, b)
		}
	}
}

// escapes are what a letter after a backslash stands for, if not for itself (MySQL: string
// literals).
var escapes = map[byte]byte{'0': 0, 'b': '\b', 'n': '\n', 'r': '\r', 't': '\t', 'Z': 26}

// quoted reads what stands in quotes, which the caller has opened.
func (r *Reader) quoted(quote byte, line int) (token, error) {
	t := token{text, "", line}
	switch quote {
	case '`':
		t.kind = name
	case '"':
		t.kind = double
	}
	r.buf = r.buf[:0]
	for {
		b, err := r.read()
		if err != nil {
			return t, r.cut(err, line)
		}
		switch {
		case b == quote:
			if p := r.peek(1); len(p) == 0 || p[0] != quote {
				t.text = string(r.buf)
				return t, nil
			}
			_, _ = r.read()
		case b == '\\' && quote != '`':
			if b, err = r.read(); err != nil {
				return t, r.cut(err, line)
			}
			if b == '%' || b == '_' { // outside of a pattern the backslash stays
				r.keep('\\')
			}
			if plain, ok := escapes[b]; ok {
				b = plain
			}
		}
		r.keep(b)
	}
}

func (r *Reader) keep(b byte) {
	if len(r.buf) < maxText {
		r.buf = append(r.buf, b)
	}
}

// skipSpace skips what stands between tokens: spaces and comments.
func (r *Reader) skipSpace() error {
	for {
		p := r.peek(3)
		switch {
		case len(p) == 0:
			_, err := r.in.Peek(1)
			return err
		case p[0] == ' ' || '\t' <= p[0] && p[0] <= '\r' || p[0] == 0:
			_, _ = r.read()
		case p[0] == '#', len(p) > 1 && p[0] == '-' && p[1] == '-' && (len(p) == 2 || p[2] <= ' '):
			r.lineComment()
		case len(p) > 1 && p[0] == '/' && p[1] == '*':
			if err := r.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (r *Reader) lineComment() {
	r.buf = r.buf[:0]
	for {
		b, err := r.read()
		if err != nil || b == '\n' {
			break
		}
		r.keep(b)
	}
	r.note(string(r.buf))
}

// comment skips /* … */. What a conditional comment (/*!40101 … */) has the server do says
// nothing of the rows: settings, keys that are switched off and on, triggers. Such a comment
// may hold others.
func (r *Reader) comment() error {
	line := r.line
	nests := bytes.HasPrefix(r.peek(4), []byte("/*!")) || bytes.HasPrefix(r.peek(4), []byte("/*M!"))
	r.buf = r.buf[:0]
	for depth, last := 0, byte(0); ; {
		b, err := r.read()
		if err != nil {
			return r.cut(err, line)
		}
		r.keep(b)
		switch {
		case last == '/' && b == '*' && (depth == 0 || nests):
			depth++
			b = 0 // of /*/ nothing ends the comment
		case last == '*' && b == '/':
			if depth--; depth == 0 {
				r.note(string(r.buf))
				return nil
			}
			b = 0
		}
		last = b
	}
}

// cut is the fault of a file that ends within something that began at a line. Another error
// stays as it is.
func (r *Reader) cut(err error, line int) error {
	if err != io.EOF { //nolint:errorlint // of bufio, never wrapped
		return err
	}
	return &Fault{Cut: true, Line: line}
}
