package message

import (
	"regexp"
	"slices"
	"strings"
)

// What is written in the chat is plain text: {NAME} stands for a field of the
// recipient, {date} and {time} for the moment at which the broadcast starts. Nothing
// else is replaced. A Definition has it as a template, so that there is one way to fill
// a message.

// fieldName matches what {NAME} can name. Anything else between braces is text.
var fieldName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{Nd}_-]{0,63}$`)

// identifier matches the names that a template can write behind a dot.
var identifier = regexp.MustCompile(`^[\p{L}_][\p{L}\p{Nd}_]*$`)

// The words for the day and the time at which a broadcast starts.
var (
	dateWords = []string{"date", "日期"}
	timeWords = []string{"time", "时间"}
)

// IsFieldName tells whether {NAME} can stand for a field of that name.
func IsFieldName(name string) bool {
	return fieldName.MatchString(name) && !slices.Contains(dateWords, Fold(name)) && !slices.Contains(timeWords, Fold(name))
}

// PlainTemplate returns the template that says what a plain text does, with the date
// as it is written in a language.
func PlainTemplate(text, language string) string {
	var b strings.Builder
	for {
		before, _, braced := strings.Cut(text, "{")
		b.WriteString(before)
		if !braced {
			return b.String()
		}
		text = text[len(before):]
		braces := text[:len(text)-len(strings.TrimLeft(text, "{"))]
		name, after, closed := strings.Cut(text[1:], "}")
		switch action := plainAction(name, language); {
		case len(braces) > 1: // in a template it would begin an action
			b.WriteString(`{{"` + braces + `"}}`)
			text = text[len(braces):]
		case closed && action != "":
			b.WriteString(action)
			text = after
		default:
			b.WriteString(braces)
			text = text[1:]
		}
	}
}

// plainAction returns the action of a template for what stands between two braces;
// empty if that is text.
func plainAction(name, language string) string {
	switch {
	case slices.Contains(dateWords, Fold(name)) && language == "en":
		return `{{.Now.Format "2006-01-02"}}`
	case slices.Contains(dateWords, Fold(name)):
		return `{{.Now.Format "2006年1月2日"}}`
	case slices.Contains(timeWords, Fold(name)):
		return `{{.Now.Format "15:04"}}`
	case !fieldName.MatchString(name):
		return ""
	case identifier.MatchString(name):
		return `{{.Fields.` + name + `}}`
	default:
		return `{{index .Fields "` + name + `"}}`
	}
}

// fieldVariable matches how a template names a field of the recipient.
var fieldVariable = regexp.MustCompile(`^(?:\.Fields\.|index \.Fields ")([^."]+)"?$`)

// plainVariable returns the variable of a template as it is written in plain text.
func plainVariable(variable string) string { return fieldVariable.ReplaceAllString(variable, "{$1}") }
