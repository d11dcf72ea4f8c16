package console

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/web"
)

const (
	// messagesOnPage is how many messages a page shows: each has its card.
	messagesOnPage = 20
	// templatesLast is how old the account's templates may be that a page shows.
	templatesLast = 10 * time.Second
)

// writePage is what the template "console_write" shows.
type writePage struct {
	Reply       *replyView
	Templates   []wechat.Template
	NoTemplates string
	FileFaults  []string
	Messages    []messageView
	// Earlier and Later are the pages before and behind this one; 0 for none.
	Earlier, Later int
	MaySend        bool
}

// messageView is one message in the list.
type messageView struct {
	Name, Where                        string
	ChangeOf, CopyOf, SendOf, RemoveOf string
	Broken                             []string
	Card                               *web.Card
	Kept, Default                      bool
}

// draftPage is what the template "console_draft" shows.
type draftPage struct {
	Reply         *replyView
	Draft         draft
	NameHint      string
	TemplateTitle string
	Templates     []wechat.Template
	Fields        []fieldView
	URL           fieldView
	Mini          string
	Lists         []string
	Sketch        sketchView
	MaySend       bool
}

// write shows the messages, or the form of one.
func (c *Console) write(g *gin.Context, s *visit) {
	all, err := c.config.Messages.List(g.Request.Context())
	if err != nil {
		c.fail(g, s, err)
		return
	}
	name, from, template := g.Query("name"), g.Query("from"), g.Query("template")
	switch {
	case name != "" || from != "":
		m := find(all, cmp.Or(name, from), name != "")
		if m == nil {
			c.refuse(g, s, http.StatusNotFound, "no_page")
			return
		}
		c.draftPage(g, s, draftOf(*m, name != ""), nil, true)
	case template != "":
		c.draftPage(g, s, draft{Template: template, Values: map[string]string{}, Was: map[string]string{}}, nil, true)
	default:
		c.messagesPage(g, s, all, nil)
	}
}

// find returns the message of a name, one of the database if there is one; kept allows no
// other.
func find(all *messages.List, name string, kept bool) (found *messages.Listed) {
	for i := range all.Messages {
		m := &all.Messages[i]
		if message.Fold(m.Name) == message.Fold(name) && (m.Kept != nil || !kept) {
			found = m // those of the database come last
		}
	}
	return found
}

// messagesPage shows the messages.
func (c *Console) messagesPage(g *gin.Context, s *visit, all *messages.List, reply *replyView) {
	ctx := g.Request.Context()
	page := writePage{Reply: reply, MaySend: s.Role.May(models.Sender)}
	templates, err := c.config.Messages.Templates(ctx, templatesLast)
	page.Templates = templates
	if len(templates) == 0 {
		page.NoTemplates = s.words.Say("write.no_templates")
		if lines, _ := c.faults(err, chat.Command{Name: chat.Templates}); lines != nil {
			page.NoTemplates = lines[0]
		}
	}
	if all.FileFault != nil {
		fault := models.NewError(models.Invalid, models.ErrMessagesFile, "Reason", all.FileFault)
		page.FileFaults, _ = c.faults(fault, chat.Command{Name: chat.Messages})
	}
	n, _ := strconv.Atoi(g.Query("page")) // a page that is none is the first
	last := max(1, (len(all.Messages)+messagesOnPage-1)/messagesOnPage)
	n = min(max(n, 1), last)
	if n > 1 {
		page.Earlier = n - 1
	}
	if n < last {
		page.Later = n + 1
	}
	from := (n - 1) * messagesOnPage
	for _, m := range all.Messages[from:min(from+messagesOnPage, len(all.Messages))] {
		page.Messages = append(page.Messages, c.messageView(s, m, templateOf(templates, m.TemplateID), m.Name == all.Default))
	}
	c.render(g, s, reply.status(), "console_write", page)
}

// messageView shows a message as the visitor would get it.
func (c *Console) messageView(s *visit, m messages.Listed, t wechat.Template, isDefault bool) messageView {
	named := lang.Vars{"Name": m.Name}
	v := messageView{
		Name: m.Name, Where: s.words.Say("write.in_file"), Kept: m.Kept != nil, Default: isDefault,
		ChangeOf: s.words.Say("write.change_of", named), CopyOf: s.words.Say("write.copy_of", named),
		SendOf: s.words.Say("write.to_whom_of", named), RemoveOf: s.words.Say("write.remove_of", named),
	}
	if k := m.Kept; k != nil {
		v.Where = s.words.Say("write.changed", lang.Vars{"By": cmp.Or(k.Changer, models.MaskOpenID(k.ChangedBy)), "At": k.ChangedAt.Time})
	}
	now := c.config.Now()
	shown, err := m.Preview(models.Recipient{OpenID: s.OpenID, SubscribedAt: models.At(now)}, now)
	if err != nil {
		fault := models.NewError(models.Invalid, models.ErrContent, "Name", m.Name, "Reason", message.InWords(err, t))
		v.Broken, _ = c.faults(fault, chat.Command{Name: chat.Messages})
		return v
	}
	v.Card = cardOf(s.words, t, shown)
	return v
}

// previewMessage shows how what is being written looks: the card alone to the script of the
// page, the whole page to a browser without one.
func (c *Console) previewMessage(g *gin.Context, s *visit) {
	d := readDraft(posted(g))
	if g.GetHeader("HX-Request") == "" {
		c.draftPage(g, s, d, nil, false)
		return
	}
	templates, err := c.config.Messages.Templates(g.Request.Context(), time.Minute)
	if err == nil {
		var sketch sketchView
		if sketch, _, err = c.sketched(g.Request.Context(), s, d, templates); err == nil {
			c.fragment(g, s, "console_sketch", draftPage{Sketch: sketch})
			return
		}
	}
	lines, err := c.faults(err, d.command(wechat.Template{}))
	if err != nil {
		c.fail(g, s, err)
		return
	}
	c.fragment(g, s, "console_sketch", draftPage{Sketch: sketchView{Faults: lines, Names: names(s.words, nil)}})
}

// sketched sketches a draft, and returns the names of the lists as well.
func (c *Console) sketched(ctx context.Context, s *visit, d draft, templates []wechat.Template) (v sketchView, lists []string, err error) {
	all, err := c.config.Store.Lists(ctx)
	if err != nil {
		return v, nil, err
	}
	reader := models.Recipient{OpenID: s.OpenID, SubscribedAt: models.At(c.config.Now())}
	var fields []string
	for _, l := range all {
		lists = append(lists, l.Name)
		if l.Name != d.List {
			continue
		}
		fields = l.FieldNames()
		some, err := c.config.Store.SampleListed(ctx, &models.Broadcast{
			Audience: models.AudienceGroups, Target: models.Target{Groups: []models.Group{{Kind: models.GroupList, Name: l.Name, Segment: l.SegmentID}}},
		}, 1)
		if err != nil {
			return v, nil, err
		}
		if len(some) > 0 {
			reader.Fields = some[0].Fields
		}
	}
	t := templateOf(templates, d.Template)
	sk, refused := c.config.Messages.Sketch(ctx, d.edit(t), reader)
	v = c.sketchView(s, sk, fields)
	v.Faults, err = c.faults(refused, d.command(t))
	return v, lists, err
}

// draftPage shows the form of a message. fresh says that nothing was written in it yet.
func (c *Console) draftPage(g *gin.Context, s *visit, d draft, reply *replyView, fresh bool) {
	ctx := g.Request.Context()
	page := draftPage{Reply: reply, MaySend: s.Role.May(models.Sender)}
	templates, err := c.config.Messages.Templates(ctx, templatesLast)
	if err != nil {
		lines, err := c.faults(err, chat.Command{Name: chat.Templates})
		if err != nil {
			c.fail(g, s, err)
			return
		}
		page.Reply = &replyView{Lines: lines}
	}
	if page.Sketch, page.Lists, err = c.sketched(ctx, s, d, templates); err != nil {
		c.fail(g, s, err)
		return
	}
	if fresh && !d.Kept && d.From == "" {
		page.Sketch.Faults, page.Sketch.Fresh = nil, true
	}
	t := templateOf(templates, d.Template)
	page.Draft, page.Templates, page.TemplateTitle = d, templates, cmp.Or(t.Title, t.ID, s.words.Say("write.template_gone"))
	page.NameHint = s.words.Say("write.name_hint", lang.Vars{"Example": s.words.Say("write.name_example")})
	for _, f := range message.ShownFields(t) {
		input := c.fieldInput(f, d.Values[f.Key])
		input.Was, input.Raw = d.Was[f.Key], d.Raw[f.Key]
		page.Fields = append(page.Fields, input)
	}
	page.URL = fieldView{Value: d.Values[link], Was: d.Was[link], Raw: d.Raw[link]}
	page.Mini = c.miniProgram(ctx, s, d)
	c.render(g, s, reply.status(), "console_draft", page)
}

// miniProgram says which one a tap on a message opens; empty for none.
func (c *Console) miniProgram(ctx context.Context, s *visit, d draft) string {
	all, err := c.config.Messages.List(ctx)
	if err != nil || d.Values[link] != "" {
		return ""
	}
	name := cmp.Or(d.From, d.Name)
	m := find(all, name, d.Kept)
	if name == "" || m == nil || m.MiniProgram == nil {
		return ""
	}
	return s.words.Say("write.mini", lang.Vars{"AppID": m.MiniProgram.AppID, "Page": m.MiniProgram.PagePath})
}

// saveMessage saves what was written, and sends it to the visitor or the test list if that
// was asked for.
func (c *Console) saveMessage(g *gin.Context, s *visit) {
	key, ok := c.key(g, s)
	if !ok {
		return
	}
	ctx := g.Request.Context()
	d, do := readDraft(posted(g)), g.PostForm("do")
	switch {
	case !d.Whole:
		c.draftPage(g, s, d, &replyView{Lines: []string{s.words.Say("write.cut_off")}}, false)
		return
	case do == "template" || d.Chosen != d.Template:
		d.move()
		c.draftPage(g, s, d, nil, false)
		return
	}
	templates, err := c.config.Messages.Templates(ctx, time.Minute)
	if err != nil {
		c.draftPage(g, s, d, nil, false) // which says why
		return
	}
	reply, err := c.config.Chat.Carry(ctx, s.OpenID, d.command(templateOf(templates, d.Template)), models.ViaConsole, key+":save")
	if err != nil {
		c.draftPage(g, s, d, &replyView{Lines: strings.Split(reply, "\n")}, false)
		return
	}
	view := &replyView{Lines: strings.Split(reply, "\n"), Done: true}
	to := map[string]chat.Name{"me": chat.BroadcastMe, "test": chat.BroadcastTest}[do]
	if to != "" {
		reply, err := c.config.Chat.Carry(ctx, s.OpenID, chat.Command{Name: to, Message: d.Name}, models.ViaConsole, key)
		view = &replyView{Lines: strings.Split(reply, "\n"), Done: err == nil}
	}
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	if m := find(all, d.Name, true); m != nil {
		list := d.List
		d = draftOf(*m, true)
		d.List = list
	}
	c.draftPage(g, s, d, view, true)
}

// removeMessage deletes a message.
func (c *Console) removeMessage(g *gin.Context, s *visit) {
	key, ok := c.key(g, s)
	if !ok {
		return
	}
	ctx := g.Request.Context()
	reply, refused := c.config.Chat.Carry(ctx, s.OpenID, chat.Command{Name: chat.MessagesRemove, Arg: g.PostForm("name")}, models.ViaConsole, key)
	all, err := c.config.Messages.List(ctx)
	if err != nil {
		c.fail(g, s, err)
		return
	}
	c.messagesPage(g, s, all, &replyView{Lines: strings.Split(reply, "\n"), Done: refused == nil})
}
