package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("o%027d", i)
	}
	return ids
}

func pageJSON(tb testing.TB, total int, ids []string, next string) string {
	tb.Helper()
	raw, err := json.Marshal(map[string]any{
		"total": total, "count": len(ids), "data": map[string]any{"openid": ids}, "next_openid": next,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func TestFollowers(t *testing.T) {
	t.Parallel()
	full := openIDs(pageSize)
	tests := map[string]struct {
		next, answer string
		want         FollowerPage
	}{
		"full page": {
			"o-cursor", pageJSON(t, 23000, full, full[pageSize-1]),
			FollowerPage{Total: 23000, OpenIDs: full, Next: full[pageSize-1]},
		},
		"full page without a next": {
			"", pageJSON(t, 10000, full, ""),
			FollowerPage{Total: 10000, OpenIDs: full, Last: true},
		},
		"short page with a next": {
			"", `{"total":1,"data":{"openid":["o-tg"]},"count":1,"next_openid":"o-tg"}`,
			FollowerPage{Total: 1, OpenIDs: []string{"o-tg"}, Next: "o-tg", Last: true},
		},
		"nobody": {
			"", `{"total":0,"count":0,"next_openid":""}`,
			FollowerPage{Last: true},
		},
		"end behind a full page": {
			"o-last", `{"total":10000,"count":0,"next_openid":""}`,
			FollowerPage{Total: 10000, Last: true},
		},
		"total far above what is there": {
			"", `{"total":99999,"count":2,"data":{"openid":["oa","ob"]},"next_openid":"ob"}`,
			FollowerPage{Total: 99999, OpenIDs: []string{"oa", "ob"}, Next: "ob", Last: true},
		},
		"a cursor that stays": {
			full[0], pageJSON(t, 23000, full, full[0]),
			FollowerPage{Total: 23000, OpenIDs: full, Next: full[0], Last: true},
		},
		"errcode as a string, an empty OpenID": {
			"", `{"errcode":"0","total":2,"count":2,"data":{"openid":["oa",""]},"next_openid":"oa"}`,
			FollowerPage{Total: 2, OpenIDs: []string{"oa"}, Next: "oa", Last: true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			p.HandleFunc("GET "+followersPath, func(w http.ResponseWriter, r *http.Request) {
				if got := r.URL.Query().Get("next_openid"); got != tt.next || !p.valid(r) {
					t.Errorf("next_openid %q, want %q", got, tt.next)
				}
				fmt.Fprint(w, tt.answer)
			})
			got, err := serve(t, p).Followers(t.Context(), tt.next)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A success has no errcode: that of the attempt before must not stick to it.
func TestFollowersAfterAStaleToken(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer("GET "+followersPath, `{"total":1,"count":1,"data":{"openid":["oa"]},"next_openid":"oa"}`)
	c := serve(t, p)
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.revoke("TOKEN-1")
	got, err := c.Followers(t.Context(), "")
	if err != nil || !slices.Equal(got.OpenIDs, []string{"oa"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	faults := map[string]http.HandlerFunc{
		"busy":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":-1,"errmsg":"system error"}`) },
		"busy too": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":268487002}`) },
		"502":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"HTML":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform()
				calls := 0
				p.HandleFunc("GET "+followersPath, func(w http.ResponseWriter, r *http.Request) {
					if calls++; calls < maxTries {
						fault(w, r)
						return
					}
					fmt.Fprint(w, `{"total":0,"count":0,"next_openid":""}`)
				})
				c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
				if _, err := c.Followers(t.Context(), ""); err != nil {
					t.Errorf("after %d tries: %v", calls, err)
				}
				calls = -100
				if _, err := c.Followers(t.Context(), ""); err == nil || calls != -100+maxTries {
					t.Errorf("%v after %d tries, want an error after %d", err, calls+100, maxTries)
				}
			})
		})
	}
}

func TestRefusalsAreTypedAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	var calls atomic.Int64
	for _, path := range []string{followersPath, notifyPath, templatesPath, quotaPath} {
		p.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			fmt.Fprint(w, `{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 1"}`)
		})
	}
	c := serve(t, p)
	asks := map[string]func() error{
		"followers": func() error { _, err := c.Followers(t.Context(), ""); return err },
		"notify":    func() error { return c.Notify(t.Context(), testOpenID, "x") },
		"templates": func() error { _, err := c.Templates(t.Context()); return err },
		"quota":     func() error { _, err := c.Quota(t.Context(), sendPath); return err },
	}
	for name, ask := range asks {
		calls.Store(0)
		var api *APIError
		if err := ask(); !errors.As(err, &api) || api.Code != 45009 || calls.Load() != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls.Load())
		}
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.HandleFunc("POST "+notifyPath, func(w http.ResponseWriter, r *http.Request) {
		want := `{"touser":"` + testOpenID + `","msgtype":"text","text":{"content":"#7 <完成> & 24900"}}`
		if got := strings.TrimSpace(readBody(t, r)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok"}`)
	})
	if err := serve(t, p).Notify(t.Context(), testOpenID, "#7 <完成> & 24900"); err != nil {
		t.Error(err)
	}
}

// An admin is not told twice because an answer got lost.
func TestNotifyIsNotRepeatedWhenItMayHaveArrived(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	var calls atomic.Int64
	p.HandleFunc("POST "+notifyPath, func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	})
	if err := serve(t, p).Notify(t.Context(), testOpenID, "x"); err == nil || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer("GET "+templatesPath, `{"template_list":[
		{"template_id":"A","title":"通知","primary_industry":"","deputy_industry":"","content":"订单号：{{character_string1.DATA}}\n时间：{{time4.DATA}}\n再：{{ character_string1.DATA }}","example":"x"},
		{"template_id":"B","title":"空","content":"无"}]}`)
	got, err := serve(t, p).Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Template{
		{ID: "A", Title: "通知", Content: "订单号：{{character_string1.DATA}}\n时间：{{time4.DATA}}\n再：{{ character_string1.DATA }}", Keys: []string{"character_string1", "time4"}, Fields: []TemplateField{{"character_string1", "订单号"}, {"time4", "时间"}}},
		{ID: "B", Title: "空", Content: "无"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKnownTemplatesAreReadOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	var asked atomic.Int64
	p.HandleFunc("GET "+templatesPath, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"template_list":[{"template_id":"A","title":"%d"}]}`, asked.Add(1))
	})
	c := serve(t, p)
	for i, want := range []string{"1", "1", "2", "2"} {
		age := time.Minute
		if i == 2 {
			age = 0
		}
		before := time.Now()
		got, read, err := c.KnownTemplates(t.Context(), age)
		if err != nil || len(got) != 1 || got[0].Title != want || before.Sub(read) > age {
			t.Errorf("call %d: %v of %v, %v; want %s", i, got, read, err, want)
		}
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.HandleFunc("POST "+quotaPath, func(w http.ResponseWriter, r *http.Request) {
		if got := strings.TrimSpace(readBody(t, r)); got != `{"cgi_path":"`+sendPath+`"}` {
			t.Errorf("got %s", got)
		}
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":100000,"used":40,"remain":99960},"rate_limit":{"call_count":0,"refresh_second":60}}`)
	})
	got, err := serve(t, p).Quota(t.Context(), sendPath)
	if diff := cmp.Diff(Quota{Limit: 100000, Used: 40, Remain: 99960}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestPagesGetMoreTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.HandleFunc("GET "+followersPath, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(29 * time.Second):
				fmt.Fprint(w, `{"total":0,"count":0,"next_openid":""}`)
			case <-r.Context().Done():
				t.Error("given up before 30 seconds")
			}
		})
		c := newClient(t, "http://platform", func(c *Config) { c.Transport = inProcess(p) })
		if _, err := c.Followers(t.Context(), ""); err != nil {
			t.Error(err)
		}
	})
}

func TestACallThatIsNotServedIsAskedForOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	var calls atomic.Int64
	p.HandleFunc(quotaPath, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.NotFound(w, r)
	})
	if _, err := serve(t, p).Quota(t.Context(), sendPath); err == nil {
		t.Error("no error")
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
