package message

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// validate returns everything that is wrong with a definition, without lines. The
// templates are only checked when all other values are right.
func validate(d *Definition) Problems {
	problems := d.CheckName()
	values := d.checkValues()
	if len(values) == 0 {
		_, values = d.compile()
	}
	return append(problems, values...)
}

// What the file's reader finds wrong with values, validate finds without a file.
func TestFileAndValidateFindTheSame(t *testing.T) {
	t.Parallel()
	d := &Definition{
		Name: "again", TemplateID: "a b", URL: "example.com", MiniProgram: &MiniProgram{},
		Data: []Field{{Key: "x.DATA", Value: "v", Color: "red"}, {Key: "y z"}},
	}
	problems := validate(d)
	want := []string{
		"messages.again", "messages.again.template_id", "messages.again.url", "messages.again.miniprogram.appid",
		"messages.again.data.x.DATA", "messages.again.data.x.DATA.color", "messages.again.data.y z", "messages.again.data.y z.value",
	}
	if diff := cmp.Diff(want, paths(t, problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	_, err := Parse([]byte("messages:\n again:\n  template_id: a b\n  url: example.com\n  miniprogram: {appid: ''}\n" +
		"  data:\n   x.DATA: {value: v, color: red}\n   y z: {value: ''}\n"))
	var read Problems
	if !errors.As(err, &read) {
		t.Fatal(err)
	}
	var lines []int
	for i := range read {
		lines = append(lines, read[i].Line)
		read[i].Line = 0
	}
	if diff := cmp.Diff(problems, read); diff != "" {
		t.Errorf("the file (-validate +Parse):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 3, 4, 5, 7, 7, 8, 8}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"messages.m.template_id", "messages.m.data"}, paths(t, validate(&Definition{Name: "m"}))); diff != "" {
		t.Errorf("of an empty definition (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"messages.m.data.thing1.value"}, paths(t, validate(valued("{{.Openid}}")))); diff != "" {
		t.Errorf("of a template (-want +got):\n%s", diff)
	}
	if problems := validate(valued("{{.OpenID}}")); len(problems) > 0 {
		t.Errorf("of a sound one: %v", problems)
	}
}
