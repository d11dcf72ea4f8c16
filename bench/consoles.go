package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/console"
	"wechat-broadcast/models"
	"wechat-broadcast/services/admins"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/services/topics"
)

// console returns the console, and n admins who look at a broadcast there. Each has a
// role in the database and a link to enter by.
func (p *parts) console(ctx context.Context, at site, id int64, n int) (*console.Console, viewersTask, error) {
	root := at.url + "/console/"
	page := root + "broadcasts/" + strconv.FormatInt(id, 10)
	open := viewersTask{URL: page + "/events", N: n, Pages: []string{root, page}}
	roles := admins.New(admins.Config{Store: p.store, Now: time.Now, Log: at.log})
	in, err := sessions.New(sessions.Config{
		Store: p.store, Roles: roles, Secret: linkSecret, PublicURL: at.url, Now: time.Now, Log: at.log,
	})
	if err != nil {
		return nil, open, err
	}
	for i := range n {
		openID := string(appendOpenID(nil, i))
		if _, err := roles.Add(ctx, openID, models.Sender, "bench"); err != nil {
			return nil, open, err
		}
		link, err := in.Link(ctx, openID, "bench")
		if err != nil {
			return nil, open, err
		}
		open.Links = append(open.Links, link)
	}
	composer, err := chat.NewComposer("zh", at.links, time.Now, at.log)
	if err != nil {
		return nil, open, err
	}
	pages, err := console.New(console.Config{
		Sessions: in, Store: p.store, Engine: p.engine, Messages: p.messages, Followers: p.followers, Admins: roles,
		// Who only looks asks the chat for names and for nothing else.
		Chat:   chat.New(chat.Config{Roles: roles, Composer: composer, Engine: p.engine, Followers: p.followers, Replies: p.store, Log: at.log}),
		Topics: topics.New(topics.Config{Store: p.store, Now: time.Now}), Lists: &lists.Service{Store: p.store, Now: time.Now, Log: at.log},
		Platform: p.platform, Progress: at.live, Language: "zh", Now: time.Now, Log: at.log,
	})
	return pages, open, err
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
