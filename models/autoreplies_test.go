package models_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestAutoReplies(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		reply := func(folded, text string, minute int) models.AutoReply {
			return models.AutoReply{
				Folded: folded, Word: strings.ToUpper(folded), Text: text, ChangedBy: "oAdmin",
				ChangedAt: models.At(t0.Add(time.Duration(minute) * time.Minute)),
			}
		}
		set := func(r models.AutoReply, want *models.AutoReply) {
			t.Helper()
			before, err := s.SetAutoReply(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, before); diff != "" {
				t.Errorf("before %q, -want +got:\n%s", r.Text, diff)
			}
		}
		list := func(want ...models.AutoReply) {
			t.Helper()
			got, err := s.AutoReplies(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		longest := strings.Repeat("字", 682)
		open, wifi, accent := reply("开放时间", "九点\n到五点 🎉", 1), reply("wifi", longest, 2), reply("wifí", "other", 3)
		set(open, nil)
		set(wifi, nil)
		set(accent, nil) // a word is compared letter by letter
		list(accent, wifi, open)
		later := reply("开放时间", "十点", 4)
		set(later, &open)
		list(later, accent, wifi)
		before, err := s.RemoveAutoReply(ctx, "wifi")
		if err != nil || cmp.Diff(&wifi, before) != "" {
			t.Errorf("removed %+v, %v", before, err)
		}
		var known *models.Error
		if _, err := s.RemoveAutoReply(ctx, "wifi"); !errors.As(err, &known) || known.Code != models.ErrReplyUnknown {
			t.Errorf("removed twice: %v", err)
		}
		list(later, accent)
	})
}

func TestSoManyAutoReplies(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		reply := func(i int) models.AutoReply {
			return models.AutoReply{Folded: fmt.Sprint("w", i), Word: "w", Text: "x", ChangedBy: "oAdmin", ChangedAt: models.At(t0)}
		}
		for i := range models.MaxAutoReplies {
			if _, err := s.SetAutoReply(ctx, reply(i)); err != nil {
				t.Fatal(err)
			}
		}
		var known *models.Error
		if _, err := s.SetAutoReply(ctx, reply(-1)); !errors.As(err, &known) || known.Code != models.ErrRepliesFull {
			t.Errorf("one more: %v", err)
		}
		if _, err := s.SetAutoReply(ctx, reply(7)); err != nil {
			t.Errorf("one that is there can't be changed: %v", err)
		}
	})
}
