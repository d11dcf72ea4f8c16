package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type page struct {
	Total int `json:"total"`
	Count int `json:"count"`
	Data  *struct {
		OpenID []string `json:"openid"`
	} `json:"data"`
	Next string `json:"next_openid"`
	Code int    `json:"errcode"`
}

// pages reads the whole list as a careful client does: until a page is empty or names no next one.
func pages(tb testing.TB, s *Simulator) []page {
	tb.Helper()
	token := mustToken(tb, s)
	var list []page
	for next := ""; len(list) < 50; {
		var p page
		mustCall(tb, s, http.MethodGet, pathUserGet+"?access_token="+token+"&next_openid="+next, "", &p)
		list = append(list, p)
		if next = p.Next; next == "" {
			return list
		}
	}
	tb.Fatal("the list does not end")
	return nil
}

func TestUserGet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		opts   Options
		counts []int
	}{
		{"nobody", Options{}, []int{0}},
		{"one, as real accounts end", Options{Followers: 1}, []int{1, 0}},
		{"one, as the docs end", Options{Followers: 1, EndOfList: EndEmptyNext}, []int{1}},
		{"a full page, as real accounts end", Options{Followers: 10_000}, []int{10_000, 0}},
		{"a full page, as the docs end", Options{Followers: 10_000, EndOfList: EndEmptyNext}, []int{10_000}},
		{"three pages", Options{Followers: 23_000, Admin: []string{"oAdmin"}}, []int{10_000, 10_000, 3_000, 0}},
		{"with an overlap", Options{Followers: 23_000, PageOverlap: 100}, []int{10_000, 10_000, 3_200, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustStart(t, tt.opts)
			var counts []int
			seen := make(map[string]int)
			for _, p := range pages(t, s) {
				counts = append(counts, p.Count)
				if p.Total != tt.opts.Followers {
					t.Errorf("total is %d", p.Total)
				}
				if (p.Data == nil) != (p.Count == 0) {
					t.Errorf("count is %d, data missing: %v", p.Count, p.Data == nil)
				}
				if p.Data != nil {
					if len(p.Data.OpenID) != p.Count {
						t.Errorf("count is %d, %d OpenIDs", p.Count, len(p.Data.OpenID))
					}
					for _, openID := range p.Data.OpenID {
						seen[openID]++
					}
				}
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if len(seen) != tt.opts.Followers {
				t.Errorf("%d followers are listed, want %d", len(seen), tt.opts.Followers)
			}
			for i := range tt.opts.Followers {
				if seen[s.Follower(i)] == 0 {
					t.Fatalf("follower %d is not listed", i)
				}
			}
		})
	}
}

func TestUserGetWhileTheListMoves(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 10_500, TotalDrift: 50})
	token := mustToken(t, s)
	var first, second page
	mustCall(t, s, http.MethodGet, pathUserGet+"?access_token="+token, "", &first)
	for i := range 20 {
		if err := s.Unfollow(t.Context(), s.Follower(i)); err != nil {
			t.Fatal(err)
		}
	}
	// The one who is named as the next leaves too: the list goes on behind them.
	if err := s.Unfollow(t.Context(), first.Next); err != nil {
		t.Fatal(err)
	}
	if err := s.Follow(t.Context(), "oNewcomer"); err != nil {
		t.Fatal(err)
	}
	mustCall(t, s, http.MethodGet, pathUserGet+"?access_token="+token+"&next_openid="+first.Next, "", &second)
	if first.Count != 10_000 || second.Count != 501 || second.Data.OpenID[500] != "oNewcomer" {
		t.Errorf("pages of %d and %d", first.Count, second.Count)
	}
	if first.Total == 10_500 && second.Total == 10_480 {
		t.Error("the total does not waver")
	}
	var bad page
	mustCall(t, s, http.MethodGet, pathUserGet+"?access_token="+token+"&next_openid=nobody", "", &bad)
	if bad.Code != 40003 {
		t.Errorf("an unknown next_openid answers %d, want 40003", bad.Code)
	}
}

func TestLeftAfterTheFirstSend(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 100, Left: 10})
	token := mustToken(t, s)
	list := pages(t, s)[0].Data.OpenID
	if len(list) != 100 {
		t.Fatalf("%d are listed before the first send", len(list))
	}
	codes := make(map[int]int)
	for _, openID := range list {
		codes[send(t, s, token, message(openID, "")).Code]++
	}
	if diff := cmp.Diff(map[int]int{0: 90, 43004: 10}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	if got := pages(t, s)[0]; got.Total != 90 || got.Count != 90 {
		t.Errorf("afterwards total is %d, count %d", got.Total, got.Count)
	}
}

func TestUserGetLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Followers: 1, Limits: Limits{UserGetDaily: 2}, Now: c.Now})
	pages(t, s)
	var p page
	path := pathUserGet + "?access_token=" + mustToken(t, s)
	if mustCall(t, s, http.MethodGet, path, "", &p); p.Code != 45009 {
		t.Errorf("the third of two pages answers %d, want 45009", p.Code)
	}
	if err := s.UseQuota(pathUserGet, 0); err != nil {
		t.Fatal(err)
	}
	p = page{}
	if mustCall(t, s, http.MethodGet, path, "", &p); p.Code != 0 {
		t.Errorf("with the quota given back: %d", p.Code)
	}
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 10})
	token := mustToken(t, s)
	type profile struct {
		Subscribe     int    `json:"subscribe"`
		OpenID        string `json:"openid"`
		SubscribeTime int64  `json:"subscribe_time"`
		Code          int    `json:"errcode"`
	}
	if err := s.Unfollow(t.Context(), s.Follower(4)); err != nil {
		t.Fatal(err)
	}
	for openID, want := range map[string]profile{
		s.Follower(3): {Subscribe: 1},
		s.Follower(4): {Subscribe: 0},
		"bad openid":  {Code: 40003},
	} {
		var got profile
		mustCall(t, s, http.MethodGet, pathUserInfo+"?access_token="+token+"&openid="+strings.ReplaceAll(openID, " ", "%20"), "", &got)
		if got.Subscribe != want.Subscribe || got.Code != want.Code || (got.SubscribeTime != 0) != (want.Subscribe == 1) {
			t.Errorf("%s: %+v, want %+v", openID, got, want)
		}
	}
	var batch struct {
		List []profile `json:"user_info_list"`
		Code int       `json:"errcode"`
	}
	mustCall(t, s, http.MethodPost, pathUserInfoBatch+"?access_token="+token,
		fmt.Sprintf(`{"user_list":[{"openid":%q,"lang":"zh_CN"},{"openid":%q}]}`, s.Follower(3), s.Follower(4)), &batch)
	if len(batch.List) != 2 || batch.List[0].Subscribe != 1 || batch.List[1].Subscribe != 0 {
		t.Errorf("batch: %+v", batch)
	}
	mustCall(t, s, http.MethodPost, pathUserInfoBatch+"?access_token="+token, `{"user_list":[`+strings.Repeat(`{"openid":"x"},`, 100)+`{}]}`, &batch)
	if batch.Code != 40032 {
		t.Errorf("101 people answer %d, want 40032", batch.Code)
	}
}

func BenchmarkUserGet(b *testing.B) {
	s := mustStart(b, Options{Followers: 1_000_000, Limits: Limits{UserGetDaily: -1}})
	path := pathUserGet + "?access_token=" + mustToken(b, s) + "&next_openid=" + s.Follower(500_000)
	b.ReportAllocs()
	for b.Loop() {
		call(b, s, http.MethodGet, path, "")
	}
}
