package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
)

// deletedAt is when the deliveries of a broadcast were deleted.
var deletedAt = time.Date(2026, 11, 20, 4, 30, 0, 0, time.UTC)

// A status says that the deliveries are deleted, and offers nothing that would need them.
func TestAStatusOfDeletedDeliveries(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"zh": "发送明细已于", "en": "What became of each recipient was deleted on"} {
		for _, state := range []models.BroadcastState{models.Finished, models.Cancelled, models.Failed} {
			s := newStage(t, language)
			s.status.Broadcast = models.Broadcast{
				ID: 7, Audience: models.AudienceAll, State: state, Recipients: 34_945, StartedAt: models.At(now.Add(-time.Hour)), FinishedAt: models.At(now),
			}
			s.status.Counts = models.Counts{Accepted: 1_160, Delivered: 10_000, Failed: 40}
			if before := s.ask(t, admin, "broadcast status #7"); strings.Contains(before, want) {
				t.Errorf("%s: %s", state, before)
			}
			s.status.Broadcast.TalliedAt = models.At(deletedAt)
			reply := s.ask(t, admin, "broadcast status #7")
			wantAll(t, reply, want, "12:30", "10,000", "RETENTION")
			for _, offer := range []string{"群发其余 #7", "群发已达 #7", "重发 #7", "broadcast rest #7", "broadcast reached #7", "broadcast retry #7"} {
				if strings.Contains(reply, offer) {
					t.Errorf("%s: offers %q: %s", state, offer, reply)
				}
			}
		}
	}
}

// What is asked for some recipients of a broadcast whose deliveries are deleted is refused
// in one sentence, which names the broadcast whose they are.
func TestWhatNeedsDeletedDeliveriesIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		language, text string
		id, gone       int64
		want           string
	}{
		{"zh", "重发 #7", 7, 7, "没有发送：#7 的发送明细已于 11月20日（周五）12:30 按 RETENTION 删除，无法知道谁收到了、谁没有收到。请按主题、标签或名单另发一次。"},
		{"zh", "其余 #7", 7, 9, "没有发送：#9 的发送明细已于 11月20日（周五）12:30 按 RETENTION 删除，无法知道 #7 谁收到了、谁没有收到。请按主题、标签或名单另发一次。"},
		{"en", "broadcast retry #7", 7, 7, "Nothing was sent: what became of each recipient of #7 was deleted on Friday, 2026-11-20 at 12:30 (RETENTION), so nobody can tell any more who got it and who did not. Send a new broadcast to the people you mean: a topic, a tag or a list."},
		{"en", "broadcast reached #7", 7, 9, "Nothing was sent: what became of each recipient of #9 was deleted on Friday, 2026-11-20 at 12:30 (RETENTION), so nobody can tell any more who got #7 and who did not. Send a new broadcast to the people you mean: a topic, a tag or a list."},
	} {
		s := newStage(t, tt.language)
		s.err = models.NewError(models.Conflict, models.ErrDeliveriesGone, "ID", tt.id, "Gone", tt.gone, "Moment", deletedAt)
		if reply := s.ask(t, admin, tt.text); reply != tt.want {
			t.Errorf("%q is answered %q, want %q", tt.text, reply, tt.want)
		}
	}
}

// Who asks for a person learns that not all that the person was sent is known.
func TestWhoTellsOfDeletedDeliveries(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][2]string{
		"zh": {"#7 和更早的群发，发送明细可能已按 RETENTION 删除，不在此列出。", "最近 50 次群发里，明细还在的都没有发给此人。"},
		"en": {"Who was sent #7 and broadcasts before it may be deleted (RETENTION); those are not listed.", "Of the broadcasts whose records are kept, none of the last 50 was sent to this person."},
	} {
		s := newStage(t, language)
		s.known = &followers.Known{Recipient: models.Recipient{ID: 1, OpenID: follower, Subscribed: true}, Gone: 7}
		wantAll(t, s.ask(t, admin, "who "+follower), want[0], want[1])
		s.known.Sent = []models.Sent{{Name: "notice", Delivery: models.Delivery{BroadcastID: 9, State: models.Delivered, UpdatedAt: models.At(now)}}}
		reply := s.ask(t, admin, "who "+follower)
		wantAll(t, reply, want[0], "#9 notice")
		if strings.Contains(reply, want[1]) {
			t.Errorf("%s", reply)
		}
	}
}
