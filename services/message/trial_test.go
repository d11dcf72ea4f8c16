package message

import (
	"encoding/json"
	"errors"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat/field"
)

// Who tries a message has no list, so what a list will fill stands for itself, or is an
// example where the platform takes no such text. To everyone else it can't be sent so.
func TestAMessageForAListCanBeTried(t *testing.T) {
	t.Parallel()
	def := Definition{
		Name: "due", TemplateID: "t", URL: PlainTemplate("https://example.com/{id}", "en"), Plain: []string{"thing1", "time2", "url"},
		Data: []Field{{Key: "thing1", Value: PlainTemplate("For {name}", "en")}, {Key: "time2", Value: PlainTemplate("{due}", "en")}},
	}
	stored, err := json.Marshal(def)
	if err != nil {
		t.Fatal(err)
	}
	for _, audience := range []models.Audience{models.AudienceMe, models.AudienceTest} {
		c, err := NewContent(models.Broadcast{Message: string(stored), Audience: audience})
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := c.Fill(models.Recipient{})
		if err != nil || m.Data[0].Value != "For {name}" || m.Data[1].Value != field.Example("time2") || m.URL != "https://example.com/{id}" {
			t.Errorf("%s: %+v, %v", audience, m, err)
		}
		m, _, err = c.Fill(models.Recipient{Fields: `{"name":"Lin","due":"2026-12-01","id":"7"}`})
		if err != nil || m.Data[0].Value != "For Lin" || m.Data[1].Value != "2026-12-01" || m.URL != "https://example.com/7" {
			t.Errorf("%s with fields: %+v, %v", audience, m, err)
		}
	}
	for _, audience := range []models.Audience{models.AudienceAll, models.AudienceGroups, models.AudienceRetry} {
		c, err := NewContent(models.Broadcast{Message: string(stored), Audience: audience})
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := c.Fill(models.Recipient{}); !errors.As(err, new(*RenderError)) {
			t.Errorf("%s: %+v, %v", audience, m, err)
		}
	}
}
