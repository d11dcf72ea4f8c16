package console

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

const (
	// pageRows is how many rows a page of a table has.
	pageRows = 50
	// consentRows and listsShown are how many consents and lists a person's page shows, and
	// fieldPairs about how many fields a page shows in all, each with its value cut to
	// maxShown characters, so that no page gets heavy.
	consentRows = 20
	listsShown  = 40
	fieldPairs  = 150
	maxShown    = 40
	// maxDetail is how many characters of a longer text are shown.
	maxDetail = 300
	// maxSearch is how many characters of a search are looked for.
	maxSearch = 128
)

// peoplePage is what the template "console_people" shows.
type peoplePage struct {
	Search string
	Rows   []personRow
	// Next is the cursor of the next page; empty for none.
	Next string
	// Unread says that there was no time to search all remarks.
	Unread bool
	// Ask says that nobody was found, and that the search is an OpenID of whom the platform
	// can be asked.
	Ask bool
}

// personRow is a person in a table.
type personRow struct{ OpenID, Name, Remark, State string }

// people shows whom a search finds.
func (c *Console) people(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	page := peoplePage{Search: shortened(g.Query("q"), maxSearch)}
	if page.Search == "" {
		c.render(g, s, http.StatusOK, "console_people", page)
		return
	}
	after := g.Query("after")
	if after == "" {
		c.looked(g, s, chat.Who, page.Search, "search")
	}
	found, err := c.config.Followers.Search(ctx, page.Search, after, pageRows)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page.Next, page.Unread = found.Next, found.Unread
	for _, r := range found.People {
		page.Rows = append(page.Rows, personRow{r.OpenID, r.Name, r.Remark, s.standing(r)})
	}
	page.Ask = len(page.Rows) == 0 && after == "" && models.LikeOpenID(page.Search)
	c.render(g, s, http.StatusOK, "console_people", page)
}

// looked keeps for the audit that an admin looked at people.
func (c *Console) looked(g *gin.Context, s *visit, name chat.Name, target, how string) {
	c.config.Chat.Looked(g.Request.Context(), s.OpenID, name, target, how, lookKey(s))
}

// lookKey names one look at people.
func lookKey(s *visit) string { return fmt.Sprintf("console:%d:look:%s", s.ID, rand.Text()) }

// standing says in a word whether a person can be written to.
func (s *visit) standing(r models.Recipient) string {
	switch {
	case r.Stranger:
		return s.words.Say("standing.stranger")
	case !r.Subscribed:
		return s.words.Say("standing.left")
	case r.OptedOut:
		return s.words.Say("standing.opted_out")
	case r.Blacklisted:
		return s.words.Say("standing.blacklisted")
	}
	return s.words.Say("standing.follows")
}

// personPage is what the template "console_person" shows.
type personPage struct {
	OpenID, Name, Remark string
	Lines                []string
	SentHead             string
	Sent                 []sentRow
	Lists                []listOf
	// MoreLists is on how many further lists the person is.
	MoreLists int64
	Consents  []consentRow
	// Older is the cursor of the earlier consents; 0 for none.
	Older int64
	// Stored says that there is something about the person.
	Stored bool
}

// sentRow is a broadcast that a person was sent, with its page below Root.
type sentRow struct{ Path, Line string }

// listOf is a list that a person is on, with their fields there.
type listOf struct {
	Name   string
	Fields []pair
}

// pair is a field and its value.
type pair struct{ Name, Value string }

// consentRow is what a person said once.
type consentRow struct{ At, What, Via, Text string }

// person shows what is known of a person.
func (c *Console) person(g *gin.Context, s *visit) {
	ctx := g.Request.Context()
	p, reply, err := c.config.Chat.Look(ctx, s.OpenID, g.Param("openid"), models.ViaConsole, lookKey(s))
	if err != nil {
		c.say(g, s, reply, err, "people")
		return
	}
	page := personPage{OpenID: p.OpenID, Name: p.Name, Remark: p.Remark, Lines: p.Lines, SentHead: p.SentHead, Stored: p.ID != 0}
	for i, sent := range p.Known.Sent {
		page.Sent = append(page.Sent, sentRow{broadcastPath(sent.BroadcastID), p.Sent[i]})
	}
	if page.Stored {
		if err := c.fillPerson(g, s, p.ID, &page); err != nil {
			c.fail(g, s, err)
			return
		}
	}
	c.render(g, s, http.StatusOK, "console_person", page)
}

// fillPerson adds the lists and the consents of a person.
func (c *Console) fillPerson(g *gin.Context, s *visit, id int64, page *personPage) error {
	on, err := c.config.Store.ListsOf(g.Request.Context(), id)
	if err != nil {
		return err
	}
	shown := 0
	if len(on) > listsShown {
		on, page.MoreLists = on[:listsShown], int64(len(on)-listsShown)
	}
	for _, l := range on {
		fields, err := models.ReadFields(l.Fields)
		if err != nil {
			return fmt.Errorf("read the fields of a person: %w", err)
		}
		row := listOf{Name: l.Name}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if shown++; shown <= fieldPairs {
				row.Fields = append(row.Fields, pair{name, shortened(fields[name], maxShown)})
			}
		}
		page.Lists = append(page.Lists, row)
	}
	consents, err := c.config.Store.ConsentsOf(g.Request.Context(), id, number(g, "before"), consentRows+1)
	if err != nil {
		return err
	}
	if len(consents) > consentRows {
		consents = consents[:consentRows]
		page.Older = consents[consentRows-1].ID
	}
	for _, said := range consents {
		page.Consents = append(page.Consents, s.consent(said))
	}
	return nil
}

// consent puts into words what a person said once.
func (s *visit) consent(said models.NamedConsent) consentRow {
	id := "consent.left"
	switch {
	case said.Joined && said.TopicID == 0:
		id = "consent.joined_all"
	case said.Joined:
		id = "consent.joined"
	case said.TopicID == 0:
		id = "consent.left_all"
	}
	row := consentRow{What: s.words.Say(id, lang.Vars{"Topic": said.Topic}), Via: said.Via, Text: shortened(said.Text, maxDetail)}
	if !said.At.IsZero() {
		row.At = lang.Moment(said.At.Time)
	}
	switch via := s.words.SayIf("via." + said.Via); {
	case said.Via == models.ViaOther:
		row.Via = s.words.Say("via.unsaid")
	case via != "":
		row.Via = via
	}
	return row
}

// shortened is the beginning of a text, without the space around it.
func shortened(text string, most int) string {
	text = strings.TrimSpace(text)
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// number is a number of an address; 0 if it has none.
func number(g *gin.Context, name string) int64 {
	n, err := strconv.ParseInt(g.Query(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
