package main

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

// However many of the people are none of the account's, who follows is found among them.
func TestImportOfTestersAmongManyUnknown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *importDesk, language string) {
		text := "openid,name\n" + strings.ReplaceAll(strangers(followers.MaxTesters-2), "\n", ",\n") + modelstest.OpenID(0) + ",林\n" + modelstest.OpenID(1) + ",\n"
		want := "do not follow the account"
		if language == lang.Languages[0] {
			want = "没有关注本账号"
		}
		all(t, d.refused(text, "import", "-", "--testers"), want)
		if testers, err := d.store.Testers(t.Context()); len(testers) > 0 || err != nil {
			t.Fatalf("refused, but there are %v, %v", testers, err)
		}
		d.done(text, "import", "-", "--testers", "--skip-bad")
		testers, err := d.store.Testers(t.Context())
		if err != nil || len(testers) != 2 || testers[0].Name != "林" || testers[1].OpenID != modelstest.OpenID(1) {
			t.Errorf("testers: %+v, %v", testers, err)
		}
	})
}
