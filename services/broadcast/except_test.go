package broadcast_test

import (
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// Whoever joined a topic before the rest of a broadcast was asked for is left out by its
// exception, though they were not in the topic when that broadcast began. Whom that
// broadcast left out stays left out.
func TestTheRestLeavesOutWhoIsInATopicNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 60}, rate: 10})
		m := newMembers(a)
		renewed, staff := m.add("已续费"), m.add("员工")
		people := a.people()
		m.say(staff, true, people[50:55]...)
		a.start()
		asked, err := a.request(broadcast.Request{Audience: models.AudienceAll, Except: []models.Group{{Kind: models.GroupTopic, Name: "员工"}}})
		if err != nil {
			t.Fatal(err)
		}
		first := asked.Broadcast.ID
		a.received(10)
		if _, err := a.engine.Cancel(t.Context(), first, admin); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		m.say(renewed, true, people[40:50]...)
		m.say(staff, false, people[50:55]...)
		rest, err := a.request(broadcast.Request{
			Audience: models.AudienceRest, Of: first, Except: []models.Group{{Kind: models.GroupTopic, Name: "已续费"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		a.reaches(rest.Broadcast.ID, models.Finished)
		for i, openID := range people {
			want := 1
			if 40 <= i && i < 55 {
				want = 0
			}
			if got := m.got(openID); got != want {
				t.Errorf("follower %d got %d messages, want %d", i, got, want)
			}
		}
	})
}

// The same message to a list is the same, however its name was written when it was replaced.
func TestAListOfAnotherSpellingIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.start()
		a.list("VIP 读者", "x", numbers(0, 5)...)
		asked, err := a.toList("", "VIP 读者")
		if err != nil {
			t.Fatal(err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		for _, name := range []string{"vip 读者", "ＶＩＰ 读者", "ＶＩＰ　读者"} {
			a.list(name, "x", numbers(0, 5)...)
			_, err := a.toList("", name)
			wantCode(t, err, models.ErrSameMessage)
		}
		if got := a.sim.Stats().Accepted; got != 5 {
			t.Errorf("%d messages were sent", got)
		}
	})
}
