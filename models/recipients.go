package models

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// erased is what is left of a person who no longer follows: the OpenID, so that
// one who comes back during a broadcast is not sent it twice, the person's own
// wish to be left alone, and a place on the test list, which only an admin gives
// and takes. All that the platform told must go when a person unfollows (WeChat:
// the unsubscribe event), and what they wrote. It belongs into the SET of an UPDATE, with
// when they left twice: for left_at and updated_at.
const erased = "subscribed = 0, stranger = 0, subscribed_at = 0, scene = '', remark = '', profiled_at = 0, fields = '', heard = '', heard_at = 0," +
	" left_at = ?, updated_at = ?"

// Leave takes from r all that erased does, for a change of one person who left at a
// moment.
func (r *Recipient) Leave(at Time) {
	r.Subscribed, r.Stranger = false, false
	r.SubscribedAt, r.ProfiledAt, r.HeardAt = Time{}, Time{}, Time{}
	r.Scene, r.Remark, r.Fields, r.Heard = "", "", "", ""
	r.LeftAt, r.UpdatedAt = at, at
}

// ChangeRecipient calls change with the person as stored and writes what it
// changes. One who is unknown comes with ID 0 and is added if change changes
// anything. No other writer gets in between, and change may be called again. Who opts out
// or in by their own word does it through ChangeConsents.
func (s *Store) ChangeRecipient(ctx context.Context, openID string, change func(r *Recipient)) error {
	return s.changing(ctx, func(tx *gorm.DB) error {
		_, _, err := changeRecipient(tx, openID, Consent{Via: ViaOther}, change)
		return err
	})
}

// ChangeRecipients is ChangeRecipient for several people, in one transaction: change gets the
// number of each in openIDs.
func (s *Store) ChangeRecipients(ctx context.Context, openIDs []string, change func(i int, r *Recipient)) error {
	return s.changing(ctx, func(tx *gorm.DB) error {
		for i, openID := range openIDs {
			_, _, err := changeRecipient(tx, openID, Consent{Via: ViaOther}, func(r *Recipient) { change(i, r) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// changing runs f in a transaction, again if somebody else added the same row meanwhile.
func (s *Store) changing(ctx context.Context, f func(tx *gorm.DB) error) error {
	var again error
	for range 3 {
		err := s.inTx(ctx, f)
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			return err
		}
		again = err
	}
	return again
}

// changeRecipient returns the person as changed, whose row stays locked. optedOut tells
// whether OptedOut changed, of which a row like said is kept.
func changeRecipient(tx *gorm.DB, openID string, said Consent, change func(r *Recipient)) (r Recipient, optedOut bool, err error) {
	was := Recipient{OpenID: openID}
	err = forUpdate(tx).Take(&was, "openid = ?", openID).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return was, false, fmt.Errorf("read recipient: %w", err)
	}
	r = was
	change(&r)
	said.TopicID, said.RecipientID, said.Joined = 0, was.ID, !r.OptedOut
	if r.OptedOut != was.OptedOut {
		before, err := saidBefore(tx, said)
		if err != nil {
			return was, false, fmt.Errorf("read consents: %w", err)
		}
		if before {
			r.OptedOut, r.OptedOutAt = was.OptedOut, was.OptedOutAt
		}
	}
	r.Stranger = r.Stranger && !r.Subscribed
	r.Scene, r.Name, r.Heard = firstRunes(r.Scene, maxScene), firstRunes(r.Name, MaxName), cut(r.Heard, maxHeard)
	switch {
	case r == was:
		return r, false, nil
	case r.ID != 0:
		err = wrap(tx.Model(&r).Select("*").Omit("id", "openid").UpdateColumns(&r).Error, "change recipient")
	default:
		err = wrap(tx.Create(&r).Error, "add recipient")
	}
	if err != nil || r.OptedOut == was.OptedOut {
		return r, false, err
	}
	said.RecipientID = r.ID
	return r, true, wrap(tx.Create(&said).Error, "keep consent")
}

// Departure is a person who no longer follows, as the platform said at a moment.
type Departure struct {
	RecipientID int64
	At          Time
}

// MarkGone marks people as having left. An event that says otherwise, and is
// newer than the oldest of the departures, wins.
func (s *Store) MarkGone(ctx context.Context, gone []Departure) error {
	slices.SortFunc(gone, func(a, b Departure) int { return a.At.Compare(b.At.Time) })
	for chunk := range slices.Chunk(gone, maxRows) {
		known := KnownAt(chunk[0].At.Time)
		args := []any{known, known, known}
		for _, d := range chunk {
			args = append(args, d.RecipientID)
		}
		err := s.exec(ctx, "UPDATE recipients SET "+erased+" WHERE updated_at <= ? AND id IN ("+
			tuples("?", len(chunk))+")", args...)
		if err != nil {
			return fmt.Errorf("mark the gone: %w", err)
		}
	}
	return nil
}

// Testers returns the people on the test list, in the order in which they
// became known.
func (s *Store) Testers(ctx context.Context) ([]Recipient, error) {
	var list []Recipient
	// The 1 is literal: SQLite uses the partial index only if it sees it.
	err := s.r.WithContext(ctx).Where("tester = 1").Order("id").Find(&list).Error
	return list, wrap(err, "list testers")
}

// RecipientCounts says how many people there are of each sort.
type RecipientCounts struct {
	Followers int64 // those who follow
	OptedOut  int64 // of these, who said stop
	Testers   int64 // of these, who are on the test list
	Left      int64 `gorm:"column:gone"` // those who followed once; LEFT is a word of SQL
	// Blacklisted are those of the followers to whom the platform takes no message.
	Blacklisted int64
}

// CountRecipients counts the people.
func (s *Store) CountRecipients(ctx context.Context) (RecipientCounts, error) {
	var c RecipientCounts
	err := s.r.WithContext(ctx).Raw("SELECT COALESCE(SUM(subscribed), 0) AS followers," +
		" COALESCE(SUM(subscribed AND blacklisted), 0) AS blacklisted," +
		" COALESCE(SUM(subscribed AND opted_out), 0) AS opted_out, COALESCE(SUM(NOT subscribed), 0) AS gone FROM recipients").Scan(&c).Error
	if err != nil {
		return c, fmt.Errorf("count recipients: %w", err)
	}
	var strangers int64
	// The 1 is literal: SQLite uses the partial index only if it sees it.
	if err := s.r.WithContext(ctx).Model(&Recipient{}).Where("stranger = 1").Count(&strangers).Error; err != nil {
		return c, fmt.Errorf("count strangers: %w", err)
	}
	c.Left -= strangers
	err = s.r.WithContext(ctx).Model(&Recipient{}).Where("tester = 1").Count(&c.Testers).Error
	return c, wrap(err, "count testers")
}
