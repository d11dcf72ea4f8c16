package message

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth bounds the width and the precision of a format. The platform shows a
// few dozen characters of a value, and a million of them take a few bytes to ask for.
const maxWidth = 100

var errWidth = said(words(problemWidth, "Max", maxWidth))

// wrongPrint matches the marks that Go's fmt leaves in a text where a verb and
// what it is given do not fit, such as %!d(string=hi).
var wrongPrint = regexp.MustCompile(`(?s)%!.?\(`)

// printf is that of Go, save that a format that does not fit is an error and
// nothing for followers to read, and that it ends where the text is too long
// for a value: fmt would write all of it first.
func printf(format string, args ...any) (string, error) {
	var out limitedText
	given := formatArgs{args: args}
	for {
		text, after, found := strings.Cut(format, "%")
		if _, err := out.Write([]byte(text)); err != nil {
			return "", err
		}
		if !found {
			break
		}
		d, rest, ok := scanDirective(after)
		if !ok {
			return "", said(words(problemPrintf))
		}
		text, err := given.print(d)
		if err != nil {
			return "", err
		}
		if _, err := out.Write([]byte(text)); err != nil {
			return "", err
		}
		format = rest
	}
	if given.unused() {
		return "", said(words(problemPrintf))
	}
	return out.b.String(), nil
}

// formatArgs are what a format is given.
type formatArgs struct {
	args      []any
	next      int
	reordered bool // some were taken by their number: the others may be left
}

func (g *formatArgs) unused() bool { return !g.reordered && g.next < len(g.args) }

// take returns the argument of that number, counted from 1, or the next.
func (g *formatArgs) take(index int) (any, bool) {
	if index > 0 {
		g.reordered = true
		g.next = index - 1
	}
	if g.next >= len(g.args) {
		return nil, false
	}
	g.next++
	return g.args[g.next-1], true
}

// print returns the text of one directive.
func (g *formatArgs) print(d directive) (string, error) {
	width, ok := g.number(d.width)
	precision, fits := g.number(d.precision)
	if !ok || !fits {
		return "", said(words(problemPrintf))
	}
	if width > maxWidth || width < -maxWidth || precision > maxWidth {
		return "", errWidth
	}
	if d.verb == "%" {
		return "%", nil
	}
	arg, ok := g.take(d.index)
	if !ok {
		return "", said(words(problemPrintf))
	}
	spec := "%" + d.flags
	if d.width.given {
		if width < 0 { // so that "*" can ask for the left
			spec += "-"
			width = -width
		}
		spec += strconv.Itoa(width)
	}
	if d.precision.given && precision >= 0 {
		spec += "." + strconv.Itoa(precision)
	}
	text := fmt.Sprintf(spec+d.verb, arg)
	// What looks like a mark may be in the operator's own words, or a follower's.
	if strings.Contains(text, "%!") && len(wrongPrint.FindAllString(text, -1)) > len(wrongPrint.FindAllString(fmt.Sprint(arg), -1)) {
		return "", said(words(problemPrintf))
	}
	return text, nil
}

// number returns a width or a precision, be it written or an argument.
func (g *formatArgs) number(n formatNumber) (int, bool) {
	if !n.star {
		return n.value, true
	}
	arg, ok := g.take(n.index)
	v := reflect.ValueOf(arg)
	switch {
	case !ok || arg == nil:
		return 0, false
	case v.CanInt():
		return int(max(min(v.Int(), maxWidth+1), -maxWidth-1)), true
	case v.CanUint():
		return int(min(v.Uint(), maxWidth+1)), true
	}
	return 0, false
}

// directive is what follows a % in a format.
type directive struct {
	flags            string
	width, precision formatNumber
	index            int // of the argument, counted from 1; 0 for the next
	verb             string
}

// formatNumber is a width or a precision.
type formatNumber struct {
	given bool
	value int
	star  bool // it is an argument
	index int  // of that
}

// scanDirective reads what follows a %, and returns what follows that.
func scanDirective(s string) (d directive, rest string, ok bool) {
	flags := len(s) - len(strings.TrimLeft(s, " +-#0"))
	d.flags, s = s[:flags], s[flags:]
	var index int
	if d.width, index, s, ok = scanNumber(s); !ok {
		return d, "", false
	}
	if after, found := strings.CutPrefix(s, "."); found {
		if index > 0 { // it serves neither a * nor a verb
			return d, "", false
		}
		if d.precision, index, s, ok = scanNumber(after); !ok {
			return d, "", false
		}
		d.precision.given = true // a lone point means 0
	}
	if index == 0 {
		if index, s, ok = scanIndex(s); !ok {
			return d, "", false
		}
	}
	d.index = index
	_, size := utf8.DecodeRuneInString(s)
	d.verb = s[:size]
	return d, s[size:], size > 0
}

// scanNumber reads a width or a precision, if one is there. index is a number in
// brackets that stands before no *, and so is the verb's.
func scanNumber(s string) (n formatNumber, index int, rest string, ok bool) {
	if index, s, ok = scanIndex(s); !ok {
		return n, 0, "", false
	}
	if after, found := strings.CutPrefix(s, "*"); found {
		return formatNumber{given: true, star: true, index: index}, 0, after, true
	}
	if index > 0 {
		return n, index, s, true
	}
	for ; s != "" && s[0] >= '0' && s[0] <= '9'; s = s[1:] {
		n.given = true
		n.value = min(10*n.value+int(s[0]-'0'), maxWidth+1)
	}
	return n, 0, s, true
}

// scanIndex reads the number of an argument in brackets; 0 if none is there.
func scanIndex(s string) (index int, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return 0, s, true
	}
	number, rest, closed := strings.Cut(s[1:], "]")
	index, err := strconv.Atoi(number)
	return index, rest, closed && err == nil && index > 0
}

// wide tells whether a format asks for too much, as far as it says so itself.
func wide(format string) bool {
	for {
		_, after, found := strings.Cut(format, "%")
		d, rest, ok := scanDirective(after)
		if !found || !ok {
			return false // what does not fit is told when it is used
		}
		if d.width.value > maxWidth || d.precision.value > maxWidth {
			return true
		}
		format = rest
	}
}

// printAll is fmt.Sprint, or fmt.Sprintln if every argument is set apart. It
// ends where the text is too long for a value.
func printAll(apart bool, args []any) (string, error) {
	var out limitedText
	wasText := true
	for i, arg := range args {
		isText := arg != nil && reflect.TypeOf(arg).Kind() == reflect.String
		text := fmt.Sprint(arg)
		if i > 0 && (apart || !isText && !wasText) {
			text = " " + text
		}
		wasText = isText
		if _, err := out.Write([]byte(text)); err != nil {
			return "", err
		}
	}
	return out.b.String(), nil
}

func escapeQuery(args ...any) (string, error) {
	text, err := printAll(false, args)
	if err != nil {
		return "", err
	}
	return short(url.QueryEscape(text))
}

func short(text string) (string, error) {
	if len(text) > maxValueBytes {
		return "", errTooLong
	}
	return text, nil
}
