package models_test

import (
	"database/sql"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// counter is where a table's numbers go on, which a database says only once it has given some.
var counter = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// The database that most tests get on MySQL is as the migrations leave one.
func TestATestsDatabaseIsAMigratedOne(t *testing.T) {
	t.Parallel()
	dsn := modelstest.MySQLDSN(t)
	s, err := models.Open(models.MySQL, dsn, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want, got := tablesOf(t, dsn), tablesOf(t, modelstest.MigratedDSN(t))
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 10 {
		t.Errorf("migrated and copied:\n%s", diff)
	}
}

// tablesOf returns how each table is made, and how many rows it has.
func tablesOf(t *testing.T, dsn string) map[string]string {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	list, err := db.QueryContext(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	all := map[string]string{}
	for list.Next() {
		var name, made, rows string
		if err := list.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRowContext(t.Context(), "SHOW CREATE TABLE "+name).Scan(&name, &made); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+name).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		all[name] = counter.ReplaceAllString(made, "") + "; rows: " + rows
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
