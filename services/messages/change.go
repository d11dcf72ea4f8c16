package messages

import (
	"context"
	"errors"
	"slices"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Change is a line `field=value` that an admin wrote.
type Change struct {
	// Field is the key of a field, or what the template calls it, or a word for the
	// link.
	Field string
	// Value is plain text.
	Value string
}

// wordsFor are the ways to write what a line is about, if it is no field. The first is
// taught in English, the second in Chinese.
type wordsFor []string

var (
	urlWords      = wordsFor{"url", "链接", "网址", "link"}
	templateWords = wordsFor{"template", "模板", "模版"}
	copyWords     = wordsFor{"copy", "复制"}
)

func (w wordsFor) has(word string) bool { return slices.Contains(w, message.Fold(word)) }

// taught returns the one that is taught in a language.
func (w wordsFor) taught(language string) string {
	if language == "zh" {
		return w[1]
	}
	return w[0]
}

// Apply returns a message with changes for one broadcast. Names of fields are those of
// its template; while the platform can't be asked for it, keys still work. The error
// is a *models.Error with all that is wrong.
func (s *Source) Apply(ctx context.Context, d *message.Definition, changes []Change) (*message.Definition, error) {
	if len(changes) == 0 {
		return d, nil
	}
	t, known := s.Template(ctx, d.TemplateID)
	lines := lines{source: s, template: t, draft: draftOf(d)}
	var unknown []string
	for _, c := range changes {
		if !lines.apply(c) {
			unknown = append(unknown, c.Field)
		}
	}
	if len(unknown) > 0 && !known {
		return nil, models.NewError(models.Unavailable, models.ErrFieldNamesUnknown,
			"Name", strings.Join(unknown, ", "), "Known", strings.Join(lines.names(), ", "))
	}
	if err := errors.Join(lines.faults...); err != nil {
		return nil, models.NewError(models.Invalid, models.ErrFieldsRefused, "Name", d.Name, "Reason", err)
	}
	changed := lines.draft.definition(s.config.Language)
	for _, part := range d.Plain { // the draft has them as templates
		if !slices.Contains(changed.Plain, part) {
			changed.Plain = append(changed.Plain, part)
		}
	}
	return changed, nil
}

// lines applies what an admin wrote to a draft, and gathers all that is wrong.
type lines struct {
	source   *Source
	template wechat.Template // the draft's; without fields if it is not known
	draft    draft
	given    []string // the fields that were changed
	faults   []error
	cuts     []wechat.Field // the values that the platform shortens, by the fields' names
}

func (l *lines) add(name string, problem, hint message.Words) {
	l.faults = append(l.faults, message.Problems{{Path: name, Problem: problem, Hint: hint}})
}

// apply makes one change, and tells whether its field is known.
func (l *lines) apply(c Change) (known bool) {
	key, isURL := l.key(c.Field), urlWords.has(c.Field)
	switch {
	// A field that the template calls by such a word wins, save for "url" itself.
	case isURL && (key == "" || message.Fold(c.Field) == urlWords[0]):
		key = "url"
	case key == "":
		l.add(c.Field, words("problem.no_field"), words("hint.known_fields", "Names", l.names()))
		return false
	default:
		isURL = false
	}
	switch {
	case slices.Contains(l.given, key):
		l.add(c.Field, words("problem.given_twice"), words("hint.one_of_two_lines"))
	case isURL:
		l.setURL(c)
	default:
		l.set(key, c.Value)
	}
	l.given = append(l.given, key)
	return true
}

// key returns the key of the field that a word means, empty for none.
func (l *lines) key(word string) string {
	wanted := message.Fold(word)
	for _, f := range l.template.Fields {
		if message.Fold(f.Key) == wanted {
			return f.Key
		}
	}
	for _, f := range l.template.Fields {
		if message.Fold(f.Name) == wanted {
			return f.Key
		}
	}
	if len(l.template.Fields) == 0 {
		for _, f := range l.draft.Data {
			if message.Fold(f.Key) == wanted {
				return f.Key
			}
		}
	}
	return ""
}

// names are those by which the fields go, with that of the link.
func (l *lines) names() (names []string) {
	for _, f := range message.ShownFields(l.template) {
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		for _, f := range l.draft.Data {
			names = append(names, f.Key)
		}
	}
	return append(names, urlWords.taught(l.source.config.Language))
}

// setURL changes the link.
func (l *lines) setURL(c Change) {
	link := message.Definition{URL: message.PlainTemplate(c.Value, l.source.config.Language)}
	for _, p := range link.CheckURL() {
		l.add(c.Field, p.Problem, p.Hint)
	}
	l.draft.setURL(c.Value)
}

// set gives a field a plain text, if the platform takes it there.
func (l *lines) set(key, text string) {
	name := l.template.Name(key)
	if message.IsBlank(text) {
		l.add(name, words("problem.empty"), words("hint.value"))
		return
	}
	one := draft{Data: []draftField{{Key: key, Value: draftText{Plain: text}}}}
	_, cuts, err := one.definition(l.source.config.Language).Try(models.Recipient{}, l.source.config.Now())
	var (
		problems message.Problems
		unfilled *message.RenderError
	)
	switch {
	case errors.As(err, &problems):
		l.add(name, problems[0].Problem, problems[0].Hint)
	case errors.As(err, &unfilled):
		l.add(name, unfilled.Problem, words("hint.value"))
	case err != nil:
		l.faults = append(l.faults, message.InWords(err, l.template))
	default:
		for _, f := range cuts {
			l.cuts = append(l.cuts, wechat.Field{Key: name, Value: f.Value})
		}
		l.draft.set(key, text)
	}
}
