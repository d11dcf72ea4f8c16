package models

import (
	"context"
	"fmt"
	"math"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// MaxTopics is how many topics there may be at a time.
	MaxTopics = 50
	// MaxTopicName is how many characters a topic's name may have.
	MaxTopicName = 64
	// MaxTopicText is how many characters a topic's description may have.
	MaxTopicText = 200
)

// AddTopic stores a topic and returns the one of that name as it was before; nil if there
// was none. One that was removed comes back with those who had joined it. One that is
// there gets the name and, unless it is empty, the description of t. When there are
// MaxTopics, another is refused: ErrTopicsFull.
func (s *Store) AddTopic(ctx context.Context, t *Topic) (before *Topic, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil { // one after the other, so that the limit holds
			return err
		}
		if before, err = first[Topic](tx.Where("folded = ?", t.Folded)); err != nil {
			return err
		}
		if before == nil || !before.RemovedAt.IsZero() {
			var n int64
			if err := tx.Model(&Topic{}).Where("removed_at = 0").Count(&n).Error; err != nil {
				return err
			}
			if n >= MaxTopics {
				return NewError(Conflict, ErrTopicsFull, "Limit", int64(MaxTopics))
			}
		}
		if before == nil {
			t.ID = 0
			return tx.Create(t).Error
		}
		now := *before
		now.Name, now.RemovedAt = t.Name, Time{}
		if t.Description != "" {
			now.Description = t.Description
		}
		if !before.RemovedAt.IsZero() {
			now.AddedBy, now.AddedAt = t.AddedBy, t.AddedAt
		}
		*t = now
		return tx.Save(t).Error
	})
	return before, wrap(err, "add topic")
}

// RemoveTopic removes the topic of a folded name and returns it. What people said of it
// stays. One that is not there: ErrGroupUnknown. One that a broadcast names which has not
// ended: ErrTopicBusy.
func (s *Store) RemoveTopic(ctx context.Context, folded string, at time.Time) (t *Topic, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockRequests(tx); err != nil { // no broadcast is added meanwhile
			return err
		}
		if t, err = first[Topic](tx.Where("folded = ? AND removed_at = 0", folded)); err != nil {
			return err
		}
		if t == nil {
			return NewError(NotFound, ErrGroupUnknown, "Kind", string(GroupTopic), "Name", folded)
		}
		b, err := openFor(tx, t.ID)
		if err != nil {
			return err
		}
		if b != nil {
			return NewError(Conflict, ErrTopicBusy, "Name", t.Name, "ID", b.ID, "State", b.State)
		}
		t.RemovedAt = At(at)
		return tx.Model(t).Update("removed_at", t.RemovedAt).Error
	})
	return t, wrap(err, "remove topic")
}

// openFor returns a broadcast that has not ended and names a topic, nil if there is none.
func openFor(tx *gorm.DB, topic int64) (*Broadcast, error) {
	var open []Broadcast
	err := tx.Where("state IN ?", []BroadcastState{Pending, Scheduled, Running, Paused}).Order("id").Find(&open).Error
	if err != nil {
		return nil, err
	}
	for i := range open {
		for _, g := range open[i].Target.All() {
			if g.Kind == GroupTopic && g.ID == topic {
				return &open[i], nil
			}
		}
	}
	return nil, nil
}

// useTopics makes sure that the topics of a new broadcast were not removed since their
// names were looked up. One for some recipients of an earlier broadcast has that one's
// topics, whatever became of them: who is in them still agrees to them.
func useTopics(tx *gorm.DB, b *Broadcast) error {
	for _, g := range b.Target.All() {
		if g.Kind != GroupTopic || b.OfID != 0 {
			continue
		}
		t, err := first[Topic](tx.Where("id = ? AND removed_at = 0", g.ID))
		if err != nil {
			return err
		}
		if t == nil {
			return NewError(NotFound, ErrGroupUnknown, "Kind", string(GroupTopic), "Name", g.Name)
		}
	}
	return nil
}

// TopicCounts says how many people are in a topic.
type TopicCounts struct {
	Joined int64
	// Reachable are those of them who would get a broadcast now.
	Reachable int64
}

// CountTopic counts the people in a topic. It reads all of them.
func (s *Store) CountTopic(ctx context.Context, id int64) (c TopicCounts, err error) {
	err = s.r.WithContext(ctx).Raw("SELECT COUNT(*) AS joined, COALESCE(SUM("+reachable+"), 0) AS reachable FROM "+
		s.joined("memberships m", "m.recipient_id")+" WHERE m.topic_id = ? AND m.joined = 1", id).Scan(&c).Error
	return c, wrap(err, "count topic")
}

// TopicsOf returns the topics that a person is in, in the order in which they were added,
// but for those that were removed.
func (s *Store) TopicsOf(ctx context.Context, recipientID int64) ([]Topic, error) {
	var list []Topic
	err := s.r.WithContext(ctx).Where("removed_at = 0 AND EXISTS (SELECT 1 FROM memberships m"+
		" WHERE m.topic_id = topics.id AND m.recipient_id = ? AND m.joined = 1)", recipientID).Order("id").Find(&list).Error
	return list, wrap(err, "list a person's topics")
}

// ChangeConsents calls change with the person as stored, as ChangeRecipient does, and has
// them join the topics, or leave them, as c.Joined says. Each change is kept as a row like
// c, in the same transaction; where somebody is already in or out as asked, there is
// none. It returns the topics that changed, 0 for everything if change changed OptedOut.
// A message that changed something before changes nothing again: c.MessageKey tells.
// A topic that was removed can't be joined: ErrGroupUnknown.
func (s *Store) ChangeConsents(ctx context.Context, openID string, c Consent, topics []int64, change func(r *Recipient)) (changed []int64, err error) {
	c.Text, c.MessageKey = cut(c.Text, maxConsentText), fitKey(c.MessageKey)
	err = s.changing(ctx, func(tx *gorm.DB) error {
		changed = nil
		r, optedOut, err := changeRecipient(tx, openID, c, change)
		if err != nil {
			return err
		}
		if optedOut {
			changed = append(changed, 0)
		}
		for _, id := range topics {
			c.TopicID, c.RecipientID = id, r.ID
			did, err := changeMembership(tx, c)
			if err != nil {
				return err
			}
			if did {
				changed = append(changed, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap(err, "change consents")
	}
	return changed, nil
}

// changeMembership stores a consent to a topic if it changes whether the person is in it.
// The row of the person must be locked: so no other consent of theirs comes in between.
func changeMembership(tx *gorm.DB, c Consent) (changed bool, err error) {
	if c.Joined {
		t, err := first[Topic](tx.Where("id = ?", c.TopicID))
		switch {
		case err != nil:
			return false, err
		case t == nil:
			return false, NewError(NotFound, ErrGroupUnknown, "Kind", string(GroupTopic))
		case !t.RemovedAt.IsZero():
			return false, NewError(NotFound, ErrGroupUnknown, "Kind", string(GroupTopic), "Name", t.Name)
		}
	}
	was, err := first[Membership](tx.Where("topic_id = ? AND recipient_id = ?", c.TopicID, c.RecipientID))
	if err != nil || (was != nil && was.Joined) == c.Joined {
		return false, err
	}
	if said, err := saidBefore(tx, c); err != nil || said {
		return false, err
	}
	if err := tx.Create(&c).Error; err != nil {
		return false, err
	}
	m := Membership{TopicID: c.TopicID, RecipientID: c.RecipientID, Joined: c.Joined, ConsentID: c.ID}
	return true, tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&m).Error
}

// saidBefore tells whether the message of a consent changed the same before.
func saidBefore(tx *gorm.DB, c Consent) (bool, error) {
	if c.MessageKey == "" {
		return false, nil
	}
	var n int64
	err := tx.Model(&Consent{}).Where("topic_id = ? AND recipient_id = ? AND message_key = ?", c.TopicID, c.RecipientID, c.MessageKey).
		Count(&n).Error
	return n > 0, err
}

// NamedConsent is a consent with the names of what it is about.
type NamedConsent struct {
	Consent
	OpenID string `gorm:"column:openid"`
	// Topic is empty for everything.
	Topic string
}

// ConsentsAfter returns the next n consents in their order: those after the one with that
// id.
func (s *Store) ConsentsAfter(ctx context.Context, id int64, n int) ([]NamedConsent, error) {
	var list []NamedConsent
	err := s.r.WithContext(ctx).Raw("SELECT c.*, r.openid, COALESCE(t.name, '') AS topic FROM consents c"+
		" LEFT JOIN recipients r ON r.id = c.recipient_id LEFT JOIN topics t ON t.id = c.topic_id"+
		" WHERE c.id > ? ORDER BY c.id LIMIT ?", id, n).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	return list, nil
}

// ConsentsOf returns n consents of a person, the newest first: those before the one with that
// id, 0 for the last ones.
func (s *Store) ConsentsOf(ctx context.Context, recipientID, before int64, n int) ([]NamedConsent, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	var topics []Topic // also those that were removed; each costs a look into the index
	if err := s.r.WithContext(ctx).Find(&topics).Error; err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	ids, names := []int64{0}, map[int64]string{}
	for _, t := range topics {
		ids, names[t.ID] = append(ids, t.ID), t.Name
	}
	var list []NamedConsent
	err := s.r.WithContext(ctx).Table("consents").Where("topic_id IN ? AND recipient_id = ? AND id < ?", ids, recipientID, before).
		Order("id DESC").Limit(n).Find(&list).Error
	for i, c := range list {
		list[i].Topic = names[c.TopicID]
	}
	return list, wrap(err, "list a person's consents")
}
