package console

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// adminsPage is what the template "console_admins" shows.
type adminsPage struct {
	Rows []adminRow
	// Roles are those that can be given.
	Roles []roleChoice
}

// adminRow is an admin in the table.
type adminRow struct {
	OpenID, Name, Role, Since string
	// Fixed says that the role is by the settings.
	Fixed bool
}

// roleChoice is a role that can be given.
type roleChoice struct {
	Role      models.Role
	Word, May string
}

// admins shows who may do what.
func (c *Console) admins(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	all, err := c.config.Admins.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	names, err := c.config.Followers.Names(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	var page adminsPage
	for _, a := range all {
		row := adminRow{OpenID: a.OpenID, Name: names[a.OpenID], Role: s.role(a.Role), Fixed: a.Role == models.Owner}
		if !a.AddedAt.IsZero() {
			row.Since = lang.Moment(a.AddedAt.Time)
		}
		page.Rows = append(page.Rows, row)
	}
	for _, role := range models.Roles {
		if role != models.Owner {
			page.Roles = append(page.Roles, roleChoice{role, s.role(role), s.words.Say("role_may." + string(role))})
		}
	}
	c.render(g, s, http.StatusOK, "console_admins", page)
}

// role is a role in words.
func (s *visit) role(role models.Role) string { return s.words.Say("role." + string(role)) }

// addAdmin gives somebody a role once the admin says so in the chat.
func (c *Console) addAdmin(g *gin.Context, s *visit) {
	cmd := chat.Command{Name: chat.AdminsAdd, OpenID: oneLine(g.PostForm("openid")), Arg: g.PostForm("role")}
	if !slices.Contains(models.Roles, models.Role(cmd.Arg)) {
		c.refuse(g, s, http.StatusBadRequest, "form")
		return
	}
	may := s.words.SayIf("role_may." + cmd.Arg)
	c.act(g, s, cmd, "admins", s.words.Say("admins.will_add", lang.Vars{"OpenID": cmd.OpenID, "Role": s.role(models.Role(cmd.Arg)), "May": may}))
}

// removeAdmin takes a role away, and with it all sessions of that admin.
func (c *Console) removeAdmin(g *gin.Context, s *visit) {
	c.act(g, s, chat.Command{Name: chat.AdminsRemove, OpenID: oneLine(g.PostForm("openid"))}, "admins")
}
