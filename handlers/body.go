package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxBody is how large a callback may be, in bytes.
	maxBody = 1 << 20
	// maxDrained is how much of a body over maxBody is read and thrown away before
	// the refusal. A client that writes everything before it reads would else find
	// the connection reset, and not the status.
	maxDrained = 16 << 20
	// smallBody is how large the platform's callbacks are at the very most, and
	// largeBodies how many larger ones are read at a time, since strangers can
	// send them.
	smallBody   = 64 << 10
	largeBodies = 64
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
func (c *Callback) read(w http.ResponseWriter, r *http.Request, q url.Values) (body, plain []byte, err error) {
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
func (c *Callback) readStranger(w http.ResponseWriter, r *http.Request) ([]byte, error) {
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
func (c *Callback) enter(ctx context.Context) (leave func(), err error) {
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

// readBody returns the body. What can be made to be held in memory at a time is
// bounded: of those with a signature known the large bodies are, and of the others
// all, by enter.
func (c *Callback) readBody(w http.ResponseWriter, r *http.Request, known bool) ([]byte, error) {
	in := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(in, smallBody))
	if err == nil && len(body) == smallBody {
		if known {
			select {
			case c.large <- struct{}{}:
				defer func() { <-c.large }()
			case <-time.After(answerWithin):
				return nil, &refusal{http.StatusServiceUnavailable, "too many large bodies at once"}
			case <-r.Context().Done():
				return nil, malformed("body could not be read")
			}
		}
		var rest []byte
		rest, err = io.ReadAll(in)
		body = append(body, rest...)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{http.StatusRequestEntityTooLarge, "body over 1 MiB"}
	case err != nil:
		return nil, malformed("body could not be read")
	}
	return body, nil
}

// drain throws away what is left of a body that is refused, as far as
// maxDrained and the server's read timeout go, and holds none of it.
func drain(r *http.Request) {
	if r.ContentLength > maxBody && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return // it waits for leave before it sends anything
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
}
