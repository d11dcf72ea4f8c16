package simulator

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tagged reads all with a tag as a careful client does.
func tagged(tb testing.TB, s *Simulator, id int) (openIDs []string, counts []int) {
	tb.Helper()
	token := mustToken(tb, s)
	for next := ""; len(counts) < 100; {
		var p page
		mustCall(tb, s, http.MethodPost, pathTagged+"?access_token="+token, fmt.Sprintf(`{"tagid":%d,"next_openid":%q}`, id, next), &p)
		if p.Code != 0 {
			tb.Fatalf("code %d", p.Code)
		}
		counts = append(counts, p.Count)
		if p.Data != nil {
			openIDs = append(openIDs, p.Data.OpenID...)
		}
		if next = p.Next; next == "" || p.Count == 0 {
			return openIDs, counts
		}
	}
	tb.Fatal("the list does not end")
	return nil, nil
}

func TestTaggedFollowersArePaged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		end    string
		counts []int
	}{{EndExtraPage, []int{3, 3, 1, 0}}, {EndEmptyNext, []int{3, 3, 1}}} {
		s := mustStart(t, Options{Followers: 70, EndOfList: tt.end})
		id, err := s.CreateTag("员工")
		if err != nil {
			t.Fatal(err)
		}
		s.SetTagPage(3)
		if err := s.SpreadTag(id, 7); err != nil {
			t.Fatal(err)
		}
		got, counts := tagged(t, s, id)
		var want []string
		for i := range 7 {
			want = append(want, s.Follower(i*10))
		}
		if !slices.Equal(got, want) || !slices.Equal(counts, tt.counts) {
			t.Errorf("%s: %v in pages of %v", tt.end, got, counts)
		}
	}
}

// Whoever leaves is listed no more, whoever is untagged neither; a tag keeps its id under another name.
func TestTagsChange(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 5})
	id, err := s.CreateTag("员工")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateTag("员工"); err == nil {
		t.Error("two tags have one name")
	}
	if err := s.TagPeople(id, true, s.Follower(0), s.Follower(1), s.Follower(2)); err != nil {
		t.Fatal(err)
	}
	if err := s.TagPeople(id, false, s.Follower(1)); err != nil {
		t.Fatal(err)
	}
	s.people.move(s.Follower(2), false)
	if err := s.RenameTag(id, "同事"); err != nil {
		t.Fatal(err)
	}
	if got, _ := tagged(t, s, id); !slices.Equal(got, []string{s.Follower(0)}) {
		t.Errorf("tagged: %v", got)
	}
	token := mustToken(t, s)
	var list struct{ Tags []Tag }
	mustCall(t, s, http.MethodGet, pathTags+"?access_token="+token, "", &list)
	if diff := cmp.Diff([]Tag{{id, "同事", 1}}, list.Tags); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var info struct {
		Tags []int `json:"tagid_list"`
	}
	mustCall(t, s, http.MethodGet, pathUserInfo+"?access_token="+token+"&openid="+s.Follower(0), "", &info)
	if !slices.Equal(info.Tags, []int{id}) {
		t.Errorf("user/info tells %v", info.Tags)
	}
	if err := s.DeleteTag(id); err != nil {
		t.Fatal(err)
	}
	var a answer
	mustCall(t, s, http.MethodPost, pathTagged+"?access_token="+token, fmt.Sprintf(`{"tagid":%d}`, id), &a)
	if a.Code != 45159 {
		t.Errorf("a deleted tag answers %d", a.Code)
	}
}

func TestTheBlacklist(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1500})
	var all []string
	for i := range 1200 {
		all = append(all, s.Follower(i))
	}
	if err := s.Blacklist(true, all...); err != nil {
		t.Fatal(err)
	}
	if err := s.Blacklist(false, s.Follower(0)); err != nil {
		t.Fatal(err)
	}
	token := mustToken(t, s)
	var got []string
	for next, pages := "", 0; pages < 4; pages++ {
		var p page
		mustCall(t, s, http.MethodPost, pathBlacklist+"?access_token="+token, fmt.Sprintf(`{"begin_openid":%q}`, next), &p)
		if p.Total != 1199 || p.Count > 1000 {
			t.Fatalf("%d of %d on a page", p.Count, p.Total)
		}
		if p.Count == 0 {
			break
		}
		got, next = append(got, p.Data.OpenID...), p.Next
	}
	if !slices.Equal(got, all[1:]) {
		t.Errorf("%d are listed", len(got))
	}
	for i, code := range []int{0, 43019} {
		var a answer
		mustCall(t, s, http.MethodPost, pathSend+"?access_token="+token, message(s.Follower(i), "1"), &a)
		if a.Code != code {
			t.Errorf("a send to follower %d answers %d", i, a.Code)
		}
	}
}

func TestInterceptedMessagesAreListed(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 700})
	s.Intercept(noticeID, Intercepting{Every: 3})
	token := mustToken(t, s)
	for i := range 700 {
		var a answer
		mustCall(t, s, http.MethodPost, pathSend+"?access_token="+token, message(s.Follower(i), "1"), &a)
		if a.Code != 0 {
			t.Fatal(a.Text)
		}
	}
	seen := map[string]bool{}
	for largest, pages := int64(0), 0; pages < 5; pages++ {
		var list struct {
			Info []struct {
				ID     int64
				OpenID string
			} `json:"msginfo"`
		}
		ask := fmt.Sprintf(`{"tmpl_msg_id":%q,"largest_id":%d,"limit":100}`, noticeID, largest)
		mustCall(t, s, http.MethodPost, pathIntercepted+"?access_token="+token, ask, &list)
		for _, m := range list.Info {
			seen[m.OpenID], largest = true, m.ID
		}
	}
	if len(seen) != 233 || !seen[s.Follower(2)] || seen[s.Follower(0)] {
		t.Errorf("%d are listed", len(seen))
	}
}

func TestTagsByCommand(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 10})
	var made struct{ ID int }
	mustCall(t, s, http.MethodPost, "/_sim/tag", fmt.Sprintf(`{"name":"vip","spread":2,"add":[%q]}`, s.Follower(1)), &made)
	var list []Tag
	mustCall(t, s, http.MethodGet, "/_sim/tags", "", &list)
	if diff := cmp.Diff([]Tag{{made.ID, "vip", 3}}, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if status, text := call(t, s, http.MethodPost, "/_sim/blacklist", `{"add":["oNobody"]}`); status != http.StatusBadRequest || !strings.Contains(string(text), "oNobody") {
		t.Errorf("%d %s", status, text)
	}
}

func TestATagOfManyIsCheap(t *testing.T) {
	s := mustStart(t, Options{Followers: 1_000_000})
	id, err := s.CreateTag("many")
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := s.SpreadTag(id, 200_000); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("it takes %d bytes", grown)
	}
	if got, counts := tagged(t, s, id); len(got) != 200_000 || len(counts) != 21 {
		t.Errorf("%d in pages of %v", len(got), counts)
	}
}
