package audience

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/tags"
)

// Groups finds topics, tags and lists by the names that admins write, and takes people who
// are given one by one. All fields are required.
type Groups struct {
	Store *models.Store
	Tags  *tags.Puller
	Log   *slog.Logger
}

// Resolve returns groups with their numbers, each once, in their order. Names that nobody
// knows are a *models.Error for each kind, with those that are known, and so is a platform
// that can't be asked for its tags.
func (s *Groups) Resolve(ctx context.Context, groups []models.Group) ([]models.Group, error) {
	var found []models.Group
	missing := map[models.GroupKind][]string{}
	for _, g := range groups {
		known, err := s.known(ctx, g.Kind)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(known, func(k models.Group) bool { return k.Name == g.Name }) // the platform tells VIP and vip apart
		if i < 0 {
			i = slices.IndexFunc(known, func(k models.Group) bool { return message.Fold(k.Name) == message.Fold(g.Name) })
		}
		switch {
		case i < 0:
			missing[g.Kind] = append(missing[g.Kind], g.Name)
		case !slices.Contains(found, known[i]):
			found = append(found, known[i])
		}
	}
	return found, s.unknown(ctx, missing)
}

// unknown is the error of names that nobody knows, nil for none.
func (s *Groups) unknown(ctx context.Context, missing map[models.GroupKind][]string) error {
	var faults []error
	for _, kind := range slices.Sorted(maps.Keys(missing)) {
		known, err := s.known(ctx, kind)
		if err != nil {
			return err
		}
		names := make([]string, len(known))
		for i, k := range known {
			names[i] = k.Name
		}
		faults = append(faults, models.NewError(models.NotFound, models.ErrGroupUnknown, "Kind", string(kind), "Names", missing[kind], "Known", names))
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return errors.Join(faults...)
}

// known returns all groups of a kind.
func (s *Groups) known(ctx context.Context, kind models.GroupKind) (all []models.Group, err error) {
	switch kind {
	case models.GroupTopic:
		topics, err := s.Store.Topics(ctx)
		for _, t := range topics {
			all = append(all, models.Group{Kind: kind, Name: t.Name, ID: t.ID})
		}
		return all, err
	case models.GroupList:
		lists, err := s.Store.Lists(ctx)
		for _, l := range lists {
			all = append(all, models.Group{Kind: kind, Name: l.Name, Segment: l.SegmentID})
		}
		return all, err
	case models.GroupTag:
		list, err := s.Tags.Known(ctx)
		for _, t := range list {
			all = append(all, models.Group{Kind: kind, Name: t.Name, ID: t.ID})
		}
		return all, err
	}
	return nil, nil
}
