package broadcast_test

import (
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// A request that comes again, after the first try pulled the tag and stored nothing, takes
// what was pulled. Right before its planned start the tag is pulled anew all the same.
func TestATagOfARequestThatComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 40}, undo: 10 * time.Second})
		id := a.tag("读者", a.some(0, 20)...)
		a.start()
		a.plan(models.AudienceAll, a.now().Add(24*time.Hour))
		q := broadcast.Request{
			Audience: models.AudienceGroups, Groups: tagGroup("读者"), At: a.now().Add(15 * time.Minute),
			AskedBy: admin, RequestKey: "the same message",
		}
		_, err := a.engine.Create(t.Context(), q)
		wantCode(t, err, models.ErrSameMessage)
		time.Sleep(2 * time.Second)
		q.Again = true
		asked, err := a.engine.Create(t.Context(), q)
		if err != nil || asked.Recipients != 20 {
			t.Fatalf("%+v, %v", asked, err)
		}
		if err := a.sim.TagPeople(id, false, a.some(0, 10)...); err != nil {
			t.Fatal(err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.wantReached(a.some(10, 20)...)
	})
}
