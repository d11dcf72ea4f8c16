// Package diagnosis tells point by point whether an installation is in order, and how to
// mend what is not. It sends nothing and changes nothing.
package diagnosis

import (
	"context"
	"net/http"
	"time"

	"wechat-broadcast/lang"
)

// The names of the points, in the order in which they are told.
const (
	Settings    = "settings"
	Database    = "database"
	Redis       = "redis"
	Credentials = "credentials"
	IPWhitelist = "ip_whitelist"
	Permission  = "permission"
	Templates   = "templates"
	Clock       = "clock"
	PublicURL   = "public_url"
)

// Point is one thing that must be in order. Detail says what was found, and Fix how to
// mend it if it is not in order.
type Point struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// patience is how long a point may take.
const patience = 15 * time.Second

// Doctor examines an installation. All fields are required.
type Doctor struct {
	// Words has the sentences of lang.Terminal and lang.Platform.
	Words *lang.Locale
	// Transport carries the request to the public URL.
	Transport http.RoundTripper
	Now       func() time.Time
}

// Good is a point that is in order, with the sentence of an id.
func (d *Doctor) Good(name, id string, vars ...lang.Vars) Point {
	return Point{Name: name, OK: true, Detail: d.Words.Say(id, vars...)}
}

// Bad is a point that is not, with the sentences of two ids.
func (d *Doctor) Bad(name, id, fix string, vars ...lang.Vars) Point {
	return Point{Name: name, Detail: d.Words.Say(id, vars...), Fix: d.Words.Say(fix, vars...)}
}

// Untried is a point that can't be told before another is in order.
func (d *Doctor) Untried(name, before string) Point {
	of := lang.Vars{"Before": d.Title(before)}
	return d.Bad(name, "check.untried", "check.fix.before", of)
}

// Title is what people call a point.
func (d *Doctor) Title(name string) string { return d.Words.Say("check.title." + name) }

// Redis tells whether Redis answers; ping is nil without REDIS_URL.
func (d *Doctor) Redis(ctx context.Context, ping func(ctx context.Context) error) Point {
	if ping == nil {
		return d.Good(Redis, "check.redis.unused")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := ping(ctx); err != nil {
		return d.Bad(Redis, "check.redis.silent", "check.fix.redis", lang.Vars{"Reason": d.reason(err)})
	}
	return d.Good(Redis, "check.redis.answers")
}

// reason says why something did not answer; what has no sentence is repeated.
func (d *Doctor) reason(err error) string {
	if said := d.Words.Fault(err.Error()); said != "" {
		return said
	}
	return err.Error()
}
