package messages

import (
	"slices"

	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// draft is a message as it was written in the chat. Its JSON is kept in the database.
type draft struct {
	Name        string               `json:"-"`
	TemplateID  string               `json:"template_id"`
	URL         draftText            `json:"url"`
	MiniProgram *message.MiniProgram `json:"miniprogram,omitempty"` // of a copy from the message file
	Data        []draftField         `json:"data"`
}

// draftField is one value of a draft.
type draftField struct {
	Key   string    `json:"key"`
	Value draftText `json:"value"`
	Color string    `json:"color,omitempty"` // of a copy from the message file
}

// draftText is a text as it was written: plain in the chat, a template in the message
// file. One of the two is empty.
type draftText struct {
	Plain    string `json:"plain,omitempty"`
	Template string `json:"template,omitempty"`
}

// draftOf returns a message of the file as a draft.
func draftOf(d *message.Definition) draft {
	copied := draft{Name: d.Name, TemplateID: d.TemplateID, URL: draftText{Template: d.URL}, MiniProgram: d.MiniProgram}
	for _, f := range d.Data {
		copied.Data = append(copied.Data, draftField{f.Key, draftText{Template: f.Value}, f.Color})
	}
	return copied
}

// definition returns the message that a draft is, with dates as they are written in a
// language.
func (d draft) definition(language string) *message.Definition {
	def := &message.Definition{Name: d.Name, TemplateID: d.TemplateID, MiniProgram: d.MiniProgram}
	template := func(part string, w draftText) string {
		if w.Plain == "" {
			return w.Template
		}
		def.Plain = append(def.Plain, part)
		return message.PlainTemplate(w.Plain, language)
	}
	for _, f := range d.Data {
		def.Data = append(def.Data, message.Field{Key: f.Key, Value: template(f.Key, f.Value), Color: f.Color})
	}
	def.URL = template("url", d.URL)
	return def
}

// set gives a field a plain text.
func (d *draft) set(key, text string) {
	i := slices.IndexFunc(d.Data, func(f draftField) bool { return f.Key == key })
	if i < 0 {
		i = len(d.Data)
		d.Data = append(d.Data, draftField{Key: key})
	}
	d.Data[i].Value = draftText{Plain: text}
}

// setURL gives the message a link in place of what a tap on it opens now; an empty one
// leaves none.
func (d *draft) setURL(url string) { d.URL, d.MiniProgram = draftText{Plain: url}, nil }

// moveTo gives the message another template. What it says in a field stays if the
// other template has one of the same key and, as far as both are known, of the same
// name. The fields come in the order of the template.
func (d *draft) moveTo(from, to wechat.Template) {
	var kept []draftField
	for _, f := range to.Fields {
		i := slices.IndexFunc(d.Data, func(have draftField) bool { return have.Key == f.Key })
		if i >= 0 && (from.ID == "" || from.Name(f.Key) == f.Name) {
			kept = append(kept, d.Data[i])
		}
	}
	d.TemplateID, d.Data = to.ID, kept
}
