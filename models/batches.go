package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// reachable is the condition on a row of recipients under which the person may be
// written to.
const reachable = "recipients.subscribed = 1 AND recipients.opted_out = 0 AND recipients.blacklisted = 0"

// query is one for the recipients of a source, those with id <= through if through is
// not 0.
func (src source) query(db *gorm.DB, through int64) *gorm.DB {
	q := db.Table(src.from).Where(src.among.sql, src.among.args...).Where(src.where.sql, src.where.args...)
	if through > 0 {
		q = q.Where(src.key+" <= ?", through)
	}
	return q
}

// EnsureRecipient adds a person who wrote to the account, so follows it, but is
// not known as a follower.
func (s *Store) EnsureRecipient(ctx context.Context, openID string, now time.Time) error {
	return s.ChangeRecipient(ctx, openID, func(r *Recipient) {
		if r.Subscribed {
			return
		}
		r.Subscribed, r.UpdatedAt = true, At(now)
		if r.ID == 0 {
			r.CreatedAt = At(now)
		}
	})
}

// CountAudience returns how many recipients a broadcast goes to as things are now. Of a
// rest it says how many are left by the counts, which may have left since: to look at a
// million people one by one takes longer than a reply may. If counting all followers takes as
// long, it is how many were listed at the last sync, and b says so (Listed).
func (s *Store) CountAudience(ctx context.Context, b *Broadcast) (n int64, err error) {
	if b.Audience == AudienceRest {
		n, known, err := s.countRest(ctx, b)
		if known || err != nil {
			return n, wrap(err, "count rest")
		}
	}
	if b.Audience == AudienceAll {
		n, b.Listed, err = s.countFollowers(ctx, b)
		return n, wrap(err, "count audience")
	}
	n, err = s.countSources(s.r.WithContext(ctx), b)
	return n, wrap(err, "count audience")
}

// countSources counts the recipients of a broadcast one by one.
func (s *Store) countSources(db *gorm.DB, b *Broadcast) (n int64, err error) {
	for _, src := range s.distinct(b) {
		var part int64
		if err := src.query(db, b.ThroughID).Count(&part).Error; err != nil {
			return 0, err
		}
		n += part
	}
	return n, nil
}

// countWithin leaves a reply, which has five seconds (wechat-platform.md §3), time for all
// else. MariaDB counts some 2.5 million followers a second.
const countWithin = 2 * time.Second

// countFollowers counts the recipients of a broadcast to all followers. If that takes too
// long, listed is true and n is how many the platform listed at the last sync, or says that
// there are while that is under way.
func (s *Store) countFollowers(ctx context.Context, b *Broadcast) (n int64, listed bool, err error) {
	st, err := s.LastSync(ctx)
	if err != nil {
		return 0, false, err
	}
	known := cmp.Or(st.Seen, st.Announced)
	if known == 0 { // the followers were imported
		n, err = s.countSources(s.r.WithContext(ctx), b)
		return n, false, err
	}
	within, cancel := context.WithTimeout(ctx, s.countWithin)
	defer cancel()
	n, err = s.countSources(s.r.Session(&gorm.Session{Context: within, Logger: logger.Discard}), b)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return known, true, nil
	}
	return n, false, err
}

// countRest returns how many of an earlier broadcast's recipients have no delivery; known
// is false if it was not planned to its end.
func (s *Store) countRest(ctx context.Context, b *Broadcast) (n int64, known bool, err error) {
	r := s.r.WithContext(ctx)
	of, err := first[Broadcast](r.Where("id = ? AND planned_at > 0", b.OfID))
	if err != nil || of == nil {
		return 0, false, err
	}
	var ids []int64
	err = r.Model(&Broadcast{}).Where("id = ? OR of_id = ? AND audience = ?", b.OfID, b.OfID, AudienceRest).Pluck("id", &ids).Error
	for _, id := range ids {
		if err != nil {
			break
		}
		var c Counts
		c, err = s.CountDeliveries(ctx, id)
		n += c.Known()
	}
	return max(0, of.Recipients-n), true, err
}

// CountTakenOver returns how many of those to whom a broadcast that ended early did not
// come were tried by later broadcasts to its rest; that of a retry are later retries.
func (s *Store) CountTakenOver(ctx context.Context, b *Broadcast) (n int64, err error) {
	of, kind := b.ID, AudienceRest
	switch b.Audience {
	case AudienceRest:
		of = b.OfID
	case AudienceRetry:
		of, kind = b.OfID, AudienceRetry
	case AudienceMe, AudienceTest, AudienceAll, AudienceReached, AudienceGroups:
	}
	var later []int64
	err = s.r.WithContext(ctx).Model(&Broadcast{}).Where("of_id = ? AND audience = ? AND id > ?", of, kind, b.ID).Pluck("id", &later).Error
	for _, id := range later {
		if err != nil {
			break
		}
		var c Counts
		c, err = s.CountDeliveries(ctx, id) // also of one whose deliveries are deleted
		n += c.Known()
	}
	return n, wrap(err, "count rest")
}

// SampleAudience returns up to n recipients of a broadcast, with the fields that fill its
// message: the first, or the last of a rest, since the first were tried before.
func (s *Store) SampleAudience(ctx context.Context, b *Broadcast, n int) ([]Recipient, error) {
	order := ""
	if b.Audience == AudienceRest {
		order = " DESC"
	}
	var list []Recipient
	for _, src := range s.sources(b) {
		var part []Recipient
		err := src.query(s.r.WithContext(ctx), b.ThroughID).Select("recipients.*, " + s.fieldsColumn(b) + " AS fields").
			Order(src.key + order).Limit(n).Find(&part).Error
		if err != nil {
			return nil, fmt.Errorf("sample audience: %w", err)
		}
		list = append(list, part...)
	}
	slices.SortStableFunc(list, func(x, y Recipient) int {
		if order != "" {
			x, y = y, x
		}
		return cmp.Compare(x.ID, y.ID)
	})
	list = slices.CompactFunc(list, func(x, y Recipient) bool { return x.ID == y.ID })
	return list[:min(n, len(list))], nil
}

// FreezeAudience fixes whom a broadcast can reach, so that whoever follows or joins a
// topic later is not swept in, and enters it into b. It is fixed once.
func (s *Store) FreezeAudience(ctx context.Context, b *Broadcast) error {
	var stored Broadcast
	if err := s.w.WithContext(ctx).Take(&stored, b.ID).Error; err != nil {
		return fmt.Errorf("freeze audience: %w", err)
	}
	if stored.Target.Unpulled() { // nobody may be sent to who is to be left out
		return errors.New("freeze audience: a tag is not pulled")
	}
	err := s.w.WithContext(ctx).Exec(
		"UPDATE broadcasts SET through_consent = (SELECT COALESCE(MAX(id), 0) FROM consents),"+
			" through_id = (SELECT COALESCE(MAX(id), 0) FROM recipients)"+
			" WHERE id = ? AND through_id = 0", b.ID).Error
	if err != nil {
		return fmt.Errorf("freeze audience: %w", err)
	}
	var frozen Broadcast
	if err = s.w.WithContext(ctx).Take(&frozen, b.ID).Error; err != nil {
		return fmt.Errorf("freeze audience: %w", err)
	}
	b.ThroughID, b.ThroughConsent, b.Target = frozen.ThroughID, frozen.ThroughConsent, frozen.Target
	b.Canary, b.CanarySegment, b.CanaryAt = frozen.Canary, frozen.CanarySegment, frozen.CanaryAt
	return nil
}

// AudienceIDs returns the next recipients of a broadcast in the order of their
// ids: after < id <= its ThroughID, at most n.
func (s *Store) AudienceIDs(ctx context.Context, b *Broadcast, after int64, n int) ([]int64, error) {
	return s.nextIDs(ctx, s.sources(b), after, b.ThroughID, n)
}

// nextIDs merges the next recipients of several sources. They are read past GORM: of a large
// audience all are.
func (s *Store) nextIDs(ctx context.Context, sources []source, after, through int64, n int) ([]int64, error) {
	var ids []int64
	for _, src := range sources {
		page := src.among
		page.args = slices.Clone(page.args)
		page.and(src.where.sql, src.where.args...)
		page.and(src.key+" > ?", after)
		if through > 0 {
			page.and(src.key+" <= ?", through)
		}
		part, err := selectNumbers(s.r.WithContext(ctx), "SELECT "+src.key+" FROM "+src.from+" WHERE "+page.sql+
			" ORDER BY "+src.key+" LIMIT "+strconv.Itoa(n), page.args...)
		if err != nil {
			return nil, fmt.Errorf("list audience: %w", err)
		}
		ids = append(ids, part...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(n, len(ids))], nil
}

// LastBatch returns the last batch that was cut for a broadcast, or nil.
func (s *Store) LastBatch(ctx context.Context, id int64) (*Batch, error) {
	b, err := first[Batch](s.w.WithContext(ctx).Where("broadcast_id = ?", id).Order("seq DESC"))
	return b, wrap(err, "find last batch")
}

// AddBatches stores the next batches of a broadcast.
func (s *Store) AddBatches(ctx context.Context, batches []Batch) error {
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		if len(batches) > 0 && batches[0].Seq == 1 {
			if err := s.keepsCounts(tx, batches[0].BroadcastID); err != nil {
				return err
			}
		}
		return tx.CreateInBatches(batches, maxRows).Error
	})
	return wrap(err, "add batches")
}

// PlanDone records that every batch of a broadcast is there and returns how
// many recipients they hold.
func (s *Store) PlanDone(ctx context.Context, id int64, now time.Time) (int64, error) {
	var n int64
	err := s.inTx(ctx, func(tx *gorm.DB) error {
		err := tx.Model(&Batch{}).Where("broadcast_id = ?", id).Select("COALESCE(SUM(size), 0)").Scan(&n).Error
		if err != nil {
			return err
		}
		return tx.Model(&Broadcast{}).Where("id = ?", id).
			Updates(map[string]any{
				"planned_at": At(now), "recipients": n,
				"asked_for": gorm.Expr("CASE WHEN asked_for < ? THEN ? ELSE asked_for END", n, n),
			}).Error
	})
	return n, wrap(err, "end planning")
}

// CloseAudience records how many recipients a broadcast had in the end, when all
// its batches are done: those who have an outcome. Whoever said stop or left
// between the planning and their turn was none, and has no delivery.
func (s *Store) CloseAudience(ctx context.Context, id, recipients int64) error {
	err := s.w.WithContext(ctx).Model(&Broadcast{}).Where("id = ?", id).Update("recipients", recipients).Error
	return wrap(err, "close audience")
}
