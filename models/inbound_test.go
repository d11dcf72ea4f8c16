package models_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestFirstReplyIsKept(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx, now := t.Context(), time.Now()
		if _, found, err := s.FindReply(ctx, "m:oA:1"); err != nil || found {
			t.Fatalf("find before any reply: found %v, err %v", found, err)
		}
		const first = "群发 #7 · 通知 🎉"
		for _, reply := range []string{first, "second"} {
			got, err := s.SaveReply(ctx, "m:oA:1", reply, now)
			if err != nil {
				t.Fatal(err)
			}
			if got != first {
				t.Errorf("save %q: kept %q, want the first, %q", reply, got, first)
			}
		}
		got, found, err := s.FindReply(ctx, "m:oA:1")
		if err != nil || !found || got != first {
			t.Errorf("find: got %q, %v, %v", got, found, err)
		}
		// OpenIDs that differ in case are two people, and so are their messages.
		if got, err := s.SaveReply(ctx, "m:oa:1", "another", now); err != nil || got != "another" {
			t.Errorf("key in another case: got %q, %v", got, err)
		}
	})
}

func TestOneOfManyRepliesWins(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		const copies = 8
		got := make([]string, copies)
		var wg sync.WaitGroup
		for i := range copies {
			wg.Go(func() {
				var err error
				got[i], err = s.SaveReply(t.Context(), "m:oA:2", fmt.Sprint("reply ", i), time.Now())
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, reply := range got {
			if reply == "" || reply != got[0] {
				t.Fatalf("copies were told different replies: %q", got)
			}
		}
	})
}

func TestPurgeInbound(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		for i := range 3 {
			if _, err := s.SaveReply(ctx, fmt.Sprint("m:oA:", i), "r", at.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		n, err := s.PurgeInbound(ctx, at.Add(time.Hour))
		if err != nil || n != 1 {
			t.Fatalf("purged %d, %v; want the one older than the moment", n, err)
		}
		for i, want := range []bool{false, true, true} {
			if _, found, err := s.FindReply(ctx, fmt.Sprint("m:oA:", i)); err != nil || found != want {
				t.Errorf("reply %d: found %v, %v; want %v", i, found, err, want)
			}
		}
	})
}

// More rows than one statement deletes are deleted all the same.
func TestPurgeInboundInChunks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		const rows = 2500
		err := models.FillInbound(t.Context(), s, rows, time.Unix(1000, 0))
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.PurgeInbound(t.Context(), time.Unix(2000, 0))
		if err != nil || n != rows {
			t.Errorf("purged %d, %v; want %d", n, err, rows)
		}
	})
}

func TestReplyNeedsTheDatabase(t *testing.T) {
	t.Parallel()
	s := modelstest.SQLite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.FindReply(ctx, "k"); err == nil {
		t.Error("find: no error")
	}
	if _, err := s.SaveReply(ctx, "k", "r", time.Now()); err == nil {
		t.Error("save: no error")
	}
	if _, err := s.PurgeInbound(ctx, time.Now()); err == nil {
		t.Error("purge: no error")
	}
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		openID string
		valid  bool
		masked string
	}{
		{"o6_bmjrPTlm6_2sgVt7hMZOPfL2M", true, "o6_b…L2M"},
		{"oTest12", true, "…"},
		{"", false, "…"},
		{"有中文的标识不是一个真的", false, "有中文的…个真的"},
		{"with space and more", false, "with…ore"},
		{"with\nnewline-and-more", false, "with…ore"},
		{strings.Repeat("a", 128), true, "aaaa…aaa"},
		{strings.Repeat("a", 129), false, "aaaa…aaa"},
	} {
		if got := models.ValidOpenID(tt.openID); got != tt.valid {
			t.Errorf("ValidOpenID(%q) = %v", tt.openID, got)
		}
		if got := models.MaskOpenID(tt.openID); got != tt.masked {
			t.Errorf("MaskOpenID(%q) = %q, want %q", tt.openID, got, tt.masked)
		}
	}
}
