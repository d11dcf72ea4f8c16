package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// wire is how the platform is spoken with.
type wire string

const (
	overTLS  wire = "TLS"
	overHTTP wire = "HTTP"
)

// wires are both, the one that the platform speaks first.
var wires = []wire{overTLS, overHTTP}

// platformEnd is the platform's end, a process of its own.
type platformEnd struct {
	*process
	urls    platformURLs
	roots   string // the file with the root certificate
	control http.Client
}

// startPlatform starts the platform's end. A folder is for its root certificate.
func startPlatform(ctx context.Context, folder string) (*platformEnd, error) {
	w := &platformEnd{roots: filepath.Join(folder, "roots.pem"), control: http.Client{Transport: &http.Transport{}}}
	var err error
	if w.process, err = launch(ctx, "platform", platformTask{Roots: w.roots}); err != nil {
		return nil, err
	}
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(line), &w.urls); err != nil {
		return nil, errors.Join(fmt.Errorf("find the platform's end: %w", err), w.stop())
	}
	return w, nil
}

// url is where the platform's end is reached.
func (w *platformEnd) url(over wire) string {
	if over == overTLS {
		return w.urls.TLS
	}
	return w.urls.HTTP
}

// trust is what the environment of a process must have, as a system with that root has it, to
// believe the platform's end.
func (w *platformEnd) trust() string { return "SSL_CERT_FILE=" + w.roots }

// set makes the platform's end forget what it saw.
func (w *platformEnd) set(ctx context.Context, followers int, latency time.Duration) error {
	return w.setTo(ctx, platformSettings{Followers: followers, Latency: latency})
}

func (w *platformEnd) setTo(ctx context.Context, set platformSettings) error {
	return w.ask(ctx, pathSet, set, nil)
}

// report has the platform's end post receipts of what it is sent from now on.
func (w *platformEnd) report(ctx context.Context, task reportTask) error {
	return w.ask(ctx, pathReport, task, nil)
}

// seen returns what the platform's end has seen so far.
func (w *platformEnd) seen(ctx context.Context) (s platformStats, err error) {
	return s, w.ask(ctx, pathStats, nil, &s)
}

// stats returns what the platform's end saw, which must be n people once each.
func (w *platformEnd) stats(ctx context.Context, n int) (platformStats, error) {
	s, err := w.seen(ctx)
	if err == nil && (s.Sends != int64(n) || s.Twice != 0 || s.Refused != 0) {
		err = fmt.Errorf("the platform took %d sends of %d, %d twice, and refused %d", s.Sends, n, s.Twice, s.Refused)
	}
	return s, err
}

func (w *platformEnd) ask(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask the platform: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.urls.HTTP+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the platform: %w", err)
	}
	res, err := w.control.Do(req)
	if err != nil {
		return fmt.Errorf("ask the platform: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("ask the platform: HTTP %d", res.StatusCode), err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}
