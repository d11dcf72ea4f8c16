package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the platform would not take as a notice comes with the reply to the
// admin's next word, whichever process sent and whichever replies: once, and
// again only to a copy of that word.
func TestWhatTheAdminCouldNotBeToldComesWithTheNextReply(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db database) {
		p := startPlatform(t, "--followers", "10")
		first := startServer(t, p, db.url, nil)
		second := startServer(t, p, db.url, nil) // gets the callbacks from now on
		// The platform knows nothing of this word, so that for it the admin was silent.
		word := "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[broadcast me]]></Content><MsgId>23</MsgId>"
		body := strings.NewReader(strings.Replace(message(word), stranger, admin, 1))
		if status, answer := (post{body: body}).send(t, second, "POST"); status != 200 || !strings.Contains(answer, "#1") {
			t.Fatalf("status %d: %s", status, answer)
		}
		first.logged(`the platform does not take the notice`)
		pool := openPool(t, db)
		eventually(t, patience, "the notice is kept", func() bool {
			var kept int
			err := pool.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM broadcasts b JOIN notices n ON n.broadcast_id = b.id WHERE b.notified_state = 'finished'").Scan(&kept)
			return err == nil && kept == 1
		})
		first.kill()

		if reply := p.say(admin, "openid"); reply != admin {
			t.Errorf("the OpenID can't be copied: %q", reply)
		}
		reply := p.deliver(admin, "help", 1, 77)[0]
		if !strings.HasPrefix(reply, "You can send:") {
			t.Errorf("the reply to help is lost:\n%s", reply)
		}
		has(t, "the reply", reply, "couldn't tell you", "Broadcast #1", "finished", "Delivered: 1")
		second.kill()
		second.start(t)
		second.logged(`sending for this database`)
		if again := p.deliver(admin, "help", 1, 77)[0]; again != reply {
			t.Errorf("delivered again, it got\n%s\nwant\n%s", again, reply)
		}
		if next := p.say(admin, "help"); strings.Contains(next, "Broadcast #1") {
			t.Errorf("the next one got it too:\n%s", next)
		}
		if list := p.notices(); len(list) != 0 {
			t.Errorf("the admin got notices: %v", list)
		}
	})
}

// The log says how many receipts came, and nothing of each of them.
func TestTheLogCountsReceipts(t *testing.T) {
	t.Parallel()
	const followers, blocking = 300, 20
	p := startPlatform(t, "--followers", itoa(followers), "--blocking", itoa(blocking))
	s := startServer(t, p, sqlite(t).url, nil)
	p.say(admin, "broadcast all")
	s.finishes()
	p.receiptsCome()
	s.terminate()
	log := s.log.text(0)
	if n := strings.Count(log, "kind=receipt"); n != 0 {
		t.Errorf("the log has %d lines of receipts", n)
	}
	var delivered, blocked, lines int64
	for _, line := range regexp.MustCompile(`level=INFO msg=receipts delivered=(\d+) blocked=(\d+) failed=0\n`).FindAllStringSubmatch(log, -1) {
		for i, sum := range []*int64{&delivered, &blocked} {
			n, err := strconv.ParseInt(line[i+1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			*sum += n
		}
		lines++
	}
	if delivered != followers-blocking || blocked != blocking || lines > 5 {
		t.Errorf("%d lines say that %d were delivered and %d blocked, want %d and %d", lines, delivered, blocked, followers-blocking, blocking)
	}
}
