package simulator

import (
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"
)

const (
	tagsAtMost     = 100  // WeChat: tags/create docs
	tagNameAtMost  = 30   // characters
	firstTag       = 100  // system tags have lower ids
	blacklistPage  = 1000 // WeChat: getblacklist docs
	defaultTagPage = 10_000
)

// Tag is a tag of the account.
type Tag struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Count int    `json:"count"` // followers who have it
}

// set is a set of ids, a bit for each: 200,000 of a million people take 125 kB.
type set []uint64

func (s *set) add(id uint32) {
	if short := int(id/64) + 1 - len(*s); short > 0 {
		*s = append(*s, make(set, short)...)
	}
	(*s)[id/64] |= 1 << (id % 64)
}

func (s set) remove(id uint32) {
	if int(id/64) < len(s) {
		s[id/64] &^= 1 << (id % 64)
	}
}

func (s set) has(id uint32) bool { return int(id/64) < len(s) && s[id/64]&(1<<(id%64)) != 0 }

// from yields the ids from one on, in order.
func (s set) from(id uint32) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for word := int(id / 64); word < len(s); word++ {
			rest := s[word]
			if word == int(id/64) {
				rest &= ^uint64(0) << (id % 64)
			}
			for ; rest != 0; rest &= rest - 1 {
				if !yield(uint32(word*64 + bits.TrailingZeros64(rest))) { //nolint:gosec // ids have 32 bits
					return
				}
			}
		}
	}
}

// marks are what the account's operator makes of people: tags and the blacklist.
type marks struct {
	mu        sync.RWMutex
	tags      []*tag
	last      int // the last id of a tag
	page      int // how many people a page of user/tag/get has
	blacklist set
}

type tag struct {
	id     int
	name   string
	people set
}

func newMarks() *marks { return &marks{last: firstTag - 1, page: defaultTagPage} }

// find gives a tag by its id, nil for none. The caller holds mu.
func (m *marks) find(id int) *tag {
	i := slices.IndexFunc(m.tags, func(t *tag) bool { return t.id == id })
	if i < 0 {
		return nil
	}
	return m.tags[i]
}

func (m *marks) blacklisted(id uint32) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.blacklist.has(id)
}

// of lists the tags of a person.
func (m *marks) of(id uint32) []int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := []int{}
	for _, t := range m.tags {
		if t.people.has(id) {
			list = append(list, t.id)
		}
	}
	return list
}

// checkName is why no tag but one may have a name, nil if it may.
func (m *marks) checkName(name string, but int) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > tagNameAtMost:
		return fmt.Errorf("a tag's name has 1 to %d characters", tagNameAtMost)
	case slices.ContainsFunc(m.tags, func(t *tag) bool { return t.name == name && t.id != but }):
		return fmt.Errorf("there is a tag %q", name)
	}
	return nil
}

// CreateTag makes a tag and gives its id.
func (s *Simulator) CreateTag(name string) (int, error) {
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkName(name, 0); err != nil {
		return 0, err
	}
	if len(m.tags) >= tagsAtMost {
		return 0, fmt.Errorf("there are %d tags, and no more may be", tagsAtMost)
	}
	m.last++
	m.tags = append(m.tags, &tag{id: m.last, name: name})
	return m.last, nil
}

var errNoTag = errors.New("there is no such tag")

// RenameTag gives a tag another name. Its id stays.
func (s *Simulator) RenameTag(id int, name string) error {
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.find(id)
	if t == nil {
		return errNoTag
	}
	if err := m.checkName(name, id); err != nil {
		return err
	}
	t.name = name
	return nil
}

// DeleteTag deletes a tag; those who had it have it no more.
func (s *Simulator) DeleteTag(id int) error {
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.tags)
	m.tags = slices.DeleteFunc(m.tags, func(t *tag) bool { return t.id == id })
	if len(m.tags) == before {
		return errNoTag
	}
	return nil
}

// TagPeople gives people a tag, or takes it from them. The error is for a tag or an OpenID that does not exist; then
// nobody is changed.
func (s *Simulator) TagPeople(id int, tagged bool, openIDs ...string) error {
	ids, err := s.known(openIDs)
	if err != nil {
		return err
	}
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.find(id)
	if t == nil {
		return errNoTag
	}
	mark(&t.people, tagged, ids)
	return nil
}

// SpreadTag gives a tag to n of the followers of the start, spread evenly over the list, and takes it from all others.
func (s *Simulator) SpreadTag(id, n int) error {
	total := uint64(s.people.generated)
	if n < 0 || uint64(n) > total {
		return fmt.Errorf("there are %d followers to spread a tag over", total)
	}
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.find(id)
	if t == nil {
		return errNoTag
	}
	t.people = make(set, total/64+1)
	for i := range uint64(n) {
		t.people.add(uint32(i * total / uint64(n))) //nolint:gosec // below generated
	}
	return nil
}

// SetTagPage sets how many people a page of user/tag/get has; below 1 is the usual size.
func (s *Simulator) SetTagPage(size int) {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.page = size
	if size < 1 {
		s.marks.page = defaultTagPage
	}
}

// Blacklist puts people on the account's blacklist, or takes them off it: sends to them answer 43019. The error is for
// an OpenID that never followed; then nobody is changed.
func (s *Simulator) Blacklist(listed bool, openIDs ...string) error {
	ids, err := s.known(openIDs)
	if err != nil {
		return err
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	mark(&s.marks.blacklist, listed, ids)
	return nil
}

func mark(people *set, in bool, ids []uint32) {
	for _, id := range ids {
		if in {
			people.add(id)
		} else {
			people.remove(id)
		}
	}
}

// known gives the ids of people.
func (s *Simulator) known(openIDs []string) ([]uint32, error) {
	ids := make([]uint32, len(openIDs))
	for i, openID := range openIDs {
		id, known := s.people.id(openID)
		if !known {
			return nil, fmt.Errorf("nobody with the OpenID %q ever followed", openID)
		}
		ids[i] = id
	}
	return ids, nil
}

// Tags lists the account's tags in the order of their ids.
func (s *Simulator) Tags() []Tag {
	s.marks.mu.RLock()
	defer s.marks.mu.RUnlock()
	list := make([]Tag, len(s.marks.tags))
	for i, t := range s.marks.tags {
		list[i] = Tag{ID: t.id, Name: t.name}
		for id := range t.people.from(0) {
			if s.people.follows(id) {
				list[i].Count++
			}
		}
	}
	return list
}

// listTags serves GET /cgi-bin/tags/get, which has no errcode on success (WeChat: getTags docs).
func (s *Simulator) listTags(w http.ResponseWriter, _ *http.Request, _ []byte) int {
	s.tally.code(0)
	writeValue(w, map[string]any{"tags": s.Tags()})
	return 0
}

// peoplePage is the answer of user/tag/get and getblacklist. One without people has no data.
type peoplePage struct {
	Total *int `json:"total,omitempty"` // of the blacklist alone
	Count int  `json:"count"`
	Data  struct {
		OpenIDs []string `json:"openid"`
	} `json:"data,omitzero"`
	Next string `json:"next_openid"`
}

// pageOf lists the next people of a set who follow, at most size.
func (s *Simulator) pageOf(people set, start uint32, size int) (page peoplePage) {
	for id := range people.from(start) {
		if s.people.follows(id) {
			page.Data.OpenIDs = append(page.Data.OpenIDs, s.people.openID(id))
		}
		if len(page.Data.OpenIDs) == size {
			break
		}
	}
	page.Count = len(page.Data.OpenIDs)
	if page.Count > 0 {
		page.Next = page.Data.OpenIDs[page.Count-1]
	}
	return page
}

// start is the id behind the person at whom the page before ended, or the code for somebody unknown.
func (s *Simulator) start(next string) (uint32, int) {
	if next == "" {
		return 0, 0
	}
	id, known := s.people.id(next)
	if !known {
		return 0, 40003
	}
	return id + 1, 0
}

// listTagged serves POST /cgi-bin/user/tag/get (WeChat: getTagFans docs). The end is an empty page, or an empty
// next_openid, as that of user/get is.
func (s *Simulator) listTagged(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		Tag  int    `json:"tagid"`
		Next string `json:"next_openid"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	from, code := s.start(ask.Next)
	if code != 0 {
		return code
	}
	s.marks.mu.RLock()
	defer s.marks.mu.RUnlock()
	t := s.marks.find(ask.Tag)
	if t == nil {
		return 45159
	}
	page := s.pageOf(t.people, from, s.marks.page)
	if page.Count < s.marks.page && s.opts.EndOfList == EndEmptyNext {
		page.Next = ""
	}
	s.tally.code(0)
	writeValue(w, page)
	return 0
}

// listBlacklist serves POST /cgi-bin/tags/members/getblacklist (WeChat: getBlacklist docs).
func (s *Simulator) listBlacklist(w http.ResponseWriter, _ *http.Request, body []byte) int {
	var ask struct {
		Begin string `json:"begin_openid"`
	}
	if !readJSON(body, &ask) {
		return 47001
	}
	from, code := s.start(ask.Begin)
	if code != 0 {
		return code
	}
	s.marks.mu.RLock()
	defer s.marks.mu.RUnlock()
	total := 0
	for id := range s.marks.blacklist.from(0) {
		if s.people.follows(id) {
			total++
		}
	}
	page := s.pageOf(s.marks.blacklist, from, blacklistPage)
	page.Total = &total
	s.tally.code(0)
	writeValue(w, page)
	return 0
}
