package models_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func saved(t *testing.T, s *models.Store, was *models.Message, m models.Message, want bool) {
	t.Helper()
	if got, err := s.SaveMessage(t.Context(), was, m, 200); err != nil || got != want {
		t.Errorf("save %+v: %v, %v; want %v", m, got, err, want)
	}
}

func TestMessagesAreKeptWithWhoChangedThem(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		if list, err := s.Messages(t.Context()); err != nil || len(list) != 0 {
			t.Fatalf("at first there are %v, %v", list, err)
		}
		err := s.ChangeRecipient(t.Context(), "oB", func(r *models.Recipient) { r.Subscribed, r.Name = true, "小林" })
		if err != nil {
			t.Fatal(err)
		}
		first := models.Message{
			Folded: "闭馆 a", Name: "闭馆 A", Content: `{"data":"😀` + strings.Repeat("长", 30_000) + `"}`,
			ChangedBy: "oA", ChangedAt: models.At(morning),
		}
		saved(t, s, nil, first, true)
		saved(t, s, nil, models.Message{Folded: "闭馆 a", Name: "闭馆 a", Content: "{}", ChangedBy: "oC", ChangedAt: models.At(morning)}, false)
		second := models.Message{Folded: "notice", Name: "Notice", Content: "{}", ChangedBy: "oB", ChangedAt: models.At(morning)}
		saved(t, s, nil, second, true)
		second.Changer = "小林"
		list, err := s.Messages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]models.Message{second, first}, list); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		changed := first
		changed.Name, changed.Content, changed.ChangedBy, changed.ChangedAt = "闭馆 a", `{"data":1}`, "ob", models.At(morning.Add(time.Second))
		saved(t, s, &first, changed, true)
		saved(t, s, &first, first, false) // somebody else changed it meanwhile
		if list, err = s.Messages(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]models.Message{second, changed}, list); diff != "" {
			t.Errorf("after a change (-want +got):\n%s", diff)
		}
		for _, want := range []bool{true, false} {
			if removed, err := s.RemoveMessage(t.Context(), "notice"); err != nil || removed != want {
				t.Errorf("removed: %v, %v; want %v", removed, err, want)
			}
		}
		saved(t, s, &second, second, false) // it is gone
	})
}

func TestMessagesHaveALimit(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		m := models.Message{Folded: "a", Name: "a", Content: "{}", ChangedBy: "oA", ChangedAt: models.At(morning)}
		if got, err := s.SaveMessage(t.Context(), nil, m, 1); !got || err != nil {
			t.Fatal(got, err)
		}
		other := m
		other.Folded = "b"
		var told *models.Error
		if got, err := s.SaveMessage(t.Context(), nil, other, 1); got || !errors.As(err, &told) || told.Code != models.ErrMessagesFull {
			t.Errorf("one too many: %v, %v", got, err)
		}
		changed := m
		changed.Content = "[]"
		if got, err := s.SaveMessage(t.Context(), &m, changed, 1); !got || err != nil {
			t.Errorf("a change at the limit: %v, %v", got, err)
		}
	})
}

func TestOfTwoChangesAtOnceOneIsSaved(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		was := models.Message{Folded: "a", Name: "a", Content: "0", ChangedBy: "oA", ChangedAt: models.At(morning)}
		for _, from := range []*models.Message{nil, &was} {
			var won atomic.Int64
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					m := was
					if from != nil {
						m.Content = strings.Repeat("x", i+1)
					}
					got, err := s.SaveMessage(t.Context(), from, m, 200)
					if err != nil {
						t.Error(err)
					}
					if got {
						won.Add(1)
					}
				})
			}
			group.Wait()
			if n := won.Load(); n != 1 {
				t.Errorf("%d of 8 changes were saved", n)
			}
		}
	})
}
