package message

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxWidth bounds the width and the precision of a format. The platform shows a
// few dozen characters of a value, and a million of them take a few bytes to ask for.
const maxWidth = 100

var (
	errFormat = templateError(words("problem.printf"))
	errWidth  = templateError(words("problem.width", "Max", maxWidth))
)

// directive matches a directive of a format: flags, width, precision with its
// point, number of the argument, verb. A number is written out, or * with the
// number of its argument.
var directive = regexp.MustCompile(`%([ +\-#0]*)((?:\[\d+\])?\*|\d*)(\.(?:(?:\[\d+\])?\*|\d*))?(?:\[(\d+)\])?([A-Za-z%]?)`)

// misprint matches the marks that Go's fmt leaves in a text where a verb and
// what it is given do not fit, such as %!d(string=hi).
var misprint = regexp.MustCompile(`(?s)%!.?\(`)

// printf is that of Go, with two differences: a format that does not fit is an
// error, and a text that is too long for a value ends it at once.
func printf(format string, args ...any) (string, error) {
	var out limitedText
	given := formatArgs{args: args}
	for _, d := range directive.FindAllStringSubmatch(format, -1) {
		before, after, _ := strings.Cut(format, d[0])
		text, err := given.print(d[1], d[2], d[3], d[4], d[5])
		if err != nil {
			return "", err
		}
		if _, err := out.Write([]byte(before + text)); err != nil {
			return "", err
		}
		format = after
	}
	if _, err := out.Write([]byte(format)); err != nil {
		return "", err
	}
	if !given.reordered && given.next < len(args) {
		return "", errFormat
	}
	return out.b.String(), nil
}

// formatArgs are what a format is given.
type formatArgs struct {
	args      []any
	next      int
	reordered bool // some were taken by their number: the others may be left
}

// print returns the text of one directive, given as its parts.
func (g *formatArgs) print(flags, width, precision, number, verb string) (string, error) {
	w, widthFits := g.number(width)
	p, precisionFits := g.number(strings.TrimPrefix(precision, "."))
	switch {
	case !widthFits || !precisionFits:
		return "", errFormat
	case w > maxWidth || w < -maxWidth || p > maxWidth:
		return "", errWidth
	case verb == "%":
		return "%", nil
	}
	arg, ok := g.take(number)
	if !ok || verb == "" {
		return "", errFormat
	}
	spec := "%" + flags
	if w < 0 { // so that * can ask for the left
		spec += "-"
	}
	if width != "" {
		spec += strconv.Itoa(max(w, -w))
	}
	if precision != "" && p >= 0 {
		spec += "." + strconv.Itoa(p)
	}
	text := fmt.Sprintf(spec+verb, arg)
	// What looks like a mark may be in the operator's own words, or a follower's.
	// Without a precision none of it is cut off, so the marks can be counted.
	if strings.Contains(text, "%!") && marks(fmt.Sprintf("%"+verb, arg)) > marks(fmt.Sprint(arg)) {
		return "", errFormat
	}
	return text, nil
}

func marks(text string) int { return len(misprint.FindAllString(text, -1)) }

// take returns the argument of that number, counted from 1, or else the next.
func (g *formatArgs) take(number string) (any, bool) {
	if number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, false
		}
		g.reordered, g.next = true, n-1
	}
	if g.next >= len(g.args) {
		return nil, false
	}
	g.next++
	return g.args[g.next-1], true
}

// number returns a width or a precision, be it written or an argument; 0 for none.
// One beyond maxWidth may come back as another such.
func (g *formatArgs) number(text string) (n int, ok bool) {
	index, isArg := strings.CutSuffix(text, "*")
	if !isArg {
		return written(text), true
	}
	arg, ok := g.take(strings.Trim(index, "[]"))
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

// written returns a number of digits, at most maxWidth+1; 0 for any other text.
func written(text string) int {
	n, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) {
		return maxWidth + 1
	}
	return min(n, maxWidth+1)
}

// isWide tells whether a format asks for too much by a number written in it.
func isWide(format string) bool {
	return slices.ContainsFunc(directive.FindAllStringSubmatch(format, -1), func(d []string) bool {
		return written(d[2]) > maxWidth || written(strings.TrimPrefix(d[3], ".")) > maxWidth
	})
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
	if text = url.QueryEscape(text); len(text) > maxValueBytes {
		return "", errTooLong
	}
	return text, nil
}
