package diagnosis_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

func TestADatabaseIsNeitherMadeNorMigrated(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	open := func(name string) *models.Store {
		t.Helper()
		s, err := models.Open(models.SQLite, path(name), modelstest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	if err := open("fine.db").Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := open("empty.db").Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("text.db"), []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ok, used bool
		detail   string
	}{
		"fine.db": {true, true, "can be read and written"}, "empty.db": {true, false, "version 0"},
		"absent.db": {true, false, "the first start makes it"}, "text.db": {false, false, "can't be used"}, ".": {false, false, "is a folder"},
	} {
		for range 2 {
			store, got := newDoctor(t, nil, time.Now).Database(t.Context(), models.SQLite, path(name), "wx1")
			if store != nil {
				_ = store.Close()
			}
			if got.OK != tt.ok || (store != nil) != tt.used || !strings.Contains(got.Detail, tt.detail) || got.OK != (got.Fix == "") {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	if _, err := os.Stat(path("absent.db")); err == nil {
		t.Error("a database was made")
	}
}

func TestMySQLThatIsAway(t *testing.T) {
	t.Parallel()
	store, got := newDoctor(t, nil, time.Now).Database(t.Context(), models.MySQL, "u:s3cret@tcp(127.0.0.1:1)/d", "wx1")
	if store != nil || got.OK || !strings.Contains(got.Fix, "DATABASE_URL") || strings.Contains(got.Detail, "s3cret") {
		t.Errorf("got %+v", got)
	}
}

func TestMessagesAreHeldAgainstTheTemplates(t *testing.T) {
	t.Parallel()
	templates := []wechat.Template{{ID: "t1", Keys: []string{"thing1"}}}
	fits := &message.Definition{Name: "fits", TemplateID: "t1", Data: []message.Field{{Key: "thing1", Value: "a"}}}
	lacks := &message.Definition{Name: "lacks", TemplateID: "t1", Data: []message.Field{{Key: "thing2", Value: "a"}}}
	lost := &message.Definition{Name: "lost", TemplateID: "t2"}
	for name, tt := range map[string]struct {
		said        diagnosis.Said
		templates   []wechat.Template
		detail, fix []string
	}{
		"fine":                        {diagnosis.Said{Messages: []*message.Definition{fits}}, templates, []string{"1 fit"}, nil},
		"all that is wrong":           {diagnosis.Said{Messages: []*message.Definition{lost, lacks, fits}}, templates, []string{"“lost”", "t2", "lacks"}, []string{"Choose one of the account's", "Give the message the fields"}},
		"a file that can't be read":   {diagnosis.Said{FileFault: errors.New("line 5")}, templates, []string{"line 5"}, []string{"MESSAGES_FILE"}},
		"no message":                  {diagnosis.Said{}, templates, []string{"no message yet"}, []string{"messages set NAME"}},
		"no message and no templates": {diagnosis.Said{}, nil, []string{"no message yet"}, []string{"模板消息"}},
	} {
		got := newDoctor(t, nil, time.Now).Messages(tt.said, tt.templates, func(err error) string { return err.Error() })
		if got.OK != (tt.fix == nil) {
			t.Errorf("%s: %+v", name, got)
		}
		for _, part := range tt.detail {
			if !strings.Contains(got.Detail, part) {
				t.Errorf("%s: no %q in %s", name, part, got.Detail)
			}
		}
		for _, part := range tt.fix {
			if !strings.Contains(got.Fix, part) {
				t.Errorf("%s: no %q in %s", name, part, got.Fix)
			}
		}
	}
}
