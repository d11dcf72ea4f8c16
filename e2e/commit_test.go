package e2e

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// commitFault is what happens to the COMMIT of a broadcast's INSERT on its way.
type commitFault int

const (
	answeredLate commitFault = iota // the database carries it out at once and answers after 6 s
	answerLost                      // it carries it out, and the connection breaks before it answers
	neverArrived                    // the connection breaks before it hears of it
)

// commits stands between the server and MySQL, and strikes at the first COMMIT
// that follows the INSERT of a broadcast.
type commits struct {
	t      *testing.T
	target string
	addr   string
	fault  commitFault
	struck atomic.Bool
}

func newCommits(t *testing.T, target string, fault commitFault) *commits {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &commits{t: t, target: target, addr: listener.Addr().String(), fault: fault}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.carry(conn)
		}
	}()
	return c
}

// carry moves the bytes of one connection. The driver writes a statement at once
// and waits for its answer, so that a read sees whole statements.
func (c *commits) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := new(net.Dialer).DialContext(c.t.Context(), "tcp", c.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	var heldUntil atomic.Int64
	go func() {
		defer func() { _ = near.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := far.Read(buf)
			if err != nil || heldUntil.Load() < 0 {
				return
			}
			if rest := time.Until(time.UnixMilli(heldUntil.Load())); rest > 0 {
				pass(c.t, rest)
			}
			if _, err := near.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	inserted := false
	buf := make([]byte, 64<<10)
	for {
		n, err := near.Read(buf)
		if err != nil {
			return
		}
		inserted = inserted || bytes.Contains(buf[:n], []byte("INSERT INTO `broadcasts`"))
		if inserted && bytes.Contains(buf[:n], []byte("COMMIT")) && c.struck.CompareAndSwap(false, true) {
			switch c.fault {
			case answeredLate:
				heldUntil.Store(time.Now().Add(6 * time.Second).UnixMilli())
			case answerLost:
				heldUntil.Store(-1)
			case neverArrived:
				return
			}
		}
		if _, err := io.Copy(far, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// Whoever asks is never told that a broadcast failed that goes out.
func TestACommitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	long(t)
	const followers = 200
	try := func(t *testing.T, fault commitFault) (*server, string) {
		db := mariadb(t)
		p := startPlatform(t, "--followers", itoa(followers))
		between := newCommits(t, db.addr(t), fault)
		s := startServer(t, p, db.through(between.addr), settings{"UNDO_WINDOW": "5s"})
		p.pulled()
		asked := time.Now()
		reply := p.say(admin, "broadcast all personal")
		if took := time.Since(asked); took > 4900*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
		if !between.struck.Load() {
			t.Fatal("no COMMIT was struck")
		}
		return s, reply
	}

	t.Run("answered after 6 s", func(t *testing.T) {
		t.Parallel()
		s, reply := try(t, answeredLate)
		p := s.platform
		has(t, "the reply", reply, "not known yet", "broadcast status", "Don't ask again")
		// Asked again all the same, it is the same one.
		has(t, "the second reply", p.say(admin, "broadcast all personal"), "#1 ")
		eventually(t, patience, "the late word", func() bool { return len(p.notices()) > 1 }) // after that of the sync
		has(t, "the late word", p.notices()[1].Text, "it was taken", "Broadcast #1 · personal", "Starts in", "broadcast cancel #1")
		if calls := p.stats().Calls; calls != 0 {
			t.Errorf("%d sends before the admin could stop it", calls)
		}
		s.finishes()
		p.reached(followers)
		if list := p.say(admin, "broadcast list"); strings.Count(list, "#") != 1 {
			t.Errorf("the list:\n%s", list)
		}
	})
	t.Run("the answer is lost", func(t *testing.T) {
		t.Parallel()
		s, reply := try(t, answerLost)
		has(t, "the reply", reply, "Broadcast #1 · personal", "Starts in")
		s.finishes()
		s.platform.reached(followers)
	})
	t.Run("it never arrives", func(t *testing.T) {
		t.Parallel()
		s, reply := try(t, neverArrived)
		p := s.platform
		has(t, "the reply", reply, "try again")
		pass(t, 7*time.Second)
		if calls := p.stats().Calls; calls != 0 {
			t.Errorf("%d sends of what was not stored", calls)
		}
		has(t, "the reply to the next", p.say(admin, "broadcast all personal"), "Starts in")
		seldom(t, patience, "the broadcast finishes", func() bool {
			return strings.Contains(p.say(admin, "broadcast status"), "Finished")
		})
		p.reached(followers)
	})
}
