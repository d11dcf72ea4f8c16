package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/console"
	"wechat-broadcast/models"
)

// try sends a form that asks for a command.
func (b *browser) try(cmd chat.Command, fields url.Values) page {
	b.tb.Helper()
	form := b.form()
	for name, list := range fields {
		form[name] = list
	}
	r := gin.New()
	route := console.Trying(cmd)
	r.Handle(route.Method, "/console"+route.Path, func(g *gin.Context) {
		console.Guard(g)
		b.account.Console.Serve(route, g)
	})
	other := &browser{desk: &desk{tb: b.tb, handler: r}, cookie: b.cookie}
	return other.do(http.MethodPost, "/console"+route.Path, strings.NewReader(form.Encode()), map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Origin": b.public,
	})
}

var confirmIn = regexp.MustCompile(`<kbd id="confirm-line">(.+?)</kbd>`)

func TestAFormIsCarriedOutOrPrepared(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	b := d.enter(anna, models.Sender)
	form := b.form()
	toMe := chat.Command{Name: chat.BroadcastMe, Message: "notice"}
	for range 2 { // the same form twice
		p := b.try(toMe, form)
		p.has(t, 200, "Broadcast #1 · notice", `role="status"`)
		p.guarded(t, "a form")
	}
	d.wantBroadcasts(1)
	b.try(toMe, nil).has(t, 200, "Broadcast #2")
	b.try(chat.Command{Name: chat.Pause, ID: 99}, nil).has(t, 404, "#99")
	b.try(chat.Command{Name: chat.BroadcastMe, Message: "<script>x"}, nil).has(t, 422, "&lt;script&gt;")
	b.try(chat.Command{Name: chat.AdminsRemove, OpenID: ben}, nil).has(t, 409, "takes the role owner")
	b.try(chat.Command{Name: chat.AdminsAdd, OpenID: ben, Arg: "sender"}, nil).has(t, 409, "takes the role owner")
	for _, key := range []string{"", "short", strings.Repeat("a", 26), strings.Repeat("A", 41), "A:B AAAAAAAAAAAAAAAAAAAAAA"} {
		b.try(toMe, url.Values{"key": {key}}).has(t, 400)
	}
	b.try(toMe, url.Values{"csrf": {"x"}}).has(t, 403)
	d.wantBroadcasts(2)

	p := b.try(chat.Command{Name: chat.BroadcastAll, Message: "other", Fields: []chat.FieldLine{{Field: "thing1", Value: "<b>"}}}, nil)
	p.has(t, 200, "Nothing has been done yet", "A detail &lt;b&gt;.", "broadcast all other\nthing1=&lt;b&gt;")
	p.guarded(t, "a confirmation")
	found := confirmIn.FindStringSubmatch(p.body)
	if found == nil {
		t.Fatalf("no line to confirm in\n%s", p.body)
	}
	d.wantBroadcasts(2)
	d.wantReply(anna, found[1], "Broadcast #3 · other", "<b>")
	b.try(chat.Command{Name: chat.BroadcastAll, Message: "nothing"}, nil).has(t, 422, "nothing")
	b.try(chat.Command{Name: chat.BroadcastAll, Message: "other", At: "yesterday 09:00"}, nil).has(t, 422)
	d.wantBroadcasts(3)
}
