package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// listsPage is what the template "console_lists" shows.
type listsPage struct {
	Rows []listRow
	// Changes says that the visitor may upload and remove lists.
	Changes bool
	// Next is the number of the first list on the next page; 0 for none.
	Next int
	// MaxMiB is how large a file may be, in MiB.
	MaxMiB int64
}

// listRow is a list in the table.
type listRow struct {
	Name, Size, Follow, Fields, At, By string
}

// lists shows the lists.
func (c *Console) lists(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	all, err := c.config.Lists.All(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	names, err := c.config.Followers.Names(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := listsPage{Changes: s.Role.May(models.Editor), MaxMiB: maxUpload >> 20}
	from := int(min(number(g, "from"), int64(len(all))))
	if len(all) > from+pageRows {
		all, page.Next = all[:from+pageRows], from+pageRows
	}
	for _, l := range all[from:] {
		row := listRow{Name: l.Name, Size: s.words.Number(l.Size), Fields: shortened(braced(l.FieldNames()), maxDetail), At: lang.Moment(l.ChangedAt.Time)}
		row.By = s.changedBy(l.ChangedBy, names)
		if l.Counted {
			row.Follow = s.words.Number(l.Follow)
		}
		page.Rows = append(page.Rows, row)
	}
	c.render(g, s, http.StatusOK, "console_lists", page)
}

// changedBy says who made a list.
func (s *visit) changedBy(openID string, names map[string]string) string {
	switch {
	case openID == "":
		return s.words.Say("lists.by_server")
	case openID == s.OpenID:
		return s.words.Say("lists.by_you")
	case names[openID] != "":
		return names[openID]
	}
	return openID
}

// braced writes the names of fields as a message names them.
func braced(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return "{" + strings.Join(fields, "} {") + "}"
}

// listPage is what the template "console_list" shows.
type listPage struct {
	Name, Size string
	// Changes says that the visitor may remove it.
	Changes bool
	peopleTable
	// Next is the cursor of the next page; 0 for none.
	Next int64
}

// peopleTable are people of a list or a file.
type peopleTable struct {
	Fields []string
	People []memberRow
}

// memberRow is a person of a list, with the fields that they have there, in the list's order.
type memberRow struct {
	OpenID string
	Pairs  []pair
}

// add adds a person with the fields that are stored of them.
func (p *peopleTable) add(openID, stored string) error {
	fields, err := models.ReadFields(stored)
	if err != nil {
		return err
	}
	row := memberRow{OpenID: openID}
	for _, name := range p.Fields {
		if fields[name] != "" {
			row.Pairs = append(row.Pairs, pair{name, shortened(fields[name], maxShown)})
		}
	}
	p.People = append(p.People, row)
	return nil
}

// list shows the people of a list.
func (c *Console) list(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	l, err := c.config.Lists.Find(ctx, g.Query("name"))
	if err != nil {
		c.fail(g, s, err)
		return
	}
	after := number(g, "after")
	if after == 0 {
		c.looked(g, s, chat.Lists, l.Name, "rows")
	}
	n := max(5, min(pageRows, fieldPairs/(len(l.FieldNames())+1)))
	rows, err := c.config.Store.MembersAfter(ctx, l.SegmentID, after, n+1)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := listPage{
		Name: l.Name, Size: s.words.Number(l.Size), Changes: s.Role.May(models.Editor), peopleTable: peopleTable{Fields: l.FieldNames()},
	}
	if len(rows) > n {
		rows = rows[:n]
		page.Next = rows[n-1].RecipientID
	}
	for _, m := range rows {
		if err := page.add(m.OpenID, m.Fields); err != nil {
			c.fail(g, s, err)
			return
		}
	}
	c.render(g, s, http.StatusOK, "console_list", page)
}

// removeList removes a list.
func (c *Console) removeList(g *gin.Context, s *visit) {
	c.act(g, s, chat.Command{Name: chat.ListsRemove, Arg: oneLine(g.PostForm("name"))}, "lists")
}

// formNumber is a number of a form; 0 if it has none.
func formNumber(g *gin.Context, name string) int64 {
	n, err := strconv.ParseInt(g.PostForm(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
