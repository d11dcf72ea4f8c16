package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

// auditPage is what the template "console_audit" shows.
type auditPage struct {
	Admin, Action string
	Actions       []auditChoice
	Admins        []auditChoice
	Rows          []auditRow
	// Older is the address of the next page, and CSV that of the download.
	Older, CSV string
}

// auditChoice is an entry of a list to choose from.
type auditChoice struct {
	Value, Word string
	Chosen      bool
}

// auditRow is an action in the table.
type auditRow struct{ At, Admin, Name, Action, Target, Detail string }

// auditFilter is what an address asks for.
func auditFilter(g *gin.Context) models.AuditFilter {
	return models.AuditFilter{Admin: shortened(g.Query("admin"), maxSearch), Action: shortened(g.Query("action"), maxSearch)}
}

// audit shows what admins did, the newest first.
func (c *Console) audit(g *gin.Context, s *visit) {
	ctx, f := g.Request.Context(), auditFilter(g)
	rows, err := c.config.Store.AuditBefore(ctx, f, number(g, "before"), pageRows+1)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	names, err := c.config.Followers.Names(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := auditPage{Admin: f.Admin, Action: f.Action, CSV: "audit.csv" + auditQuery(f, "")}
	if len(rows) > pageRows {
		rows = rows[:pageRows]
		page.Older = auditQuery(f, strconv.FormatInt(rows[pageRows-1].ID, 10))
	}
	for _, r := range rows {
		page.Rows = append(page.Rows, auditRow{
			lang.Moment(r.At.Time), r.Admin, names[r.Admin], s.action(r.Action), r.Target, shortened(r.Detail, maxDetail),
		})
	}
	if page.Actions, page.Admins, err = c.auditChoices(g, s, f, names); err != nil {
		c.fail(g, s, err)
		return
	}
	c.render(g, s, http.StatusOK, "console_audit", page)
}

// auditChoices are the actions and the admins to choose from. An admin who is none any more
// can be chosen by the address alone.
func (c *Console) auditChoices(g *gin.Context, s *visit, f models.AuditFilter, names map[string]string) (actions, admins []auditChoice, err error) {
	done, err := c.config.Store.AuditActions(g.Request.Context())
	if err != nil {
		return nil, nil, err
	}
	for _, action := range done {
		actions = append(actions, auditChoice{action, s.action(action), action == f.Action})
	}
	all, err := c.config.Admins.List(g.Request.Context())
	if err != nil {
		return nil, nil, err
	}
	known := false
	add := func(openID string) {
		word := openID
		if name := names[openID]; name != "" {
			word = name + " · " + openID
		}
		admins = append(admins, auditChoice{openID, word, openID == f.Admin})
		known = known || openID == f.Admin
	}
	for _, a := range all {
		add(a.OpenID)
	}
	if f.Admin != "" && !known {
		add(f.Admin)
	}
	return actions, admins, nil
}

// action is an action in words: the command as it is written.
func (s *visit) action(name string) string {
	if word := s.words.SayIf("action." + name); word != "" {
		return word
	}
	return name
}

// auditQuery is the query of an address of the audit.
func auditQuery(f models.AuditFilter, before string) string {
	q := url.Values{}
	for name, value := range map[string]string{"admin": f.Admin, "action": f.Action, "before": before} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// auditCSV answers with what admins did, the newest first, with the columns of the export
// on the server.
func (c *Console) auditCSV(g *gin.Context, s *visit) {
	done, ok := c.downloads(g, s)
	if !ok {
		return
	}
	defer done()
	ctx, f := g.Request.Context(), auditFilter(g)
	rows, err := c.config.Store.AuditBefore(ctx, f, 0, csvRows)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	table[models.Audit]{
		file: "audit.csv", head: []string{"at", "admin", "action", "target", "detail"},
		cells: func(r models.Audit) []string {
			return []string{lang.Moment(r.At.Time), people.Cell(r.Admin), r.Action, people.Cell(r.Target), people.Cell(r.Detail)}
		},
		next: func(last models.Audit) ([]models.Audit, error) {
			return c.config.Store.AuditBefore(ctx, f, last.ID, csvRows)
		},
	}.write(g, rows)
}
