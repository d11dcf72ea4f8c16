package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/demo"
	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/people"
	"wechat-broadcast/services/topics"
)

type demoCommand struct {
	Followers int  `help:"${usage_followers}" default:"1000"`
	Accounts  int  `help:"${usage_accounts}" default:"1"`
	Verbose   bool `help:"${usage_verbose}"`
	Browser   bool `help:"${usage_browser}"`
}

// Validate lets the command line be refused.
func (c demoCommand) Validate() error {
	return demo.Options{Followers: c.Followers, Accounts: c.Accounts}.Validate()
}

// Run starts the simulated platform and the server, and a conversation with
// them.
func (c demoCommand) Run(s *session) (err error) {
	show, err := demo.New(demo.Options{
		Followers: c.Followers, Accounts: c.Accounts, Language: demoLanguage(os.Getenv),
		In: s.stdin, Out: s.stdout, Browser: c.Browser,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, show.Close()) }()
	dir, err := os.MkdirTemp("", "wechat-broadcast-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listener, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the demo: %w", err)
	}
	settings, err := demoSettings(show, dir, listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log := slog.New(slog.DiscardHandler)
	if c.Verbose {
		log = newLogger(settings.Process, show.Log(s.stderr))
	}
	err = runDemo(s.ctx, show, settings, log, listener)
	if s.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped before it began
	}
	return err
}

// demoLanguage returns the first of zh and en in LANGUAGE, which may be a list of
// locales for gettext. Without one it returns zh if the system's locale is Chinese,
// and otherwise en.
func demoLanguage(getenv func(string) string) string {
	for locale := range strings.SplitSeq(getenv("LANGUAGE"), ":") {
		if language := languageOf(locale); language == "zh" || language == "en" {
			return language
		}
	}
	// The order is POSIX's: the first that is set is the locale of messages.
	if languageOf(cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))) == "zh" {
		return "zh"
	}
	return "en"
}

// languageOf returns the language of a locale: "zh" of zh_CN.UTF-8.
func languageOf(locale string) string {
	locale = strings.ToLower(strings.TrimSpace(locale))
	if end := strings.IndexAny(locale, "_-.@"); end >= 0 {
		locale = locale[:end]
	}
	return locale
}

// demoSettings returns the settings of the demo's server, which listens at an
// address and has its files in dir.
func demoSettings(show *demo.Demo, dir, address string) (*config.Settings, error) {
	file := "accounts:\n"
	process := map[string]string{"LISTEN_ADDR": address}
	if show.Lasts() { // otherwise the server has stopped before anybody opens a link
		process["PUBLIC_URL"] = "http://" + address
	}
	for _, of := range show.Accounts() {
		variables := of.Settings()
		messages := filepath.Join(dir, "messages.yaml")
		if err := os.WriteFile(messages, []byte(demo.Messages(variables["LANGUAGE"])), 0o600); err != nil {
			return nil, fmt.Errorf("write the messages of the demo: %w", err)
		}
		variables["MESSAGES_FILE"] = messages
		variables["DATABASE_URL"] = "sqlite://" + filepath.ToSlash(filepath.Join(dir, cmp.Or(of.Name(), "demo")+".db"))
		if of.Name() == "" {
			maps.Copy(process, variables)
			continue
		}
		file += "  " + of.Name() + ":\n"
		for name, value := range variables {
			file += fmt.Sprintf("    %s: %s\n", strings.ToLower(name), strconv.Quote(value))
		}
	}
	path, several := filepath.Join(dir, "config.yaml"), len(show.Accounts()) > 1
	if several {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			return nil, fmt.Errorf("write the settings of the demo: %w", err)
		}
	}
	return config.Load(path, several, func(name string) (string, bool) {
		value, ok := process[name]
		return value, ok
	}, nil)
}

// runDemo runs the server on a listener for as long as the conversation takes.
func runDemo(ctx context.Context, show *demo.Demo, settings *config.Settings, log *slog.Logger, listener net.Listener) error {
	p, err := newProcess(settings, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	for _, of := range show.Accounts() {
		a, err := p.named(of.Name())
		if err == nil {
			err = a.prepareDemo(ctx, of)
		}
		if err != nil {
			return errors.Join(err, listener.Close(), p.close())
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		defer stop() // the conversation needs the server
		served <- p.serve(ctx, listeners{public: listener})
	}()
	err = converse(ctx, show, p, "http://"+listener.Addr().String()+"/wechat")
	stop()
	return errors.Join(err, <-served)
}

// converse connects the accounts with their platforms, and holds the conversation.
func converse(ctx context.Context, show *demo.Demo, p *process, callback string) error {
	for _, of := range show.Accounts() {
		address := callback
		if of.Name() != "" {
			address += "/" + of.Name()
		}
		a, err := p.named(of.Name())
		if err == nil {
			err = of.Connect(ctx, address, a.engine)
		}
		if err != nil {
			return err
		}
	}
	return show.Run(ctx)
}

// prepareDemo sets up what an account has after its first months: followers, a test list, a
// topic that some joined, and a list with fields.
func (a *account) prepareDemo(ctx context.Context, show *demo.Account) error {
	if err := a.prepare(ctx); err != nil {
		return err
	}
	if _, err := a.followers.Sync(ctx, nil); err != nil {
		return fmt.Errorf("pull the followers of the demo: %w", err)
	}
	for _, t := range show.Testers() {
		if _, err := a.followers.AddTester(ctx, t.OpenID, t.Name); err != nil {
			return fmt.Errorf("fill the test list of the demo: %w", err)
		}
	}
	if err := a.addDemoTopic(ctx, show.Topic()); err != nil {
		return fmt.Errorf("add the topic of the demo: %w", err)
	}
	list := show.List()
	service := &lists.Service{Store: a.store, Now: time.Now, Log: a.log}
	looked, err := service.Look(ctx, strings.NewReader(list.CSV), people.Options{}, func(int64) {})
	if err == nil {
		_, err = service.Make(ctx, models.List{Name: list.Name}, strings.NewReader(list.CSV), people.Options{}, looked, func(int64) {})
	}
	if err != nil {
		return fmt.Errorf("make the list of the demo: %w", err)
	}
	return nil
}

// addDemoTopic adds the topic and has followers join it, each by a scan.
func (a *account) addDemoTopic(ctx context.Context, t demo.Topic) error {
	added, err := topics.New(topics.Config{Store: a.store, Now: time.Now}).Add(ctx, t.Name, t.Description, a.settings.AdminOpenIDs[0])
	if err != nil {
		return err
	}
	for _, openID := range t.OpenIDs {
		said := followers.Said{Via: models.ViaScan, Text: t.Scene}
		if _, err := a.followers.SetTopics(ctx, openID, []int64{added.ID}, true, said); err != nil {
			return err
		}
	}
	return nil
}
