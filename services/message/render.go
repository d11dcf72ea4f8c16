package message

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

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
	"wechat-broadcast/zone"
)

// maxValueBytes bounds a template and what it renders to. The platform shows a
// few dozen characters of a value; anything near this is a mistake.
const maxValueBytes = 4096

// vars is what a template sees as its dot.
type vars struct {
	OpenID    string
	Now       time.Time // when the broadcast starts, in Beijing time
	Broadcast struct{ ID int64 }
	Scene     string // how the follower found the account
	Remark    string
	Fields    map[string]string // the follower's other stored fields

	subscribedAt time.Time
}

// newVars returns what the templates can say of a broadcast and of a recipient.
func newVars(b models.Broadcast, r models.Recipient) (vars, error) {
	v := vars{
		OpenID: r.OpenID, Now: startOf(b).In(zone.Beijing), Scene: r.Scene, Remark: r.Remark,
		Fields: map[string]string{}, subscribedAt: r.SubscribedAt.Time,
	}
	v.Broadcast.ID = b.ID
	if r.Fields != "" {
		var err error
		if v.Fields, err = models.ReadFields(r.Fields); err != nil {
			return v, fmt.Errorf("read stored fields: %w", err)
		}
	}
	return v, nil
}

// startOf returns when a broadcast started, or is to start as far as that is known.
func startOf(b models.Broadcast) time.Time {
	switch {
	case !b.StartedAt.IsZero():
		return b.StartedAt.Time
	case !b.NotBefore.IsZero():
		return b.NotBefore.Time
	default:
		return b.AskedAt.Time
	}
}

// SubscribedAt returns when the follower subscribed, in Beijing time. If that is
// not known it is an error: no phone shows a date in the year 1.
func (v vars) SubscribedAt() (time.Time, error) {
	if v.subscribedAt.IsZero() {
		return time.Time{}, templateError(words("problem.not_known"))
	}
	return v.subscribedAt.In(zone.Beijing), nil
}

// RenderError says which part of which message has no fit value. It holds no
// recipient's data.
type RenderError struct {
	Message  string // the message's name
	Field    string // the key of the data, or "url" or "miniprogram.pagepath"
	Variable string // as it was written, such as .Fields.city or {city}; may be empty
	Problem  Words
}

// Error returns the parts in one line.
func (e *RenderError) Error() string {
	where := fmt.Sprintf("message %q, field %s", e.Message, e.Field)
	if e.Variable != "" {
		where += ", " + e.Variable
	}
	return where + ": " + e.Problem.String()
}

// compiled is a definition ready to be rendered. It is safe for concurrent use.
type compiled struct {
	def      *Definition
	data     []part // as in the definition
	url      part
	pagePath part
	varies   bool     // two recipients of one broadcast can be sent different texts
	uses     []string // the variables, by the first of their names
}

// part is one value of a message.
type part struct {
	field    string             // as in RenderError
	fixed    string             // the value itself if it has no template
	template *template.Template // nil if the value is fixed
	remark   bool               // uses .Remark, which most people do not have
	plain    bool               // was written as plain text
	names    []string           // the fields of the recipient that it uses
	needs    []string           // those of names that everyone must have
}

// render fills in the templates. The error joins *RenderErrors for variables without a
// value and for values that are blank, longer than 4 KB or no text; those values are
// empty in the message.
func (c *compiled) render(v vars) (wechat.Message, error) {
	m := wechat.Message{TemplateID: c.def.TemplateID, Data: make([]wechat.Field, len(c.data))}
	var faults []error
	for i, p := range c.data {
		value, err := c.value(p, v)
		m.Data[i] = wechat.Field{Key: c.def.Data[i].Key, Value: value, Color: c.def.Data[i].Color}
		faults = append(faults, err)
	}
	return m, errors.Join(append(faults, c.fillLink(&m, v))...)
}

// fill returns the message with its values fitted to the platform's rules, and the
// fields that were shortened. Values that name one of the standIns are not fitted:
// they are others in the end. The error joins those of render and *field.Errors.
func (c *compiled) fill(v vars, standIns []string) (m wechat.Message, cuts []wechat.Field, err error) {
	m, err = c.render(v)
	faults := []error{err}
	isStandIn := func(name string) bool { return slices.Contains(standIns, name) }
	for i, p := range c.data {
		f := &m.Data[i]
		if f.Value == "" {
			continue
		}
		value, cut, err := field.Check(f.Key, f.Value)
		if slices.ContainsFunc(p.names, isStandIn) {
			if err == nil || field.Example(f.Key) == "" {
				continue
			}
			value, cut, err = field.Example(f.Key), false, nil // the platform takes no {NAME} there
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("field %s: %w", f.Key, err))
		}
		f.Value = value
		if cut {
			cuts = append(cuts, *f)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return wechat.Message{}, nil, err
	}
	return m, cuts, nil
}

// fillLink sets where a tap on the message leads.
func (c *compiled) fillLink(m *wechat.Message, v vars) (err error) {
	if m.URL, err = c.value(c.url, v); err != nil {
		return err
	}
	if c.url.template != nil && !isWebURL(m.URL) {
		return &RenderError{c.def.Name, c.url.field, "", words("problem.url")}
	}
	if c.def.MiniProgram != nil {
		page, err := c.value(c.pagePath, v)
		if err != nil {
			return err
		}
		m.MiniProgram = &wechat.MiniProgram{AppID: c.def.MiniProgram.AppID, PagePath: page}
	}
	return nil
}

func (c *compiled) value(p part, v vars) (string, error) {
	if p.template == nil {
		return p.fixed, nil
	}
	value, variable, problem := execute(p.template, v)
	if problem.none() && IsBlank(value) {
		problem = words("problem.blank")
	}
	if problem.Code == "problem.blank" && p.remark {
		variable, problem = ".Remark", words("problem.blank_remark")
	}
	if !problem.none() {
		if p.plain {
			variable = plainVariable(variable)
		}
		return "", &RenderError{c.def.Name, p.field, variable, problem}
	}
	return value, nil
}

// execute returns the rendered text, or what is wrong and with which variable.
func execute(t *template.Template, v vars) (value, variable string, problem Words) {
	var out limitedText
	err := t.Execute(&out, v)
	value = strings.TrimSpace(out.b.String())
	switch {
	case errors.Is(err, errTooLong):
		return "", "", tooLong
	case err != nil:
		variable, problem = explain(err)
		return "", variable, problem
	case !utf8.ValidString(value):
		return "", "", words("problem.half")
	}
	return value, "", Words{}
}

// templateError is an error of our own functions, which text/template wraps.
type templateError Words

func (e templateError) Error() string { return Words(e).String() }

// execProblem matches the place and the cause in an error of text/template.
var execProblem = regexp.MustCompile(`(?s)at <(.*?)>: (.*)$`)

// calling matches what text/template puts before the error of a function.
var calling = regexp.MustCompile(`^error calling \w+: `)

// explain tells variable and cause apart in an error of text/template.
func explain(err error) (variable string, problem Words) {
	match := execProblem.FindStringSubmatch(err.Error())
	if match == nil {
		return "", words("problem.failed", "Detail", trimTemplateError(err))
	}
	var own templateError
	switch {
	case errors.As(err, &own):
		return match[1], Words(own)
	case strings.HasPrefix(match[2], "map has no entry"):
		return match[1], words("problem.no_value")
	default:
		return match[1], words("problem.failed", "Detail", calling.ReplaceAllString(match[2], ""))
	}
}

// IsBlank tells whether a person would see nothing.
func IsBlank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}

var (
	tooLong    = words("problem.long", "Max", maxValueBytes)
	errTooLong = errors.New("the text is too long")
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
