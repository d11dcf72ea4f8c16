package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

const (
	// strangersAtOnce is how many bodies are read at a time of which nothing says yet
	// that they are the platform's. The next waits for strangerWaits, and each has
	// strangerReads to arrive.
	strangersAtOnce = 16
	strangerWaits   = time.Second
	strangerReads   = 2 * time.Second
)

// read returns the body and the message in it, which is the platform's if that can
// be told. In safe mode only the body itself can prove that. The platform signs
// the query as well, so whoever comes without that signature waits in a line of
// strangers, behind which nobody else stands.
func (c *callback) read(w http.ResponseWriter, r *http.Request, q url.Values) (body, plain []byte, err error) {
	if c.cfg.AESKey == "" {
		body, err = c.readBody(w, r, true)
		return body, body, err
	}
	if signed(q.Get("signature"), c.cfg.Token, q.Get("timestamp"), q.Get("nonce")) {
		body, err = c.readBody(w, r, true)
	} else {
		leave, refused := c.enter(r.Context())
		if refused != nil {
			return nil, nil, refused
		}
		defer leave()
		body, err = c.readStranger(w, r)
	}
	if err != nil {
		return nil, nil, err
	}
	plain, err = c.open(q, body)
	return body, plain, err
}

// readStranger returns the body of who has a place among the strangers.
func (c *callback) readStranger(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(strangerReads)) // a recorder in a test has none
	body, err := c.readBody(w, r, false)
	if err == nil {
		// Else the request would be taken for broken off when the time is over.
		_ = control.SetReadDeadline(time.Time{})
	}
	return body, err
}

// enter waits for a place among the strangers. leave must follow.
func (c *callback) enter(ctx context.Context) (leave func(), err error) {
	patience := time.NewTimer(strangerWaits)
	defer patience.Stop()
	select {
	case c.strangers <- struct{}{}:
		return func() { <-c.strangers }, nil
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil, &refusal{http.StatusServiceUnavailable, "too many unsigned bodies at once"}
}
