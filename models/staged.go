package models

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"
)

const (
	// SegmentStaged is the Kind of a segment with the people of an uploaded file, until an
	// admin makes it a list.
	SegmentStaged = "staged"
	// StagedFor is how long a staged segment is kept: ten minutes for the admin to look at
	// it, and ten to confirm that it replaces a list.
	StagedFor = 20 * time.Minute
)

// CompleteStaged says that a staged segment has all of its people, with the names of their
// fields. An earlier one of the same admin is dropped: an admin has one at most.
func (s *Store) CompleteStaged(ctx context.Context, seg Segment, fields []string) error {
	names, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "UPDATE segments SET size = ?, fields = ?, made_at = ? WHERE id = ?", seg.Size, string(names), seg.MadeAt, seg.ID)
	if err != nil {
		return wrap(err, "complete staged segment")
	}
	return wrap(s.exec(ctx, "DELETE FROM segments WHERE kind = '"+SegmentStaged+"' AND made_by = ? AND id < ?", seg.MadeBy, seg.ID), "drop staged segments")
}

// Publication is how a staged segment becomes a list.
type Publication struct {
	List
	// Replaces is the segment of the list that it replaces; 0 for a list that is new.
	Replaces int64
	// Since is when the segment must have been staged at the earliest.
	Since Time
}

// PublishStaged makes a segment that the same admin staged a list. It returns that list, and
// the one that it replaces, nil for none. The error is ErrStagedGone for a segment that is no
// such one, or not any more, and ErrListChanged if there is meanwhile another list of that
// name than the one to be replaced. One that is that list already stays it.
func (s *Store) PublishStaged(ctx context.Context, p Publication) (made *ListInfo, before *List, err error) {
	err = s.inTx(ctx, func(tx *gorm.DB) error {
		if err := lockFact(tx, "lists"); err != nil {
			return err
		}
		if made, err = published(tx, p); err != nil || made != nil {
			return err
		}
		seg, err := first[Segment](forUpdate(tx).Where("id = ? AND kind = ? AND made_by = ? AND made_at >= ? AND size > 0",
			p.SegmentID, SegmentStaged, p.ChangedBy, p.Since))
		if err != nil {
			return err
		}
		if seg == nil {
			return NewError(NotFound, ErrStagedGone, "Name", p.Name)
		}
		if before, err = roomFor(tx, p.Folded); err != nil {
			return err
		}
		if before == nil && p.Replaces != 0 || before != nil && before.SegmentID != p.Replaces {
			return NewError(Conflict, ErrListChanged, "Name", p.Name)
		}
		made = &ListInfo{List: p.List, Size: seg.Size, Fields: seg.Fields}
		return publish(tx, seg, p.List, before)
	})
	if err != nil {
		return nil, nil, wrap(err, "publish staged list")
	}
	return made, before, nil
}

// published returns the list that a publication made before, nil if it did not.
func published(tx *gorm.DB, p Publication) (*ListInfo, error) {
	l, err := first[List](tx.Where("folded = ? AND segment_id = ? AND changed_by = ?", p.Folded, p.SegmentID, p.ChangedBy))
	if err != nil || l == nil {
		return nil, err
	}
	seg, err := first[Segment](tx.Where("id = ?", p.SegmentID))
	if err != nil || seg == nil {
		return nil, err
	}
	return &ListInfo{List: *l, Size: seg.Size, Fields: seg.Fields}, nil
}
