// Package api serves the HTTP API of an account. Its requests go through the same services
// as the lines of the chat, and so through the same guards.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/tokens"
	"wechat-broadcast/services/topics"
)

// Root begins the paths of all that belongs to the API.
const Root = "/api/"

// answerWithin is how long an answer may take once the request is read. The server's own
// limit is longer.
const answerWithin = 12 * time.Second

// Config is what an API works with. All fields are required.
type Config struct {
	Tokens    *tokens.Service
	Store     *models.Store
	Engine    *broadcast.Engine
	Followers *followers.Service
	Messages  *messages.Source
	Topics    *topics.Service
	Lists     *lists.Service
	Composer  *chat.Composer
	// Language is that of the answers, one of lang.Languages.
	Language string
	Now      func() time.Time
	Log      *slog.Logger
}

// API serves the routes for one account. It is safe for concurrent use.
type API struct {
	Config
	words  words
	limits *limits
	counts counts
	// bodies has a place for each body that is read.
	bodies chan struct{}
}

// New returns an API. It reads nothing yet.
func New(c Config) (*API, error) {
	said, err := newWords(c.Language, c.Log)
	if err != nil {
		return nil, err
	}
	return &API{Config: c, words: said, limits: newLimits(), counts: newCounts(c.Store), bodies: make(chan struct{}, bodiesAtOnce)}, nil
}

// Route is one of the API's routes.
type Route struct {
	Method string
	// Path has its parameters in braces, as the OpenAPI file has them.
	Path string
	// Scope is what a token must be allowed to do.
	Scope models.Scope
	// kind is which of a token's limits holds for it.
	kind  kind
	serve func(*API, *call) error
}

// Routes are all that take a token.
var Routes = []Route{
	{http.MethodGet, "/api/v1/broadcasts", models.ScopeRead, reads, (*API).listBroadcasts},
	{http.MethodPost, "/api/v1/broadcasts", models.ScopeDraft, asks, (*API).createBroadcast},
	{http.MethodGet, "/api/v1/broadcasts/{id}", models.ScopeRead, reads, (*API).showBroadcast},
	{http.MethodGet, "/api/v1/broadcasts/{id}/deliveries", models.ScopeRead, reads, (*API).listDeliveries},
	{http.MethodPost, "/api/v1/broadcasts/{id}/pause", models.ScopeSend, moves, (*API).pause},
	{http.MethodPost, "/api/v1/broadcasts/{id}/resume", models.ScopeSend, moves, (*API).resume},
	{http.MethodPost, "/api/v1/broadcasts/{id}/cancel", models.ScopeSend, moves, (*API).cancel},
	{http.MethodGet, "/api/v1/recipients/{openid}", models.ScopeRead, reads, (*API).showRecipient},
	{http.MethodGet, "/api/v1/messages", models.ScopeRead, reads, (*API).listMessages},
	{http.MethodGet, "/api/v1/audiences", models.ScopeRead, reads, (*API).listAudiences},
}

// call is a request of a token that may make it.
type call struct {
	*gin.Context
	ctx   context.Context //nolint:containedctx // of the request alone, with the time that its answer has
	token *models.Token
}

// Outcome is what the access log has of an answer.
type Outcome struct {
	Reason string // why the request was refused
	Err    error  // what went wrong on our side
}

// Serve answers a request of a route that shows a secret. gate limits how often others may
// try one.
func (a *API) Serve(g *gin.Context, gate *Gate, secret string, r Route) Outcome {
	ctx, cancel := context.WithTimeout(g.Request.Context(), answerWithin)
	defer cancel()
	token, err := a.Tokens.Find(ctx, secret)
	if err != nil {
		return a.refuse(g, err)
	}
	if token == nil {
		return gate.refuse(g, a.words, secret)
	}
	if wait := a.limits.take(token.ID, r.kind, a.Now()); wait > 0 {
		return a.refuse(g, tooMany(wait))
	}
	if !token.Scope.May(r.Scope) {
		return a.refuse(g, newFault(http.StatusForbidden, "scope", "Scope", string(token.Scope), "Takes", string(r.Scope)))
	}
	if err := r.serve(a, &call{g, ctx, token}); err != nil {
		return a.refuse(g, err)
	}
	return Outcome{}
}

// answer writes a value as JSON.
func answer(g *gin.Context, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	write(g, http.StatusOK, "application/json", body)
	return nil
}

// write writes JSON that no cache may keep.
func write(g *gin.Context, status int, contentType string, body []byte) {
	g.Header("Cache-Control", "no-store")
	g.Data(status, contentType, append(body, '\n'))
}
