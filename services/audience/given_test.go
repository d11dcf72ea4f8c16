package audience

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Who comes twice with the same fields is one person, in the place of the first.
func TestReadGivenPeople(t *testing.T) {
	t.Parallel()
	person := func(i int, fields map[string]string) models.Addressee {
		return models.Addressee{OpenID: modelstest.OpenID(i), Fields: fields}
	}
	g, err := Read([]models.Addressee{
		person(2, map[string]string{"书名": `<"红楼梦">`, "a": ""}), person(1, nil), person(2, map[string]string{"a": "", "书名": `<"红楼梦">`}), person(1, map[string]string{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Given{
		entries: []models.Entry{{OpenID: modelstest.OpenID(2), Fields: `{"a":"","书名":"<\"红楼梦\">"}`}, {OpenID: modelstest.OpenID(1)}},
		fields:  []string{"a", "书名"},
	}
	if diff := cmp.Diff(want, g, cmp.AllowUnexported(Given{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A request can't name more fields than a list can have.
func TestTooManyFieldsOfGivenPeople(t *testing.T) {
	t.Parallel()
	var list []models.Addressee
	for i := range 41 {
		list = append(list, models.Addressee{OpenID: modelstest.OpenID(i), Fields: map[string]string{"f" + string(rune('一'+i)): "x"}})
	}
	if _, err := Read(list[:40]); err != nil {
		t.Error(err)
	}
	_, err := Read(list)
	if told := new(models.Error); err == nil || !errors.As(err, &told) || told.Code != models.ErrRecipientFields || told.Args["N"] != int64(41) {
		t.Errorf("%v", err)
	}
}
