package e2e

import (
	"strings"
	"testing"
	"time"
)

// effective is within what time pause, resume and cancel take effect.
const effective = 2 * time.Second

// holds checks that no send is called for from 2 s after now on.
func holds(t *testing.T, p *platform, after string) {
	t.Helper()
	pass(t, effective)
	calls := p.stats().Calls
	pass(t, time.Second)
	if more := p.stats().Calls - calls; more != 0 {
		t.Errorf("%d sends later than 2 s after %s", more, after)
	}
}

// Pause, resume and cancel take effect within 2 s; a pause outlives a restart.
func TestPauseResumeCancel(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers = 20_000 // more than can be sent meanwhile
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms")
		s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "8"})
		p.say(admin, "broadcast all personal")
		p.callsReach(300)

		p.say(admin, "broadcast pause")
		holds(t, p, "the pause")
		if status := p.say(admin, "broadcast status"); !strings.Contains(status, "Paused") {
			t.Errorf("not paused:\n%s", status)
		}
		s.kill()
		s.start(t)
		s.logged(`sending for this database`)
		holds(t, p, "a restart in the pause")

		calls := p.stats().Calls
		p.say(admin, "broadcast resume #1")
		asked := time.Now()
		p.callsReach(calls + 1)
		if took := time.Since(asked); took > effective {
			t.Errorf("resumed after %s, want 2 s", took)
		}
		p.callsReach(calls + 200)

		p.say(admin, "取消")
		holds(t, p, "the cancel")
		status := p.say(admin, "broadcast status")
		if !strings.Contains(status, "Cancelled") {
			t.Errorf("not cancelled:\n%s", status)
		}
		st := p.stats()
		if st.Reached >= followers || st.MoreThanOne != 0 {
			t.Errorf("reached %d of %d, %d more than once", st.Reached, followers, st.MoreThanOne)
		}
		p.receiptsCome()
		status = p.say(admin, "broadcast status")
		if got := counted(status, `delivered (\S+)`) + counted(status, `accepted (\S+)`); got != st.Reached {
			t.Errorf("the status says that %d were reached, want %d:\n%s", got, st.Reached, status)
		}
	})
}

// Until its undo window is over, a broadcast can be called back altogether.
func TestUndo(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "--followers", "100")
	startServer(t, p, sqlite(t).url, settings{"UNDO_WINDOW": "2s"})
	if reply := p.say(admin, "broadcast all"); !strings.Contains(reply, "cancel #1") {
		t.Errorf("the reply does not say how to stop it:\n%s", reply)
	}
	p.say(admin, "broadcast cancel #1")
	pass(t, 3*time.Second)
	if st := p.stats(); st.Calls != 0 {
		t.Errorf("%d sends of a broadcast that was called back", st.Calls)
	}
}
