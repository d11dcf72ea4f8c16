package chat

import (
	"context"
	"maps"
	"slices"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
)

// people are what the stage knows of admins and of others.
type people struct {
	given  map[string]models.Role // by chat
	untold map[string]string      // who does not know of their role, with the key of the reply that tells
	audit  []models.Audit
	known  *followers.Known // what who finds
	found  *models.Recipient
	names  map[string]string
	// follows is what the platform says of whoever becomes an admin; err beside it.
	unfollowed error
	auditErr   error
	auditSlow  chan struct{} // the audit takes until it is closed; nil for no time
}

// stageRoles stands in for the admins' service.
type stageRoles struct{ *stage }

func (s stageRoles) RoleOf(_ context.Context, openID string) models.Role {
	if openID == admin || openID == "oOther" {
		return models.Owner
	}
	return s.given[openID]
}

func (s stageRoles) List(context.Context) ([]models.Admin, error) {
	list := []models.Admin{{OpenID: admin, Role: models.Owner}}
	for _, openID := range slices.Sorted(maps.Keys(s.given)) {
		list = append(list, models.Admin{OpenID: openID, Role: s.given[openID], AddedBy: admin, AddedAt: models.At(now)})
	}
	return list, s.err
}

func (s stageRoles) Add(_ context.Context, openID string, role models.Role, by string) (models.Role, error) {
	s.record("role %s %s by %s", openID, role, by)
	was := s.given[openID]
	if s.err == nil {
		s.given[openID] = role
	}
	return was, s.err
}

func (s stageRoles) Remove(ctx context.Context, openID string) (models.Role, error) {
	s.record("no role %s", openID)
	was := s.RoleOf(ctx, openID)
	switch was {
	case "":
		return "", models.NewError(models.NotFound, models.ErrAdminUnknown)
	case models.Owner:
		return was, models.NewError(models.Conflict, models.ErrAdminIsOwner, "OpenID", openID)
	case models.Viewer, models.Editor, models.Sender:
	}
	delete(s.given, openID)
	return was, s.err
}

// stageAudit stands in for the store.
type stageAudit struct{ *stage }

func (s stageAudit) AddAudit(ctx context.Context, a models.Audit) error {
	if s.auditSlow != nil {
		select {
		case <-s.auditSlow:
		case <-ctx.Done():
		}
	}
	if s.auditErr != nil {
		return s.auditErr
	}
	s.stage.audit = append(s.stage.audit, a)
	return ctx.Err()
}

func (s stageNotices) SendRole(_ context.Context, openID, text string) {
	s.record("notify %s: %s", openID, text)
}

func (s stageNotices) RoleKept(_ context.Context, openID, key string) (bool, error) {
	said, untold := s.untold[openID]
	return untold && (said == "" || said == key), nil
}

func (s stageNotices) SayRole(_ context.Context, openID, key string) error {
	s.untold[openID] = key
	return nil
}

func (s stageFollowers) MustFollow(context.Context, string) error { return s.unfollowed }

func (s stageFollowers) Find(context.Context, string) (*models.Recipient, error) {
	if s.found == nil {
		return nil, models.NewError(models.NotFound, models.ErrPersonUnknown)
	}
	return s.found, nil
}

func (s stageFollowers) Who(ctx context.Context, text string) (*followers.Known, error) {
	if s.known == nil {
		_, err := s.Find(ctx, text)
		return nil, err
	}
	return s.known, s.err
}

func (s stageFollowers) Names(context.Context) (map[string]string, error) { return s.names, s.err }
