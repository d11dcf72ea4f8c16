package followers

import (
	"context"
	"errors"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/importing"
	"wechat-broadcast/services/wechat"
)

// Tester is somebody for the test list.
type Tester struct {
	OpenID string
	Name   string // empty for none
}

// AddedTesters is what AddTesters did.
type AddedTesters struct {
	Added, Total int // who were not on the list before, and how many are on it
	Away         []string
	// Unmet is how many of the people are not among the followers yet, though they follow.
	Unmet int
}

// AddTesters puts at most MaxTesters people on the test list, all of them or nobody. The platform is
// asked about them; who does not follow is models.ErrTesterNotFollowing with People, or,
// with skip, is left out and returned as Away. The other errors are those of AddTester. dry
// changes nothing. Nobody becomes a follower by it: whoever is not known as one gets tests
// once a sync or a message of theirs tells that they follow.
func (s *Service) AddTesters(ctx context.Context, people []Tester, skip, dry bool) (done AddedTesters, err error) {
	openIDs := make([]string, len(people))
	for i, p := range people {
		openIDs[i] = p.OpenID
	}
	answer, err := importing.Ask(ctx, s.platform, s.log, openIDs)
	var refused *wechat.APIError
	switch {
	case errors.As(err, &refused):
		return done, models.NewError(models.Unavailable, models.ErrTesterUnchecked, "Code", refused.Code, "Reason", refused.Msg)
	case err != nil:
		return done, models.NewError(models.Unavailable, models.ErrTesterUnchecked, "Code", 0, "Reason", err.Error())
	}
	follow := map[string]bool{}
	for _, p := range answer {
		follow[p.OpenID] = p.Follows
	}
	var here []Tester
	names := map[string]string{}
	for _, p := range people {
		if !follow[p.OpenID] {
			done.Away = append(done.Away, models.MaskOpenID(p.OpenID))
			continue
		}
		if err := s.checkName(ctx, p.OpenID, p.Name); err != nil {
			return done, err
		}
		name := strings.ToLower(p.Name)
		if other := names[name]; name != "" && other != "" {
			return done, models.NewError(models.Conflict, models.ErrNameTaken, "Name", p.Name, "OpenID", other)
		}
		names[name] = p.OpenID
		here = append(here, p)
	}
	if len(done.Away) > 0 && !skip {
		return done, models.NewError(models.Invalid, models.ErrTesterNotFollowing, "Count", len(done.Away), "People", done.Away)
	}
	return s.addTesters(ctx, here, done, dry)
}

func (s *Service) addTesters(ctx context.Context, people []Tester, done AddedTesters, dry bool) (AddedTesters, error) {
	testers, err := s.Testers(ctx)
	if err != nil {
		return done, err
	}
	on := map[string]bool{}
	for _, t := range testers {
		on[t.OpenID] = true
	}
	openIDs := make([]string, len(people))
	for i, p := range people {
		if openIDs[i] = p.OpenID; !on[p.OpenID] {
			done.Added++
		}
	}
	known, err := s.store.Following(ctx, openIDs)
	if err != nil {
		return done, err
	}
	done.Unmet = len(people) - len(known)
	if done.Total = len(testers) + done.Added; done.Total > MaxTesters {
		return done, models.NewError(models.Conflict, models.ErrTestersFull, "Limit", MaxTesters)
	}
	if dry || len(people) == 0 {
		return done, nil
	}
	now := s.now()
	return done, s.store.ChangeRecipients(context.WithoutCancel(ctx), openIDs, func(i int, r *models.Recipient) {
		if r.ID == 0 { // as on a list: whatever tells that they follow is newer
			r.Stranger, r.CreatedAt = true, models.At(now)
		}
		r.Tester = true
		if people[i].Name != "" {
			r.Name = people[i].Name
		}
	})
}
