package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// Problem is what an error is answered with (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what is wrong and how to mend it.
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// fault is an error that only the API has, with its sentence api.error.CODE.
type fault struct {
	status int
	code   string
	vars   lang.Vars
	after  time.Duration // when to ask again; 0 for no such time
}

// Error implements error.
func (f *fault) Error() string { return "api: " + strings.ReplaceAll(f.code, "_", " ") }

// newFault returns a fault; args are alternating names and values for its sentence.
func newFault(status int, code string, args ...any) *fault {
	f := &fault{status: status, code: code, vars: lang.Vars{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.vars[args[i].(string)] = args[i+1] //nolint:forcetypeassert // a mistake of this package
	}
	return f
}

// later says when to ask again.
func (f *fault) later(after time.Duration) *fault {
	f.after = after
	return f
}

func tooMany(wait time.Duration) *fault {
	return newFault(http.StatusTooManyRequests, "too_many", "Wait", max(wait, time.Second)).later(wait)
}

const (
	// askAgain is when whoever is told that something is away may ask again.
	askAgain = 5 * time.Second
	// lookWithin is how long the database may take to show that it is there.
	lookWithin = time.Second
)

// words say what is wrong, in the languages of who asks: that of the account, or all of
// them if it is not known which account is meant.
type words []*lang.Locale

func newWords(language string, log *slog.Logger) (words, error) {
	l, err := lang.New(language, log, lang.API)
	return words{l}, err
}

func (w words) say(id string, v lang.Vars) string {
	texts := make([]string, len(w))
	for i, l := range w {
		texts[i] = l.Say(id, v)
	}
	return strings.Join(texts, " · ")
}

// refuse answers with a fault.
func (w words) refuse(g *gin.Context, f *fault) Outcome {
	w.problem(g, f, w.say("api.error."+f.code, f.vars))
	reason := f.code
	if f.status == http.StatusForbidden || f.status == http.StatusUnauthorized || f.status == http.StatusTooManyRequests {
		return Outcome{Reason: "api: " + strings.ReplaceAll(reason, "_", " ")}
	}
	return Outcome{}
}

func (w words) problem(g *gin.Context, f *fault, detail string) {
	if f.after > 0 {
		g.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(f.after.Seconds())))))
	}
	// Of texts and numbers: it can be written.
	body, _ := json.Marshal(Problem{"about:blank", http.StatusText(f.status), f.status, detail, f.code}) //nolint:errchkjson // see above
	write(g, f.status, "application/problem+json", body)
}

// refuse answers with what is wrong. An error that nobody foresaw is one of the database if
// that does not answer.
func (a *API) refuse(g *gin.Context, err error) Outcome {
	var own *fault
	if errors.As(err, &own) {
		return a.words.refuse(g, own)
	}
	text, known := a.Composer.ErrorText(err)
	if !known {
		return a.failed(g, err)
	}
	f := &fault{status: statusOf(err), code: chat.ErrorCode(err)}
	if f.status == http.StatusServiceUnavailable {
		f.after = askAgain
	}
	if own := "api.error." + f.code; a.words[0].Has(own) {
		text = a.words.say(own, nil)
	}
	a.words.problem(g, f, text)
	return Outcome{}
}

// failed answers a request that went wrong on our side.
func (a *API) failed(g *gin.Context, err error) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.Request.Context()), lookWithin)
	defer cancel()
	f := newFault(http.StatusInternalServerError, "internal")
	if errors.Is(err, context.DeadlineExceeded) || a.Store.Ping(ctx) != nil {
		f = newFault(http.StatusServiceUnavailable, "unavailable").later(askAgain)
	}
	a.words.refuse(g, f)
	return Outcome{Err: err}
}

// statusOf returns the status for an Error of the services. What a request names in its body
// and is not there is wrong content.
func statusOf(err error) int {
	var missing notThere
	switch kind := models.KindOf(err); {
	case errors.As(err, &missing):
		return http.StatusNotFound
	case kind == models.Conflict:
		return http.StatusConflict
	case kind == models.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnprocessableEntity
	}
}

// notThere is an error of what the path names.
type notThere struct{ error }

// Unwrap implements errors.Unwrap.
func (e notThere) Unwrap() error { return e.error }

// named returns err as that of what the path names.
func named(err error) error {
	if models.KindOf(err) == models.NotFound {
		return notThere{err}
	}
	return err
}
