package messages

import (
	"context"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Sketch is a message that an admin is just writing, as far as it can be shown.
type Sketch struct {
	// Template is that of the message; the zero one if none is chosen.
	Template wechat.Template
	// Message is what the reader would get. A value that can't be filled in is as it was
	// written, a missing one is empty. It has a value for each field that phones show.
	Message wechat.Message
	// Cuts are the values that the platform shortens, by the fields' names.
	Cuts []wechat.Field
	// Needs are the fields that everyone who is sent it must have.
	Needs []string
}

// Sketch returns what Set would make of an edit, as a reader would get it, and changes
// nothing. The error is what Set, or a broadcast to such a reader, would be refused for, a
// *models.Error; the sketch is there nonetheless, save if the templates can't be read.
func (s *Source) Sketch(ctx context.Context, e Edit, reader models.Recipient) (*Sketch, error) {
	l, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	inFile, was := l.find(e.Name)
	w, err := s.write(ctx, l, was, e)
	if w == nil {
		return nil, err
	}
	if inFile != nil {
		err = models.NewError(models.Conflict, models.ErrMessageInFile, "Name", inFile.Name)
	}
	sketched := w.sketch(e.Lines, reader)
	if err != nil {
		sketched.Cuts = w.cuts
		return sketched, err
	}
	_, cuts, unfilled := w.draft.definition(s.config.Language).Try(reader, s.config.Now())
	if unfilled != nil {
		return sketched, models.NewError(models.Invalid, models.ErrContent, "Name", e.Name, "Reason", message.InWords(unfilled, w.template))
	}
	for _, f := range cuts {
		sketched.Cuts = append(sketched.Cuts, wechat.Field{Key: w.template.Name(f.Key), Value: f.Value})
	}
	return sketched, nil
}

// sketch fills each part of the draft for a reader, by itself: a fault in one must not
// hide the others.
func (w *writer) sketch(given []Change, reader models.Recipient) *Sketch {
	sk := &Sketch{Template: w.template, Message: wechat.Message{TemplateID: w.template.ID}, Needs: w.draft.definition(w.source.config.Language).Needs()}
	for _, f := range message.ShownFields(w.template) {
		text := w.text(f.Key, given)
		one := draft{Data: []draftField{{Key: f.Key, Value: text}}}
		value := text.Plain + text.Template
		if m, ok := w.try(one, reader); ok {
			value = m.Data[0].Value
		}
		sk.Message.Data = append(sk.Message.Data, wechat.Field{Key: f.Key, Value: value})
	}
	link := draft{URL: w.draft.URL, MiniProgram: w.draft.MiniProgram, Data: []draftField{{Key: "any", Value: draftText{Plain: "-"}}}}
	m, ok := w.try(link, reader)
	if !ok {
		m.URL = w.draft.URL.Plain + w.draft.URL.Template
	}
	sk.Message.URL, sk.Message.MiniProgram = m.URL, m.MiniProgram
	return sk
}

// text is what a field says: a value that was given and refused, or that of the draft.
func (w *writer) text(key string, given []Change) (text draftText) {
	for _, f := range w.draft.Data {
		if f.Key == key {
			text = f.Value
		}
	}
	for _, c := range given {
		if w.key(c.Field) == key {
			text = draftText{Plain: c.Value}
		}
	}
	return text
}

func (w *writer) try(d draft, reader models.Recipient) (wechat.Message, bool) {
	m, _, err := d.definition(w.source.config.Language).Try(reader, w.source.config.Now())
	return m, err == nil
}

// Written is a message as its author wrote it.
type Written struct {
	TemplateID string
	Fields     []WrittenField
	// URL is its link.
	URL WrittenField
	// MiniProgram is what a tap opens, if it is that.
	MiniProgram *message.MiniProgram
}

// WrittenField is one value as it was written.
type WrittenField struct {
	Key, Text string
	// Template says that the text has actions in double braces, which a plain text can't
	// have: it is one of the message file.
	Template bool
}

// Written returns the message as its author wrote it.
func (m Listed) Written() Written {
	w := Written{TemplateID: m.draft.TemplateID, URL: written("url", m.draft.URL), MiniProgram: m.draft.MiniProgram}
	for _, f := range m.draft.Data {
		w.Fields = append(w.Fields, written(f.Key, f.Value))
	}
	return w
}

func written(key string, t draftText) WrittenField {
	return WrittenField{Key: key, Text: t.Plain + t.Template, Template: t.Plain == "" && strings.Contains(t.Template, "{{")}
}
