package message

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
)

// contentOf returns the content of the sample broadcast with that definition.
func contentOf(t *testing.T, d *Definition) *Content {
	t.Helper()
	stored, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b := sampleBroadcast()
	b.Salt, b.Message = "abcd2345", string(stored)
	c, err := NewContent(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMessageForAllIsFilledOnce(t *testing.T) {
	t.Parallel()
	c := contentOf(t, &Definition{
		Name: "notice", TemplateID: "tpl-1", URL: "https://example.com/{{.Broadcast.ID}}", MiniProgram: &MiniProgram{"wx1", "index"},
		Data: []Field{{"time2", `{{.Now.Format "2006年1月2日 15:04"}}`, "#173177"}, {"thing1", "图书馆周三闭馆，请各位读者提前归还所借图书，谢谢配合", ""}},
	})
	want := wechat.Message{
		ToUser: "oOne", TemplateID: "tpl-1", ClientMsgID: "abcd2345b7r5", URL: "https://example.com/7", MiniProgram: &wechat.MiniProgram{AppID: "wx1", PagePath: "index"},
		Data: []wechat.Field{{Key: "time2", Value: "2026年11月25日 01:30", Color: "#173177"}, {Key: "thing1", Value: "图书馆周三闭馆，请各位读者提前归还所借…"}},
	}
	first, err := c.For(models.Recipient{ID: 5, OpenID: "oOne"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	second, err := c.For(models.Recipient{ID: 6, OpenID: "oTwo"})
	if err != nil || second.ToUser != "oTwo" || second.ClientMsgID != "abcd2345b7r6" {
		t.Errorf("for another: %+v, %v", second, err)
	}
	if c.Varies() || &first.Data[0] != &second.Data[0] {
		t.Error("it is filled anew for each")
	}
	read, cuts, err := c.Fill(models.Recipient{})
	if err != nil || read.ToUser != "" || read.ClientMsgID != "" {
		t.Errorf("addressed to nobody: %+v, %v", read, err)
	}
	if diff := cmp.Diff(want.Data[1:], cuts); diff != "" {
		t.Errorf("shortened (-want +got):\n%s", diff)
	}
}

func TestMessageThatVariesIsFilledForEach(t *testing.T) {
	t.Parallel()
	c := contentOf(t, &Definition{Name: "m", TemplateID: "t", Data: []Field{
		{"keyword1", "{{slice .OpenID 20}}", ""}, {"keyword2", "{{.Scene}}", ""}, {"keyword3", `{{if .Fields.city}}{{.Fields.city}}{{end}}!`, ""},
	}})
	if !c.Varies() || !c.Uses("Scene") || !c.Uses("Fields") || c.Uses("Remark") {
		t.Error("its variables are not known")
	}
	for _, openID := range []string{"o2345678901234567890AAAAAAAA", "o2345678901234567890BBBBBBBB"} {
		m, err := c.For(models.Recipient{ID: 5, OpenID: openID, Scene: "qr", Fields: `{"city":"杭州"}`})
		if err != nil || m.Data[0].Value != openID[20:] || m.Data[1].Value != "qr" || m.Data[2].Value != "杭州!" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	// A value that is missing is an error, never a blank on a phone.
	var unfilled *RenderError
	r := models.Recipient{ID: 5, OpenID: "o2345678901234567890AAAAAAAA", Fields: `{"city":"杭州"}`}
	if m, err := c.For(r); !errors.As(err, &unfilled) || unfilled.Field != "keyword2" {
		t.Errorf("without a scene: %+v, %v", m, err)
	}
	r.Fields = "{"
	if m, err := c.For(r); err == nil || errors.As(err, &unfilled) && unfilled.Field != "keyword2" {
		t.Errorf("with fields that can't be read: %+v, %v", m, err)
	}
}

func TestValueAgainstThePlatformsRulesIsAnError(t *testing.T) {
	t.Parallel()
	var misfit *field.Error
	d := &Definition{Name: "m", TemplateID: "t", Data: []Field{{"time2", "soon", ""}}}
	if _, err := d.Preview(sampleRecipient(), sampleBroadcast().AskedAt.Time); !errors.As(err, &misfit) || misfit.Key != "time2" {
		t.Errorf("the same for all: %v", err)
	}
	d.Data[0].Value = "{{.Scene}}"
	if _, err := contentOf(t, d).For(sampleRecipient()); !errors.As(err, &misfit) || misfit.Key != "time2" {
		t.Errorf("for a recipient: %v", err)
	}
}

func TestFieldsMustBeThoseOfTheTemplate(t *testing.T) {
	t.Parallel()
	d := &Definition{Name: "m", Data: []Field{{Key: "first"}, {Key: "thing1"}, {Key: "time2"}}}
	for _, test := range []struct {
		keys             []string
		missing, unknown string
	}{
		{nil, "", ""},
		{[]string{"thing1", "time2"}, "", ""},
		{[]string{"remark", "time2", "thing1", "first"}, "", ""},
		{[]string{"thing1", "time3", "thing4"}, "time3, thing4", "time2"},
		{[]string{"thing1"}, "", "time2"},
		{[]string{"thing1", "time2", "thing3"}, "thing3", ""},
	} {
		err := d.CheckTemplate(wechat.Template{Keys: test.keys})
		var told *models.Error
		switch {
		case test.missing+test.unknown == "":
			if err != nil {
				t.Errorf("%v: %v", test.keys, err)
			}
		case !errors.As(err, &told) || told.Code != models.ErrTemplateField || told.Args["Missing"] != test.missing || told.Args["Unknown"] != test.unknown:
			t.Errorf("%v: %v", test.keys, err)
		}
	}
}
