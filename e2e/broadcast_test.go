package e2e

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Everyone who can be reached is reached once, each with what is theirs, and
// status, notice and database tell the same as the platform's ledger.
func TestEveryoneIsReachedOnce(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const refusing = 100
		followers := sized[int64](3_000, 25_000)
		reachable := followers - refusing
		p := startPlatform(t, "--followers", itoa(followers), "--refusing", itoa(refusing), "--latency", "5ms")
		s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "64"})

		if reply := p.say(admin, "broadcast all personal"); !strings.Contains(reply, "#1 ") || !strings.Contains(reply, "personal") {
			t.Fatalf("the reply does not name the broadcast:\n%s", reply)
		}
		s.finishes()
		p.reached(reachable)
		st := p.stats()
		if st.Tried != followers || st.TriedOver2 != 0 {
			t.Errorf("%d were tried, want %d; more than twice %d, want 0", st.Tried, followers, st.TriedOver2)
		}
		if r := p.receiptsCome(); r.Acked != reachable || r.Refused != 0 {
			t.Errorf("%d receipts were taken, want %d; not taken at first: %d, want 0", r.Acked, reachable, r.Refused)
		}

		notice := s.closingNotice(reachable, followers)
		s.noMoreNotices()
		if got := counted(notice, `Failed: (\S+)`); got != refusing {
			t.Errorf("the notice says that %d failed, want %d:\n%s", got, refusing, notice)
		}
		status := p.say(admin, "broadcast status #1")
		for what, want := range map[string]int64{
			`(\S+) of `: followers, ` of (\S+) `: followers, `delivered (\S+)`: reachable, `failed (\S+)`: refusing,
			`accepted (\S+)`: 0, `uncertain (\S+)`: 0, `blocked (\S+)`: 0,
		} {
			if got := counted(status, what); got != want {
				t.Errorf("the status says %d for %q, want %d:\n%s", got, what, want, status)
			}
		}
		db.deliveries(t, map[string]int64{"delivered": reachable, "failed": refusing})
		for _, who := range p.received(1) {
			messages := p.messages(who.OpenID)
			if got := messages[0].Content.Data["character_string1"].Value; got != who.OpenID {
				t.Errorf("%s received the message of %q", who.OpenID, got)
			}
		}
	})
}

// However often the platform delivers a command, and whatever happens to the
// server in between, it is carried out once and answered the same.
func TestCommandIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	long(t)
	eachDatabase(t, func(t *testing.T, db database) {
		const followers = 200
		p := startPlatform(t, "--followers", itoa(followers))
		s := startServer(t, p, db.url, nil)
		commands := []struct {
			text  string
			msgID int64
			reply string
		}{
			{text: "broadcast all personal", msgID: 7_000_000_001},
			{text: "群发自己", msgID: 7_000_000_002},
			{text: "testers add " + admin, msgID: 7_000_000_003},
			{text: "broadcast test", msgID: 7_000_000_004},
		}
		for i, c := range commands {
			replies := p.deliver(admin, c.text, 5, c.msgID)
			for _, reply := range replies {
				if reply == "" || reply != replies[0] {
					t.Errorf("%q, delivered five times at once, is answered %q and %q", c.text, replies[0], reply)
				}
			}
			commands[i].reply = replies[0]
		}
		s.finishes()
		eventually(t, patience, "the other broadcasts finish", func() bool {
			return strings.Count(p.say(admin, "broadcast list"), "Finished") == 3
		})

		s.kill()
		s.start(t)
		for _, c := range commands {
			if reply := p.deliver(admin, c.text, 1, c.msgID)[0]; reply != c.reply {
				t.Errorf("%q, delivered again after a restart, is answered %q, was %q", c.text, reply, c.reply)
			}
		}
		list := p.say(admin, "broadcast list")
		if strings.Count(list, "#") != 3 {
			t.Errorf("there are not three broadcasts:\n%s", list)
		}
		pass(t, tidied) // in which a broadcast that should not be there would be sent
		st := p.stats()
		if st.Reached != followers || st.Accepted != followers+2 || st.MoreThanOne != 1 {
			t.Errorf("reached %d with %d messages, %d with more than one; want %d, %d, 1",
				st.Reached, st.Accepted, st.MoreThanOne, followers, followers+2)
		}
	})
}
