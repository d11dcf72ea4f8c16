package messages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Edit is what an admin writes of a message.
type Edit struct {
	Name string
	// Lines are its fields, with the template (its number in the account's list, its
	// title or its id), the link, and the name of a message to copy.
	Lines []Change
	// By is the admin's OpenID.
	By string
}

// Saved is a message that was written.
type Saved struct {
	Definition *message.Definition
	Template   wechat.Template
	// New is true if there was none of that name.
	New bool
	// Cuts are the values that the platform shortens, by the fields' names.
	Cuts []wechat.Field
}

// Set makes a message or changes one: only what the lines give. The error is a
// *models.Error with all that is wrong; then nothing is changed.
func (s *Source) Set(ctx context.Context, e Edit) (*Saved, error) {
	for range 3 {
		w, was, err := s.prepare(ctx, e)
		if err != nil {
			return nil, err
		}
		content, err := json.Marshal(w.draft)
		if err != nil {
			return nil, fmt.Errorf("write message: %w", err)
		}
		row := models.Message{
			Folded: message.Fold(e.Name), Name: w.draft.Name, Content: string(content), ChangedBy: e.By, ChangedAt: models.At(s.config.Now()),
		}
		var old *models.Message
		if was != nil {
			old = was.Kept
		}
		if stored, err := s.config.Store.SaveMessage(ctx, old, row, MaxKept); stored || err != nil {
			return &Saved{w.draft.definition(s.config.Language), w.template, was == nil, w.cuts}, err
		}
	}
	return nil, models.NewError(models.Conflict, models.ErrMessageBusy, "Name", e.Name)
}

// Check returns what Set would refuse an edit for, and changes nothing.
func (s *Source) Check(ctx context.Context, e Edit) error {
	_, _, err := s.prepare(ctx, e)
	return err
}

// prepare makes what an edit asks for of the message of that name; was is nil if there
// is none.
func (s *Source) prepare(ctx context.Context, e Edit) (w *writer, was *Listed, err error) {
	l, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	inFile, was := l.find(e.Name)
	if inFile != nil {
		return nil, nil, models.NewError(models.Conflict, models.ErrMessageInFile, "Name", inFile.Name)
	}
	w, err = s.write(ctx, l, was, e)
	return w, was, err
}

// write makes of was, which is nil for a new message, what an edit asks for. With an error
// about the lines it returns as much of it as is in order.
func (s *Source) write(ctx context.Context, l *List, was *Listed, e Edit) (*writer, error) {
	all, err := s.Templates(ctx, templatesLast)
	if err != nil {
		return nil, err
	}
	w := &writer{lines: lines{source: s}, list: l, templates: all}
	if was != nil {
		w.draft = was.draft
		w.draft.Data = slices.Clone(was.draft.Data)
	} else {
		w.draft.Name = e.Name
		w.checkName(e.Name)
	}
	w.write(e.Lines)
	if err := errors.Join(w.faults...); err != nil {
		return w, models.NewError(models.Invalid, models.ErrMessageNotSaved, "Name", e.Name, "Reason", err)
	}
	return w, nil
}

// writer makes a message of the lines that an admin wrote.
type writer struct {
	lines
	list      *List
	templates []wechat.Template
}

// checkName checks that the message can be named in the chat: by a word, or in
// quotation marks by several.
func (w *writer) checkName(name string) {
	d := message.Definition{Name: strings.ReplaceAll(name, " ", "_")}
	for _, p := range d.CheckName() {
		w.add(name, p.Problem, p.Hint)
	}
	if strings.ContainsAny(name, quotes) {
		w.add(name, words("problem.quotes"), words("hint.rename"))
	}
}

// write applies the lines: first what is copied, then the template, then the fields.
func (w *writer) write(all []Change) {
	var from, to *Change
	var rest []Change
	for i := range all {
		c := &all[i]
		switch {
		case copyWords.has(c.Field):
			w.once(&from, c)
		case templateWords.has(c.Field):
			w.once(&to, c)
		default:
			rest = append(rest, *c)
		}
	}
	if len(all) == 0 && w.draft.TemplateID != "" {
		w.add(w.draft.Name, words("problem.nothing_given"), words("hint.line"))
		return
	}
	copied := from == nil || w.copy(*from)
	if !copied || !w.setTemplate(to) {
		for _, c := range rest {
			if urlWords.has(c.Field) {
				w.apply(c)
			}
		}
		return // what the fields may be is not known
	}
	for _, c := range rest {
		w.apply(c)
	}
	for _, f := range message.ShownFields(w.template) {
		has := func(have draftField) bool { return have.Key == f.Key }
		if !slices.ContainsFunc(w.draft.Data, has) && !slices.Contains(w.given, f.Key) {
			w.add(f.Name, words("problem.missing"), words("hint.write", "As", f.Name+"=…"))
		}
	}
	w.draft.moveTo(w.template, w.template) // for the order of the fields
}

// once notes a line that may be given once.
func (w *writer) once(to **Change, c *Change) {
	if *to != nil {
		w.add(c.Field, words("problem.given_twice"), words("hint.one_of_two_lines"))
		return
	}
	*to = c
}

// copy takes over another message, and tells whether there is one.
func (w *writer) copy(c Change) bool {
	name := unquoted(c.Value)
	other, err := w.list.get(name)
	if err != nil || name == "" {
		w.add(c.Field, words("problem.no_such_message", "Name", name), words("hint.name_one", "Names", w.list.Names()))
		return false
	}
	own := w.draft.Name
	w.draft = other.draft
	w.draft.Name, w.draft.Data = own, slices.Clone(other.draft.Data)
	return true
}

// unquoted returns a name without the quotation marks around it.
func unquoted(name string) string { return strings.Trim(name, quotes) }

// quotes are the marks in which a command has a name of several words.
const quotes = "“”「」\""

// setTemplate takes the template that a line names, or keeps the one that the message
// has if there is no such line, and tells whether the message has one now.
func (w *writer) setTemplate(c *Change) bool {
	from := w.known(w.draft.TemplateID)
	switch {
	case c != nil:
		found := w.find(unquoted(c.Value))
		if len(found) != 1 {
			w.noTemplate(*c, found)
			return false
		}
		w.template = w.templates[found[0]]
	case w.draft.TemplateID == "":
		w.add(templateWords.taught(w.source.config.Language), words("problem.missing"), words("hint.template"))
		return false
	case from.ID == "":
		w.add(w.draft.TemplateID, words("problem.template_gone"), words("hint.template"))
		return false
	default:
		w.template = from
	}
	if len(w.template.Fields) == 0 {
		w.add(w.template.Title, words("problem.no_fields"), words("hint.template"))
		return false
	}
	w.draft.moveTo(from, w.template)
	return true
}

// known returns the template of an id, or the zero one.
func (w *writer) known(id string) wechat.Template {
	i := slices.IndexFunc(w.templates, func(t wechat.Template) bool { return t.ID == id })
	if i < 0 {
		return wechat.Template{}
	}
	return w.templates[i]
}

// find returns the indexes of the templates that a word means: the number in the list,
// an id or a title.
func (w *writer) find(word string) (found []int) {
	n, err := strconv.Atoi(strings.TrimPrefix(message.Fold(word), "#"))
	for i, t := range w.templates {
		switch {
		case t.ID == word:
			return []int{i}
		case message.Fold(t.Title) == message.Fold(word), err == nil && n == i+1:
			found = append(found, i)
		}
	}
	return found
}

// noTemplate says why a line names no template.
func (w *writer) noTemplate(c Change, found []int) {
	switch {
	case c.Value == "":
		w.add(c.Field, words("problem.empty"), words("hint.template"))
	case len(found) == 0:
		w.add(c.Field, words("problem.no_template", "Name", c.Value), words("hint.template"))
	default:
		var numbers []string
		for _, i := range found {
			numbers = append(numbers, strconv.Itoa(i+1))
		}
		w.add(c.Field, words("problem.many_templates", "Name", c.Value, "Numbers", numbers), words("hint.template_number"))
	}
}

// Remove deletes a message that was written in the chat, and returns its name. The
// error is a *models.Error if there is none.
func (s *Source) Remove(ctx context.Context, name string) (removed string, err error) {
	l, err := s.List(ctx)
	if err != nil {
		return "", err
	}
	inFile, kept := l.find(name)
	switch {
	case kept != nil:
		_, err := s.config.Store.RemoveMessage(ctx, kept.Kept.Folded)
		return kept.Name, err
	case inFile != nil:
		return "", models.NewError(models.Conflict, models.ErrMessageInFile, "Name", inFile.Name)
	}
	if _, err = l.get(name); err == nil { // the empty name
		err = models.NewError(models.Invalid, models.ErrMessageUnknown, "Name", name, "Known", strings.Join(l.Names(), ", "))
	}
	return "", err
}
