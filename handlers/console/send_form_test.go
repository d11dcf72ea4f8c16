package console

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
)

func TestTheFormIsOneCommand(t *testing.T) {
	t.Parallel()
	keys := []string{"thing1", "time2"}
	for _, tt := range []struct {
		title string
		form  url.Values
		want  chat.Command
	}{
		{"everyone", form("message", "notice", "to", "all"), chat.Command{Name: chat.BroadcastAll, Message: "notice"}},
		{"nothing chosen", form("message", "notice"), chat.Command{Message: "notice"}},
		{"an audience that is none", form("message", "notice", "to", "me"), chat.Command{Message: "notice"}},
		{
			"all at once",
			form("message", "notice", "to", "tag", "in.tag", "a", "in.tag", "b, c", "out.list", "x", "out.topic", "y", "canary", "1", "again", "1", "now", "1",
				"at", "2026-11-28T09:00", "changes_of", "notice", "f.time2", "t=1\nurl=z", "f.thing1", "n", "f..url", "https://u", "f.other", "z"),
			chat.Command{
				Name: chat.BroadcastTag, Message: "notice", Groups: []string{"a", "b, c"}, Canary: true, Again: true, Now: true, At: "2026-11-28 09:00",
				Except: []models.Group{{Kind: models.GroupTopic, Name: "y"}, {Kind: models.GroupList, Name: "x"}},
				Fields: []chat.FieldLine{{Field: "thing1", Value: "n"}, {Field: "time2", Value: "t=1 url=z"}, {Field: "url", Value: "https://u"}},
			},
		},
		{"the rest", form("to", "rest", "of", " #7 "), chat.Command{Name: chat.Rest, ID: 7}},
		{"a number that is none", form("to", "reached", "of", "7 now", "message", "m"), chat.Command{Name: chat.Reached, Message: "m"}},
		{"a number without its audience", form("to", "all", "of", "7", "message", "m"), chat.Command{Name: chat.BroadcastAll, Message: "m"}},
		{"changes of another message", form("message", "notice", "to", "all", "changes_of", "other", "f.thing1", "x"), chat.Command{Name: chat.BroadcastAll, Message: "notice"}},
	} {
		s := readSending(tt.form)
		if diff := cmp.Diff(tt.want, s.command(keys)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.title, diff)
		}
	}
}

// Whoever ticked a list and left "everyone" chosen must not write to everyone.
func TestTickedGroupsOfAnotherAudienceAreSeen(t *testing.T) {
	t.Parallel()
	s := readSending(form("to", "all", "in.list", "a", "in.tag", "b", "message", "m"))
	if diff := cmp.Diff([]models.GroupKind{models.GroupTag, models.GroupList}, s.mixed()); diff != "" {
		t.Error(diff)
	}
	s = readSending(form("to", "list", "in.list", "a"))
	if got := s.mixed(); got != nil {
		t.Errorf("of its own: %v", got)
	}
	s = readSending(form("message", "notice", "changes_of", "other", "f.thing1", "x"))
	if !s.stray() {
		t.Error("changes of another message are not seen")
	}
}
