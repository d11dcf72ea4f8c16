package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/setup"
)

// goOn says what to do with the settings file that was just written, and makes the first
// message; asking whether to send it if that may be asked.
func (i *installation) goOn(mayAsk bool) error {
	settings, err := config.Load(i.out, true, func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		return err
	}
	a := settings.Accounts[0]
	mode := "init.mode_safe"
	if a.EncodingAESKey == "" {
		mode = "init.mode_plain"
	}
	fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.paste", lang.Vars{
		"URL": cmp.Or(a.PublicURL, i.words.Say("init.your_host")) + "/wechat", "Token": a.Token.Reveal(),
		"Key": cmp.Or(a.EncodingAESKey.Reveal(), "–"), "Mode": lang.Sentence(mode),
	}))
	if err := i.printSnippets(settings); err != nil {
		return err
	}
	name, err := i.firstMessage(settings, mayAsk)
	if err != nil {
		return err
	}
	next := "init.next"
	if len(a.AdminOpenIDs) == 0 {
		next = "init.next_admin"
	}
	fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say(next, lang.Vars{"File": i.out, "Name": name}))
	return nil
}

// printSnippets prints what stands before the program, and what starts it.
func (i *installation) printSnippets(settings *config.Settings) error {
	a := settings.Accounts[0]
	if a.PublicURL == "" {
		fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.no_proxy"))
	} else {
		proxy, err := setup.NewProxy(a.PublicURL, settings.ListenAddr)
		if err != nil {
			return err
		}
		caddy, err := proxy.Caddy()
		if err != nil {
			return err
		}
		nginx, err := proxy.Nginx()
		if err != nil {
			return err
		}
		host := lang.Vars{"Host": proxy.Host}
		fmt.Fprintf(i.stdout, "\n%s\n\n%s\n%s\n\n%s", i.words.Say("init.caddy", host), caddy, i.words.Say("init.nginx", host), nginx)
	}
	unit, err := i.unit(a)
	if err == nil {
		fmt.Fprintf(i.stdout, "\n%s\n\n%s", i.words.Say("init.unit"), unit)
	}
	return err
}

// unit returns the systemd unit for this program, these settings and this folder.
func (i *installation) unit(a config.Account) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(program, os.TempDir()+string(filepath.Separator)) { // of go run, which deletes it
		program = "/usr/local/bin/wechat-broadcast"
	}
	name := strconv.Itoa(os.Getuid()) // in a container nobody may have a name
	if as, err := user.Current(); err == nil {
		name = as.Username
	}
	data := ""
	if a.Database.Driver == config.SQLite {
		if data, err = setup.FolderOf(a.Database.DSN); err != nil {
			return "", err
		}
	}
	return setup.Unit{User: name, Folder: folder, Data: data, Program: program, Config: i.out}.Text()
}

// firstMessage makes a message from a template of the account if there is none, and sends
// it to the first admin if that is wanted. It returns the message's name; empty if there
// is none.
func (i *installation) firstMessage(settings *config.Settings, mayAsk bool) (name string, err error) {
	p, err := newProcess(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	a := p.only()
	if err := a.migrate(i.ctx); err != nil {
		return "", startFault(err, a.settings.Language)
	}
	source := newSource(a.settings, a.store, a.platform)
	list, err := source.List(i.ctx)
	if err != nil {
		return "", err
	}
	switch {
	case list.FileFault != nil:
		fmt.Fprintf(i.stdout, "\n%s\n", a.chat.Reason(list.FileFault))
		return "", nil
	case len(list.Messages) > 0:
		name = cmp.Or(list.Default, list.Messages[0].Name)
	default:
		if name = i.makeMessage(a, source, mayAsk); name == "" {
			return "", nil
		}
	}
	if mayAsk && len(a.settings.AdminOpenIDs) > 0 {
		admin := a.settings.AdminOpenIDs[0]
		answer, err := i.line(i.words.Say("init.ask.send", lang.Vars{"Name": name, "OpenID": admin}), false)
		if err == nil && i.yes(answer) {
			return name, i.send(a, admin, name)
		}
	}
	return name, nil
}

func (i *installation) yes(answer string) bool {
	switch strings.ToLower(answer) {
	case "", "y", "yes", "是", "好", "要":
		return true
	}
	return false
}

// makeMessage makes a message from one of the account's templates, as `messages set`
// would, and returns its name; empty for none.
func (i *installation) makeMessage(a *account, source *messages.Source, mayAsk bool) (name string) {
	first := -1
	for n, t := range i.account.Templates {
		if _, ok := setup.FirstMessage(i.words, t); ok {
			first = n
			break
		}
	}
	if first < 0 {
		fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.no_template", lang.Vars{"N": len(i.account.Templates)}))
		return ""
	}
	if mayAsk {
		if first = i.chooseTemplate(first); first < 0 {
			return ""
		}
	}
	t := i.account.Templates[first]
	lines, _ := setup.FirstMessage(i.words, t)
	name = i.words.Say("init.first.name")
	by := ""
	if len(a.settings.AdminOpenIDs) > 0 {
		by = a.settings.AdminOpenIDs[0]
	}
	if _, err := source.Set(i.ctx, messages.Edit{Name: name, Lines: lines, By: by}); err != nil {
		fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.no_message", lang.Vars{"Reason": a.chat.Reason(err)}))
		return ""
	}
	fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.message", lang.Vars{"Name": name, "Title": t.Title}))
	return name
}

// chooseTemplate asks for a template; -1 for none.
func (i *installation) chooseTemplate(first int) int {
	var list strings.Builder
	for n, t := range i.account.Templates {
		fmt.Fprintf(&list, "\n  %d. %s", n+1, titleOf(t))
	}
	for {
		answer, err := i.line(i.words.Say("init.ask.template", lang.Vars{"List": list.String(), "First": first + 1}), false)
		n, malformed := strconv.Atoi(answer)
		switch {
		case err != nil, answer == "0":
			return -1
		case answer == "":
			return first
		case malformed != nil || n < 1 || n > len(i.account.Templates):
			fmt.Fprintln(i.stdout, i.words.Say("init.no_number", lang.Vars{"N": len(i.account.Templates)}))
			continue
		}
		if _, ok := setup.FirstMessage(i.words, i.account.Templates[n-1]); ok {
			return n - 1
		}
		fmt.Fprintln(i.stdout, i.words.Say("init.preset"))
	}
}

func titleOf(t wechat.Template) string {
	names := make([]string, len(t.Fields))
	for n, f := range t.Fields {
		names[n] = f.Name
	}
	return t.Title + " (" + strings.Join(names, ", ") + ")"
}

const (
	sendWithin = 30 * time.Second
	lookEvery  = 200 * time.Millisecond
)

// send sends a message to an admin by the chat's own command, and says what came of it.
// Where a server uses the database already, that one sends it.
func (i *installation) send(a *account, admin, name string) error {
	ctx, cancel := context.WithTimeout(i.ctx, sendWithin)
	defer cancel()
	say := func(text, key string) error {
		reply, _, err := a.chat.Reply(ctx, admin, text, key)
		if err == nil {
			fmt.Fprintf(i.stdout, "\n%s\n", reply)
		}
		return err
	}
	key := "init " + rand.Text()
	if err := say("broadcast me "+name, key); err != nil {
		return err
	}
	b, err := a.store.FindRequest(ctx, key)
	if b == nil || err != nil { // it was refused, and the reply said why
		return err
	}
	sending, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	var ran error
	go func() { defer close(ended); ran = a.engine.Run(sending) }()
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	for err == nil && !over(b) {
		select {
		case <-looks.C:
			b, err = a.store.FindBroadcast(ctx, b.ID)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		err = say(fmt.Sprintf("broadcast status #%d", b.ID), "init "+rand.Text())
	}
	stop()
	<-ended
	err = errors.Join(err, ran)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintf(i.stdout, "\n%s\n", i.words.Say("init.send_slow"))
		return nil
	}
	return err
}

// over tells whether nothing more is sent of a broadcast without somebody's word.
func over(b *models.Broadcast) bool {
	switch b.State {
	case models.Finished, models.Cancelled, models.Failed, models.Paused:
		return true
	default:
		return false
	}
}
