package broadcast_test

import (
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
)

func TestAStatusTellsWhoLeftBecauseOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 10}})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		for i, after := range []time.Duration{10 * time.Hour, 30 * time.Hour, 60 * time.Hour} {
			openID := a.sim.Follower(i + 1)
			a.ahead.Store(int64(after))
			at := models.At(a.now())
			if err := a.store.ChangeRecipient(t.Context(), openID, func(r *models.Recipient) { r.Leave(at); r.OptedOutAt = at }); err != nil {
				t.Fatal(err)
			}
		}
		st, err := a.engine.Status(t.Context(), id)
		if want := (models.Price{Left: 1, OptedOut: 1}); err != nil || st.Price != want {
			t.Errorf("%+v, %v, want %+v", st.Price, err, want)
		}
		// The notifier may have looked just before; what it saw is shared for a while.
		a.until("those who look again and again see it", func() bool {
			recent, err := a.engine.Recent(id)
			return err == nil && recent.Price == st.Price
		})
	})
}
