package models

import (
	"context"
	"slices"
	"strings"
)

// PeopleByOpenID returns n people whose OpenIDs begin like that, in the order of their
// OpenIDs: those after one, empty for the first ones.
func (s *Store) PeopleByOpenID(ctx context.Context, begin, after string, n int) ([]Recipient, error) {
	var ids []int64 // of the index; whole rows are read of a page only
	err := s.r.WithContext(ctx).Model(&Recipient{}).Where("openid >= ? AND openid < ? AND openid > ?", begin, begin+"\x7f", after).
		Order("openid").Limit(n).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return nil, wrap(err, "search by OpenID")
	}
	var list []Recipient
	err = s.r.WithContext(ctx).Where("id IN ?", ids).Find(&list).Error
	slices.SortFunc(list, func(a, b Recipient) int { return strings.Compare(a.OpenID, b.OpenID) })
	return list, wrap(err, "search by OpenID")
}

// likeEscaper keeps a text from being a pattern.
var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// PeopleByRemark returns n people whose remark on the platform has a text in it: those after
// a recipient. It reads everyone, so it is for an admin's question, and ctx must bound it.
func (s *Store) PeopleByRemark(ctx context.Context, text string, after int64, n int) ([]Recipient, error) {
	var list []Recipient
	err := s.r.WithContext(ctx).Where("id > ? AND remark <> '' AND remark LIKE ? ESCAPE '!'", after, "%"+likeEscaper.Replace(text)+"%").
		Order("id").Limit(n).Find(&list).Error
	return list, wrap(err, "search by remark")
}
