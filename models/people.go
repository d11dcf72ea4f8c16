package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// MaxName is how many characters the name that an admin gives a person may have.
const MaxName = 64

// FindRecipient returns what is stored about an OpenID, or nil.
func (s *Store) FindRecipient(ctx context.Context, openID string) (*Recipient, error) {
	r, err := first[Recipient](s.r.WithContext(ctx).Where("openid = ?", openID))
	return r, wrap(err, "find recipient")
}

// Named returns the people to whom admins gave a name; they are few.
func (s *Store) Named(ctx context.Context) ([]Recipient, error) {
	var list []Recipient
	// The '' is literal: SQLite uses the partial index only if it sees it.
	err := s.r.WithContext(ctx).Where("name <> ''").Order("name, id").Find(&list).Error
	return list, wrap(err, "list named people")
}

// MatchOpenID returns up to n people whose OpenIDs begin and end like that. It reads an
// index of all OpenIDs, so it is for an admin's question and not for each message.
func (s *Store) MatchOpenID(ctx context.Context, begin, end string, n int) ([]Recipient, error) {
	var ids []int64
	err := s.r.WithContext(ctx).Model(&Recipient{}).
		Where("openid >= ? AND openid < ? AND SUBSTR(openid, ?) = ?", begin, begin+"\x7f", -len(end), end).
		Limit(n).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return nil, wrap(err, "match OpenIDs")
	}
	var list []Recipient
	err = s.r.WithContext(ctx).Where("id IN ?", ids).Order("id").Find(&list).Error
	return list, wrap(err, "match OpenIDs")
}

// Heard is a text that a person wrote.
type Heard struct {
	OpenID, Text string
	At           time.Time
}

// StoreHeard stores the last texts of followers. Of others, who may have left since,
// nothing is kept.
func (s *Store) StoreHeard(ctx context.Context, texts []Heard) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		for _, h := range texts {
			at := At(h.At)
			err := tx.Model(&Recipient{}).Where("openid = ? AND subscribed = 1 AND heard_at <= ?", h.OpenID, at).
				UpdateColumns(map[string]any{"heard": cut(h.Text, maxHeard), "heard_at": at}).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "store what people wrote")
}

// Sent is what became of one broadcast for a person.
type Sent struct {
	Delivery
	Name     string
	Audience Audience
}

// SentTo returns the last n broadcasts, of the latest among, that tried a person, the
// newest first. gone is the newest of the latest whose deliveries are deleted, so that
// nobody can tell whether it tried the person; 0 for none.
func (s *Store) SentTo(ctx context.Context, recipientID int64, among, n int) (list []Sent, gone int64, err error) {
	latest, err := s.Broadcasts(ctx, among)
	if err != nil || len(latest) == 0 {
		return nil, 0, err
	}
	of := map[int64]Broadcast{}
	ids := make([]int64, len(latest))
	for i, b := range latest {
		ids[i], of[b.ID] = b.ID, b
		if !b.TalliedAt.IsZero() {
			gone = max(gone, b.ID)
		}
	}
	var rows []Delivery
	// Both columns of the primary key, so that each broadcast costs a look into the index.
	err = s.r.WithContext(ctx).Where("broadcast_id IN ? AND recipient_id = ?", ids, recipientID).
		Order("broadcast_id DESC").Limit(n).Find(&rows).Error
	if err != nil {
		return nil, 0, fmt.Errorf("list what a person was sent: %w", err)
	}
	list = make([]Sent, len(rows))
	for i, d := range rows {
		list[i] = Sent{d, of[d.BroadcastID].Name, of[d.BroadcastID].Audience}
	}
	return list, gone, nil
}

// priceWithin is how long after a message a leave is counted against its broadcast.
const priceWithin = 24 * time.Hour

// Price is what a broadcast cost: how many of those who got it, or may have, left within
// 24 hours of it.
type Price struct {
	Left     int64 // unfollowed
	OptedOut int64 // said stop
}

// CountPrice counts the price of a broadcast so far.
func (s *Store) CountPrice(ctx context.Context, b *Broadcast, now time.Time) (Price, error) {
	var p Price
	if b.StartedAt.IsZero() {
		return p, nil
	}
	until := now
	if !b.FinishedAt.IsZero() {
		until = b.FinishedAt.Add(priceWithin)
	}
	for column, n := range map[string]*int64{"left_at": &p.Left, "opted_out_at": &p.OptedOut} {
		// They are found by when they left, and each one's delivery by its key: a value,
		// which no database turns into a join that begins with the deliveries. The 0 is
		// literal: SQLite uses the partial index only if it sees it.
		query := "SELECT COUNT(*) FROM recipients r WHERE r." + column + " > 0 AND r." + column + " >= ? AND r." + column + " <= ?" +
			" AND (SELECT d.state FROM deliveries d WHERE d.broadcast_id = ? AND d.recipient_id = r.id" +
			" AND d.sent_at <= r." + column + " AND d.sent_at > r." + column + " - ?) IN (?, ?, ?)"
		err := s.r.WithContext(ctx).Raw(query, b.StartedAt, At(until), b.ID, priceWithin.Milliseconds(), Accepted, Delivered, Uncertain).Scan(n).Error
		if err != nil {
			return p, fmt.Errorf("count the price of a broadcast: %w", err)
		}
	}
	// Looked at after they were counted: if it is not tallied, none was deleted meanwhile.
	tallied, err := s.tallied(ctx, b.ID)
	if err != nil || tallied == nil {
		return p, wrap(err, "count the price of a broadcast")
	}
	return Price{Left: tallied.PriceLeft, OptedOut: tallied.PriceOptedOut}, nil
}
