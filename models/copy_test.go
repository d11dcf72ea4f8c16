package models_test

import (
	"slices"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// A table that a copy forgets would be lost with it.
func TestACopyTakesEveryTable(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		names, err := models.TableNames(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"schema_versions", "console_links", "console_sessions", "console_confirms"}
		for _, table := range models.CopyTables {
			want = append(want, table.Name)
		}
		slices.Sort(want)
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("the tables are %v, a copy takes %v", names, want)
		}
	})
}
