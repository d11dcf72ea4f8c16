package main

import (
	"context"
	"fmt"
	"time"

	"wechat-broadcast/handlers/console"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/services/topics"
)

// newSessions returns what says who is in the console.
func (a *account) newSessions() (*sessions.Service, error) {
	secret := linkSecret(a.settings)
	return sessions.New(sessions.Config{
		Store: a.store, Roles: a.admins, Account: a.settings.Name,
		// With the length in front no other pair makes the same bytes.
		Secret:    fmt.Sprintf("%d:%s%s", len(secret), secret, a.settings.Token.Reveal()),
		PublicURL: a.settings.PublicURL, Now: time.Now, Log: a.log,
	})
}

func (a *account) newConsole(source *messages.Source, topics *topics.Service, lists *lists.Service) (*console.Console, error) {
	return console.New(console.Config{
		Sessions: a.sessions, Chat: a.chat, Store: a.store, Engine: a.engine, Messages: source, Followers: a.followers,
		Topics: topics, Lists: lists, Admins: a.admins, Platform: a.platform,
		Language: a.settings.Language, Now: time.Now, Log: a.log,
	})
}

// endStrangers ends the console of owners who were taken out of the settings. What fails
// here is done when they come: each look at the console asks for the role.
func (a *account) endStrangers(ctx context.Context) {
	if err := a.sessions.EndStrangers(ctx); err != nil {
		a.log.WarnContext(ctx, "end the console of those who are no admins any more", "err", err)
	}
}
