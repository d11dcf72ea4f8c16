package handlers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/officialaccount/message"
)

func TestFindEncrypted(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(v4Encrypt)
	if err != nil {
		t.Fatal(err)
	}
	compat := func(content string) string {
		return "\ufeff<?xml version=\"1.0\"?>\n<xml><ToUserName>gh</ToUserName><Content><![CDATA[" + content + "]]></Content>" +
			"<List><Encrypt>inner</Encrypt></List><Empty/>\n<Encrypt>\n<![CDATA[" + v4Encrypt + "]]></Encrypt></xml>"
	}
	for _, tt := range []struct {
		name, body, want string
		err              error
	}{
		{"XML", encryptedBody(v4Encrypt), v4Encrypt, nil},
		{"XML without CDATA", "<xml><Encrypt>" + v4Encrypt + "</Encrypt></xml>", v4Encrypt, nil},
		{"compatible mode", compat("hi"), v4Encrypt, nil},
		{"a person who wrote a tag", compat("<Encrypt>x</Encrypt>"), v4Encrypt, nil},
		{"a comment", "<!-- <xml><Encrypt>x</Encrypt> -->" + encryptedBody(v4Encrypt), v4Encrypt, nil},
		{"JSON", `{"ToUserName":"gh","Encrypt":` + string(quoted) + `}`, v4Encrypt, nil},
		{"JSON with escapes", ` {"Encrypt" : "` + strings.ReplaceAll(v4Encrypt, "/", `\/`) + `"}`, v4Encrypt, nil},
		{"JSON, compatible mode", `{"Content":"\"Encrypt\":\"x\"","List":[{"Encrypt":"y"}],"MsgType":"Encrypt","Encrypt":"z"}`, "z", nil},
		{"JSON of the official sample", `{"ToUserName":"gh_97417a04a28d","Encrypt":"` + v2Encrypt + `"}`, v2Encrypt, nil},
		{"none", textMsg("Encrypt", 1), "", nil},
		{"none in JSON", v2Plain, "", nil},
		{"an empty one", encryptedBody(""), "", nil},
		{"cut off", encryptedBody(v4Encrypt)[:100], "", errBrokenXML},
		{"cut off in a tag", "<xml><Encr", "", errBrokenXML},
		{"cut off in CDATA", "<xml><a><![CDATA[>", "", errBrokenXML},
		{"half a CDATA", "<xml><Encrypt><![CDATA[x</Encrypt></xml>", "", errBrokenXML},
		{"the root", "<Encrypt>x</Encrypt>", "", nil},
		{"no tags", "<><><>", "", errBrokenXML},
		{"cut JSON", `{"Encrypt":"abc`, "", errBrokenJSON},
		{"cut after the name", `{"Encrypt":`, "", errBrokenJSON},
		{"a number", `{"Encrypt":7}`, "", errBrokenJSON},
		{"unclosed JSON", `{"a":"b"`, "", errBrokenJSON},
		{"nothing", " ", "", errEmptyBody},
		{"neither", "Encrypt", "", errNeither},
	} {
		got, err := findEncrypted([]byte(tt.body))
		if got != tt.want || err != tt.err { //nolint:errorlint // these very values
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// In compatible mode a person's text must not hide the encrypted part. No body may
// cause a panic.
func FuzzFindEncrypted(f *testing.F) {
	f.Add("hi", "<xml>")
	f.Add("<Encrypt>x</Encrypt>", `{"Encrypt":"x"`)
	f.Add("\"Encrypt\":\"x\\", `{"a":"\`)
	f.Add("<![CDATA[", "<!-->")
	for _, bad := range badBodies() {
		if len(bad.body) < 10_000 {
			f.Add("", bad.body)
		}
	}
	f.Fuzz(func(t *testing.T, content, body string) {
		if got, err := findEncrypted([]byte(body)); len(got) > 3*len(body) || err != nil && got != "" {
			t.Errorf("found %q, %v in %q", got, err, body)
		}
		if !strings.Contains(content, "]]>") {
			xml := strings.Replace(encryptedBody(v2Encrypt), "<Encrypt>", "<Content><![CDATA["+content+"]]></Content><Encrypt>", 1)
			if got, err := findEncrypted([]byte(xml)); got != v2Encrypt || err != nil {
				t.Errorf("XML: found %q, %v after %q", got, err, content)
			}
		}
		for _, first := range []string{"Content", "Encrypt "} {
			fields, err := json.Marshal(map[string]any{first: content, "List": []string{content}, "ToUserName": "g"})
			if err != nil {
				t.Fatal(err)
			}
			envelope, err := json.Marshal(message.EncryptedXMLMsg{EncryptedMsg: v2Encrypt})
			if err != nil {
				t.Fatal(err)
			}
			body := string(fields[:len(fields)-1]) + "," + string(envelope[1:])
			if got, err := findEncrypted([]byte(body)); got != v2Encrypt || err != nil {
				t.Errorf("JSON: found %q, %v in %q", got, err, body)
			}
		}
	})
}
