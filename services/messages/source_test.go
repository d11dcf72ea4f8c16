package messages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// keptMessages stands in for the database: it has messages and takes none.
type keptMessages []models.Message

func (k keptMessages) Messages(context.Context) ([]models.Message, error) { return k, nil }

func (keptMessages) SaveMessage(context.Context, *models.Message, models.Message, int) (bool, error) {
	return false, nil
}

func (keptMessages) RemoveMessage(context.Context, string) (bool, error) { return false, nil }

// noTemplates stands in for a platform that is away.
type noTemplates struct{}

func (noTemplates) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	return nil, time.Time{}, errors.New("no answer")
}

// twoMessages is a message file with a default.
const twoMessages = `
default: notice
messages:
  notice: {template_id: t, data: {thing1: {value: 闭馆}}}
  借阅: {template_id: t, data: {thing1: {value: "{{.OpenID}}"}}}
`

// kept returns a message that was written in the chat.
func kept(name string) models.Message {
	return models.Message{Folded: message.Fold(name), Name: name, Content: `{"template_id":"t","url":{},"data":[{"key":"thing1","value":{"plain":"{town}"}}]}`}
}

func TestFileAndDatabaseAreReadAsOne(t *testing.T) {
	t.Parallel()
	const broken = "messages: ["
	one := "messages: {only: {template_id: t, data: {x: {value: v}}}}"
	for _, tt := range []struct {
		title, file string // no file if it is empty
		kept        keptMessages
		ask         string
		want, code  string
	}{
		{"the file's default", twoMessages, nil, "", "notice", ""},
		{"any case", twoMessages, nil, "NOTICE", "notice", ""},
		{"the file's default beside another", twoMessages, keptMessages{kept("closing")}, "", "notice", ""},
		{"one that was written", twoMessages, keptMessages{kept("Closing Day")}, "closing day", "Closing Day", ""},
		{"one that is gone", twoMessages, nil, "reminder", "", models.ErrMessageUnknown},
		{"the only one, in the file", one, nil, "", "only", ""},
		{"the only one, written", "", keptMessages{kept("closing")}, "", "closing", ""},
		{"one in each, no default", one, keptMessages{kept("closing")}, "", "", models.ErrNoDefaultMessage},
		{"two, no default", "", keptMessages{kept("a"), kept("b")}, "", "", models.ErrNoDefaultMessage},
		{"nothing, no name", "", nil, "", "", models.ErrNoMessages},
		{"nothing, a name", "", nil, "notice", "", models.ErrNoMessages},
		{"a broken file and no other", broken, nil, "", "", models.ErrMessagesFile},
		{"a broken file, asked for the default", broken, keptMessages{kept("a")}, "", "", models.ErrMessagesFile},
		{"a broken file, asked for one of its own", broken, keptMessages{kept("a")}, "notice", "", models.ErrMessagesFile},
		{"a broken file, asked for another", broken, keptMessages{kept("a")}, "A", "a", ""},
		{"a name in both", one, keptMessages{kept("Only")}, "only", "", models.ErrMessageTwice},
		{"another name than that in both", one, keptMessages{kept("Only"), kept("x")}, "x", "x", ""},
	} {
		t.Run(tt.title, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "messages.yaml")
			source := NewSource(SourceConfig{Path: path, Language: "zh", Store: tt.kept, Templates: noTemplates{}, Now: time.Now})
			if tt.file != "" {
				if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := source.Resolve(t.Context(), tt.ask, nil)
			var told *models.Error
			switch {
			case tt.code == "":
				if err != nil || got.Name != tt.want {
					t.Errorf("got %+v, %v", got, err)
				}
			case !errors.As(err, &told) || told.Code != tt.code:
				t.Errorf("error %v, want %s", err, tt.code)
			}
		})
	}
}

// Nobody has to restart anything for a change of the file.
func TestSourceReadsTheFileAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "messages.yaml")
	source := NewSource(SourceConfig{Path: path, Language: "zh", Store: keptMessages{}, Templates: noTemplates{}, Now: time.Now})
	for _, tt := range []struct {
		content string
		want    []string
	}{{"messages: {reminder: {template_id: t, data: {x: {value: v}}}}", []string{"reminder"}}, {twoMessages, []string{"notice", "借阅"}}, {"messages: [", []string{}}} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := source.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, l.Names()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if (l.FileFault != nil) != (len(tt.want) == 0) {
			t.Errorf("the file's fault: %v", l.FileFault)
		}
	}
}

// A message with the same content is the same, whichever way it was written.
func TestTheDigestKnowsNoWayOfWriting(t *testing.T) {
	t.Parallel()
	file := &message.Definition{Name: "a", TemplateID: "t", URL: "https://e/{{.Fields.town}}", Data: []message.Field{
		{Key: "thing1", Value: "闭馆 {x y}"}, {Key: "time2", Value: `{{.Now.Format "2006年1月2日"}} {{.Now.Format "15:04"}}`}, {Key: "thing3", Value: `{{.Fields.name}}{{index .Fields "a-b"}}{{"{{"}}`},
	}}
	plain := draft{Name: "b", TemplateID: "t", URL: draftText{Plain: "https://e/{town}"}, Data: []draftField{
		{Key: "thing3", Value: draftText{Plain: "{name}{a-b}{{"}}, {Key: "thing1", Value: draftText{Plain: "闭馆 {x y}"}}, {Key: "time2", Value: draftText{Plain: "{日期} {TIME}"}},
	}}
	if got := plain.definition("zh"); got.Digest() != file.Digest() {
		t.Errorf("%+v and %+v differ", got, file)
	}
	if plain.definition("en").Digest() == file.Digest() {
		t.Error("a date in another form is the same")
	}
	source := NewSource(SourceConfig{Language: "zh", Store: keptMessages{}, Templates: noTemplates{}, Now: time.Now})
	for _, c := range []struct {
		change Change
		same   bool
	}{{Change{"thing1", "闭馆 {x y}"}, true}, {Change{"url", "https://e/{town}"}, true}, {Change{"thing1", "闭馆"}, false}, {Change{"url", ""}, false}} {
		got, err := source.Apply(t.Context(), file, []Change{c.change})
		if err != nil || (got.Digest() == file.Digest()) != c.same {
			t.Errorf("%+v: %+v, %v", c.change, got, err)
		}
	}
}
