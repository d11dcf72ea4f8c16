package broadcast_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
)

// own gives people by their numbers the own field book.
func (a *account) own(book string, people ...int) {
	a.t.Helper()
	var all []models.Entry
	for _, i := range people {
		all = append(all, models.Entry{OpenID: a.openID(i), Fields: models.EncodeFields(map[string]string{"book": book})})
	}
	if err := a.store.SaveFields(a.t.Context(), all, true); err != nil {
		a.t.Fatal(err)
	}
}

// A message is filled from a list first and then from what a person has of their own, to
// everyone, too; one for which somebody lacks a field is refused with how many they are, also
// far behind those of the sample.
func TestAPersonsOwnFieldsFillAMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const people = 100
		a := newAccount(t, setup{Options: simulator.Options{Followers: people}})
		a.write("到期", due...)
		a.start()
		_, err := a.tryAsk("到期", models.AudienceAll, false)
		wantCode(t, err, models.ErrContent) // nobody has any field
		var most []int
		for i := range people - 2 {
			most = append(most, i)
		}
		a.own("三国演义", most...)
		a.own("", people-2)
		a.list("a", "红楼梦", 0, people-1)
		a.list("b", "", 1, 2)
		_, err = a.tryAsk("到期", models.AudienceAll, false)
		wantCode(t, err, models.ErrFieldsLacking)
		var told *models.Error
		if errors.As(err, &told) {
			lacks, _ := told.Args["Lacks"].([]models.Lack)
			if len(lacks) != 1 || lacks[0].Field != "book" || lacks[0].Count != 3 || fmt.Sprint(told.Args["Known"]) != "[book]" {
				t.Errorf("told %+v", told.Args)
			}
		}
		for _, list := range []string{"a", "b"} {
			asked, err := a.toList("到期", list)
			if err != nil {
				t.Fatal(list, err)
			}
			a.reaches(asked.Broadcast.ID, models.Finished)
		}
		a.wantRead(map[int]string{0: "《红楼梦》到期", people - 1: "《红楼梦》到期", 1: "《三国演义》到期", 2: "《三国演义》到期"})
		a.own("水浒传", people-2, people-1, people) // the last is the admin
		asked, err := a.tryAsk("到期", models.AudienceAll, true)
		if err != nil {
			t.Fatal(err)
		}
		if n := a.reaches(asked.Broadcast.ID, models.Finished).Recipients; n != people+1 {
			t.Errorf("%d recipients", n)
		}
		for i, want := range map[int]string{3: "《三国演义》到期", people - 2: "《水浒传》到期", people: "《水浒传》到期"} {
			if got := a.read(a.sim.Follower(i)); len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("follower %d reads %q", i, got)
			}
		}
	})
}
