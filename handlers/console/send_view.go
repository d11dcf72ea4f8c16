package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/web"
)

// kindView is a kind of groups with those that there are.
type kindView struct {
	Kind   models.GroupKind
	Title  string
	Except string
	Empty  string
	// Summary says how many groups there are, or which are ticked.
	Summary string
	// Chosen says that it is what it goes to, Open that the groups are shown.
	Chosen, Open bool
	Groups       []groupView
}

// groupView is one group; In says that it goes to it, Out that it is left out.
type groupView struct {
	Name, People string
	In, Out      bool
}

// recentView is one of the last broadcasts.
type recentView struct {
	ID   int64
	What string
}

// recentRows is how many of the last broadcasts are proposed.
const recentRows = 20

// outcomeView is what would come of the form.
type outcomeView struct {
	// Ask says what is to be chosen first.
	Ask     string
	Refused []string
	// Number is to how many it would go, and Unit the word for them.
	Number, Unit          string
	Says, Parts, Warnings []string
	// Line is the chat line that means the same.
	Line string
	Card *web.Card
}

// groups are the names of the groups with how many people are in each, in words.
type groups map[models.GroupKind][]groupView

// groupsLast is how long the numbers beside the groups are kept: all consoles share them, and
// the exact one comes with each count.
const groupsLast = 5 * time.Second

// readGroups reads the groups with their numbers: those of tags are the platform's.
func (c *Console) readGroups(ctx context.Context) (groups, error) {
	all := groups{}
	add := func(kind models.GroupKind, name string, n int64, known bool) {
		g := groupView{Name: name}
		if known {
			g.People = c.words[c.config.Language].Number(n)
		}
		all[kind] = append(all[kind], g)
	}
	var (
		joined []topics.Counted
		listed []lists.Shown
		err    error
	)
	if joined, err = c.config.Topics.All(ctx); err != nil {
		return nil, err
	}
	if listed, err = c.config.Lists.All(ctx); err != nil {
		return nil, err
	}
	tagged, err := c.config.Engine.Tags(ctx)
	if err != nil && models.KindOf(err) != models.Unavailable {
		return nil, err
	}
	for _, t := range joined {
		add(models.GroupTopic, t.Name, t.Joined, t.Known)
	}
	for _, t := range tagged {
		add(models.GroupTag, t.Name, t.Count, true)
	}
	for _, l := range listed {
		add(models.GroupList, l.Name, l.Follow, l.Counted)
	}
	return all, nil
}

// kindViews shows the groups with what is ticked. What is ticked and is not there any more
// stays ticked: it is refused in words.
func (c *Console) kindViews(ctx context.Context, s *visit, f sending) (views []kindView, err error) {
	all, err := c.groups.Get(ctx, struct{}{})
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		title := s.words.Say("send." + string(kind))
		v := kindView{
			Kind: kind, Title: title, Except: s.words.Say("send.except_of", lang.Vars{"Kind": title}), Empty: s.words.Say("send.none." + string(kind)),
			Chosen: f.To == string(kind), Groups: slices.Clone(all[kind]),
		}
		for _, name := range slices.Concat(f.Groups[kind], f.Except[kind]) {
			if !slices.ContainsFunc(v.Groups, func(g groupView) bool { return g.Name == name }) {
				v.Groups = append(v.Groups, groupView{Name: name})
			}
		}
		for i, g := range v.Groups {
			v.Groups[i].In, v.Groups[i].Out = slices.Contains(f.Groups[kind], g.Name), slices.Contains(f.Except[kind], g.Name)
		}
		v.Summary = s.words.Say("send.of_kind", lang.Vars{"Count": int64(len(v.Groups))})
		v.Open = v.Chosen || len(f.Groups[kind]) > 0
		views = append(views, v)
	}
	return views, nil
}

// recent are the last broadcasts, for the number of one.
func (c *Console) recent(ctx context.Context) (all []recentView, err error) {
	list, err := c.config.Engine.List(ctx, recentRows)
	for _, st := range list {
		b := st.Broadcast
		if !b.Audience.Trial() {
			all = append(all, recentView{b.ID, b.Name + " · " + lang.Minute(b.AskedAt.Time)})
		}
	}
	return all, err
}

// doubts are what must be made clear before anything is counted: what is ticked and what is
// chosen must be the same.
func (c *Console) doubts(s *visit, f sending, trial bool) (all []string) {
	if f.Message == "" && (trial || f.To != "rest") {
		all = append(all, s.words.Say("send.which"))
	}
	if f.stray() {
		all = append(all, s.words.Say("send.fields_of"))
	}
	if mixed := f.mixed(); len(mixed) > 0 && f.To != "" && !trial {
		var ticked []string
		for _, kind := range mixed {
			ticked = append(ticked, s.words.Say("send."+string(kind)))
		}
		all = append(all, s.words.Say("send.mixed", lang.Vars{"Ticked": ticked, "Chosen": s.words.Say("send." + f.To)}))
	}
	return all
}

// outcome rehearses the form.
func (c *Console) outcome(ctx context.Context, s *visit, f sending, keys []string) (v outcomeView, err error) {
	if audiences[f.To] == "" {
		v.Ask = s.words.Say("send.choose")
		return v, nil
	}
	if v.Refused = c.doubts(s, f, false); v.Refused != nil {
		return v, nil
	}
	cmd := f.command(keys)
	r, err := c.config.Chat.Rehearse(ctx, s.OpenID, cmd)
	switch {
	case err != nil:
		return v, err
	case r.Refused != "":
		v.Refused = strings.Split(r.Refused, "\n")
		return v, nil
	}
	v.Says, v.Parts, v.Warnings, v.Line = r.Says, r.Parts, r.Warnings, c.config.Chat.Line(cmd)
	v.Number, v.Unit = "–", s.words.Say("send.not_counted")
	if r.Counted || r.Recipients > 0 {
		v.Number, v.Unit = s.words.Number(r.Recipients), s.words.Say("send.people_big", lang.Vars{"Count": r.Recipients})
	}
	if r.Message.TemplateID != "" {
		v.Card = cardOf(s.words, r.Template, r.Message)
	}
	return v, nil
}
