package admins_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/admins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	owner = "oOwner-0000000000000000000-A"
	anna  = "oAnna0-0000000000000000000-A"
	ben   = "oBen00-0000000000000000000-A"
)

var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func newService(tb testing.TB, store *models.Store) *admins.Service {
	tb.Helper()
	return admins.New(admins.Config{
		Store: store, Owners: []string{"", owner, owner}, Now: func() time.Time { return morning }, Log: modelstest.Log(tb),
	})
}

func wantRoles(t *testing.T, s *admins.Service, want map[string]models.Role) {
	t.Helper()
	for openID, role := range want {
		if got := s.RoleOf(t.Context(), openID); got != role {
			t.Errorf("%s is %q, want %q", openID, got, role)
		}
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var got string
	if e, ok := err.(*models.Error); ok { //nolint:errorlint // the service wraps none of its own
		got = e.Code
	}
	if got != code || err != nil && got == "" {
		t.Errorf("the error is %v, want %q", err, code)
	}
}

// What a change says counts at once, each time, and over a restart.
func TestRolesCountAtOnceAndOverARestart(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		ctx := t.Context()
		s := newService(t, store)
		for i, step := range []struct {
			openID string
			role   models.Role // empty to remove
			was    models.Role
			code   string
		}{
			{anna, models.Viewer, "", ""},
			{anna, models.Sender, models.Viewer, ""},
			{anna, models.Sender, models.Sender, ""},
			{ben, models.Editor, "", ""},
			{ben, models.Owner, "", models.ErrRoleOwner},
			{ben, "king", "", models.ErrRoleOwner},
			{owner, models.Viewer, models.Owner, models.ErrAdminIsOwner},
			{owner, "", models.Owner, models.ErrAdminIsOwner},
			{"oNobody", "", "", models.ErrAdminUnknown},
			{ben, "", models.Editor, ""},
			{ben, "", "", models.ErrAdminUnknown},
		} {
			before := s.RoleOf(ctx, step.openID) // also so that it is kept
			var was models.Role
			var err error
			if step.role == "" {
				was, err = s.Remove(ctx, step.openID)
			} else {
				was, err = s.Add(ctx, step.openID, step.role, owner)
			}
			if wantCode(t, err, step.code); was != step.was {
				t.Errorf("step %d: was %q, want %q", i, was, step.was)
			}
			want := step.role
			if step.code != "" {
				want = before
			}
			wantRoles(t, s, map[string]models.Role{step.openID: want})
		}
		want := map[string]models.Role{owner: models.Owner, anna: models.Sender, ben: "", "": "", "oNobody": ""}
		wantRoles(t, s, want)
		again := newService(t, store)
		wantRoles(t, again, want)
		list, err := again.List(ctx)
		if diff := cmp.Diff([]models.Admin{
			{OpenID: owner, Role: models.Owner}, {OpenID: anna, Role: models.Sender, AddedBy: owner, AddedAt: models.At(morning)},
		}, list); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestSendersAreThoseWhoMaySendToAll(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		s := newService(t, store)
		for openID, role := range map[string]models.Role{anna: models.Sender, ben: models.Editor} {
			if _, err := s.Add(t.Context(), openID, role, owner); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{owner, anna}, s.Senders(t.Context())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Another process hears of a change within two seconds.
func TestAChangeReachesTheOtherReplicas(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		here, there := newService(t, store), newService(t, store)
		for _, role := range []models.Role{models.Sender, ""} {
			there.RoleOf(t.Context(), anna)
			var err error
			if role == "" {
				_, err = here.Remove(t.Context(), anna)
			} else {
				_, err = here.Add(t.Context(), anna, role, owner)
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			for there.RoleOf(ctx, anna) != role && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
			if ctx.Err() != nil {
				t.Errorf("after 2 s it is not %q there", role)
			}
			cancel()
		}
	})
}

// While the database is away the last known roles count, and a role that was taken
// before stays taken.
func TestTheLastKnownRolesCountWithoutADatabase(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		ctx := t.Context()
		s, fresh := newService(t, store), newService(t, store)
		for _, openID := range []string{anna, ben} {
			if _, err := s.Add(ctx, openID, models.Sender, owner); err != nil {
				t.Fatal(err)
			}
		}
		wantRoles(t, s, map[string]models.Role{anna: models.Sender, ben: models.Sender})
		if _, err := s.Remove(ctx, ben); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			wantRoles(t, s, map[string]models.Role{owner: models.Owner, anna: models.Sender, ben: ""})
			if diff := cmp.Diff([]string{owner, anna}, s.Senders(ctx)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			<-time.After(1100 * time.Millisecond) // what was kept is old
		}
		wantRoles(t, fresh, map[string]models.Role{owner: models.Owner, anna: ""})
		if _, err := s.Add(ctx, ben, models.Sender, owner); err == nil {
			t.Error("a role was given without a database")
		}
		wantRoles(t, s, map[string]models.Role{anna: models.Sender, ben: ""})
	})
}
