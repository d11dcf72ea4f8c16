package followers

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/width"

	"wechat-broadcast/models"
)

const (
	// sentAmong is how many of the latest broadcasts are looked through for what a person
	// was sent, and sentAtMost how many are told.
	sentAmong  = 50
	sentAtMost = 10
	// whoPatience is how long a reply waits for the platform's word on somebody unknown.
	whoPatience = 2 * time.Second
)

// masked is an OpenID as logs show it, however its dots were typed.
var masked = regexp.MustCompile(`^([^….]{4})[….]+([^….]{3})$`)

// Means tells whether an admin who writes text may mean the person with that OpenID and
// name: by either, or by the OpenID as logs show it. Of names, case and width don't
// matter.
func Means(text, openID, name string) bool {
	narrow := width.Fold.String(text)
	parts := masked.FindStringSubmatch(narrow)
	return narrow == openID || sameName(text, name) || parts != nil && models.MaskOpenID(openID) == parts[1]+"…"+parts[2]
}

func sameName(a, b string) bool {
	return b != "" && strings.EqualFold(width.Fold.String(a), width.Fold.String(b))
}

// Find returns the person that an admin means: by their OpenID, by the name that an admin
// gave them, or by the OpenID as logs show it. Nobody is an Error
// models.ErrPersonUnknown, more than one models.ErrPersonAmbiguous.
func (s *Service) Find(ctx context.Context, text string) (*models.Recipient, error) {
	openID := width.Fold.String(text)
	if models.ValidOpenID(openID) {
		r, err := s.store.FindRecipient(ctx, openID)
		if err != nil || r != nil {
			return r, err
		}
	}
	found, err := s.named(ctx, text)
	if parts := masked.FindStringSubmatch(openID); err == nil && len(found) == 0 && parts != nil {
		found, err = s.store.MatchOpenID(ctx, parts[1], parts[2], sentAtMost)
	}
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, models.NewError(models.NotFound, models.ErrPersonUnknown)
	case len(found) > 1:
		var people []string
		for _, r := range found {
			people = append(people, r.OpenID)
		}
		return nil, models.NewError(models.Conflict, models.ErrPersonAmbiguous, "People", people)
	}
	return &found[0], nil
}

// Names returns the names that admins gave to people, by OpenID.
func (s *Service) Names(ctx context.Context) (map[string]string, error) {
	all, err := s.store.Named(ctx)
	names := map[string]string{}
	for _, r := range all {
		names[r.OpenID] = r.Name
	}
	return names, err
}

// named returns the people with a name.
func (s *Service) named(ctx context.Context, name string) ([]models.Recipient, error) {
	all, err := s.store.Named(ctx)
	if err != nil {
		return nil, err
	}
	var found []models.Recipient
	for _, r := range all {
		if sameName(name, r.Name) {
			found = append(found, r)
		}
	}
	return found, nil
}

// Known is what is known of a person.
type Known struct {
	// Recipient has ID 0 if nothing is stored about the OpenID.
	models.Recipient
	// Topics are those that the person is in.
	Topics []models.Topic
	// Sent are the last broadcasts that tried the person, the newest first.
	Sent []models.Sent
	// Gone is the newest broadcast of which it is not known any more whether it tried the
	// person, since its deliveries are deleted; 0 for none.
	Gone int64
	// CappedUntil is when the cap on messages per person allows the next one; zero if it
	// does now. Cap is that cap.
	CappedUntil time.Time
	Cap         models.Cap
	// Asked says of somebody who was never known to follow that the platform said whether
	// they follow, and Follows what it said.
	Asked, Follows bool
}

// Who returns what is known of the person that an admin means, as Find finds them. Of an
// OpenID about which nothing is stored, or that is only on a list, the platform is asked.
func (s *Service) Who(ctx context.Context, text string) (*Known, error) {
	s.heardSoFar(ctx)
	r, err := s.Find(ctx, text)
	var none *models.Error
	if openID := width.Fold.String(text); errors.As(err, &none) && none.Code == models.ErrPersonUnknown && models.LikeOpenID(openID) {
		return s.askWho(ctx, openID), nil
	}
	if err != nil {
		return nil, err
	}
	if r.Stranger { // it was never sent anything
		k := s.askWho(ctx, r.OpenID)
		k.Recipient = *r
		return k, nil
	}
	topics, err := s.store.TopicsOf(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	sent, gone, err := s.store.SentTo(ctx, r.ID, sentAmong, sentAtMost)
	if err != nil {
		return nil, err
	}
	until, err := s.store.CappedUntil(ctx, r.ID, s.limit, s.now())
	return &Known{Recipient: *r, Topics: topics, Sent: sent, Gone: gone, CappedUntil: until, Cap: s.limit}, err
}

func (s *Service) askWho(ctx context.Context, openID string) *Known {
	ctx, cancel := context.WithTimeout(ctx, whoPatience)
	defer cancel()
	follows, err := s.platform.Follows(ctx, openID)
	if err != nil {
		s.log.WarnContext(ctx, "ask who a person is", "openid", models.MaskOpenID(openID), "err", err)
	}
	return &Known{Recipient: models.Recipient{OpenID: openID}, Follows: follows, Asked: err == nil}
}
