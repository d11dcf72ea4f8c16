package models

import (
	"context"

	"gorm.io/gorm"
)

// Topic is something that followers can join to be told of it.
type Topic struct {
	ID int64 `gorm:"primaryKey"`
	// Folded is the name by which it is found: in lower case and the usual width.
	Folded, Name, Description string
	AddedBy                   string
	AddedAt                   Time
	// RemovedAt is when an admin removed it; zero if it can be joined. What people said of
	// it stays.
	RemovedAt Time
}

// Membership is the last that a person said of a topic.
type Membership struct {
	TopicID     int64 `gorm:"primaryKey;autoIncrement:false"`
	RecipientID int64 `gorm:"primaryKey;autoIncrement:false"`
	Joined      bool
	ConsentID   int64
}

// Consent is what a person said of a topic, or of everything.
type Consent struct {
	ID int64 `gorm:"primaryKey"`
	// TopicID is 0 for everything.
	TopicID, RecipientID int64
	// Joined is false for a person who left.
	Joined bool
	At     Time
	// Via is how it was said, one of the Via… words; Text is what the person wrote, or the
	// scene or the key, and MessageKey names the platform's message.
	Via, Text, MessageKey string
}

// How consent is given or taken back.
const (
	ViaText = "text" // a message
	ViaMenu = "menu" // a click in the account's menu
	ViaScan = "scan" // a QR code

	// ViaTerminal is a line by the command say: whoever has the server spoke as the person.
	ViaTerminal = "terminal"

	// ViaConsole is a form of the console.
	ViaConsole = "console"

	ViaBefore = "before" // before consents were kept: as it was found then
	ViaOther  = "other"  // not by the person's own word
)

// Segment is people who were put together once: a version of a list, a tag as it was
// pulled, the recipients of a canary. Nobody is added later.
type Segment struct {
	ID   int64 `gorm:"primaryKey"`
	Kind string
	Name string
	Size int64
	// Fields are the names of its members' fields, as a JSON array.
	Fields string
	// Used says that a broadcast is for it, so that it is kept when its list is replaced.
	Used   bool
	MadeBy string
	MadeAt Time
}

// SegmentCanary is the Kind of a canary's recipients; the others are kinds of groups.
const SegmentCanary = "canary"

// Member is a person of a segment.
type Member struct {
	SegmentID   int64 `gorm:"primaryKey;autoIncrement:false"`
	RecipientID int64 `gorm:"primaryKey;autoIncrement:false"`
	// Fields is a JSON object of texts.
	Fields string
}

// List is a list as it is now.
type List struct {
	// Folded is the name by which it is found: in lower case and the usual width.
	Folded    string `gorm:"primaryKey"`
	Name      string
	SegmentID int64
	ChangedBy string
	ChangedAt Time
}

// Topics returns the topics that can be joined, in the order in which they were added.
func (s *Store) Topics(ctx context.Context) ([]Topic, error) {
	var list []Topic
	err := s.r.WithContext(ctx).Where("removed_at = 0").Order("id").Find(&list).Error
	return list, wrap(err, "list topics")
}

// useSegments marks the segments of a broadcast's lists and tags, so that they are kept. One that is
// gone belongs to a list that was replaced since its name was looked up.
func useSegments(tx *gorm.DB, b *Broadcast) error {
	for _, g := range b.Target.All() {
		if g.Segment == 0 {
			continue
		}
		// The row is locked until the end, so that a replacement finds it used.
		seg, err := first[Segment](forUpdate(tx).Where("id = ?", g.Segment))
		if err != nil {
			return err
		}
		if seg == nil {
			return NewError(Conflict, ErrGroupChanged, "Name", g.Name)
		}
		if err := tx.Model(seg).Update("used", true).Error; err != nil {
			return err
		}
	}
	return nil
}

// AddSegment stores a segment without its people, and returns its number.
func (s *Store) AddSegment(ctx context.Context, seg Segment) (int64, error) {
	err := s.w.WithContext(ctx).Create(&seg).Error
	return seg.ID, wrap(err, "add segment")
}

// AddMembers stores people of a segment.
func (s *Store) AddMembers(ctx context.Context, members []Member) error {
	return wrap(s.w.WithContext(ctx).CreateInBatches(members, maxRows).Error, "add members")
}
