package followers

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

const (
	// askPatience is how long a reply waits for the platform's word on a person; it
	// has under five seconds as a whole.
	askPatience = 3 * time.Second
)

// Subscribed records that a person followed at a moment, and how they came to
// (the event's EventKey, or empty). Events may come late, twice and out of
// order: one that is older than what is known changes nothing. A person who said
// stop before they left is still left alone. An OpenID that is none:
// models.ErrOpenIDInvalid.
func (s *Service) Subscribed(ctx context.Context, openID string, at time.Time, scene string) error {
	if err := checkOpenID(openID); err != nil {
		return err
	}
	now := s.now()
	when := eventTime(at, now)
	return s.store.ChangeRecipient(ctx, openID, func(r *models.Recipient) {
		if r.UpdatedAt.After(when.Time) {
			return
		}
		known(r, now)
		r.Subscribed, r.SubscribedAt, r.Scene = true, when, scene
		r.ProfiledAt = models.Time{}
		r.UpdatedAt = when
	})
}

// Unsubscribed records that a person left at a moment, and erases what is
// stored about them but for the OpenID and their wish to be left alone (WeChat:
// the unsubscribe event). One who is unknown stays so, unless a sync or an import is
// under way, which may have been told already that the person follows. An event that is
// older than what is known changes nothing.
func (s *Service) Unsubscribed(ctx context.Context, openID string, at time.Time) error {
	if err := checkOpenID(openID); err != nil {
		return err
	}
	now := s.now()
	when := eventTime(at, now)
	last, err := s.store.LastSync(ctx)
	if err != nil {
		return err
	}
	importing, err := s.store.ImportOpen(ctx)
	if err != nil {
		return err
	}
	return s.store.ChangeRecipient(ctx, openID, func(r *models.Recipient) {
		if r.ID == 0 && !last.Open() && !importing || r.UpdatedAt.After(when.Time) {
			return
		}
		known(r, now)
		r.Leave(when)
	})
}

// Testers returns the test list.
func (s *Service) Testers(ctx context.Context) ([]models.Recipient, error) {
	return s.store.Testers(ctx)
}

// MaxTesters is how many people the test list may have. What goes to it is approved by
// nobody, so that it must not become a way to reach many.
const MaxTesters = 100

// AddedTester is what AddTester changed.
type AddedTester struct {
	Added bool // was not on the list before
	Named bool // got another name
}

// roomFor refuses one more on the test list than there may be.
func (s *Service) roomFor(ctx context.Context, openID string) error {
	testers, err := s.Testers(ctx)
	if err != nil || len(testers) < MaxTesters || slices.ContainsFunc(testers, func(r models.Recipient) bool { return r.OpenID == openID }) {
		return err
	}
	return models.NewError(models.Conflict, models.ErrTestersFull, "Limit", MaxTesters)
}

// AddTester puts a follower on the test list, also one who is not known yet, and gives
// them a name if it is not empty. The platform is asked about the person, as MustFollow
// does. A name that is too long is models.ErrNameTooLong, one that somebody else has
// models.ErrNameTaken, and one more on the list than there may be models.ErrTestersFull.
func (s *Service) AddTester(ctx context.Context, openID, name string) (done AddedTester, err error) {
	if err := errors.Join(checkTyped(openID), s.checkName(ctx, openID, name)); err != nil {
		return done, err
	}
	if err := s.roomFor(ctx, openID); err != nil {
		return done, err
	}
	if err := s.MustFollow(ctx, openID); err != nil {
		return done, err
	}
	now := s.now()
	err = s.store.ChangeRecipient(ctx, openID, func(r *models.Recipient) {
		follows(r, now)
		done = AddedTester{Added: !r.Tester, Named: name != "" && name != r.Name}
		r.Tester = true
		if name != "" {
			r.Name = name
		}
	})
	if err != nil {
		return AddedTester{}, err
	}
	return done, nil
}

// checkTyped returns models.ErrOpenIDInvalid for what somebody typed and is no OpenID.
func checkTyped(openID string) error {
	if !models.LikeOpenID(openID) {
		return models.NewError(models.Invalid, models.ErrOpenIDInvalid, "OpenID", models.MaskOpenID(openID))
	}
	return nil
}

// checkName tells why a person can't have a name.
func (s *Service) checkName(ctx context.Context, openID, name string) error {
	if utf8.RuneCountInString(name) > models.MaxName {
		return models.NewError(models.Invalid, models.ErrNameTooLong, "Most", int64(models.MaxName))
	}
	if name == "" {
		return nil
	}
	others, err := s.named(ctx, name)
	if err != nil {
		return err
	}
	for _, r := range others {
		if r.OpenID != openID {
			return models.NewError(models.Conflict, models.ErrNameTaken, "Name", r.Name, "OpenID", r.OpenID)
		}
	}
	return nil
}

// MustFollow asks the platform whether a person follows and returns an error unless they
// surely do: models.ErrTesterNotFollowing for whoever does not follow, or whom it does not
// know, models.ErrTesterUnchecked while it can't be asked, and models.ErrOpenIDInvalid
// for what has not the form of an OpenID.
func (s *Service) MustFollow(ctx context.Context, openID string) error {
	if err := checkTyped(openID); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	following, err := s.platform.Follows(ctx, openID)
	var refused *wechat.APIError
	switch {
	case errors.As(err, &refused):
		return models.NewError(models.Unavailable, models.ErrTesterUnchecked, "Code", refused.Code, "Reason", refused.Msg)
	case err != nil:
		s.log.WarnContext(ctx, "ask whether a person follows", "openid", models.MaskOpenID(openID), "err", err)
		return models.NewError(models.Unavailable, models.ErrTesterUnchecked, "Code", 0)
	case !following:
		return models.NewError(models.Invalid, models.ErrTesterNotFollowing)
	}
	return nil
}

// RemoveTester takes a person off the test list. One who is not on it:
// models.ErrTesterUnknown.
func (s *Service) RemoveTester(ctx context.Context, openID string) (removed bool, err error) {
	if models.ValidOpenID(openID) {
		err = s.store.ChangeRecipient(ctx, openID, func(r *models.Recipient) {
			removed = r.Tester
			r.Tester = false
		})
	}
	if err != nil {
		return false, err
	}
	if !removed {
		return false, models.NewError(models.NotFound, models.ErrTesterUnknown, "OpenID", models.MaskOpenID(openID))
	}
	return true, nil
}

// known gives one who was unknown the moment at which they became known.
func known(r *models.Recipient, now time.Time) {
	if r.ID == 0 {
		r.CreatedAt = models.At(now)
	}
}

// follows takes a person who wrote to the account, or of whom the platform says
// so, for a follower, unless an event just said that they left.
func follows(r *models.Recipient, now time.Time) {
	known(r, now)
	if at := models.KnownAt(now); !r.Subscribed && !r.UpdatedAt.After(at.Time) {
		r.Subscribed, r.UpdatedAt = true, at
	}
}

// eventTime is an event's moment; one that is missing or yet to come, which
// would outweigh all later ones, is now.
func eventTime(at, now time.Time) models.Time {
	if at.IsZero() || at.After(now) {
		at = now
	}
	return models.At(at)
}

func checkOpenID(openID string) error {
	if !models.ValidOpenID(openID) {
		return models.NewError(models.Invalid, models.ErrOpenIDInvalid, "OpenID", models.MaskOpenID(openID))
	}
	return nil
}
