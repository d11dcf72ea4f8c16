package demo

import (
	"context"
	"strings"

	"wechat-broadcast/lang"
)

// several tells whether there is more than one account.
func (d *Demo) several() bool { return len(d.accounts) > 1 }

// listed are the names of the accounts, and the one in which a line is said.
func (d *Demo) listed() lang.Vars {
	var names []string
	for _, a := range d.accounts {
		names = append(names, "/"+a.Name())
	}
	return lang.Vars{"Names": names, "At": d.at.Name()}
}

// say does what one line says. Of several accounts, "/NAME LINE" says the line in the one of
// that name, and "/NAME" alone moves there, where the lines after it are said.
func (d *Demo) say(ctx context.Context, line string, shown bool) error {
	name, rest, named := d.cutAccount(line)
	if !named {
		return d.at.say(ctx, line, shown)
	}
	for _, a := range d.accounts {
		switch {
		case !strings.EqualFold(a.Name(), name):
			continue
		case rest != "":
			return a.say(ctx, rest, shown)
		}
		d.at = a
		d.screen.setPrompt(d.prompt())
		d.remark("moved", lang.Vars{"At": a.Name(), "Place": d.words.Say("phone.account." + a.place)})
		return nil
	}
	d.remark("no_account", d.listed())
	return nil
}

// cutAccount returns what a line says, and the account that it begins with.
func (d *Demo) cutAccount(line string) (name, rest string, ok bool) {
	line = strings.Replace(strings.TrimSpace(clean(line)), "／", "/", 1)
	if line, ok = strings.CutPrefix(line, "/"); !ok || !d.several() {
		return "", "", false
	}
	name, rest, _ = strings.Cut(line, " ")
	return name, strings.TrimSpace(rest), true
}

// remark prints what the demo itself has to say of its accounts.
func (d *Demo) remark(id string, vars lang.Vars) {
	d.screen.print(hang("  ", d.words.terminal(id, vars), d.screen.width())...)
}
