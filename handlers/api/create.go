package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/report"
)

// asked is the body of a request for a broadcast.
type asked struct {
	Audience   string            `json:"audience,omitempty"`
	Recipients []addressee       `json:"recipients,omitempty"`
	Message    string            `json:"message,omitempty"`
	Fields     map[string]string `json:"fields,omitempty"`
	At         string            `json:"at,omitempty"`
	Again      bool              `json:"again,omitempty"`
	Canary     bool              `json:"canary,omitempty"`
}

type addressee struct {
	OpenID string            `json:"openid"`
	Fields map[string]string `json:"fields"`
}

const (
	maxKey = 255 // characters of an Idempotency-Key
	// storeWithin is how long it may take to store what became of a request.
	storeWithin = 2 * time.Second
)

// createBroadcast takes a broadcast. The engine knows a request by its token and key for
// ever, so that none is sent twice; for a day the same request gets the same answer.
func (a *API) createBroadcast(c *call) error {
	key := c.GetHeader("Idempotency-Key")
	if key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return newFault(http.StatusBadRequest, "idempotency_key", "Most", int64(maxKey))
	}
	body, done, err := a.body(c)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(c.Request.Context(), answerWithin) // from now on: the body may have taken long
	defer cancel()
	c.ctx = ctx
	var q asked
	if err := decode(body, &q); err != nil {
		return err
	}
	r := models.APIRequest{TokenID: c.token.ID, KeyHash: digest([]byte(key)), BodyDigest: digest(body), CreatedAt: models.At(a.Now())}
	before, err := a.Store.BeginAPIRequest(ctx, r)
	switch {
	case err != nil:
		return err
	case before != nil && before.BodyDigest != r.BodyDigest:
		return newFault(http.StatusUnprocessableEntity, "key_reused")
	case before != nil && before.Status != 0:
		created(c, before.Response)
		return nil
	}
	b, err := a.create(c, q, fmt.Sprintf("api:%d:%s", c.token.ID, r.KeyHash))
	a.keepAsked(c, q, b, err)
	if err != nil {
		a.forget(ctx, r, err)
		return err
	}
	response, err := json.Marshal(report.Of(*b, models.Counts{}))
	if err != nil {
		return err
	}
	r.Status, r.Response = http.StatusCreated, string(response)
	a.remember(ctx, r)
	created(c, r.Response)
	return nil
}

// created answers with a new broadcast.
func created(c *call, response string) {
	var b struct {
		ID int64 `json:"id"`
	}
	_ = json.Unmarshal([]byte(response), &b) // it was written here
	c.Header("Location", "/api/v1/broadcasts/"+strconv.FormatInt(b.ID, 10))
	write(c.Context, http.StatusCreated, "application/json", []byte(response))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// remember keeps an answer for the same request. Without it that would get the same
// broadcast, as it stands then.
func (a *API) remember(ctx context.Context, r models.APIRequest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	if err := a.Store.AnswerAPIRequest(ctx, r); err != nil {
		a.Log.WarnContext(ctx, "the answer to an API request is not kept", "err", err)
	}
}

// forget drops a request that was refused, so that it can be mended under the same key. One
// of which it is not known whether it was stored is kept.
func (a *API) forget(ctx context.Context, r models.APIRequest, err error) {
	var own *fault
	if kind := models.KindOf(err); !errors.As(err, &own) && (kind == "" || kind == models.Unavailable) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	if err := a.Store.DropAPIRequest(ctx, r); err != nil {
		a.Log.WarnContext(ctx, "an API request that was refused is kept", "err", err)
	}
}

// create asks the engine for a broadcast.
func (a *API) create(c *call, q asked, key string) (*models.Broadcast, error) {
	r := broadcast.Request{Message: q.Message, Again: q.Again, Canary: q.Canary, AskedBy: c.token.Asker(), RequestKey: key}
	switch {
	case q.Audience == "" && q.Recipients == nil:
		return nil, newFault(http.StatusUnprocessableEntity, "no_audience")
	case q.Audience != "" && q.Recipients != nil:
		return nil, models.NewError(models.Invalid, models.ErrRecipientsBeside)
	case q.Recipients != nil:
		r.Recipients = make([]models.Addressee, len(q.Recipients))
		for i, p := range q.Recipients {
			r.Recipients[i] = models.Addressee{OpenID: p.OpenID, Fields: p.Fields}
		}
	default:
		to, ok := chat.ParseAudience(q.Audience)
		if !ok {
			return nil, newFault(http.StatusUnprocessableEntity, "audience", "Audience", firstOf(q.Audience))
		}
		r.Audience, r.Groups, r.Except, r.Of = to.Audience, to.Groups, to.Except, to.Of
	}
	if !c.token.Scope.May(models.ScopeSend) {
		r.Approvals = 1
	}
	for _, field := range slices.Sorted(maps.Keys(q.Fields)) {
		r.Fields = append(r.Fields, messages.Change{Field: field, Value: q.Fields[field]})
	}
	var err error
	if r.At, err = a.start(q.At); err != nil {
		return nil, err
	}
	made, err := a.Engine.Create(c.ctx, r)
	if err != nil {
		return nil, err
	}
	return &made.Broadcast, nil
}

// start reads when a broadcast is to start; empty is at once.
func (a *API) start(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	var code string
	now := a.Now()
	switch {
	case err != nil:
		return at, newFault(http.StatusUnprocessableEntity, "time", "Words", firstOf(text))
	case !at.After(now):
		code = models.ErrTimePast
	case at.After(now.AddDate(1, 0, 0)):
		code = models.ErrTimeFar
	default:
		return at, nil
	}
	return at, models.NewError(models.Invalid, code, "Words", text, "Moment", at)
}

// keepAsked keeps in the audit that a token asked for a broadcast.
func (a *API) keepAsked(c *call, q asked, b *models.Broadcast, came error) {
	row := models.Audit{Action: "broadcast_" + report.GivenAudience}
	if q.Audience != "" {
		row.Action = "broadcast"
		if to, ok := chat.ParseAudience(q.Audience); ok {
			row.Action += "_" + action(to)
		}
	}
	if b != nil {
		row.Target = "#" + strconv.FormatInt(b.ID, 10)
	}
	people := len(q.Recipients)
	q.Recipients = nil         // the rows of the deliveries have them
	text, _ := json.Marshal(q) //nolint:errchkjson // texts and booleans
	row.Detail = "POST " + c.Request.URL.Path + " " + string(text)
	if people > 0 {
		row.Detail += fmt.Sprintf(" + %d recipients", people)
	}
	a.keep(c, row, came)
}

// action is what the audit calls a broadcast to an audience, as it does one of the chat.
func action(to chat.Addressed) string {
	if to.Audience == models.AudienceGroups {
		return string(to.Groups[0].Kind)
	}
	return string(to.Audience)
}
