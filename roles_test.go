package main

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/simulator"
)

// stagedAccount is a program that serves an account of a simulated platform.
type stagedAccount struct {
	t    *testing.T
	sim  *simulator.Simulator
	vars map[string]string
	p    *process
	stop func()
}

const boss = "oBoss0-0000000000000000000-A"

func newStagedAccount(t *testing.T) *stagedAccount {
	t.Helper()
	s := &stagedAccount{t: t}
	var err error
	s.sim, err = simulator.New(simulator.Options{
		Followers: 20, Admin: []string{boss}, AppID: "wxba5fad812f8e6fb9", AppSecret: "0123456789abcdef0123456789abcdef", Token: "token",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.vars = map[string]string{
		"WECHAT_APP_SECRET": "0123456789abcdef0123456789abcdef", "WECHAT_API_BASE_URL": s.sim.URL(), "ADMIN_OPENIDS": boss,
	}
	settings := testSettings(t, s.vars)
	s.vars["DATABASE_URL"] = "sqlite://" + settings.Accounts[0].Database.DSN
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start runs the program until stop is called.
func (s *stagedAccount) start() {
	s.t.Helper()
	p, err := newProcess(testSettings(s.t, s.vars), slog.New(slog.NewTextHandler(s.t.Output(), nil)))
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx, listeners{public: listener}) }()
	s.p, s.stop = p, func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
		s.stop = func() {}
	}
	<-p.only().ready
	if err := s.sim.SetCallback("http://" + listener.Addr().String() + "/wechat"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stagedAccount) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// says has a person write to the account and returns the reply.
func (s *stagedAccount) says(openID, text string) string {
	s.t.Helper()
	reply, err := s.sim.Say(s.t.Context(), openID, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply
}

func (s *stagedAccount) wantReply(openID, text string, parts ...string) {
	s.t.Helper()
	reply := s.says(openID, text)
	for _, part := range parts {
		if !strings.Contains(reply, part) {
			s.t.Errorf("%q is answered without %q: %s", text, part, reply)
		}
	}
}

// A role counts with the next message, over a restart, and until it is taken.
func TestARoleFromTheChatOverARestart(t *testing.T) {
	t.Parallel()
	s := newStagedAccount(t)
	anna, stranger := s.sim.Follower(1), s.sim.Follower(2)
	unknown := s.says(stranger, "broadcast status")
	s.wantReply(boss, "admins add "+anna+" sender", "has the role sender now")
	// She did not write for two days, so the platform takes no message to her.
	s.wantReply(anna, "broadcast status", "You are an admin of this account now, with the role sender", "There has been no broadcast yet")
	s.restart()
	s.wantReply(anna, "broadcast cancel", "no broadcast to cancel")
	s.wantReply(anna, "admins", "takes the role owner; yours is sender")
	s.wantReply(boss, "admins", anna+" · sender")
	s.wantReply(boss, "admins remove "+anna, "is no admin any more")
	for range 2 {
		for _, line := range []string{"broadcast status", "broadcast cancel", "admins"} {
			if got := s.says(anna, line); got != unknown {
				t.Errorf("%q of one who was removed is answered: %s", line, got)
			}
		}
		s.restart()
	}
	// Now she can be told by a message, since she wrote.
	s.wantReply(boss, "管理员 添加 "+anna+" 查看", "viewer")
	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	told := func(n simulator.Notice) bool {
		return strings.Contains(n.Text, "role viewer") && strings.Contains(n.Text, "help")
	}
	// The first one may have come after all, with her first word.
	for !slices.ContainsFunc(s.sim.Notices(anna), told) && deadline.Err() == nil {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline.Done():
		}
	}
	if got := s.sim.Notices(anna); !slices.ContainsFunc(got, told) {
		t.Errorf("told: %+v", got)
	}
}

// A message that the platform delivers again has one row in the audit, in another
// process too.
func TestTheAuditOverRedelivery(t *testing.T) {
	t.Parallel()
	s := newStagedAccount(t)
	tester := s.sim.Follower(3)
	deliver := func(text string, id int64) {
		t.Helper()
		if _, err := s.sim.SayAs(t.Context(), boss, text, 3, id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		deliver("testers add "+tester+" 小林", 1001)
		deliver("broadcast all", 1002) // MESSAGES_FILE is not there
		deliver("who 小林", 1003)
		deliver("broadcast status", 1004)
		s.restart()
	}
	page, err := s.p.only().store.AuditAfter(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range page {
		got = append(got, a.Admin+" "+a.Action+" "+a.Target+" "+a.Detail)
	}
	want := []string{
		boss + " testers_add " + tester + " testers add " + tester + " 小林",
		boss + " broadcast_all  refused: no_messages · broadcast all",
		boss + " who " + tester + " who 小林",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a follower wrote is told by who, whatever it was.
func TestTheLastWordOfAFollower(t *testing.T) {
	t.Parallel()
	s := newStagedAccount(t)
	reader := s.sim.Follower(4)
	s.wantReply(reader, "stop", "won't get")
	s.says(reader, "什么时候开门？")
	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for deadline.Err() == nil && !strings.Contains(s.says(boss, "who "+reader), "什么时候开门？") {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline.Done():
		}
	}
	s.wantReply(boss, "who "+reader, reader, "什么时候开门？", "Opted out on", "Would not get the next broadcast to all: opted out")
	s.wantReply(boss, "who "+s.sim.Follower(5), "I have nothing about", "WeChat says that this person follows")
}
