package followers

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/width"

	"wechat-broadcast/models"
)

const (
	// remarksWithin is how long everyone's remarks are searched.
	remarksWithin = 3 * time.Second
	// namesShown is how many people are found by their names; admins give few.
	namesShown = 50
)

// openIDPart is what an OpenID can begin with.
var openIDPart = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Found are the people whom a search finds.
type Found struct {
	People []models.Recipient
	// Next is the cursor of the next page; empty for none.
	Next string
	// Unread says that there was no time to search all remarks.
	Unread bool
}

// search is a search under way, with what it looks for: first names that admins gave, then
// the beginnings of OpenIDs, then remarks.
type search struct {
	text, folded string
	n            int
	Found
}

// Search finds people by what admins know of them: a part of the name that an admin gave, the
// beginning of the OpenID or all of it, or a part of the remark on the platform. It returns a
// page of about n, and cursor is Next of the page before; empty for the first.
func (s *Service) Search(ctx context.Context, text, cursor string, n int) (*Found, error) {
	text = strings.TrimSpace(width.Fold.String(text))
	f := &search{text: text, folded: strings.ToLower(text), n: n}
	if text == "" {
		return &f.Found, nil
	}
	kind, after := "", ""
	if cursor != "" {
		kind, after = cursor[:1], cursor[1:]
	}
	if kind != "o" && kind != "r" {
		kind, after = "o", ""
		if err := s.searchNames(ctx, f); err != nil {
			return nil, err
		}
	}
	if kind == "o" {
		done, err := s.searchOpenIDs(ctx, f, after)
		if err != nil || !done {
			return &f.Found, err
		}
		after = "0"
	}
	id, _ := strconv.ParseInt(after, 10, 64) // what is no number begins anew
	return &f.Found, s.searchRemarks(ctx, f, id)
}

func (f *search) named(r models.Recipient) bool {
	return strings.Contains(strings.ToLower(width.Fold.String(r.Name)), f.folded)
}

func (f *search) begins(r models.Recipient) bool { return strings.HasPrefix(r.OpenID, f.text) }

func (s *Service) searchNames(ctx context.Context, f *search) error {
	all, err := s.store.Named(ctx)
	for _, r := range all {
		if f.named(r) && len(f.People) < namesShown {
			f.People = append(f.People, r)
		}
	}
	return err
}

// searchOpenIDs adds people by their OpenIDs, and tells whether there are no more of them.
func (s *Service) searchOpenIDs(ctx context.Context, f *search, after string) (done bool, err error) {
	if !openIDPart.MatchString(f.text) {
		return true, nil
	}
	for len(f.People) < f.n {
		want := f.n - len(f.People)
		page, err := s.store.PeopleByOpenID(ctx, f.text, after, want)
		if err != nil {
			return false, err
		}
		for _, r := range page {
			after = r.OpenID
			if !f.named(r) { // found before
				f.People = append(f.People, r)
			}
		}
		if len(page) < want {
			return true, nil
		}
	}
	f.Next = "o" + after
	return false, nil
}

func (s *Service) searchRemarks(ctx context.Context, f *search, after int64) error {
	reading, cancel := context.WithTimeout(ctx, remarksWithin)
	defer cancel()
	for len(f.People) < f.n {
		want := f.n - len(f.People)
		page, err := s.store.PeopleByRemark(reading, f.text, after, want)
		switch {
		case err != nil && reading.Err() != nil && ctx.Err() == nil:
			f.Unread = true
			return nil
		case err != nil:
			return err
		}
		for _, r := range page {
			after = r.ID
			if !f.named(r) && !f.begins(r) {
				f.People = append(f.People, r)
			}
		}
		if len(page) < want {
			return nil
		}
	}
	f.Next = "r" + strconv.FormatInt(after, 10)
	return nil
}
