package models_test

import (
	"errors"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// What the platform said is stored only if the import was open without a break since.
func TestAnImportThatWasNotKeptOpenAddsNobody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		add := func(i int, number int64) error {
			return s.AddConfirmed(ctx, []models.Confirmed{{OpenID: modelstest.OpenID(i)}}, t0, number)
		}
		open := func(lasts time.Duration, want bool) int64 {
			t.Helper()
			number, err := s.OpenImport(ctx, lasts)
			if err != nil {
				t.Fatal(err)
			}
			if is, err := s.ImportOpen(ctx); err != nil || is != want {
				t.Errorf("open: %t, %v", is, err)
			}
			return number
		}
		if is, err := s.ImportOpen(ctx); is || err != nil {
			t.Fatalf("open before any: %t, %v", is, err)
		}
		lapsed := open(-time.Second, false)
		soon := open(time.Second, true) // too short for a transaction
		for _, number := range []int64{0, lapsed, soon} {
			if err := add(0, number); !errors.Is(err, models.ErrImportLapsed) {
				t.Errorf("import %d: %v", number, err)
			}
		}
		number := open(time.Minute, true)
		if again := open(time.Second, true); again != number || number != soon || number == lapsed {
			t.Errorf("numbers %d, %d, %d, %d", lapsed, soon, number, again)
		}
		if err := add(1, number); err != nil {
			t.Error(err)
		}
		if got, err := models.Following(ctx, s); err != nil || len(got) != 1 || got[0] != modelstest.OpenID(1) {
			t.Errorf("following: %v, %v", got, err)
		}
	})
}
