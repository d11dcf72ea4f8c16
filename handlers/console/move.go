package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// said is what the template "console_said" shows.
type said struct {
	Lines []string
	// Done says that it was carried out.
	Done bool
	// Back is the page to go on with, below Root.
	Back string
}

// confirmation is what the template "console_confirm" shows.
type confirmation struct {
	// Confirm is the line to send to the account, and Line the one of the chat that means the
	// same as what was prepared.
	Confirm, Line string
	// Details are sentences about it.
	Details []string
	Until   string
	Back    string
}

// key returns what names a form that was sent: the same form has the same. If there is none,
// it answers and ok is false.
func (c *Console) key(g *gin.Context, s *visit) (key string, ok bool) {
	form := g.PostForm("key")
	if len(form) < 20 || len(form) > 40 || strings.Trim(form, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		c.refuse(g, s, http.StatusBadRequest, "form")
		return "", false
	}
	return fmt.Sprintf("console:%d:%s", s.ID, form), true
}

// act carries out what a form asks for, and shows what the chat answers; what takes the
// admin's word there is prepared instead. back is the page to go on with, below /console/.
// details are sentences for the page on which it is confirmed.
func (c *Console) act(g *gin.Context, s *visit, cmd chat.Command, back string, details ...string) {
	if chat.NeedsConfirm(cmd.Name) {
		c.prepare(g, s, cmd, back, details...)
		return
	}
	key, ok := c.key(g, s)
	if !ok {
		return
	}
	reply, err := c.config.Chat.Carry(g.Request.Context(), s.OpenID, cmd, models.ViaConsole, key)
	c.say(g, s, reply, err, back)
}

// prepare stores what a form asks for, and shows the line by which the admin confirms it in
// the chat.
func (c *Console) prepare(g *gin.Context, s *visit, cmd chat.Command, back string, details ...string) {
	key, ok := c.key(g, s)
	if !ok {
		return
	}
	p, reply, err := c.config.Chat.Prepare(g.Request.Context(), s.OpenID, cmd, key)
	if err != nil {
		c.say(g, s, reply, err, back)
		return
	}
	c.render(g, s, http.StatusOK, "console_confirm", confirmation{
		Confirm: p.Confirm, Line: p.Line, Details: details, Until: lang.Clock(p.Until.Truncate(time.Second)), Back: back,
	})
}

// say shows what the chat answers to a form; err is why nothing was done, if nothing was.
func (c *Console) say(g *gin.Context, s *visit, reply string, err error, back string) {
	if err != nil && models.KindOf(err) == "" {
		_ = g.Error(err)
	}
	c.render(g, s, statusOf(err), "console_said", said{Lines: strings.Split(reply, "\n"), Done: err == nil, Back: back})
}

// statusOf is the status of an answer to a form that came to an error.
func statusOf(err error) int {
	switch models.KindOf(err) {
	case models.Invalid:
		return http.StatusUnprocessableEntity
	case models.NotFound:
		return http.StatusNotFound
	case models.Conflict:
		return http.StatusConflict
	case models.Unavailable:
		return http.StatusServiceUnavailable
	}
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
