package main

import (
	"log/slog"
	"time"

	"wechat-broadcast/handlers/api"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/tokens"
	"wechat-broadcast/services/topics"
)

// groups has those to whom broadcasts can go.
type groups struct {
	topics *topics.Service
	lists  *lists.Service
}

func groupsOf(store *models.Store, log *slog.Logger) groups {
	return groups{
		topics: topics.New(topics.Config{Store: store, Now: time.Now}),
		lists:  &lists.Service{Store: store, Now: time.Now, Log: log},
	}
}

// tokens returns the service that knows the account's tokens.
func (a *account) tokens() *tokens.Service {
	return &tokens.Service{Store: a.store, Account: a.settings.Name, Now: time.Now, Log: a.log}
}

// newAPI makes the HTTP API. Like the chat it has no guards of its own: they are the
// engine's.
func (a *account) newAPI(source *messages.Source, composer *chat.Composer, to groups) (*api.API, error) {
	return api.New(api.Config{
		Tokens: a.tokens(), Store: a.store, Engine: a.engine, Followers: a.followers, Messages: source,
		Topics: to.topics, Lists: to.lists, Composer: composer, Language: a.settings.Language, Now: time.Now, Log: a.log,
	})
}
