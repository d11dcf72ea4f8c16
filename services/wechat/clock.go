package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// addressesPath is a call that changes nothing and is refused without a token.
const addressesPath = "/cgi-bin/getcallbackip"

// Clock returns the platform's time, to the second, by the Date header of an answer. It
// needs no token, and the refusal of a call without one counts as an answer.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	req := call{path: addressesPath}
	a, reached, err := c.exchange(ctx, req)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the platform's clock: %w", c.faultOf(req, err, reached))
	}
	at, err := http.ParseTime(a.date)
	if err != nil {
		return time.Time{}, errors.New("read the platform's clock: its answer has no date")
	}
	return at, nil
}
