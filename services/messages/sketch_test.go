package messages

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// oneTemplate is an account with a template.
func oneTemplate(t *testing.T) templates {
	t.Helper()
	return listed{{ID: "t", Title: "Notice", Keys: []string{"thing1", "phrase2"}, Fields: []wechat.TemplateField{{Key: "thing1", Name: "What"}, {Key: "phrase2", Name: "State"}}}}
}

func sketching(t *testing.T, kept keptMessages) *Source {
	t.Helper()
	return NewSource(SourceConfig{Path: t.TempDir() + "/none.yaml", Language: "en", Store: kept, Templates: oneTemplate(t), Now: func() time.Time { return time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC) }})
}

// What is faulty is shown as it was written, and does not hide the rest.
func TestSketchShowsWhatIsWrittenSoFar(t *testing.T) {
	t.Parallel()
	s := sketching(t, nil)
	sk, err := s.Sketch(t.Context(), Edit{Name: "closing", Lines: []Change{
		{"template", "t"}, {"thing1", "Hi {name}, {date}"}, {"phrase2", "not Chinese"}, {"url", "ftp://x"},
	}}, models.Recipient{Fields: `{"name":"Lin"}`})
	var refused *models.Error
	if !errors.As(err, &refused) || refused.Code != models.ErrMessageNotSaved {
		t.Fatalf("refused with %v", err)
	}
	if got := sk.Message.Data; len(got) != 2 || got[0].Value != "Hi Lin, 2026-11-27" || got[1].Value != "not Chinese" || sk.Message.URL != "ftp://x" {
		t.Errorf("shown: %+v", sk.Message)
	}
	for _, part := range []string{"State", "url"} {
		if reason, _ := refused.Args["Reason"].(error); !strings.Contains(reason.Error(), part) {
			t.Errorf("no %s in %v", part, reason)
		}
	}
}

// A sketch is refused for what Set is refused for, and for nothing else.
func TestSketchIsRefusedAsSetIs(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]Change{
		{},
		{{"template", "9"}},
		{{"template", "1"}},
		{{"template", "1"}, {"thing1", ""}, {"phrase2", "好"}},
		{{"template", "1"}, {"thing1", "a"}, {"thing1", "b"}, {"phrase2", "好"}},
		{{"template", "1"}, {"thing1", "a"}, {"nothing", "b"}},
		{{"template", "1"}, {"thing1", "a"}, {"phrase2", "好"}},
		{{"copy", "other"}},
		{{"copy", "kept"}},
		{{"copy", "kept"}, {"url", "x"}},
	} {
		s := sketching(t, keptMessages{kept("kept")})
		e := Edit{Name: "closing", Lines: lines, By: "o"}
		_, sketched := s.Sketch(t.Context(), e, models.Recipient{})
		checked := s.Check(t.Context(), e)
		if (sketched == nil) != (checked == nil) || sketched != nil && sketched.Error() != checked.Error() {
			t.Errorf("%v: sketched %v, checked %v", lines, sketched, checked)
		}
	}
}

// Whoever reads it may have a value that the platform shortens, or does not take.
func TestSketchIsThatOfItsReader(t *testing.T) {
	t.Parallel()
	s := sketching(t, nil)
	e := Edit{Name: "closing", Lines: []Change{{"template", "t"}, {"thing1", "{name}"}, {"phrase2", "{state}"}}}
	sk, err := s.Sketch(t.Context(), e, models.Recipient{})
	if err != nil || len(sk.Cuts) != 0 || sk.Message.Data[0].Value != "{name}" || strings.Join(sk.Needs, " ") != "name state" {
		t.Errorf("without a reader: %+v, %v", sk, err)
	}
	long := strings.Repeat("长", 21)
	sk, err = s.Sketch(t.Context(), e, models.Recipient{Fields: `{"name":"` + long + `","state":"好"}`})
	if err != nil || len(sk.Cuts) != 1 || sk.Cuts[0].Key != "What" || sk.Message.Data[0].Value != strings.Repeat("长", 19)+"…" {
		t.Errorf("cut: %+v, %v", sk, err)
	}
	_, err = s.Sketch(t.Context(), e, models.Recipient{Fields: `{"name":"n","state":"no"}`})
	var refused *models.Error
	if !errors.As(err, &refused) || refused.Code != models.ErrContent {
		t.Errorf("a value that does not fit: %v", err)
	}
}

func TestWrittenTellsTemplatesFromText(t *testing.T) {
	t.Parallel()
	s := sketching(t, keptMessages{{Folded: message.Fold("m"), Name: "m", Content: `{"template_id":"t","url":{"plain":"https://x"},"data":[{"key":"a","value":{"plain":"{{x}}"}},{"key":"b","value":{"template":"{{.OpenID}}"}},{"key":"c","value":{"template":"fixed"}}]}`}})
	l, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := l.Messages[0].Written()
	want := []WrittenField{{"a", "{{x}}", false}, {"b", "{{.OpenID}}", true}, {"c", "fixed", false}}
	for i, f := range w.Fields {
		if f != want[i] {
			t.Errorf("%+v, want %+v", f, want[i])
		}
	}
	if w.URL.Text != "https://x" || w.TemplateID != "t" {
		t.Errorf("%+v", w)
	}
}

// listed are an account's templates.
type listed []wechat.Template

func (l listed) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	return l, time.Time{}, nil
}
