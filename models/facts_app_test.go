package models_test

import (
	"errors"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestADatabaseIsOfOneAccount(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	for _, step := range []struct {
		app     string
		refused bool
	}{{"wx1", false}, {"wx2", true}, {"wx1", false}} {
		err := s.Belong(t.Context(), step.app)
		var unusable *models.Unusable
		if errors.As(err, &unusable) != step.refused || (err == nil) == step.refused {
			t.Errorf("%s: %v, refused should be %t", step.app, err, step.refused)
		}
	}
}
