package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// say carries out lines in a process of their own, beside the program if that runs.
func (s *stagedAccount) say(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "config.yaml")
	content := "wechat_app_id: wxba5fad812f8e6fb9\nwechat_token: token\nlanguage: en\n"
	for name, value := range s.vars {
		content += fmt.Sprintf("%s: %q\n", strings.ToLower(name), value)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var out, errs logText
	code = run(s.t.Context(), append([]string{"--config", file, "say"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// wantSaid says one line and looks for parts of the reply.
func (s *stagedAccount) wantSaid(args []string, parts ...string) {
	s.t.Helper()
	code, stdout, stderr := s.say(args...)
	if code != exitOK {
		s.t.Fatalf("say %q: exit code %d: %s", args, code, stderr)
	}
	for _, part := range parts {
		if !strings.Contains(stdout, part) {
			s.t.Errorf("%q is answered without %q: %s", args, part, stdout)
		}
	}
}

func (s *stagedAccount) wantReceived(openID string, want int) {
	s.t.Helper()
	var got int
	eventually(s.t, fmt.Sprintf("%d messages to %s", want, openID), func() bool {
		received, _ := s.sim.Ledger(openID)
		got = len(received)
		return got >= want
	})
	if got != want {
		s.t.Errorf("%s got %d messages, want %d", openID, got, want)
	}
}

// A line is carried out as the first owner or as somebody else, beside the program and
// for the next start of it. What goes out goes out once.
func TestSay(t *testing.T) {
	s := newStagedAccount(t)
	anna := s.sim.Follower(1)
	s.wantSaid([]string{"--as", anna, "openid"}, anna)
	s.wantSaid([]string{"--as", anna, "broadcast all"}, s.says(s.sim.Follower(2), "broadcast all"))
	s.wantSaid([]string{"admins add " + anna + " sender"}, "has the role sender now")
	s.wantSaid([]string{"--as", anna, "broadcast status"}, "There has been no broadcast yet")
	s.wantSaid([]string{"templates"}, "1. ")
	s.wantSaid([]string{"messages set hello", "template=1", "通知内容=Hello", "通知时间={date}", "备注=None"}, "hello")
	s.wantSaid([]string{"broadcast me hello"}, "#1")
	s.wantReceived(boss, 1)

	s.stop()
	s.wantSaid([]string{"broadcast me hello again"}, "#2")
	if received, _ := s.sim.Ledger(boss); len(received) != 1 {
		t.Errorf("%d messages without a program that runs", len(received))
	}
	s.start()
	s.wantReceived(boss, 2)
	s.wantSaid([]string{"sync"}, "Follower list synced: 20 (")
}

// A pause from the terminal stops what the program sends, and a resume goes on, to
// everybody once.
func TestSayPausesAndResumes(t *testing.T) {
	s := newStagedAccount(t)
	s.stop()
	s.vars["SEND_RATE"], s.vars["UNDO_WINDOW"] = "5", "0s"
	s.start()
	s.wantSaid([]string{"messages set hello", "template=1", "通知内容=Hello", "通知时间={date}", "备注=None"}, "hello")
	s.wantSaid([]string{"sync"}, "Follower list synced: 20 (")
	s.wantSaid([]string{"broadcast all hello"}, "#1")
	eventually(t, "three that were sent", func() bool { return s.sim.Stats().Accepted >= 3 })
	s.wantSaid([]string{"broadcast pause"}, "#1")
	<-time.After(2 * time.Second) // by then a pause has taken effect
	paused := s.sim.Stats().Accepted
	<-time.After(2 * time.Second)
	if now := s.sim.Stats().Accepted; now != paused || now == 20 {
		t.Errorf("%d sent when the pause was told, and %d two seconds later", paused, now)
	}
	s.wantSaid([]string{"broadcast resume"}, "#1")
	for i := range 20 {
		s.wantReceived(s.sim.Follower(i), 1)
	}
}

func TestWhatSayRefuses(t *testing.T) {
	s := newStagedAccount(t)
	if code, _, stderr := s.say(" "); code != exitUsage || !strings.Contains(stderr, "nothing to say") {
		t.Errorf("nothing: %d, %s", code, stderr)
	}
	s.vars["ADMIN_OPENIDS"] = ""
	if code, _, stderr := s.say("openid"); code != exitUsage || !strings.Contains(stderr, "--as OPENID") {
		t.Errorf("no owner: %d, %s", code, stderr)
	}
}
