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
	// the refusal. A client that writes everything before it reads would otherwise
	// get a reset connection instead of the status.
	maxDrained = 16 << 20
	// smallBody is more than the platform's largest callback. largeBodies is how many
	// larger ones are read at a time, since strangers can send them.
	smallBody   = 64 << 10
	largeBodies = 64
	// strangersAtOnce is how many bodies are read at a time whose query has no valid
	// signature. The next one waits for strangerWaits at most, and each must arrive
	// within strangerReads.
	strangersAtOnce = 16
	strangerWaits   = time.Second
	strangerReads   = 2 * time.Second
)

// read returns the body and the message in it. In safe mode only the body can
// prove that it is the platform's, so anybody's must be read first. The platform
// signs the query too: requests without that signature wait for each other, and
// the platform does not wait for them.
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

// readStranger reads the body of a request without a signature. enter comes first.
func (c *Callback) readStranger(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(strangerReads)) // a recorder in a test has none
	body, err := c.readBody(w, r, false)
	if err == nil {
		// The server would otherwise take the request for broken off at the deadline.
		_ = control.SetReadDeadline(time.Time{})
	}
	return body, err
}

// enter waits for a place among the strangers. leave must follow.
func (c *Callback) enter(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, strangerWaits)
	defer cancel()
	select {
	case c.strangers <- struct{}{}:
		return func() { <-c.strangers }, nil
	case <-ctx.Done():
		return nil, &refusal{http.StatusServiceUnavailable, "too many unsigned bodies at once"}
	}
}

// readBody returns the body. Memory is bounded: of requests whose signature is
// known only so many large bodies are read at a time, and enter bounds the others.
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
