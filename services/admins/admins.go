// Package admins knows who may do what: the owners by the settings, and those who got a
// role by chat.
package admins

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/models"
)

const (
	// readEvery is how old a role may be that another process changed. It is asked for
	// with each text, also of strangers.
	readEvery = time.Second
	// readWithin is how long the database may take to tell the roles; then those count
	// that are known.
	readWithin = time.Second
)

// Config is what a Service needs. All fields are required.
type Config struct {
	Store *models.Store
	// Owners are the OpenIDs of the settings, compared byte for byte.
	Owners []string
	Now    func() time.Time
	Log    *slog.Logger
}

// Service tells roles. It is safe for concurrent use.
type Service struct {
	store  *models.Store
	owners []string
	now    func() time.Time
	log    *slog.Logger
	// roles are those of the database, by the number of the change that they are at
	// least as new as.
	roles *cache.Cache[int64, map[string]models.Role]

	mu      sync.Mutex
	changes int64
	known   map[string]models.Role // as last read, nil before that; replaced and never changed
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, now: c.Now, log: c.Log}
	for _, openID := range c.Owners {
		// An empty sender must never be an admin, whatever the settings say.
		if openID != "" && !slices.Contains(s.owners, openID) {
			s.owners = append(s.owners, openID)
		}
	}
	s.roles = cache.New(2, cache.For[map[string]models.Role](readEvery), s.read)
	return s
}

// read returns the roles of the database, or those that were last known while it does
// not answer.
func (s *Service) read(ctx context.Context, change int64) (map[string]models.Role, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	list, err := s.store.Admins(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.WarnContext(ctx, "read the admins; the last known ones count", "err", err)
		return s.known, nil
	}
	found := map[string]models.Role{}
	for _, a := range list {
		found[a.OpenID] = a.Role
	}
	if change == s.changes { // else it may be older than the change
		s.known = found
	}
	return found, nil
}

// fromChat returns the roles that were given by chat.
func (s *Service) fromChat(ctx context.Context) map[string]models.Role {
	s.mu.Lock()
	change, known := s.changes, s.known
	s.mu.Unlock()
	found, err := s.roles.Get(ctx, change)
	if err != nil { // ctx ended
		return known
	}
	return found
}

// RoleOf returns what a person may do; empty for whoever is no admin. While the database
// is away, the last known roles count.
func (s *Service) RoleOf(ctx context.Context, openID string) models.Role {
	if slices.Contains(s.owners, openID) {
		return models.Owner
	}
	return s.fromChat(ctx)[openID]
}

// Known tells whether the roles that were given by chat are known. They are not from a
// start until the database answers for the first time.
func (s *Service) Known(ctx context.Context) bool {
	s.fromChat(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known != nil
}

// Owners returns the OpenIDs of the owners.
func (s *Service) Owners() []string { return slices.Clone(s.owners) }

// Senders returns the OpenIDs of those who may send to everybody, the owners first.
func (s *Service) Senders(ctx context.Context) []string {
	senders := slices.Clone(s.owners)
	given := s.fromChat(ctx)
	for _, openID := range slices.Sorted(maps.Keys(given)) {
		if given[openID].May(models.Sender) && !slices.Contains(senders, openID) {
			senders = append(senders, openID)
		}
	}
	return senders
}

// List returns all admins, the owners first; those have no AddedBy.
func (s *Service) List(ctx context.Context) ([]models.Admin, error) {
	given, err := s.store.Admins(ctx)
	if err != nil {
		return nil, err
	}
	var list []models.Admin
	for _, openID := range s.owners {
		list = append(list, models.Admin{OpenID: openID, Role: models.Owner})
	}
	for _, a := range given {
		if !slices.Contains(s.owners, a.OpenID) {
			list = append(list, a)
		}
	}
	return list, nil
}

// Add gives a person a role, and returns the one that they had. An owner keeps theirs
// (models.ErrAdminIsOwner), and nobody becomes one (models.ErrRoleOwner).
func (s *Service) Add(ctx context.Context, openID string, role models.Role, by string) (was models.Role, err error) {
	switch {
	case slices.Contains(s.owners, openID):
		return models.Owner, models.NewError(models.Conflict, models.ErrAdminIsOwner, "OpenID", openID)
	case role == models.Owner || !role.May(models.Viewer):
		return "", models.NewError(models.Invalid, models.ErrRoleOwner)
	}
	was, err = s.store.SetAdmin(ctx, models.Admin{OpenID: openID, Role: role, AddedBy: by, AddedAt: models.At(s.now())})
	s.changed(openID, role, err)
	return was, err
}

// Remove takes the role from a person, and returns the one that they had. Whoever is no
// admin: models.ErrAdminUnknown; an owner: models.ErrAdminIsOwner.
func (s *Service) Remove(ctx context.Context, openID string) (was models.Role, err error) {
	if slices.Contains(s.owners, openID) {
		return models.Owner, models.NewError(models.Conflict, models.ErrAdminIsOwner, "OpenID", openID)
	}
	was, err = s.store.RemoveAdmin(ctx, openID)
	s.changed(openID, "", err)
	if err == nil && was == "" {
		return "", models.NewError(models.NotFound, models.ErrAdminUnknown)
	}
	return was, err
}

// changed has the roles read anew, since they may have changed, and a change that was
// stored count also while they can't be.
func (s *Service) changed(openID string, role models.Role, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if err != nil || s.known == nil {
		return
	}
	s.known = maps.Clone(s.known)
	if role == "" {
		delete(s.known, openID)
		return
	}
	s.known[openID] = role
}
