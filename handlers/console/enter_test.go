package console_test

import (
	"testing"

	"wechat-broadcast/models"
)

func TestAnAdminEntersByALinkOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.give(anna, models.Viewer)
	link := d.link(anna)
	b := &browser{desk: d, openID: anna}
	b.get(link).has(t, 200, `http-equiv="refresh" content="0;url=../"`)
	b.get("/console/").has(t, 200, "Broadcasts that have not ended", "viewer", `<html lang="en">`)
	b.get("/console/?lang=zh").has(t, 200, `<html lang="zh">`)
	b.get("/console/").has(t, 200, `<html lang="zh">`)
	other := &browser{desk: d}
	other.get(link).has(t, 403, "used up")
	other.get("/console/").has(t, 403, "Send “console”")
	b.post("/console/logout", nil).has(t, 200, "You are out", `href="./?lang=zh"`)
	if b.cookie != "" {
		t.Error("the cookie is still there")
	}
}
