package tokens_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/tokens"
)

func newService(t *testing.T, s *models.Store, account string, now *time.Time) *tokens.Service {
	t.Helper()
	return &tokens.Service{Store: s, Account: account, Now: func() time.Time { return *now }, Log: modelstest.Log(t)}
}

// A token is found by its secret alone, which the database does not hold, and ends when it is
// removed.
func TestATokenIsFoundByItsSecretUntilItIsRemoved(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
		service := newService(t, s, "", &now)
		secret, err := service.Add(t.Context(), "shop", models.ScopeDraft)
		if err != nil {
			t.Fatal(err)
		}
		if len(secret) != 46 || !strings.HasPrefix(secret, "wb_") {
			t.Errorf("the secret is %q", secret)
		}
		found, err := service.Find(t.Context(), secret)
		if err != nil || found == nil || found.Name != "shop" || found.Scope != models.ScopeDraft {
			t.Fatalf("found %+v, %v", found, err)
		}
		if found.Hash == secret || strings.Contains(found.Hash, secret[3:]) {
			t.Error("the database holds the secret")
		}
		for _, wrong := range []string{"", secret[:45], strings.ToLower(secret), secret + " ", found.Hash} {
			if other, err := service.Find(t.Context(), wrong); err != nil || other != nil {
				t.Errorf("%q finds %+v, %v", wrong, other, err)
			}
		}
		if _, err := service.Add(t.Context(), "shop", models.ScopeRead); code(err) != models.TokenNameTaken {
			t.Errorf("the name twice: %v", err)
		}
		if err := service.Remove(t.Context(), "Shop"); code(err) != models.TokenNameUnknown {
			t.Errorf("remove another name: %v", err)
		}
		if err := service.Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if other, err := service.Find(t.Context(), secret); err != nil || other != nil {
			t.Errorf("a removed token is found: %+v, %v", other, err)
		}
		first := found.ID
		if secret, err = service.Add(t.Context(), "shop", models.ScopeSend); err != nil {
			t.Fatal(err)
		}
		if found, err = service.Find(t.Context(), secret); err != nil || found.ID == first {
			t.Errorf("the number %d is given again, %v: the new token would have the old one's requests", first, err)
		}
	})
}

func TestTheUseOfATokenIsKnownToTenMinutes(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	service := newService(t, s, "", &now)
	secret, err := service.Add(t.Context(), "shop", models.ScopeRead)
	if err != nil {
		t.Fatal(err)
	}
	used := func() time.Time {
		t.Helper()
		list, err := s.Tokens(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].LastUsedAt.Time
	}
	if !used().IsZero() {
		t.Error("it was used before it was")
	}
	began := now
	for _, step := range []struct{ after, want time.Duration }{{0, 0}, {9 * time.Minute, 0}, {10 * time.Minute, 10 * time.Minute}} {
		now = began.Add(step.after)
		if _, err := service.Find(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if got := used(); !got.Equal(began.Add(step.want)) {
			t.Errorf("after %s it was used at %s", step.after, got)
		}
	}
}

func TestATokenNamesItsAccount(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	now := time.Now()
	for _, account := range []string{"", "library", "the-2nd"} {
		secret, err := newService(t, s, account, &now).Add(t.Context(), "of-"+account+"x", models.ScopeRead)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tokens.AccountOf(secret); got != account || !ok {
			t.Errorf("%q names %q, %v", secret, got, ok)
		}
	}
	for _, wrong := range []string{"", "wb_", "wb_short", "xx_" + strings.Repeat("a", 43), "wb_" + strings.Repeat("a", 44), "wb__" + strings.Repeat("a", 43)} {
		if account, ok := tokens.AccountOf(wrong); ok {
			t.Errorf("%q names %q", wrong, account)
		}
	}
}

func TestNamesThatATokenCantHave(t *testing.T) {
	t.Parallel()
	now := time.Now()
	service := newService(t, modelstest.SQLite(t), "", &now)
	for _, name := range []string{"", "商店", "a b", "-a", "a\n", strings.Repeat("a", 65)} {
		if _, err := service.Add(t.Context(), name, models.ScopeRead); code(err) != models.TokenNameBad {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func code(err error) string {
	var told *models.Error
	if !errors.As(err, &told) {
		return ""
	}
	return told.Code
}
