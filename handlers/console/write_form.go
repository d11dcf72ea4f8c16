package console

import (
	"net/url"
	"slices"
	"strings"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// Names of inputs. A field's value and what it was when the form was made have its key
// behind the dot.
const (
	inputValue = "f."
	inputWas   = "was."
)

// draft is a message in the form in which it is written.
type draft struct {
	// Name is that of the message; Kept says that there is one of it, which is changed.
	Name string
	Kept bool
	// From is the message that a new one is a copy of; empty for none.
	From string
	// Template is the id of the template whose fields the form has, and WasTemplate that of the
	// message that it was made of. Chosen is what is chosen instead.
	Template, WasTemplate, Chosen string
	// Values are its texts, and Was what they were when the form was made, by the keys of the
	// fields, with "url" for the link. What is not changed is not written: others may have
	// changed it meanwhile.
	Values, Was map[string]string
	// Raw are the keys whose values were templates of the message file.
	Raw map[string]bool
	// List is the name of the list with which the card is filled.
	List string
	// Whole is true if the form came with all that the page has put into it.
	Whole bool
}

// link is the key under which a draft has its link: no key of the platform has a dot.
const link = ".url"

// draftOf returns the form of a message that is there, to change it or to make a copy.
func draftOf(m messages.Listed, edit bool) draft {
	w := m.Written()
	d := draft{Template: w.TemplateID, WasTemplate: w.TemplateID, Values: map[string]string{}, Was: map[string]string{}, Raw: map[string]bool{}, Whole: true}
	if edit {
		d.Name, d.Kept = m.Name, true
	} else {
		d.From = m.Name
	}
	w.URL.Key = link
	for _, f := range append(w.Fields, w.URL) {
		d.Values[f.Key], d.Was[f.Key], d.Raw[f.Key] = inputLine(f.Text), inputLine(f.Text), f.Template
	}
	return d
}

// readDraft reads the form that was sent.
func readDraft(form url.Values) draft {
	d := draft{
		Name: inputLine(form.Get("name")), Kept: form.Get("kept") == "1", From: form.Get("from"), Template: form.Get("fields_of"), Chosen: form.Get("template"),
		WasTemplate: form.Get("was_template"), List: form.Get("list"), Values: map[string]string{}, Was: map[string]string{}, Raw: map[string]bool{},
		Whole: form.Get("whole") == "1",
	}
	for name, values := range form {
		if key, ok := strings.CutPrefix(name, inputValue); ok {
			d.Values[key] = inputLine(values[0])
		}
		if key, ok := strings.CutPrefix(name, inputWas); ok {
			d.Was[key] = inputLine(values[0])
		}
	}
	for _, key := range form["raw"] {
		d.Raw[key] = true
	}
	return d
}

// inputLine returns a text as an input of one line holds it.
func inputLine(text string) string {
	breaks := func(r rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029\v\f", r) }
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(text, breaks), " "))
}

// move gives the draft the template that is chosen.
func (d *draft) move() {
	if d.Chosen == d.Template {
		return
	}
	d.Template = d.Chosen
	for key, raw := range d.Raw {
		if raw && key != link && d.Values[key] == d.Was[key] { // it would be taken for plain text
			d.Values[key] = ""
		}
	}
}

// lines are what the chat would be written: the values that were changed, each in a line
// of its own whatever is in it.
func (d *draft) lines(t wechat.Template) (lines []chat.FieldLine) {
	add := func(field, value string) { lines = append(lines, chat.FieldLine{Field: field, Value: value}) }
	if d.From != "" && !d.Kept {
		add("copy", d.From)
	}
	moved := d.Template != d.WasTemplate
	if moved {
		add("template", d.Template)
	}
	for _, f := range message.ShownFields(t) {
		switch value := d.Values[f.Key]; {
		case moved && value != "", !moved && value != d.Was[f.Key]:
			add(f.Key, value)
		}
	}
	if d.Values[link] != d.Was[link] {
		add("url", d.Values[link])
	}
	if len(lines) == 0 && d.Template != "" { // a message as it is: nothing would be a fault
		add("template", d.Template)
	}
	return lines
}

// command is the chat command that saves the draft.
func (d *draft) command(t wechat.Template) chat.Command {
	return chat.Command{Name: chat.MessagesSet, Arg: d.Name, Fields: d.lines(t)}
}

// edit is the draft as the messages take it.
func (d *draft) edit(t wechat.Template) messages.Edit {
	e := messages.Edit{Name: d.Name}
	for _, l := range d.lines(t) {
		e.Lines = append(e.Lines, messages.Change{Field: l.Field, Value: l.Value})
	}
	return e
}

// templateOf returns the template of an id, the zero one for none.
func templateOf(all []wechat.Template, id string) wechat.Template {
	i := slices.IndexFunc(all, func(t wechat.Template) bool { return t.ID == id })
	if i < 0 {
		return wechat.Template{}
	}
	return all[i]
}
