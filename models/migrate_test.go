package models_test

import (
	"errors"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// A database whose place another took, or that is half a copy, is refused as the version
// before left it, so that this one can still use it.
func TestADatabaseThatIsRefusedIsNotMigrated(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		for name, mark := range map[string]func() error{
			"copied":     func() error { return s.MarkCopied(t.Context(), "sqlite://new.db", time.Now()) },
			"incomplete": func() error { return s.MarkIncomplete(t.Context(), "sqlite://old.db", time.Now()) },
		} {
			if err := mark(); err != nil {
				t.Fatal(err)
			}
			if err := models.ForgetVersion(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			before, known, err := s.Schema(t.Context())
			if err != nil || before >= known {
				t.Fatalf("version %d of %d: %v", before, known, err)
			}
			var unusable *models.Unusable
			if err := s.Migrate(t.Context()); !errors.As(err, &unusable) {
				t.Errorf("%s: %v", name, err)
			}
			if after, _, err := s.Schema(t.Context()); err != nil || after != before {
				t.Errorf("%s: version %d, was %d: %v", name, after, before, err)
			}
		}
	})
}
