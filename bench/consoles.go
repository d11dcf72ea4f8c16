package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"wechat-broadcast/handlers/console"
)

// consoleLink is what a reply has of the console.
var consoleLink = regexp.MustCompile(regexp.QuoteMeta(publicURL) + `/console/\S+`)

// links returns who is to look at the account's first broadcast: so many people with its page,
// whose address is not known yet, or so many admins with the console, each with a link of their own.
func (s *server) links(ctx context.Context, pages, consoles int) (viewersTask, error) {
	if consoles == 0 {
		return viewersTask{N: pages}, nil
	}
	root := s.url + "/console/"
	page := root + "broadcasts/1"
	open := viewersTask{URL: page + "/events", N: consoles, Pages: []string{root, page}}
	for i := range consoles {
		reply, err := s.say(ctx, i, "console")
		if err != nil {
			return open, fmt.Errorf("ask for the console: %w", err)
		}
		link := consoleLink.FindString(reply)
		if link == "" {
			return open, fmt.Errorf("ask for the console: %.300q", reply)
		}
		open.Links = append(open.Links, s.local(link))
	}
	return open, nil
}

// enter uses a link to the console and keeps the cookie. A jar would not send it, since
// it is for https only.
func (v *viewer) enter(ctx context.Context, link string) error {
	cookies, err := v.read(ctx, link)
	if err != nil {
		return err
	}
	for _, c := range cookies {
		if c.Name == console.CookieName {
			v.cookie = c
			return nil
		}
	}
	return errors.New("a link to the console gave no cookie")
}

// load loads pages one after the other.
func (v *viewer) load(ctx context.Context, pages []string) error {
	for _, page := range pages {
		if _, err := v.read(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// read reads a page to its end, and returns the cookies that came with it.
func (v *viewer) read(ctx context.Context, url string) ([]*http.Cookie, error) {
	res, err := v.open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return nil, fmt.Errorf("read a page: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("a page is answered HTTP %d", res.StatusCode)
	}
	return res.Cookies(), nil
}
