package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// keptNotices stands in for the engine: the broadcasts of which the admin could
// not be told, and in the reply to which message each was.
type keptNotices struct {
	list []models.Broadcast // the newest first
	said map[int64]string
	err  error
	// taken are those that the reply to another message names at the last moment.
	taken []int64
	// status stands in for the engine's Status if set.
	status func(id int64) (*broadcast.Status, error)
}

func (k *keptNotices) of(openID, key string) []models.Broadcast {
	for _, in := range []string{key, ""} {
		var found []models.Broadcast
		for _, b := range k.list {
			if openID == admin && k.said[b.ID] == in {
				found = append(found, b)
			}
		}
		if len(found) > 0 {
			return found[:min(20, len(found))]
		}
	}
	return nil
}

func (k *keptNotices) say(ids []int64, key string) (mine []int64) {
	for _, id := range k.taken {
		k.said[id] = "another"
	}
	for _, id := range ids {
		if k.said[id] == "" {
			k.said[id] = key
		}
		if k.said[id] == key {
			mine = append(mine, id)
		}
	}
	return mine
}

// keep makes n broadcasts of which the admin could not be told, #n the newest.
func (s *stage) keep(n int) {
	s.kept = keptNotices{said: map[int64]string{}}
	for id := int64(n); id > 0; id-- {
		s.kept.list = append(s.kept.list, models.Broadcast{ID: id})
	}
	s.kept.status = func(id int64) (*broadcast.Status, error) {
		b := models.Broadcast{
			ID: id, Name: "notice", State: models.Finished, Recipients: 100,
			StartedAt: models.At(now.Add(-time.Hour)), FinishedAt: models.At(now),
		}
		return &broadcast.Status{Broadcast: b, Counts: models.Counts{Delivered: 90, Accepted: 10}}, nil
	}
}

// word sends a message of the admin and returns the reply.
func (s *stage) word(t *testing.T, text, key string) string {
	t.Helper()
	reply, _, err := s.Reply(t.Context(), admin, text, key)
	if err != nil {
		t.Fatal(err)
	}
	checkReply(t, reply)
	return reply
}

func TestKeptNoticesComeWithTheNextReplyOnce(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"en": "\n\nI couldn't tell you this before:\nBroadcast #1 · notice is finished after 60 min.\nWeChat took 100 of 100 (100%).\n" +
			"Delivered: 90\nAccepted, no receipt yet: 10. Later ones show in: broadcast status #1",
		"zh": "\n\n之前没能通知到你：\n群发 #1 · notice 已完成，用时 60 分钟。\n100 位收件人，微信受理 100（100%）。\n" +
			"已送达：90\n已受理，还没收到送达回报：10。之后的变化请发送：群发状态 #1",
	} {
		// Commands, one with a fault, and a text that is no command.
		for _, line := range []string{"help", "stats", "broadcast retry", "good morning", "pause"} {
			s := newStage(t, language)
			plain := s.word(t, line, "m:0")
			s.keep(1)
			if got := s.word(t, "openid", "m:1"); got != admin {
				t.Errorf("the OpenID can't be copied: %q", got)
			}
			if got := s.ask(t, follower, "help"); strings.Contains(got, "#1") {
				t.Errorf("a follower is told: %q", got)
			}
			if got := s.word(t, line, "m:2"); got != plain+want {
				t.Errorf("%s %q: got\n%s\nwant\n%s", language, line, got, plain+want)
			}
			if got := s.word(t, line, "m:2"); got != plain+want {
				t.Errorf("%s %q: delivered again, it gets\n%s", language, line, got)
			}
			if got := s.word(t, line, "m:3"); got != plain {
				t.Errorf("%s %q: the next one gets\n%s", language, line, got)
			}
		}
	}
}

// No reply is longer than the platform accepts.
func TestManyKeptNoticesAreAllNamed(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		for _, n := range []int{2, 7, 20, 21, 50} {
			s := newStage(t, language)
			s.keep(n)
			var replies strings.Builder
			for i := range n {
				replies.WriteString(s.word(t, "stats", fmt.Sprintf("m:%d", i)))
			}
			for id := 1; id <= n; id++ {
				named := 0
				for _, end := range []string{" ·", ",", "、", ".", " 也", " and"} {
					named += strings.Count(replies.String(), fmt.Sprintf("#%d%s", id, end))
				}
				if named == 0 {
					t.Errorf("%s, %d notices: #%d is lost in\n%s", language, n, id, replies.String())
				}
			}
			if len(s.kept.said) != n {
				t.Errorf("%s, %d notices: %d were said", language, n, len(s.kept.said))
			}
		}
	}
}

// A full reply leaves them for the next one.
func TestKeptNoticesWaitForRoom(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.testers = slices.Repeat([]models.Recipient{{OpenID: strings.Repeat("x", 128), Subscribed: true}}, 400)
	s.keep(3)
	if got := s.word(t, "testers", "m:1"); strings.Contains(got, "#3") || len(s.kept.said) != 0 {
		t.Errorf("no room for %v in %q", s.kept.said, got)
	}
	wantAll(t, s.word(t, "broadcast retry", "m:2"), "#1 ·", "#2 ·", "#3 ·")
}

// Two messages are answered at the same time.
func TestKeptNoticesAreInOneReplyOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.keep(2)
	s.kept.taken = []int64{2}
	got := s.word(t, "help", "m:1")
	if strings.Contains(got, "#2") || !strings.Contains(got, "Broadcast #1 ·") {
		t.Errorf("got %q", got)
	}
	if got := s.word(t, "help", "m:2"); strings.Contains(got, "Broadcast #") {
		t.Errorf("said again: %q", got)
	}
}

// Without the database the reply comes alone. Without the counts it names the
// broadcasts.
func TestKeptNoticesNeverCostTheReply(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	help := s.word(t, "help", "m:0")
	s.keep(2)
	s.kept.err = errors.New("database is away")
	if got := s.word(t, "help", "m:1"); got != help {
		t.Errorf("got %q", got)
	}
	s.kept.err = nil
	ctx, cancel := context.WithTimeout(t.Context(), keptWithin)
	defer cancel()
	if got, _, err := s.Reply(ctx, admin, "help", "m:2"); err != nil || got != help {
		t.Errorf("in no time: %q, %v", got, err)
	}
	s.kept.status = func(int64) (*broadcast.Status, error) { return nil, errors.New("too slow") }
	want := help + "\n\nI couldn't tell you this before:\nThere is also news of #2, #1. To see it: broadcast status #2"
	if got := s.word(t, "help", "m:3"); got != want {
		t.Errorf("got %q", got)
	}
}
