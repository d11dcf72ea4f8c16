package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
)

const (
	sendPath = "/cgi-bin/message/template/send"
	// maxRefreshes is how often one call gets a new token before it gives up.
	maxRefreshes = 2
)

// Send makes one attempt to send the message and says what came of it; it
// never fails otherwise (WeChat: template/send docs). A stale token is
// refreshed and the same message sent again within the attempt. If ctx ends
// the Result is a Retry that says whether the message may have been sent.
func (c *Client) Send(ctx context.Context, m Message) Result {
	return c.sendBody(ctx, m.ToUser, encodeMessage(m))
}

// Probe asks template/send for nothing: it names no recipient, no template and no
// data, so it can reach nobody. A platform that is well refuses it (40003 or the
// like); a Result without a Code, or of -1, says that a send would bring no usable
// answer now. It counts as a call of the day's quota and of the minute's.
func (c *Client) Probe(ctx context.Context) Result {
	return c.sendBody(ctx, "", []byte(`{"touser":"","template_id":"","data":{}}`))
}

// sendBody sends a message that is encoded already.
func (c *Client) sendBody(ctx context.Context, openID string, body []byte) Result {
	for refreshes := 0; ; refreshes++ {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return NoToken(err)
		}
		req := call{path: sendPath, token: token, body: body, openID: openID}
		raw, f := c.do(ctx, req)
		if f != nil {
			return f.result(ctx.Err() != nil)
		}
		r := judge(raw)
		if r.Detail != "" {
			r.Detail = c.clean(req, r.Detail)
		}
		if r.Verdict != refresh {
			return r
		}
		c.tokens.drop(token)
		if refreshes == maxRefreshes {
			r.Verdict = Retry
			return r
		}
	}
}

// judge reads the platform's answer to a send. Its Detail is not clean yet.
func judge(raw []byte) Result {
	if id, ok := plainAccepted(raw); ok {
		return Result{Verdict: Accepted, MsgID: id}
	}
	var answer struct {
		reply
		MsgID lenient `json:"msgid"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || !answer.Code.set && !answer.MsgID.set {
		// HTML, nothing, half an object: some machine in between spoke, and
		// nobody knows how far the message went.
		return strangeAnswer().result(false)
	}
	code := answer.Code.code()
	o := outcomeOf(code)
	r := Result{
		Verdict: o.verdict, Code: code, Detail: string(answer.Msg),
		MaybeSent: o.maybe, Gone: o.gone, Group: o.group, RetryAfter: o.after,
	}
	if o.verdict == Accepted {
		r.MsgID, r.Detail = answer.MsgID.value, ""
	}
	return r
}

// plainAccepted reads the answer that nearly all sends get as the platform
// writes it, and no other, without taking the JSON apart.
func plainAccepted(raw []byte) (msgID int64, ok bool) {
	digits, plain := bytes.CutPrefix(raw, []byte(`{"errcode":0,"errmsg":"ok","msgid":`))
	digits, whole := bytes.CutSuffix(digits, []byte("}"))
	if !plain || !whole || len(digits) == 0 || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	msgID, err := strconv.ParseInt(string(digits), 10, 64)
	return msgID, err == nil
}

// strangeAnswer is a 200 answer that is not the platform's JSON. What it says
// is not repeated: it may be an echo of the request.
func strangeAnswer() *fault {
	return &fault{text: "the answer is not the platform's JSON", reached: true}
}

// result is what a send comes to whose call brought no usable answer. own
// says that the caller ended it: that tells nothing about the platform.
func (f *fault) result(own bool) Result {
	r := Result{Verdict: Retry, Detail: f.text, MaybeSent: f.reached, RetryAfter: f.after}
	if !f.reached && !own {
		r.Verdict = Away
	}
	return r
}

// NoToken is what a send comes to that got no token for this reason: surely not
// sent.
func NoToken(err error) Result {
	var te *tokenError
	if errors.As(err, &te) {
		return te.result()
	}
	r := Result{Verdict: Retry, Detail: oneLine(err.Error())}
	var f *fault
	if errors.As(err, &f) {
		r.RetryAfter = f.after
		if !f.reached && !errors.Is(err, context.Canceled) {
			r.Verdict = Away
		}
	}
	return r
}
