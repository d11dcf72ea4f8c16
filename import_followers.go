package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/importing"
	"wechat-broadcast/services/people"
)

// look reads a file and returns what is in it, or why it is not taken.
func (c importCommand) look(s *session, file *twice, bar *importBar) (*people.File, error) {
	looked, err := importing.Look(s.ctx, bar.follow("import.reading", file), c.options(), bar.show)
	bar.end()
	if s.ctx.Err() != nil {
		return nil, errors.New(s.words.Say("import.interrupted_reading"))
	}
	if err != nil {
		return nil, err
	}
	if refused := c.faults(s.words, looked); refused != "" {
		return nil, errors.New(refused)
	}
	return looked, nil
}

// followers adds those people of a file to the followers whom the platform confirms.
func (c importCommand) followers(s *session, a *account, file *twice, bar *importBar) error {
	looked, err := c.look(s, file, bar)
	if err != nil {
		return err
	}
	service := &importing.Service{Store: a.store, Platform: a.platform, Now: time.Now, Log: a.log}
	n, err := service.Add(s.ctx, bar.follow("import.asking", file), c.options(), looked, c.DryRun, bar.show)
	bar.end()
	added := lang.Vars{"Count": n.New}
	if c.DryRun {
		added["Count"] = int64(0)
	}
	switch {
	case err == nil:
	case s.ctx.Err() != nil:
		return errors.New(s.words.Say("import.interrupted_adding", added))
	case errors.Is(err, importing.ErrQuota):
		return errors.New(s.words.Say("import.quota", added))
	case errors.Is(err, importing.ErrOtherAccount):
		return errors.New(s.words.Say("import.other_account", lang.Vars{"Count": n.NoSuch}))
	case errors.Is(err, models.ErrImportLapsed):
		return errors.New(s.words.Say("import.lapsed", added))
	default:
		added["Reason"] = err.Error()
		return errors.New(s.words.Say("import.stopped", added))
	}
	id := "import.added"
	if c.DryRun {
		id = "import.would_add"
	}
	lines := []string{s.words.Say(id, lang.Vars{"Count": n.New})}
	var parts []string
	for _, part := range []struct {
		id    string
		count int64
	}{{"known", n.Known}, {"not_following", n.NotFollowing}, {"no_such", n.NoSuch}} {
		if part.count > 0 {
			parts = append(parts, s.words.Say("import."+part.id, lang.Vars{"Count": part.count}))
		}
	}
	if len(parts) > 0 {
		lines = append(lines, strings.Join(parts, s.words.Say("import.dot")))
	}
	lines = append(append(lines, looked.Found(s.words)...), skipped(s.words, looked)...)
	_, err = fmt.Fprintln(s.stdout, strings.Join(lines, "\n"))
	return err
}

// errEnough ends the reading of a file with more people than the test list may have.
var errEnough = errors.New("enough people")

// testers puts the people of a file on the test list: all of them, or nobody.
func (c importCommand) testers(s *session, a *account, file *twice, bar *importBar) error {
	looked, err := c.look(s, file, bar)
	if err != nil {
		return err
	}
	if looked.Rows > followers.MaxTesters {
		return errors.New(s.words.Say("import.too_many_testers", lang.Vars{"Count": looked.Rows, "Limit": int64(followers.MaxTesters)}))
	}
	var all []followers.Tester
	_, err = people.Read(file, c.options(), func(row people.Row) error {
		if row.Again {
			return nil
		}
		if len(all) == followers.MaxTesters {
			return errEnough
		}
		fields, err := models.ReadFields(row.Fields)
		all = append(all, followers.Tester{OpenID: row.OpenID, Name: testerName(fields)})
		return err
	})
	if err != nil {
		return err
	}
	n, err := a.followers.AddTesters(s.ctx, all, c.SkipBad, c.DryRun)
	if s.ctx.Err() != nil && err != nil {
		return errors.New(s.words.Say("import.interrupted_reading"))
	}
	if err != nil {
		return testersFault(s.words, err)
	}
	id := "import.testers_done"
	if c.DryRun {
		id = "import.testers_would"
	}
	lines := []string{s.words.Say(id, lang.Vars{"Count": n.Added, "Total": n.Total})}
	if n.Unmet > 0 {
		lines = append(lines, s.words.Say("import.testers_unmet", lang.Vars{"Count": n.Unmet}))
	}
	if len(n.Away) > 0 {
		lines = append(lines, s.words.Say("import.testers_away", lang.Vars{"Count": len(n.Away), "People": strings.Join(n.Away, s.words.Say("import.and"))}))
	}
	lines = append(append(lines, looked.UnreadLine(s.words)...), skipped(s.words, looked)...)
	_, err = fmt.Fprintln(s.stdout, strings.Join(lines, "\n"))
	return err
}

// testerName returns the name that a file has for a person; empty for none.
func testerName(fields map[string]string) string {
	for _, column := range []string{"name", "nickname", "姓名", "昵称"} {
		for field, value := range fields {
			if strings.EqualFold(field, column) {
				return value
			}
		}
	}
	return ""
}

// testersFault words why people are not put on the test list; any other error stays as it
// is.
func testersFault(words *lang.Locale, err error) error {
	var e *models.Error
	if !errors.As(err, &e) || !words.Has("import.testers."+e.Code) {
		return err
	}
	v := lang.Vars(e.Args)
	if names, ok := v["People"].([]string); ok {
		v["People"] = strings.Join(names, words.Say("import.and"))
	}
	return errors.New(words.Say("import.testers."+e.Code, v))
}
