package followers

import (
	"context"
	"slices"

	"wechat-broadcast/models"
)

// Said is how a person said what they want.
type Said struct {
	// Via is one of models.Via….
	Via string
	// Text is what they wrote, or the key or the scene, and Key names the platform's
	// message: one that comes again changes nothing again.
	Text, Key string
}

// SetOptedOut takes a person who wrote to the account out of all broadcasts, or back
// into them. It tells whether that changed anything. The topics of the person stay.
func (s *Service) SetOptedOut(ctx context.Context, openID string, out bool, said Said) (changed bool, err error) {
	if err := checkOpenID(openID); err != nil {
		return false, err
	}
	now := s.now()
	did, err := s.store.ChangeConsents(ctx, openID, s.consent(said, !out), nil, func(r *models.Recipient) {
		follows(r, now)
		if out && !r.OptedOut {
			r.OptedOutAt = models.At(now)
		}
		r.OptedOut = out
	})
	return len(did) > 0, err
}

// Changed is what SetTopics did.
type Changed struct {
	// Topics are the numbers of those that the person joined or left now.
	Topics []int64
	// In are the topics that the person is in then.
	In []models.Topic
	// OptedOut says that the person gets no broadcast at all until they come back.
	OptedOut bool
}

// SetTopics has a person who wrote to the account join topics, or leave them. One that was
// removed can't be joined: models.ErrGroupUnknown.
func (s *Service) SetTopics(ctx context.Context, openID string, topics []int64, join bool, said Said) (done Changed, err error) {
	if err := checkOpenID(openID); err != nil {
		return done, err
	}
	now := s.now()
	var id int64
	did, err := s.store.ChangeConsents(ctx, openID, s.consent(said, join), topics, func(r *models.Recipient) {
		follows(r, now)
		id, done.OptedOut = r.ID, r.OptedOut
	})
	if err != nil {
		return Changed{}, err
	}
	done.Topics = slices.DeleteFunc(did, func(topic int64) bool { return topic == 0 })
	if id == 0 { // they became known by this
		r, err := s.store.FindRecipient(ctx, openID)
		if err != nil || r == nil {
			return Changed{}, err
		}
		id = r.ID
	}
	done.In, err = s.store.TopicsOf(ctx, id)
	return done, err
}

// TopicsOf returns the topics that a person is in, and whether they opted out of
// everything.
func (s *Service) TopicsOf(ctx context.Context, openID string) (in []models.Topic, optedOut bool, err error) {
	r, err := s.store.FindRecipient(ctx, openID)
	if err != nil || r == nil {
		return nil, false, err
	}
	in, err = s.store.TopicsOf(ctx, r.ID)
	return in, r.OptedOut, err
}

func (s *Service) consent(said Said, joined bool) models.Consent {
	return models.Consent{Joined: joined, At: models.At(s.now()), Via: said.Via, Text: said.Text, MessageKey: said.Key}
}
