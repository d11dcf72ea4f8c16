package chat

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/services/loop"
)

// A command is answered before a slow database has its audit, which is kept all the same.
func TestASlowAuditIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "en")
		s.auditSlow, s.status.Broadcast = make(chan struct{}), sample()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		reply, _, err := s.Reply(ctx, admin, "pause", "m:7")
		if took := time.Since(began); err != nil || !strings.Contains(reply, "#7") || took > 1500*time.Millisecond {
			t.Errorf("%q, %v after %v", reply, err, took)
		}
		cancel()
		_ = loop.Sleep(t.Context(), 10*time.Second)
		close(s.auditSlow)
		synctest.Wait()
		if len(s.audit) != 1 || s.audit[0].Action != "pause" {
			t.Errorf("kept: %+v", s.audit)
		}
	})
}
