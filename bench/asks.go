package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// asks are how many milliseconds the answers took to what an admin asks again and again.
type asks struct{ Status, List, Page series }

// ask asks once how the broadcast stands, what broadcasts there were, and for the page.
func (l *largeRun) ask(ctx context.Context, into *asks) error {
	began := time.Now()
	if _, err := l.s.status(ctx); err != nil {
		return err
	}
	into.Status = append(into.Status, millisSince(began))
	began = time.Now()
	if reply, err := l.s.say(ctx, admin, "broadcast list"); err != nil || !strings.Contains(reply, "#1") {
		return fmt.Errorf("list the broadcasts: %w: %.300q", err, reply)
	}
	into.List = append(into.List, millisSince(began))
	began = time.Now()
	if err := l.s.load(ctx, l.page); err != nil {
		return err
	}
	into.Page = append(into.Page, millisSince(began))
	return nil
}

func millisSince(began time.Time) float64 { return 1000 * time.Since(began).Seconds() }

// status has the admin ask how the account's first broadcast stands, and returns the reply's
// text.
func (s *server) status(ctx context.Context) (string, error) {
	reply, err := s.say(ctx, admin, "broadcast status")
	_, text, found := strings.Cut(reply, "<Content><![CDATA[")
	if err != nil || !found || !strings.Contains(text, "#1") {
		return "", fmt.Errorf("ask for the status: %w: %.300q", err, reply)
	}
	return text, nil
}

// load loads a page to its end.
func (s *server) load(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("load a page: %w", err)
	}
	res, err := s.admins.client.Do(req)
	if err != nil {
		return fmt.Errorf("load a page: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("load a page: HTTP %d: %w", res.StatusCode, err)
	}
	return nil
}

// worst is the largest of a series, as a series.
func (s series) worst() series {
	if len(s) == 0 {
		return nil
	}
	return series{slices.Max(s)}
}

// share is the value that a share of a series has at most.
func (s series) share(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(s))[int(share*float64(len(s)-1))]
}
