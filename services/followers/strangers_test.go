package followers_test

import (
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

// About somebody who is on a list and was never seen to follow the platform is asked, as
// about somebody unknown, and the statistics have nobody of them until they follow.
func TestAStrangerOnAListIsNoFollower(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		stranger := modelstest.OpenID(1)
		h.platform.set(stranger)
		id, err := h.store.AddSegment(ctx, models.Segment{Kind: string(models.GroupList)})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.AddEntries(ctx, id, []models.Entry{{OpenID: stranger}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		k, err := h.Who(ctx, stranger)
		if err != nil || !k.Stranger || !k.Asked || !k.Follows || len(k.Sent) != 0 {
			t.Errorf("%+v, %v", k, err)
		}
		if st, err := h.Stats(ctx); err != nil || st.Followers != 0 || st.Left != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		if _, err := h.SetOptedOut(ctx, stranger, false, followers.Said{}); err != nil { // whoever writes follows
			t.Fatal(err)
		}
		if k, err = h.Who(ctx, stranger); err != nil || k.Stranger || !k.Subscribed || k.Asked {
			t.Errorf("%+v, %v", k, err)
		}
		if st, err := h.Stats(ctx); err != nil || st.Followers != 1 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}
