package models_test

import (
	"errors"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestTheSchemasVersionIsRead(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		found, known, err := s.Schema(t.Context())
		if err != nil || found != known || known < 8 {
			t.Errorf("a migrated database is of version %d of %d, %v", found, known, err)
		}
		if err := models.PretendVersion(t.Context(), s, known+1); err != nil {
			t.Fatal(err)
		}
		var unusable *models.Unusable
		if _, _, err := s.Schema(t.Context()); !errors.As(err, &unusable) {
			t.Errorf("a newer one: %v", err)
		}
	})
}
