package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// maxTries is how often a call other than a send is made at most.
const maxTries = 4

// headed is an answer with its errcode.
type headed interface {
	head() reply
	// complete tells whether a success says what the platform always says then.
	complete() bool
}

func (r reply) head() reply { return r }

func (reply) complete() bool { return true }

// ask makes a call other than a send and decodes its answer, trying again
// what again allows, a few times with growing pauses.
func ask[T headed](ctx context.Context, c *Client, req call, again func(error) bool) (T, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = 5 * time.Second
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := askOnce[T](ctx, c, req)
		if err != nil && !again(err) {
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(maxTries))
}

// askOnce makes the call, with a fresh token if the first is refused.
func askOnce[T headed](ctx context.Context, c *Client, req call) (T, error) {
	for refreshes := 0; ; refreshes++ {
		var answer T
		token, err := c.tokens.get(ctx)
		if err != nil {
			return answer, err
		}
		req.token = token
		raw, f := c.do(ctx, req)
		if f != nil {
			return answer, f
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return answer, strangeAnswer()
		}
		h := answer.head()
		code := h.Code.code()
		switch {
		case code == 0 && !answer.complete():
			return answer, strangeAnswer()
		case code == 0:
			return answer, nil
		}
		if outcomeOf(code).verdict == refresh {
			c.tokens.drop(token)
			if refreshes < maxRefreshes {
				continue
			}
		}
		return answer, &APIError{Code: code, Msg: c.clean(req, string(h.Msg))}
	}
}

// transient tells the faults that pass by themselves, for calls that change
// nothing.
func transient(err error) bool {
	return Unanswered(err) || Busy(err)
}

// Unanswered tells whether err is a call that brought no usable answer: the
// platform, or something before it, is as good as away.
func Unanswered(err error) bool {
	var f *fault
	return errors.As(err, &f) && !f.unknown
}

// surelyNotDone tells the faults after which repeating the call can't do its
// work twice.
func surelyNotDone(err error) bool {
	var f *fault
	return errors.As(err, &f) && !f.reached || Busy(err)
}

// Busy tells whether err is the platform's request to come again.
func Busy(err error) bool {
	var api *APIError
	return errors.As(err, &api) && (api.Code == -1 || api.Code == 268487002)
}
