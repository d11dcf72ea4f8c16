package models

import (
	"context"
	"slices"
)

// GivenRecipients is what the API calls the audience of a broadcast to people who were given one
// by one; in the database it is AudienceGroups.
const GivenRecipients = "recipients"

// Addressee is a person who is given for a broadcast, with the fields that fill its message
// for them.
type Addressee struct {
	OpenID string
	Fields map[string]string
}

// Given tells whether the group are people who were given one by one: they are kept like a
// version of a list, under no name.
func (g Group) Given() bool { return g.Kind == GroupList && g.Name == "" }

// Given tells whether the target are people who were given one by one.
func (t Target) Given() bool { return slices.ContainsFunc(t.Groups, Group.Given) }

// Known returns those of some people of whom there is a row, whether they follow or not.
func (s *Store) Known(ctx context.Context, openIDs []string) (map[string]bool, error) {
	ids := make(map[string]int64, len(openIDs))
	for chunk := range slices.Chunk(openIDs, maxRows) {
		if err := findIDs(s.r.WithContext(ctx), chunk, ids); err != nil {
			return nil, wrap(err, "look up people")
		}
	}
	known := make(map[string]bool, len(ids))
	for openID := range ids {
		known[openID] = true
	}
	return known, nil
}
