package audience

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/people"
)

const (
	// MaxGiven is how many people a broadcast can be given one by one.
	MaxGiven = 10_000
	// givenAtOnce is how many of them are stored at once, and breath how long the database
	// rests in between: others send meanwhile.
	givenAtOnce = 2000
	breath      = 2 * time.Millisecond
	// withdrawWithin is how long it may take to take people back.
	withdrawWithin = 10 * time.Second
)

// Given are people who are given one by one, each once, with the names of their fields.
type Given struct {
	entries []models.Entry
	fields  []string
}

// Read returns people who are given one by one, of whom one that comes several times with the
// same fields is one. What is wrong with them is a *models.Error of kind Invalid: one without
// the form of an OpenID (models.ErrRecipientOpenID), one that comes twice with different fields
// (ErrRecipientTwice), fields that a list could not have either (ErrRecipientField,
// ErrRecipientValue, ErrRecipientFields), nobody or more than MaxGiven (ErrRecipientsCount).
func Read(list []models.Addressee) (*Given, error) {
	if len(list) == 0 || len(list) > MaxGiven {
		return nil, models.NewError(models.Invalid, models.ErrRecipientsCount, "N", int64(len(list)), "Limit", int64(MaxGiven))
	}
	if err := likeOpenIDs(list); err != nil {
		return nil, err
	}
	g := &Given{}
	place, names := make(map[string]int, len(list)), map[string]bool{}
	for i, a := range list {
		if before, again := place[a.OpenID]; again {
			if !maps.Equal(a.Fields, list[before].Fields) {
				return nil, models.NewError(models.Invalid, models.ErrRecipientTwice, "Index", i, "First", before, "OpenID", a.OpenID)
			}
			continue
		}
		place[a.OpenID] = i
		for _, name := range slices.Sorted(maps.Keys(a.Fields)) {
			if err := field(i, name, a.Fields[name]); err != nil {
				return nil, err
			}
			names[name] = true
		}
		g.entries = append(g.entries, models.Entry{OpenID: a.OpenID, Fields: models.EncodeFields(a.Fields)})
	}
	if len(names) > people.MaxFields {
		return nil, models.NewError(models.Invalid, models.ErrRecipientFields, "N", int64(len(names)), "Limit", int64(people.MaxFields))
	}
	g.fields = slices.Sorted(maps.Keys(names))
	return g, nil
}

func likeOpenIDs(list []models.Addressee) error {
	var wrong []int
	for i, a := range list {
		if !models.LikeOpenID(a.OpenID) {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	err := models.NewError(models.Invalid, models.ErrRecipientOpenID, "Index", wrong[0], "OpenID", list[wrong[0]].OpenID)
	if others := int64(len(wrong) - 1); others > 0 {
		err.Args["Others"] = others
	}
	return err
}

// field refuses what a list could not have as a field of somebody.
func field(i int, name, value string) error {
	if !message.IsFieldName(name) {
		return models.NewError(models.Invalid, models.ErrRecipientField, "Index", i, "Field", name)
	}
	if utf8.RuneCountInString(value) > people.MaxValue || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return models.NewError(models.Invalid, models.ErrRecipientValue, "Index", i, "Field", name, "Limit", int64(people.MaxValue))
	}
	return nil
}

// Give stores people as a group that no broadcast is for yet. Withdraw deletes them again, and
// whom a process left behind models.Store.TidySegments. by is who asks.
func (s *Groups) Give(ctx context.Context, g *Given, by string, now time.Time) (models.Group, error) {
	group := models.Group{Kind: models.GroupList, Size: int64(len(g.entries))}
	var err error
	group.Segment, err = s.Store.AddSegment(ctx, models.Segment{
		Kind: string(group.Kind), Size: group.Size, Fields: models.EncodeNames(g.fields), MadeBy: by, MadeAt: models.At(now),
	})
	if err != nil {
		return group, err
	}
	for chunk := range slices.Chunk(g.entries, givenAtOnce) {
		if err = s.Store.AddEntries(ctx, group.Segment, chunk, now); err == nil && len(chunk) == givenAtOnce {
			err = loop.Sleep(ctx, breath)
		}
		if err != nil {
			s.Withdraw(ctx, group)
			return group, err
		}
	}
	return group, nil
}

// Withdraw deletes people who were given, unless a broadcast is for them. Whom the database
// does not delete now it deletes later, as Give says.
func (s *Groups) Withdraw(ctx context.Context, group models.Group) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawWithin)
	defer cancel()
	if err := s.Store.DropSegment(ctx, group.Segment); err != nil {
		s.Log.WarnContext(ctx, "people who were given for a broadcast that was not made are left for later", "err", err)
	}
}

// Split returns those who are known, followers or not, and how many others there are.
func (s *Groups) Split(ctx context.Context, g *Given) (known *Given, others int64, err error) {
	openIDs := make([]string, len(g.entries))
	for i, e := range g.entries {
		openIDs[i] = e.OpenID
	}
	rows, err := s.Store.Known(ctx, openIDs)
	if err != nil {
		return nil, 0, err
	}
	known = &Given{fields: g.fields}
	for _, e := range g.entries {
		if rows[e.OpenID] {
			known.entries = append(known.entries, e)
		}
	}
	return known, int64(len(g.entries) - len(known.entries)), nil
}
