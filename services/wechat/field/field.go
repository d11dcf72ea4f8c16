// Package field holds the rules for the values of a template's typed keys.
package field

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rule names what a value breaks.
type Rule string

// The rules of a template's typed keys.
const (
	Empty  Rule = "empty"  // there is nothing to show
	Length Rule = "length" // longer than Limit characters, and a cut would falsify it
	Form   Rule = "form"   // characters or a form that the type does not have
)

// Error is a value that the platform would refuse with 47003.
type Error struct {
	Key, Type string // the template's key, thing12; what it begins with, thing
	Rule      Rule
	Limit     int // the type's greatest length in characters, 0 if it has none
}

func (e *Error) Error() string {
	switch e.Rule {
	case Empty:
		return fmt.Sprintf("%s: the value is empty", e.Key)
	case Length:
		return fmt.Sprintf("%s: longer than %d characters, the most that a %s takes", e.Key, e.Limit, e.Type)
	default:
		return fmt.Sprintf("%s: not what a %s may hold", e.Key, e.Type)
	}
}

// valueType is what the platform allows for keys of one type.
type valueType struct {
	limit int               // in characters, 0 for none
	cut   bool              // a longer value is shortened; else it is refused
	fits  func(string) bool // tells whether the form is right; nil for any
	// example is a value that fits.
	example string
}

// The parts of timeForm.
const (
	dayForm   = `(?:\d{4}年\d{1,2}月(?:\d{1,2}日)?|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}月\d{1,2}日)`
	clockForm = `(?:(?:[01]?\d|2[0-4])[:：][0-5]\d(?:[:：][0-5]\d)?)`
	pointForm = `(?:` + dayForm + `(?:[T\s]*` + clockForm + `)?|` + clockForm + `)`
)

// The forms are generous: the platform's own judgement is 47003, and a value
// refused here that it would have taken can't be sent at all.
var (
	numberForm = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
	amountForm = regexp.MustCompile(`^[^0-9.\s]?\s?[0-9]{1,10}(,[0-9]{3})*(\.[0-9]+)?元?$`)
	phoneForm  = regexp.MustCompile(`^[0-9+\-() ]+$`)
	carForm    = regexp.MustCompile(`^\p{Han}?[A-Za-z0-9]+\p{Han}?$`)

	timeForm = regexp.MustCompile(`^` + pointForm + `(?:\s*[~～]\s*` + pointForm + `)?$`)
)

// types are the types with a known rule (WeChat: template/send docs and
// the parameter table of subscription messages). const, enum, short_thing
// and enum_string have values or limits that only the platform knows.
var types = map[string]valueType{
	"thing":            {limit: 20, cut: true},
	"character_string": {limit: 32, fits: printableASCII, example: "ABC123"},
	"number":           {limit: 32, fits: numberForm.MatchString, example: "1"},
	"letter":           {limit: 32, fits: letters, example: "ABC"},
	"symbol":           {limit: 5, fits: symbols, example: "*"},
	"time":             {fits: timeForm.MatchString, example: "2026年1月1日 09:00"},
	"date":             {fits: timeForm.MatchString, example: "2026年1月1日"},
	"amount":           {fits: amountForm.MatchString, example: "1.00元"},
	"phone_number":     {limit: 17, fits: phoneForm.MatchString, example: "400-000-0000"},
	"car_number":       {limit: 8, fits: carForm.MatchString, example: "A00000"},
	"name":             {limit: 20, fits: nameLike, example: "张三"},
	"phrase":           {limit: 5, fits: han, example: "示例"},
}

// Check holds a value against the rules of its key's type, which is the
// key without its digits (WeChat: template/send docs). It returns the value to
// send: a thing above 20 characters comes back cut, ending in "…", and cut is
// true. err is a *Error for a value that the platform would refuse.
// Characters are runes. Keys of other types, such as first, keyword1 and
// remark of the older templates, pass as they are.
func Check(key, value string) (fixed string, cut bool, err error) {
	name := strings.TrimRight(key, "0123456789")
	t, ok := types[name]
	if !ok {
		return value, false, nil
	}
	fault := func(rule Rule) (string, bool, error) {
		return value, false, &Error{Key: key, Type: name, Rule: rule, Limit: t.limit}
	}
	if strings.TrimSpace(value) == "" {
		return fault(Empty)
	}
	if t.limit > 0 && utf8.RuneCountInString(value) > t.limit {
		if !t.cut {
			return fault(Length)
		}
		value, cut = string([]rune(value)[:t.limit-1])+"…", true
	}
	if t.fits != nil && !t.fits(value) {
		return fault(Form)
	}
	return value, cut, nil
}

// Example returns a value that the type of a key takes; empty if it takes any, or only the
// platform knows which.
func Example(key string) string { return types[strings.TrimRight(key, "0123456789")].example }

// Limit returns how many characters the type of a key takes of a value, 0 for no known
// limit. What is longer is cut if cut is true, and refused otherwise.
func Limit(key, value string) (limit int, cut bool) {
	name := strings.TrimRight(key, "0123456789")
	if name == "name" && hasHan(value) {
		return maxHanName, false
	}
	return types[name].limit, types[name].cut
}

// every tells whether all runes are of a kind.
func every(s string, is func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !is(r) })
}

func printableASCII(s string) bool {
	return every(s, func(r rune) bool { return r >= ' ' && r <= '~' })
}

func letters(s string) bool {
	return every(s, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) })
}

func symbols(s string) bool {
	return every(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func han(s string) bool {
	return every(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// maxHanName is how many characters a name has at most if one of them is Chinese.
const maxHanName = 10

// nameLike allows ten characters as soon as one of them is Chinese, else
// twenty; no digits.
func nameLike(s string) bool {
	if strings.ContainsFunc(s, unicode.IsDigit) {
		return false
	}
	return !hasHan(s) || utf8.RuneCountInString(s) <= maxHanName
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}
