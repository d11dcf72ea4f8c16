package wechat

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Template is one of the account's templates.
type Template struct {
	ID      string `json:"template_id"`
	Title   string `json:"title"`
	Content string `json:"content"`
	// Keys are the parameters of Content in their order, each once.
	Keys []string `json:"-"`
	// Fields are the same with their names.
	Fields []TemplateField `json:"-"`
}

// TemplateField is one parameter of a template.
type TemplateField struct {
	Key string // the platform's name, such as thing1
	// Name is what the template writes before the value, such as 通知内容, with the key
	// behind it if the template writes it before another value too; the key if it
	// writes nothing.
	Name string
}

// Name returns what the template calls a field, or its key if that is not known.
func (t Template) Name(key string) string {
	for _, f := range t.Fields {
		if f.Key == key {
			return f.Name
		}
	}
	return key
}

// placeholder matches a parameter in the content of a template, which has lines such
// as "订单号：{{character_string1.DATA}}" (WeChat: get_all_private_template docs).
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\.DATA\s*\}\}`)

// read sets Keys and Fields by the content.
func (t *Template) read() {
	t.Keys, t.Fields = nil, nil
	uses := map[string]int{}
	for line := range strings.Lines(t.Content) {
		after := 0
		for _, m := range placeholder.FindAllStringSubmatchIndex(line, -1) {
			key, label := line[m[2]:m[3]], label(line[after:m[0]])
			after = m[1]
			if slices.Contains(t.Keys, key) {
				continue
			}
			t.Keys = append(t.Keys, key)
			t.Fields = append(t.Fields, TemplateField{Key: key, Name: label})
			uses[label]++
		}
	}
	for i, f := range t.Fields {
		switch {
		case f.Name == "":
			t.Fields[i].Name = f.Key
		case uses[f.Name] > 1:
			t.Fields[i].Name = f.Name + "(" + f.Key + ")"
		}
	}
}

// label returns what a template writes before a value, without the colon.
func label(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return r == ':' || r == '：' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}
