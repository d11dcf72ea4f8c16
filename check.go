package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/handlers"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

type checkCommand struct {
	JSON bool `name:"json" help:"${usage_check_json}"`
}

// Run tells point by point whether the installation is in order.
func (c checkCommand) Run(s *session) error {
	doctor, err := s.newDoctor()
	if err != nil {
		return err
	}
	points, err := s.examine(doctor)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(s.stdout)
		out.SetEscapeHTML(false)
		if err := out.Encode(points); err != nil {
			return err
		}
	} else {
		s.show(doctor, points)
	}
	bad := int64(0)
	for _, p := range points {
		if !p.OK {
			bad++
		}
	}
	if bad > 0 {
		return errors.New(doctor.Words.Say("check.some_bad", lang.Vars{"N": bad}))
	}
	if !c.JSON {
		fmt.Fprintln(s.stdout, doctor.Words.Say("check.all_fine"))
	}
	return nil
}

// newDoctor returns a Doctor that speaks the session's language.
func (s *session) newDoctor() (*diagnosis.Doctor, error) { return newDoctor(s.words.Language) }

// newDoctor returns a Doctor that speaks a language.
func newDoctor(language string) (*diagnosis.Doctor, error) {
	words, err := lang.New(language, slog.New(slog.DiscardHandler), lang.Terminal, lang.Platform)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // through no proxy: the platform comes directly
	return &diagnosis.Doctor{Words: words, Transport: transport, Now: time.Now}, nil
}

// show prints points, each with its mend.
func (s *session) show(doctor *diagnosis.Doctor, points []diagnosis.Point) {
	for _, p := range points {
		id := "check.good"
		if !p.OK {
			id = "check.bad"
		}
		const indent = "\n    "
		detail := strings.ReplaceAll(p.Detail, "\n", indent)
		fmt.Fprintln(s.stdout, doctor.Words.Say(id, lang.Vars{"Title": doctor.Title(p.Name), "Detail": detail}))
		for line := range strings.Lines(p.Fix) {
			fmt.Fprintln(s.stdout, "    "+doctor.Words.Say("check.mend", lang.Vars{"Fix": strings.TrimSpace(line)}))
		}
	}
}

// examine returns every point of the chosen account, in the order in which they are told.
func (s *session) examine(doctor *diagnosis.Doctor) ([]diagnosis.Point, error) {
	settings, err := s.readSettings()
	if err == nil {
		err = s.choose(settings)
	}
	var faults config.Faults
	switch {
	case errors.As(err, &faults):
		points := []diagnosis.Point{{Name: diagnosis.Settings, Detail: faults.Error(), Fix: doctor.Words.Say("check.fix.settings")}}
		for _, name := range []string{
			diagnosis.Database, diagnosis.Redis, diagnosis.Credentials, diagnosis.IPWhitelist, diagnosis.Permission,
			diagnosis.Templates, diagnosis.Clock, diagnosis.PublicURL,
		} {
			points = append(points, doctor.Untried(name, diagnosis.Settings))
		}
		return points, nil
	case err != nil:
		return nil, err
	}
	return examineAccount(s.ctx, doctor, settings)
}

// examineAccount returns every point of the only account of settings, in the order in
// which they are told. It may be served meanwhile.
func examineAccount(ctx context.Context, doctor *diagnosis.Doctor, settings *config.Settings) ([]diagnosis.Point, error) {
	a := settings.Accounts[0]
	client := newTrialClient(a)
	defer client.Close()
	store, database := doctor.Database(ctx, a.Database.Driver, a.Database.DSN, a.AppID)
	if store != nil {
		defer func() { _ = store.Close() }()
	}
	redis, closeRedis := redisOf(a)
	defer closeRedis()
	account := doctor.Account(ctx, client, a.APIBaseURL)
	templates, err := templatesPoint(ctx, doctor, a, store, client, account)
	if err != nil {
		return nil, err
	}
	return []diagnosis.Point{
		settingsPoint(doctor, settings), database, doctor.Redis(ctx, redis),
		account.Credentials, account.IPWhitelist, account.Permission, templates,
		doctor.Clock(ctx, client, a.APIBaseURL), doctor.PublicURL(ctx, siteOf(settings)),
	}, nil
}

// examine returns every point of the account, as the command check tells them, in the
// account's language.
func (a *account) examine(ctx context.Context) ([]diagnosis.Point, error) {
	doctor, err := newDoctor(a.settings.Language)
	if err != nil {
		return nil, err
	}
	settings := *a.process.settings
	settings.Accounts = []config.Account{a.settings}
	return examineAccount(ctx, doctor, &settings)
}

// newTrialClient returns a client for a few calls beside those of a running server.
func newTrialClient(a config.Account) *wechat.Client {
	return wechat.New(wechat.Config{AppID: a.AppID, AppSecret: a.AppSecret.Reveal(), BaseURL: a.APIBaseURL, MaxConns: 1})
}

func settingsPoint(doctor *diagnosis.Doctor, settings *config.Settings) diagnosis.Point {
	p := doctor.Good(diagnosis.Settings, "check.settings.fine", lang.Vars{"N": len(settings.Masked())})
	if len(settings.Accounts[0].AdminOpenIDs) == 0 {
		p = doctor.Bad(diagnosis.Settings, "check.settings.no_admin", "check.fix.no_admin")
	}
	for _, w := range settings.Warnings {
		p.Detail += "\n" + w
	}
	return p
}

// redisOf returns what asks Redis for an answer, nil without REDIS_URL.
func redisOf(a config.Account) (ping func(context.Context) error, stop func()) {
	if a.RedisURL == "" {
		return nil, func() {}
	}
	client, err := newRedis(a.RedisURL.Reveal(), slog.New(slog.DiscardHandler))
	if err != nil {
		return func(context.Context) error { return err }, func() {}
	}
	return func(ctx context.Context) error { return client.Ping(ctx).Err() }, func() { _ = client.Close() }
}

// templatesPoint holds the messages that can be sent against the account's templates.
// Without a store they are those of the message file.
func templatesPoint(
	ctx context.Context, doctor *diagnosis.Doctor, a config.Account, store *models.Store, client *wechat.Client, account diagnosis.Account,
) (diagnosis.Point, error) {
	if !account.Permission.OK {
		return doctor.Untried(diagnosis.Templates, diagnosis.Permission), nil
	}
	composer, err := newComposer(a)
	if err != nil {
		return diagnosis.Point{}, err
	}
	var said diagnosis.Said
	if store != nil {
		list, err := newSource(a, store, client).List(ctx)
		if err != nil {
			return diagnosis.Point{}, err
		}
		said.FileFault = list.FileFault
		for _, m := range list.Messages {
			said.Messages = append(said.Messages, m.Definition)
		}
		return doctor.Messages(said, account.Templates, composer.Reason), nil
	}
	file, err := message.ReadFile(a.MessagesFile)
	switch {
	case err == nil:
		said.Messages = file.Messages()
	case !errors.Is(err, fs.ErrNotExist):
		said.FileFault = err
	}
	return doctor.Messages(said, account.Templates, composer.Reason), nil
}

// newComposer returns what words refusals in an account's language.
func newComposer(a config.Account) (*chat.Composer, error) {
	links, err := handlers.NewLinks(a.PublicURL, a.AppSecret.Reveal(), a.Token.Reveal(), time.Now)
	if err != nil {
		return nil, err
	}
	return chat.NewComposer(a.Language, links, time.Now, slog.New(slog.DiscardHandler))
}

// newSource returns the messages of an account.
func newSource(a config.Account, store *models.Store, client *wechat.Client) *messages.Source {
	return messages.NewSource(messages.SourceConfig{
		Path: a.MessagesFile, Language: a.Language, Store: store, Templates: client, Now: time.Now,
	})
}

// siteOf is where the platform and phones reach an account, and how the program that
// serves it on this machine is asked for a sign of life.
func siteOf(settings *config.Settings) diagnosis.Site {
	a := settings.Accounts[0]
	site := diagnosis.Site{URL: a.PublicURL, Path: "/wechat", Token: a.Token.Reveal(), Alive: func(ctx context.Context) error {
		return askHealth(ctx, settings.ListenAddr)
	}}
	if settings.Several() {
		site.Path += "/" + a.Name
	}
	return site
}
