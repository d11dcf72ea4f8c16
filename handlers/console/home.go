package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// homePage is what the template "console_home" shows.
type homePage struct {
	// Needs are the broadcasts that wait for an admin's word, and Goes those that go on by
	// themselves.
	Needs, Goes []openRow
	// Sent says how many were sent to today, and Quota how many more the platform takes.
	Sent, Quota string
	People      []figure
	Topics      []figure
	Synced      string
	At          string
	Next        []next
	Check       *checked
}

// openRow is a broadcast that has not ended.
type openRow struct {
	progress.Row
	// Path is its page, below Root.
	Path string
	// Lines say how it gets on, why it stands still and what to do.
	Lines []string
}

// figure is a number with what it counts.
type figure struct{ Word, N string }

// next is something to do: a page below Root, its name, and what it is for.
type next struct{ Path, Word, Note string }

// checked is what the last examination of the account found.
type checked struct {
	// At is when that was; empty if there was none yet.
	At string
	// Bad are the points that are not in order, and Good the others.
	Bad, Good []point
	// Failed says that it could not be made.
	Failed bool
}

// point is one point of an examination.
type point struct {
	Title string
	// Found are the lines that say what was found, and Fix those that say how to mend it.
	Found, Fix []string
}

func (c *Console) home(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	o, err := c.overviews.Get(ctx, struct{}{})
	if err != nil {
		c.fail(g, s, err)
		return
	}
	w := &progress.Words{Locale: s.words}
	page := homePage{
		Sent: w.Say("home.sent", lang.Vars{"N": o.sent}), Quota: w.Say("home.no_quota"), At: lang.Clock(o.at),
		People: peopleFigures(w, o), Synced: w.Say("home.never_synced"), Next: nextSteps(w, s.Role),
	}
	if q := c.quotas.now(ctx); q != nil {
		page.Quota = w.Say("home.quota", lang.Vars{"Remain": q.Remain, "Limit": q.Limit})
	}
	if !o.people.LastSync.IsZero() {
		page.Synced = w.Say("home.synced", lang.Vars{"At": o.people.LastSync})
	}
	for _, t := range o.topics {
		f := figure{t.Name, "–"}
		if t.Known {
			f.N = w.Number(t.Joined)
		}
		page.Topics = append(page.Topics, f)
	}
	for _, st := range o.open {
		row := openRowOf(w, st, o)
		if needsWord(st.Broadcast) {
			page.Needs = append(page.Needs, row)
		} else {
			page.Goes = append(page.Goes, row)
		}
	}
	if c.examinations != nil {
		page.Check = c.checkedOf(w, c.examinations.latest(ctx))
	}
	c.render(g, s, http.StatusOK, "console_home", page)
}

// needsWord tells whether a broadcast stays as it is until an admin says something.
func needsWord(b models.Broadcast) bool {
	return b.State == models.Pending || b.State == models.Paused && b.ResumeAt.IsZero()
}

func openRowOf(w *progress.Words, st broadcast.Status, o *overview) openRow {
	row := openRow{Row: w.Row(st, o.at), Path: broadcastPath(st.Broadcast.ID)}
	text := w.View(progress.Still(st, o.at)).Text
	for _, name := range []string{"pace", "reason", "said", "todo"} {
		if text[name] != "" {
			row.Lines = append(row.Lines, text[name])
		}
	}
	return row
}

// broadcastPath is the page of a broadcast, below Root.
func broadcastPath(id int64) string { return "broadcasts/" + strconv.FormatInt(id, 10) }

func peopleFigures(w *progress.Words, o *overview) []figure {
	n := o.people.RecipientCounts
	list := []figure{
		{w.Say("home.followers"), w.Number(n.Followers)},
		{w.Say("home.opted_out"), w.Number(n.OptedOut)},
		{w.Say("home.testers"), w.Number(n.Testers)},
		{w.Say("home.gone"), w.Number(n.Left)},
	}
	if n.Blacklisted > 0 { // most accounts have nobody there
		list = append(list, figure{w.Say("home.blacklisted"), w.Number(n.Blacklisted)})
	}
	return list
}

// nextSteps are what somebody with a role is likely to do next.
func nextSteps(w *progress.Words, role models.Role) (steps []next) {
	for _, step := range []struct {
		path  string
		least models.Role
	}{
		{"write", models.Editor},
		{"send", models.Sender},
		{"broadcasts", models.Viewer},
		{"people", models.Viewer},
		{"admins", models.Owner},
	} {
		if role.May(step.least) && hasPage(step.path) {
			steps = append(steps, next{step.path, w.Say("home.next." + step.path), w.Say("home.next." + step.path + "_note")})
		}
	}
	return steps
}

// hasPage tells whether there is a page of that path.
func hasPage(path string) bool {
	for _, r := range Routes() {
		if r.Method == http.MethodGet && r.Path == "/"+path {
			return true
		}
	}
	return false
}

// checkedOf puts an examination into words, nil if there was none yet.
func (c *Console) checkedOf(w *progress.Words, x *examination) *checked {
	if x == nil {
		return &checked{}
	}
	k := &checked{At: lang.Minute(x.at), Failed: x.err != nil}
	for _, p := range x.points {
		shown := point{w.Say("home.check." + p.Name), strings.Split(p.Detail, "\n"), lines(p.Fix)}
		if p.OK {
			k.Good = append(k.Good, shown)
			continue
		}
		k.Bad = append(k.Bad, shown)
	}
	return k
}

// lines are those of a text; none if it is empty.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// check examines the account and shows what was found.
func (c *Console) check(g *gin.Context, _ *visit) {
	if c.examinations != nil {
		c.examinations.again(g.Request.Context())
	}
	c.redirect(g, "#check")
}
