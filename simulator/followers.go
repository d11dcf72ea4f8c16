package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// pageSize is how many followers one call of user/get gives at most.
const pageSize = 10_000

var errOpenID = errors.New("an OpenID must be of letters, digits, - and _")

// Follower is the OpenID of the i-th follower of the start, from 0 and below Options.Followers, admins last; it panics
// for any other. Followers 0 and 1, 50 and 51 and so on are two people whose OpenIDs differ only in case.
func (s *Simulator) Follower(i int) string {
	if i < 0 || i >= int(s.people.size()) {
		panic(fmt.Sprintf("simulator: there is no follower %d", i))
	}
	return s.people.openID(uint32(i)) //nolint:gosec // just checked
}

// Follow lets someone follow the account, for the first time or again, and tells the callback.
func (s *Simulator) Follow(ctx context.Context, openID string) error {
	if !plain(openID) {
		return errOpenID
	}
	id := s.people.move(openID, true)
	s.people.cameBy(id, "")
	s.windows.touched(id, s.opts.Now())
	return s.tellEvent(ctx, openID, "subscribe")
}

// Unfollow lets someone leave the account and tells the callback.
func (s *Simulator) Unfollow(ctx context.Context, openID string) error {
	if !plain(openID) {
		return errOpenID
	}
	s.people.move(openID, false)
	return s.tellEvent(ctx, openID, "unsubscribe")
}

// Block lets someone refuse the account's template messages, or take them again, without leaving: sends are accepted,
// and the receipt says failed:user block. Nobody is told. The error is for an OpenID that never followed.
func (s *Simulator) Block(openID string, blocks bool) error {
	id, known := s.people.id(openID)
	if !known {
		return errors.New("there is no such follower")
	}
	s.people.block(id, blocks)
	return nil
}

// Remark gives someone the name by which the account's console lists them, which user/info tells. The error is for an
// OpenID that never followed.
func (s *Simulator) Remark(openID, remark string) error {
	id, known := s.people.id(openID)
	if !known {
		return errors.New("there is no such follower")
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	s.people.remarks[id] = remark
	return nil
}

// userGet serves GET /cgi-bin/user/get (WeChat: getFans docs).
func (s *Simulator) userGet(w http.ResponseWriter, r *http.Request, _ []byte) int {
	next := r.URL.Query().Get("next_openid")
	start := uint32(0)
	if next != "" {
		id, known := s.people.id(next)
		if !known {
			return 40003
		}
		start = id + 1
	}
	s.tally.pages.Add(1)
	ids := s.page(start)
	call := s.calls.Add(1)
	total := int64(s.people.total())
	if drift := int64(s.opts.TotalDrift); drift > 0 {
		chance := newRNG(s.opts.Seed, call)
		total = max(0, total+chance.between(-drift, drift))
	}
	s.tally.code(0)
	answer := followerPage{Total: total, Count: len(ids)}
	for _, id := range ids {
		answer.Data.OpenIDs = append(answer.Data.OpenIDs, s.people.openID(id))
	}
	if len(ids) > 0 && (s.opts.EndOfList == EndExtraPage || s.followsAfter(ids[len(ids)-1])) {
		answer.Next = answer.Data.OpenIDs[len(ids)-1]
	}
	writeValue(w, answer)
	return 0
}

// followerPage is the answer of user/get. One without followers has no data.
type followerPage struct {
	Total int64 `json:"total"`
	Count int   `json:"count"`
	Data  struct {
		OpenIDs []string `json:"openid"`
	} `json:"data,omitzero"`
	Next string `json:"next_openid"`
}

// page gives the ids of a page that starts at start. The overlap is taken from those before it, and only if the page
// has somebody new.
func (s *Simulator) page(start uint32) []uint32 {
	ids := make([]uint32, 0, pageSize)
	for back := start; back > 0 && len(ids) < s.opts.PageOverlap; back-- {
		if s.people.follows(back - 1) {
			ids = append(ids, back-1)
		}
	}
	slices.Reverse(ids)
	overlap := len(ids)
	for id, size := start, s.people.size(); id < size && len(ids) < pageSize; id++ {
		if s.people.follows(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == overlap {
		return nil
	}
	return ids
}

func (s *Simulator) followsAfter(id uint32) bool {
	for next, size := id+1, s.people.size(); next < size; next++ {
		if s.people.follows(next) {
			return true
		}
	}
	return false
}

// userInfo serves GET /cgi-bin/user/info (WeChat: getUserInfo docs).
func (s *Simulator) userInfo(w http.ResponseWriter, r *http.Request, _ []byte) int {
	info, code := s.info(r.URL.Query().Get("openid"))
	if code != 0 {
		return code
	}
	s.tally.code(0)
	writeValue(w, info)
	return 0
}

// info is the profile of one person, or the error code.
func (s *Simulator) info(openID string) (profile any, code int) {
	id, known := s.people.id(openID)
	if !known && !wellFormed(openID) {
		return nil, 40003
	}
	if !known || !s.people.follows(id) {
		return map[string]any{"subscribe": 0, "openid": openID}, 0
	}
	return map[string]any{
		"subscribe": 1, "openid": openID, "language": "zh_CN", "subscribe_time": s.started.Unix() - int64(id%31_536_000),
		"remark": s.people.remark(id), "groupid": 0, "tagid_list": s.marks.of(id), "subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene": 0, "qr_scene_str": s.people.scene(id),
	}, 0
}

// userInfoBatch serves POST /cgi-bin/user/info/batchget, at most 100 people (WeChat: batchGetUserInfo docs).
func (s *Simulator) userInfoBatch(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		List []struct {
			OpenID string `json:"openid"`
		} `json:"user_list"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	if len(ask.List) == 0 || len(ask.List) > 100 {
		return 40032
	}
	var profiles []any
	for _, user := range ask.List {
		profile, code := s.info(user.OpenID)
		if code != 0 {
			return code
		}
		profiles = append(profiles, profile)
	}
	s.tally.code(0)
	writeValue(w, map[string]any{"user_info_list": profiles})
	return 0
}
