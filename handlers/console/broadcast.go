package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
)

// broadcastID returns the number of the broadcast that an address names. If it is none, it
// answers and ok is false.
func (c *Console) broadcastID(g *gin.Context, s *visit) (id int64, ok bool) {
	id, err := strconv.ParseInt(g.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		c.refuse(g, s, http.StatusNotFound, "no_page")
		return 0, false
	}
	return id, true
}

func (c *Console) broadcast(g *gin.Context, s *visit) {
	id, ok := c.broadcastID(g, s)
	if !ok {
		return
	}
	ctx := g.Request.Context()
	snapshot, err := c.config.Progress.Snapshot(ctx, id)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	w := &progress.Words{Locale: s.words}
	page := newBroadcastPage(w, s, snapshot, c.config.Now())
	page.Card = c.config.Progress.Card(ctx, s.words.Language, snapshot.Broadcast)
	if page.Who = strings.TrimSpace(g.Query("who")); page.Who != "" {
		if page.Outcome, err = c.outcomeFor(ctx, w, snapshot.Broadcast, page.Who); err != nil {
			c.fail(g, s, err)
			return
		}
	}
	c.render(g, s, http.StatusOK, "console_broadcast", page)
}

// broadcastEvents streams a broadcast to its page, for as long as the session lasts.
func (c *Console) broadcastEvents(g *gin.Context, s *visit) {
	id, ok := c.broadcastID(g, s)
	if !ok {
		return
	}
	err := c.config.Progress.Stream(g.Writer, g.Request, progress.Watch{
		ID: id, Language: s.words.Language, Until: s.Until, May: c.stillIn(g.Request),
	})
	switch {
	case errors.Is(err, progress.ErrBusy):
		g.Header("Retry-After", "30")
		c.refuse(g, s, http.StatusServiceUnavailable, "broken")
	case err != nil:
		c.fail(g, s, err)
	}
}

// stillIn tells whether who sent a request is still in the console.
func (c *Console) stillIn(r *http.Request) func(ctx context.Context) bool {
	cookie := Cookie(r)
	return func(ctx context.Context) bool {
		who, err := c.config.Sessions.Visitor(ctx, cookie)
		return err != nil || who != nil // while the database is away, nobody is told anything new
	}
}

// The moves of a broadcast: what each form asks of the chat.

func (c *Console) pause(g *gin.Context, s *visit)  { c.move(g, s, chat.Command{Name: chat.Pause}) }
func (c *Console) cancel(g *gin.Context, s *visit) { c.move(g, s, chat.Command{Name: chat.Cancel}) }
func (c *Console) retry(g *gin.Context, s *visit)  { c.move(g, s, chat.Command{Name: chat.Retry}) }

func (c *Console) approve(g *gin.Context, s *visit) {
	c.move(g, s, chat.Command{Name: chat.Approve})
}

func (c *Console) resume(g *gin.Context, s *visit) {
	c.move(g, s, chat.Command{Name: chat.Resume, Now: g.PostForm("now") != ""})
}

func (c *Console) reject(g *gin.Context, s *visit) {
	c.move(g, s, chat.Command{Name: chat.Reject, Arg: strings.Join(strings.Fields(g.PostForm("why")), " ")})
}

func (c *Console) reschedule(g *gin.Context, s *visit) {
	at := strings.Replace(strings.TrimSpace(g.PostForm("at")), "T", " ", 1) // as a browser writes it
	c.move(g, s, chat.Command{Name: chat.Reschedule, At: at})
}

// move has the chat carry out a command on the broadcast that the address names, or has it
// prepared if it takes the admin's word there.
func (c *Console) move(g *gin.Context, s *visit, cmd chat.Command) {
	id, ok := c.broadcastID(g, s)
	if !ok {
		return
	}
	cmd.ID = id
	c.act(g, s, cmd, broadcastPath(id), c.aboutMove(g, s, cmd)...)
}

// aboutMove says what a move that is to be confirmed is about.
func (c *Console) aboutMove(g *gin.Context, s *visit, cmd chat.Command) []string {
	if !chat.NeedsConfirm(cmd.Name) {
		return nil
	}
	snapshot, err := c.config.Progress.Snapshot(g.Request.Context(), cmd.ID)
	if err != nil { // the chat says what is wrong
		return nil
	}
	b, w := snapshot.Broadcast, &progress.Words{Locale: s.words}
	left := max(0, b.Recipients-snapshot.Counts.Known())
	if cmd.Name == chat.Retry {
		left = snapshot.Counts.Failed + snapshot.Counts.Uncertain
	}
	id := "broadcast_page.confirm." + string(cmd.Name)
	return []string{
		w.Say("broadcast_page.title", lang.Vars{"ID": b.ID, "Name": b.Name, "Audience": w.Audience(b)}),
		w.Say(id, lang.Vars{"ID": b.ID, "Count": left, "Total": b.Recipients}),
	}
}
