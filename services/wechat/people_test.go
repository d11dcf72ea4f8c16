package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.answer(peoplePath, `{"user_info_list":[
		{"subscribe":1,"openid":"oA","subscribe_time":1434093047,"remark":"李老师","subscribe_scene":"ADD_SCENE_SEARCH","qr_scene":0,"qr_scene_str":""},
		{"subscribe":"1","openid":"oB","subscribe_time":"1434093047","remark":"","subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""},
		{"subscribe":1,"openid":"oC","subscribe_time":99999999999999,"remark":null,"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":"0","qr_scene_str":"door-3"},
		{"subscribe":0,"openid":"oD"}]}`)
	got, err := serve(t, p).People(t.Context(), []string{"oA", "oB", "oC", "oD"})
	since := time.Unix(1_434_093_047, 0)
	want := []Person{
		{OpenID: "oA", Follows: true, SubscribedAt: since, Scene: "ADD_SCENE_SEARCH", Remark: "李老师"},
		{OpenID: "oB", Follows: true, SubscribedAt: since, Scene: "qrscene_98765"},
		{OpenID: "oC", Follows: true, Scene: "qrscene_door-3"},
		{OpenID: "oD"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestPeopleThatAreNotTold(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no list":       `{}`,
		"half a person": `{"user_info_list":[{"openid":"oA"}]}`,
		"refused":       `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			p.answer(peoplePath, body)
			if got, err := serve(t, p).People(t.Context(), []string{"oA"}); err == nil {
				t.Errorf("got %v", got)
			}
		})
	}
}

// One OpenID that the platform does not know has a call refused; the others are
// told all the same. A platform that knows none is not asked for each.
func TestPeopleAmongWhomOneIsUnknown(t *testing.T) {
	t.Parallel()
	calls := 0
	unknown := []string{"o13", "o77"}
	p := newPlatform()
	p.HandleFunc(peoplePath, func(w http.ResponseWriter, r *http.Request) {
		calls++
		var ask struct {
			List []struct {
				OpenID string `json:"openid"`
			} `json:"user_list"`
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || len(ask.List) > 100 {
			t.Error(len(ask.List), err)
		}
		var list []map[string]any
		for _, one := range ask.List {
			if unknown == nil || slices.Contains(unknown, one.OpenID) {
				fmt.Fprint(w, `{"errcode":40003,"errmsg":"invalid openid"}`)
				return
			}
			list = append(list, map[string]any{"openid": one.OpenID, "subscribe": 1})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"user_info_list": list})
	})
	c := serve(t, p)
	var openIDs []string
	for i := range 100 {
		openIDs = append(openIDs, fmt.Sprintf("o%d", i))
	}
	got, err := c.People(t.Context(), openIDs)
	if err != nil || len(got) != 98 || calls > 30 {
		t.Errorf("%d people in %d calls, %v, want 98", len(got), calls, err)
	}
	unknown, calls = nil, 0
	var refused *APIError
	if _, err := c.People(t.Context(), openIDs); !errors.As(err, &refused) || refused.Code != 40003 || calls > 60 {
		t.Errorf("%v after %d calls, want the refusal", err, calls)
	}
}
