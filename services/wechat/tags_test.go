package wechat

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTags(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer(tagsPath, `{"tags":[{"id":2,"name":"星标组","count":0},{"id":"134","name":"员工","count":"12"}]}`)
	got, err := serve(t, p).Tags(t.Context())
	want := []Tag{{ID: 2, Name: "星标组"}, {ID: 134, Name: "员工", Count: 12}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// An answer that could pass for an empty list is none: those who were to be left out
// would be sent to.
func TestAListOfPeopleThatIsNotTold(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":            `{}`,
		"a count and no one": `{"count":2,"next_openid":"oB"}`,
		"a code":             `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`,
		"no JSON":            `<html>`,
	} {
		p := newPlatform()
		for _, path := range []string{tagsPath, taggedPath, blacklistPath, interceptedPath} {
			p.answer(path, body)
		}
		c, ctx := serve(t, p), t.Context()
		for what, list := range map[string]func() (any, error){
			"tags":        func() (any, error) { return c.Tags(ctx) },
			"tagged":      func() (any, error) { return c.Tagged(ctx, 1, "") },
			"blacklist":   func() (any, error) { return c.Blacklist(ctx, "") },
			"intercepted": func() (any, error) { return c.Intercepted(ctx, "TPL", 0) },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				if got, err := list(); err == nil {
					t.Errorf("got %v", got)
				}
			})
		}
	}
}

func TestPagesOfPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       PeoplePage
	}{
		{"a page", `{"count":2,"data":{"openid":["oA","oB"]},"next_openid":"oB"}`, PeoplePage{OpenIDs: []string{"oA", "oB"}, Next: "oB"}},
		{"the last, as the docs end", `{"count":1,"data":{"openid":["oA"]},"next_openid":""}`, PeoplePage{OpenIDs: []string{"oA"}, Last: true}},
		{"behind the last", `{"count":0,"next_openid":""}`, PeoplePage{Last: true}},
		{"behind the last, with its cursor", `{"count":0,"next_openid":"oB"}`, PeoplePage{Next: "oB", Last: true}},
		{"with a total", `{"total":1001,"count":1,"data":{"openid":["oA"]},"next_openid":"oA"}`, PeoplePage{Total: 1001, OpenIDs: []string{"oA"}, Next: "oA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var bodies []string
			p := newPlatform()
			take := func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, r.Method+" "+string(body))
				_, _ = io.WriteString(w, c.body)
			}
			p.HandleFunc(taggedPath, take)
			p.HandleFunc(blacklistPath, take)
			client := serve(t, p)
			tagged, err1 := client.Tagged(t.Context(), 134, "oX")
			blacklist, err2 := client.Blacklist(t.Context(), "oX")
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			for _, got := range []PeoplePage{tagged, blacklist} {
				if diff := cmp.Diff(c.want.OpenIDs, got.OpenIDs); diff != "" || got.Next != c.want.Next || got.Last != c.want.Last || got.Total != c.want.Total {
					t.Errorf("%+v, want %+v", got, c.want)
				}
			}
			want := []string{"POST {\"tagid\":134,\"next_openid\":\"oX\"}\n", "POST {\"begin_openid\":\"oX\"}\n"}
			if diff := cmp.Diff(want, bodies); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIntercepted(t *testing.T) {
	t.Parallel()
	one := Interception{ID: 7, OpenID: "oA", SentAt: time.Unix(1_764_000_000, 0)}
	for name, c := range map[string]struct {
		body string
		want []Interception
	}{
		"an array":        {`{"errcode":0,"errmsg":"ok","msginfo":[{"id":7,"tmpl_msg_id":"TPL","title":"t","content":"c","send_timestamp":1764000000,"openid":"oA"}]}`, []Interception{one}},
		"an object":       {`{"errcode":0,"msginfo":{"id":"7","tmpl_msg_id":"TPL","send_timestamp":"1764000000","openid":"oA"}}`, []Interception{one}},
		"milliseconds":    {`{"errcode":0,"msginfo":[{"id":7,"send_timestamp":1764000000123,"openid":"oA"}]}`, []Interception{one}},
		"none":            {`{"errcode":0,"errmsg":"ok","msginfo":[]}`, nil},
		"an empty object": {`{"errcode":0,"errmsg":"ok","msginfo":{}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			var ask map[string]any
			p.HandleFunc(interceptedPath, func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewDecoder(r.Body).Decode(&ask)
				_, _ = io.WriteString(w, c.body)
			})
			got, err := serve(t, p).Intercepted(t.Context(), "TPL", 6)
			if err != nil || len(got) != len(c.want) || len(got) == 1 && got[0] != c.want[0] {
				t.Errorf("%v, %v, want %v", got, err, c.want)
			}
			if diff := cmp.Diff(map[string]any{"tmpl_msg_id": "TPL", "largest_id": 6., "limit": 100.}, ask); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATagThatIsGone(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer(taggedPath, `{"errcode":45159,"errmsg":"invalid tag id rid: 1"}`)
	_, err := serve(t, p).Tagged(t.Context(), 134, "")
	var refused *APIError
	if !errors.As(err, &refused) || refused.Code != CodeInvalidTag {
		t.Error(err)
	}
}
