package api

import (
	"log/slog"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/lang"
)

// Strangers answers requests that are no account's.
type Strangers struct{ words words }

// Strangers returns what answers them in the account's language.
func (a *API) Strangers() *Strangers { return &Strangers{a.words} }

// AnyLanguage returns Strangers that answer in every language.
var AnyLanguage = sync.OnceValue(func() *Strangers {
	s := &Strangers{}
	for _, language := range lang.Languages {
		w, err := newWords(language, slog.New(slog.DiscardHandler))
		if err != nil {
			panic(err) // the sentences are a part of the program
		}
		s.words = append(s.words, w...)
	}
	return s
})

// NoRoute answers for a path that there is not.
func (s *Strangers) NoRoute(g *gin.Context) Outcome {
	return s.words.refuse(g, newFault(http.StatusNotFound, "no_route", "Spec", SpecPath))
}

// NoMethod answers for a path that has not this method. Gin has set the header that says
// which it has.
func (s *Strangers) NoMethod(g *gin.Context) Outcome {
	return s.words.refuse(g, newFault(http.StatusMethodNotAllowed, "no_method", "Spec", SpecPath))
}

// Away answers for an account that can't be served now.
func (s *Strangers) Away(g *gin.Context) Outcome {
	return s.words.refuse(g, newFault(http.StatusServiceUnavailable, "unavailable").later(askAgain))
}

// Unauthorized answers for what can't be the secret of an account.
func (s *Strangers) Unauthorized(g *gin.Context, gate *Gate, secret string) Outcome {
	return gate.refuse(g, s.words, secret)
}
