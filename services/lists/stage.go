package lists

import (
	"context"
	"io"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/people"
)

// decideWithin is how long an admin has to make a list of a file that was staged.
const decideWithin = 10 * time.Minute

// Staged is a file that waits to become a list.
type Staged struct {
	// Segment has its people.
	Segment int64
	// Name is that of the list that it would be.
	Name string
	// Replaces is the list that it would replace, nil for none.
	Replaces *models.ListInfo
}

// Stage keeps the people of a file that was looked at apart, for an admin to make a list of
// them by Publish within ten minutes. What the admin staged before is dropped. No list is
// made or changed.
func (s *Service) Stage(ctx context.Context, name, by string, from io.ReadSeeker, o people.Options, looked *Looked) (staged *Staged, err error) {
	name, err = Name(name)
	if err != nil {
		return nil, err
	}
	before, err := s.Store.FindList(ctx, fold(name))
	if err != nil {
		return nil, err
	}
	seg := models.Segment{Kind: models.SegmentStaged, Name: name, MadeBy: by, MadeAt: models.At(s.Now())}
	if seg.ID, err = s.Store.AddSegment(ctx, seg); err != nil {
		return nil, err
	}
	defer func() { s.settle(ctx, seg.ID, err) }()
	file, err := s.fill(ctx, seg.ID, from, o, looked, func(int64) {})
	if err != nil {
		return nil, err
	}
	seg.Size, seg.MadeAt = file.Rows, models.At(s.Now())
	if err := s.Store.CompleteStaged(ctx, seg, file.Fields); err != nil {
		return nil, err
	}
	return &Staged{Segment: seg.ID, Name: name, Replaces: before}, nil
}

// Publish makes a list of the people whom the same admin staged. replaces is the segment of
// the list that it replaces, 0 for a new list: any other list of that name stays, and the
// error is models.ErrListChanged. Once more it changes nothing and returns the same list. A file that was staged too long ago is
// models.ErrStagedGone: ten minutes for a new list, and ten more to confirm a replacement.
func (s *Service) Publish(ctx context.Context, name, by string, segment, replaces int64) (made *models.ListInfo, before *models.List, err error) {
	if name, err = Name(name); err != nil {
		return nil, nil, err
	}
	now, since := s.Now(), decideWithin
	if replaces != 0 {
		since = models.StagedFor
	}
	made, before, err = s.Store.PublishStaged(ctx, models.Publication{
		List:     models.List{Folded: fold(name), Name: name, SegmentID: segment, ChangedBy: by, ChangedAt: models.At(now)},
		Replaces: replaces, Since: models.At(now.Add(-since)),
	})
	if err == nil {
		s.tidy(ctx)
	}
	return made, before, err
}
