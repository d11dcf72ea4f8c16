package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/zone"
)

// maxValueBytes bounds a template and what it renders to. The platform shows a
// few dozen characters of a value; anything near this is a mistake.
const maxValueBytes = 4096

var beijing = zone.Beijing

// Vars are the values that a message's templates can use.
type Vars struct {
	OpenID    string
	Now       time.Time // templates see it in Beijing time
	Broadcast struct{ ID int64 }

	SubscribedAt time.Time // zero if not known: a template that uses it fails
	Scene        string    // how the follower found the account
	Remark       string
	Fields       map[string]string // the follower's other stored fields
}

// Rendered is a message for one recipient.
type Rendered struct {
	Data        []Field
	URL         string
	MiniProgram *MiniProgram
}

// RenderError says which part of which message has no fit value. It holds no
// recipient's data.
type RenderError struct {
	Message  string // the message's name
	Field    string // the key of the data, or "url" or "miniprogram.pagepath"
	Variable string // as in the template, such as .Fields.city; may be empty
	Problem  Words
}

// Error returns the parts in one line.
func (e *RenderError) Error() string {
	where := fmt.Sprintf("message %q, field %s", e.Message, e.Field)
	if e.Variable != "" {
		where += ", " + e.Variable
	}
	return where + ": " + e.Problem.English
}

// Compiled is a message ready to be rendered. It is safe for concurrent use.
type Compiled struct {
	message     string
	data        []part
	url         part
	pagePath    part
	miniProgram *MiniProgram
	varies      bool
	uses        []string // the variables, by the first of their names
}

// part is one value of a message.
type part struct {
	field    string // as in RenderError
	key      string
	color    string
	fixed    string             // the value itself if it has no template
	template *template.Template // nil if the value is fixed
	remark   bool               // uses .Remark, which most people do not have
}

// Varies tells whether two recipients of one broadcast can be sent different
// texts. If not, one rendering serves them all.
func (c *Compiled) Varies() bool { return c.varies }

// Uses tells whether the message uses a variable, named like a field of Vars.
func (c *Compiled) Uses(variable string) bool { return slices.Contains(c.uses, variable) }

// Render fills in the templates. The error is a *RenderError if a variable has
// no value, or a value is blank, longer than 4 KB or no text.
func (c *Compiled) Render(v Vars) (*Rendered, error) {
	s := newScope(v)
	rendered := &Rendered{Data: make([]Field, len(c.data))}
	for i, p := range c.data {
		value, err := c.render(p, s)
		if err != nil {
			return nil, err
		}
		rendered.Data[i] = Field{Key: p.key, Value: value, Color: p.color}
	}
	var err error
	if rendered.URL, err = c.render(c.url, s); err != nil {
		return nil, err
	}
	if c.url.template != nil && !isWebURL(rendered.URL) {
		return nil, &RenderError{c.message, c.url.field, "", words(problemURL)}
	}
	if c.miniProgram != nil {
		page, err := c.render(c.pagePath, s)
		if err != nil {
			return nil, err
		}
		rendered.MiniProgram = &MiniProgram{AppID: c.miniProgram.AppID, PagePath: page}
	}
	return rendered, nil
}

func (c *Compiled) render(p part, s scope) (string, error) {
	if p.template == nil {
		return p.fixed, nil
	}
	value, variable, problem := execute(p.template, s)
	if problem.none() && isBlank(value) {
		problem = words(problemBlank)
	}
	if problem.Code == problemBlank && p.remark {
		variable, problem = ".Remark", words(problemBlankRemark)
	}
	if !problem.none() {
		return "", &RenderError{c.message, p.field, variable, problem}
	}
	return value, nil
}

// scope is what a template sees as its dot.
type scope struct {
	OpenID    string
	Now       time.Time
	Broadcast struct{ ID int64 }
	Scene     string
	Remark    string
	Fields    map[string]string

	subscribedAt time.Time
}

func newScope(v Vars) scope {
	return scope{
		OpenID: v.OpenID, Now: v.Now.In(beijing), Broadcast: v.Broadcast,
		Scene: v.Scene, Remark: v.Remark, Fields: v.Fields, subscribedAt: v.SubscribedAt,
	}
}

// SubscribedAt keeps a date in the year 1 off the phones of those whose
// subscription was not witnessed.
func (s scope) SubscribedAt() (time.Time, error) {
	if s.subscribedAt.IsZero() {
		return time.Time{}, said(words(problemNotKnown))
	}
	return s.subscribedAt.In(beijing), nil
}

// execute returns the rendered text, or what is wrong and with which variable.
func execute(t *template.Template, s scope) (value, variable string, problem Words) {
	var out limitedText
	err := t.Execute(&out, s)
	value = strings.TrimSpace(out.b.String())
	switch {
	case errors.Is(err, errTooLong):
		return "", "", tooLong
	case err != nil:
		variable, problem = explain(err)
		return "", variable, problem
	case !utf8.ValidString(value):
		return "", "", words(problemHalf)
	}
	return value, "", Words{}
}

// said is a cause of our own that comes back out of a template.
type said Words

func (s said) Error() string { return s.English }

// execProblem matches the place and the cause in an error of text/template.
var execProblem = regexp.MustCompile(`(?s)at <(.*?)>: (.*)$`)

// calling matches what text/template puts before the error of a function.
var calling = regexp.MustCompile(`^error calling \w+: `)

// explain tells variable and cause apart in an error of text/template.
func explain(err error) (variable string, problem Words) {
	match := execProblem.FindStringSubmatch(err.Error())
	if match == nil {
		return "", words(problemFailed, "Detail", trimTemplateError(err))
	}
	var own said
	switch {
	case errors.As(err, &own):
		return match[1], Words(own)
	case strings.HasPrefix(match[2], "map has no entry"):
		return match[1], words(problemNoValue)
	default:
		return match[1], words(problemFailed, "Detail", calling.ReplaceAllString(match[2], ""))
	}
}

// isBlank tells whether a person would see nothing.
func isBlank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}

var (
	tooLong    = words(problemLong, "Max", maxValueBytes)
	errTooLong = errors.New(tooLong.English)
)

// limitedText is a text that refuses to grow beyond maxValueBytes.
type limitedText struct{ b strings.Builder }

// Write appends p, or returns errTooLong.
func (t *limitedText) Write(p []byte) (int, error) {
	if t.b.Len()+len(p) > maxValueBytes {
		return 0, errTooLong
	}
	return t.b.Write(p)
}
