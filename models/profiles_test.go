package models_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestProfilesAreStoredOfFollowersOnly(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, s, 4)
		change := func(i int, f func(r *models.Recipient)) {
			t.Helper()
			if err := s.ChangeRecipient(ctx, modelstest.OpenID(i), f); err != nil {
				t.Fatal(err)
			}
		}
		change(0, func(r *models.Recipient) { r.SubscribedAt, r.Scene = models.Time{}, "" })
		change(1, func(r *models.Recipient) { r.SubscribedAt, r.Scene = models.At(t0), "qrscene_door" })
		change(2, func(r *models.Recipient) { r.Leave(r.UpdatedAt) })
		since, now := models.At(t0.Add(-time.Hour)), t0.Add(time.Hour)
		var profiles []models.Profile
		for i := range 3 {
			profiles = append([]models.Profile{{
				RecipientID: ids[i], SubscribedAt: since, Scene: "ADD_SCENE_SEARCH", Remark: "李老师" + strings.Repeat("长", 300) + "\xff",
			}}, profiles...)
		}
		if err := s.SaveProfiles(ctx, profiles, now); err != nil {
			t.Fatal(err)
		}
		type told struct {
			Since, At models.Time
			Scene     string
			Remark    int
		}
		of := func(i int) told {
			r := person(t, s, modelstest.OpenID(i))
			return told{r.SubscribedAt, r.ProfiledAt, r.Scene, len([]rune(r.Remark))}
		}
		for i, want := range []told{
			{since, models.At(now), "ADD_SCENE_SEARCH", 255},
			{models.At(t0), models.At(now), "qrscene_door", 255},
			{},
		} {
			if diff := cmp.Diff(want, of(i)); diff != "" {
				t.Errorf("person %d (-want +got):\n%s", i, diff)
			}
		}
		if at := of(3).At; !at.IsZero() {
			t.Errorf("another one was written at %s", at)
		}
		// Who leaves takes it along, whoever notices.
		change(0, func(r *models.Recipient) { r.Leave(r.UpdatedAt) })
		if err := s.MarkGone(ctx, []models.Departure{{RecipientID: ids[1], At: models.At(now.Add(time.Hour))}}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if diff := cmp.Diff(told{}, of(i)); diff != "" {
				t.Errorf("kept of person %d, who left (-want +got):\n%s", i, diff)
			}
		}
	})
}
