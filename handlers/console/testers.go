package console

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
)

// testersPage is what the template "console_testers" shows.
type testersPage struct {
	Rows []personRow
	// Most is how many people the test list may have, and MaxName how many characters a name.
	Most    int64
	MaxName int
}

// testers shows the test list.
func (c *Console) testers(g *gin.Context, s *visit) {
	all, err := c.config.Followers.Testers(g.Request.Context())
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := testersPage{Most: followers.MaxTesters, MaxName: models.MaxName}
	for _, r := range all {
		page.Rows = append(page.Rows, personRow{r.OpenID, r.Name, r.Remark, s.standing(r)})
	}
	c.render(g, s, http.StatusOK, "console_testers", page)
}

// addTester has somebody put on the test list once the admin says so in the chat: a tester
// is sent tests.
func (c *Console) addTester(g *gin.Context, s *visit) {
	cmd := chat.Command{Name: chat.TestersAdd, OpenID: oneLine(g.PostForm("openid")), Arg: oneLine(g.PostForm("name"))}
	c.act(g, s, cmd, "testers", s.words.Say("testers.will_add", lang.Vars{"OpenID": cmd.OpenID, "Name": cmd.Arg}))
}

// removeTester takes somebody off the test list.
func (c *Console) removeTester(g *gin.Context, s *visit) {
	c.act(g, s, chat.Command{Name: chat.TestersRemove, OpenID: oneLine(g.PostForm("openid"))}, "testers")
}

// oneLine is what somebody typed into a field of one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
