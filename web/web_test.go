package web

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNothingInline makes sure that no template or script needs what Policy
// forbids.
func TestNothingInline(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"layout", "progress", "history", "lost", "phone", "console_layout", "console_pages"} {
		data, err := files.ReadFile("templates/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{`style=`, `<style`, `onclick`, `onload`, `javascript:`, `http://`, `https://`, `//cdn`} {
			if strings.Contains(string(data), never) {
				t.Errorf("%s.html has %q", name, never)
			}
		}
	}
	assets, err := Assets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page.js", "phone.js", "console.js"} {
		script := string(assets[name].Content)
		for _, never := range []string{"innerHTML", "eval(", "new Function", "document.write", "https:"} {
			if strings.Contains(script, never) {
				t.Errorf("%s has %q", name, never)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	assets, err := Assets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page.css", "page.js", "phone.css", "phone.js", "icon.svg", "console.css", "console.js", "htmx.min.js"} {
		a := assets[name]
		if !regexp.MustCompile(`^[\w.]+\.[0-9a-f]{12}\.\w+$`).MatchString(a.Name) || a.Type == "" || len(a.Content) == 0 {
			t.Errorf("%s is served as %q, %q, %d bytes", name, a.Name, a.Type, len(a.Content))
		}
	}
	if _, _, err := Pages(); err != nil {
		t.Error(err)
	}
}

func TestNewCard(t *testing.T) {
	t.Parallel()
	values := map[string]string{"first": "hello", "thing1": "Closed", "time2": "09:00", "remark": "bye"}
	value := func(key string) string { return values[key] }
	tests := map[string]struct {
		content string
		want    []CardField
	}{
		"template": {
			"{{first.DATA}}\nWhat：{{thing1.DATA}}\n\nWhen: {{ time2.DATA }}\r\n{{remark.DATA}}",
			[]CardField{{"What", "Closed"}, {"When", "09:00"}},
		},
		"no template": {"", []CardField{{"thing1", "Closed"}, {"time2", "09:00"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := NewCard("Title", tt.content, []string{"first", "thing1", "time2", "remark"}, value)
			if diff := cmp.Diff(Card{Title: "Title", Fields: tt.want}, got); diff != "" {
				t.Errorf("card (-want +got):\n%s", diff)
			}
		})
	}
}
