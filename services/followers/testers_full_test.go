package followers_test

import (
	"errors"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
)

// What goes to the test list passes no guard, so the list does not grow without end.
func TestTheTestListHasALimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		for i := range followers.MaxTesters {
			err := h.store.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) { r.Subscribed, r.Tester = true, true })
			if err != nil {
				t.Fatal(err)
			}
		}
		last, next := modelstest.OpenID(followers.MaxTesters-1), modelstest.OpenID(followers.MaxTesters)
		h.platform.set(last, next)
		var told *models.Error
		if _, err := h.AddTester(ctx, next, ""); !errors.As(err, &told) || told.Code != models.ErrTestersFull {
			t.Errorf("one more: %v", err)
		}
		if _, err := h.AddTester(ctx, last, "Lin"); err != nil {
			t.Errorf("a name for one of them: %v", err)
		}
		if _, err := h.RemoveTester(ctx, last); err != nil {
			t.Fatal(err)
		}
		if done, err := h.AddTester(ctx, next, ""); err != nil || !done.Added {
			t.Errorf("with room: %+v, %v", done, err)
		}
	})
}
