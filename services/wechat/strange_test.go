package wechat

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// strangeAnswers are what some machine between us and the platform says with 200.
var strangeAnswers = map[string]string{
	"HTML": "<html><body>busy</body></html>", "nothing": "", "half": `{"errcode":0,"acc`, "an empty object": "{}",
	"null": "null", "a list": "[]", "somebody else's": `{"message":"ok"}`, "an errcode in words": `{"errcode":"busy"}`,
}

// A token that is not there is no token, and nothing was sent.
func TestNoTokenInAStrangeAnswer(t *testing.T) {
	t.Parallel()
	for name, strange := range strangeAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform()
				well := false
				c := newClient(t, "http://platform", func(c *Config) {
					c.Transport = inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						switch {
						case r.URL.Path == sendPath:
							fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","msgid":9007199254740993}`)
						case well:
							p.ServeHTTP(w, r)
						default:
							fmt.Fprint(w, strange)
						}
					}))
				})
				if r := c.Send(t.Context(), testMessage()); r.Verdict != Retry || r.MaybeSent {
					t.Errorf("got %+v", r)
				}
				well = true
				time.Sleep(failureMemory)
				if r := c.Send(t.Context(), testMessage()); r.Verdict != Accepted || r.MsgID != 1<<53+1 {
					t.Errorf("once the platform is well: %+v", r)
				}
			})
		})
	}
}

// Whoever takes a strange answer for an empty list, or for nobody, marks people
// as gone who are there.
func TestNobodyIsGoneByAStrangeAnswer(t *testing.T) {
	t.Parallel()
	for name, strange := range strangeAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform()
				for _, path := range []string{followersPath, personPath} {
					p.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strange) })
				}
				c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
				if page, err := c.Followers(t.Context(), ""); err == nil {
					t.Errorf("a page of %+v", page)
				}
				if follows, err := c.Follows(t.Context(), testOpenID); err == nil {
					t.Errorf("follows: %v", follows)
				}
			})
		})
	}
}

// An answer that names no quota must not read as one that is used up.
func TestNoQuotaInAStrangeAnswer(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.HandleFunc(quotaPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":0,"errmsg":"ok"}`) })
	if q, err := serve(t, p).Quota(t.Context(), sendPath); err == nil {
		t.Errorf("read as %+v", q)
	}
}
