package console_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/models"
)

// prepare has an admin prepare a command in the console, and returns the line that confirms
// it.
func (d *desk) prepare(openID string, cmd chat.Command) string {
	d.tb.Helper()
	p, reply, err := d.chat.Prepare(d.tb.Context(), openID, cmd, fmt.Sprintf("console:1:%d", d.says.Add(1)))
	if err != nil {
		d.tb.Fatalf("%+v is not prepared: %v, %s", cmd, err, reply)
	}
	return p.Confirm
}

// broadcasts are all that there are.
func (d *desk) broadcasts() []models.Broadcast {
	d.tb.Helper()
	list, err := d.store.Broadcasts(d.tb.Context(), 100)
	if err != nil {
		d.tb.Fatal(err)
	}
	return list
}

func (d *desk) wantBroadcasts(n int) {
	d.tb.Helper()
	if list := d.broadcasts(); len(list) != n {
		d.tb.Errorf("%d broadcasts, want %d: %+v", len(list), n, list)
	}
}

// wantReply makes sure of the chat's answer to a text.
func (d *desk) wantReply(openID, text string, parts ...string) {
	d.tb.Helper()
	reply := d.say(openID, text)
	for _, part := range parts {
		if !strings.Contains(reply, part) {
			d.tb.Errorf("%q is answered without %q:\n%s", text, part, reply)
		}
	}
}

// wrongCode is a line like another one with a code that is not the one.
func wrongCode(line string) string {
	last := line[len(line)-1]
	return line[:len(line)-1] + string('0'+(last-'0'+1)%10)
}

var toAll = chat.Command{Name: chat.BroadcastAll, Message: "notice"}

func TestWhatIsConfirmedIsDoneOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	d.give(anna, models.Sender)
	line := d.prepare(anna, toAll)
	d.wantBroadcasts(0)
	d.wantReply(anna, wrongCode(line), "not the code")
	d.wantReply(owner, line, "nothing of yours") // it is Anna's
	d.wantBroadcasts(0)
	d.wantReply(anna, strings.Replace(line, "confirm ", "确认", 1), "#1 · notice → 3 followers")
	d.wantReply(anna, line, "#1 · notice → 3 followers") // sent once more
	d.wantBroadcasts(1)
	b := d.broadcasts()[0]
	if b.AskedBy != anna || b.RequestKey != "confirm:1" || b.Audience != models.AudienceAll {
		t.Errorf("the broadcast is %+v", b)
	}
	// What can be done twice with another outcome is not.
	d.say(anna, "pause #1")
	line = d.prepare(anna, chat.Command{Name: chat.Resume, ID: 1})
	d.wantReply(anna, line, "#1")
	d.say(anna, "pause #1")
	d.wantReply(anna, line, "confirmed already")
	if b := d.broadcasts()[0]; b.State != models.Paused {
		t.Errorf("it is %s", b.State)
	}
}

// A process that ends anywhere between the message and its answer leaves one broadcast.
func TestAConfirmThatComesAgainAfterACrashSendsOnce(t *testing.T) {
	t.Parallel()
	for _, crash := range []string{"before it is stored", "after it is stored"} {
		t.Run(crash, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, setup{undo: time.Hour})
			d.give(anna, models.Sender)
			line := d.prepare(anna, toAll)
			if crash == "before it is stored" {
				if _, _, err := d.sessions.Take(t.Context(), anna, strings.TrimPrefix(line, "confirm "), "m:crash"); err != nil {
					t.Fatal(err)
				}
				d.wantBroadcasts(0)
			} else {
				d.sayAgain(anna, line, "m:crash")
			}
			d = newDesk(t, setup{undo: time.Hour, store: d.store}) // the next process
			d.later(time.Hour)
			var all sync.WaitGroup
			for range 5 { // the platform delivers it again, also at the same moment
				all.Go(func() {
					if reply := d.sayAgain(anna, line, "m:crash"); !strings.Contains(reply, "#1 · notice → 3 followers") {
						t.Errorf("answered %q", reply)
					}
				})
			}
			all.Wait()
			d.wantBroadcasts(1)
		})
	}
}

func TestWhatCanNotBeConfirmed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(d *desk)
		reply     string
	}{
		"too late":            {func(d *desk) { d.later(10*time.Minute + time.Second) }, "ten minutes"},
		"out of the console":  {func(d *desk) { d.say(anna, "console out") }, "nothing of yours"},
		"the message changed": {func(d *desk) { d.messages.Set(strings.Replace(messageFile, "周三", "周五", 1)) }, "was changed"},
		"the role fell":       {func(d *desk) { d.give(anna, models.Editor) }, "takes the role sender"},
		"the role came back": {func(d *desk) {
			d.give(anna, "")
			d.give(anna, models.Sender)
		}, "nothing of yours"},
		"another thing is prepared": {func(d *desk) { d.prepare(anna, chat.Command{Name: chat.BroadcastAll, Message: "other"}) }, "not the code"},
		"five wrong codes": {func(d *desk) {
			line := d.prepare(anna, toAll)
			for range 5 {
				d.say(anna, wrongCode(line))
			}
		}, "nothing of yours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, setup{undo: time.Hour})
			d.give(anna, models.Sender)
			line := d.prepare(anna, toAll)
			tt.meanwhile(d)
			d.wantReply(anna, line, tt.reply)
			d.wantBroadcasts(0)
		})
	}
}

func TestWrongCodesVoidWhatWasPrepared(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	line := d.prepare(owner, toAll)
	for range 4 {
		d.wantReply(owner, wrongCode(line), "That is not the code, so")
	}
	d.wantReply(owner, wrongCode(line), "fifth time", "console out")
	d.wantReply(owner, line, "nothing of yours")
	d.wantBroadcasts(0)
	if got := strings.Count(d.log.String(), "a wrong code for what was prepared"); got != 6 {
		t.Errorf("the log has %d wrong codes", got)
	}
	if code := strings.TrimPrefix(line, "confirm "); strings.Contains(d.log.String(), code) {
		t.Error("the code is in the log")
	}
}

// A relative time is that of the moment when it was prepared, and a confirm that the guards
// refuse can be sent again once they don't.
func TestWhatIsConfirmedGoesThroughTheGuards(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	d.wantReply(owner, d.prepare(owner, toAll), "#1 · notice → 3 followers")
	line := d.prepare(owner, toAll)
	d.wantReply(owner, line, "#1") // the same to everybody within a day
	d.wantBroadcasts(1)
	p, _, err := d.chat.Prepare(t.Context(), owner, chat.Command{Name: chat.BroadcastAll, Message: "other", At: "tomorrow 09:00"}, "k")
	if err != nil || !strings.HasPrefix(p.Line, "broadcast all other at 20") || strings.Contains(p.Line, "tomorrow") {
		t.Errorf("the line is %+v, %v", p, err)
	}
}

func TestWhatWasDoneInTheConsoleIsInTheAudit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	d.give(anna, models.Sender)
	line := d.prepare(anna, toAll)
	d.say(anna, wrongCode(line))
	d.say(anna, line)
	for range 2 { // the same form twice
		if reply, err := d.chat.Carry(t.Context(), anna, chat.Command{Name: chat.Pause, ID: 1}, models.ViaConsole, "console:1:K"); err != nil {
			t.Error(reply, err)
		}
	}
	d.say(anna, "console")
	rows, err := d.store.AuditAfter(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range rows {
		if strings.Contains(a.Detail, "/enter/") {
			t.Errorf("the audit has a link: %+v", a)
		}
		got = append(got, strings.Join([]string{a.Action, a.Target, a.Detail}, " | "))
	}
	want := []string{
		"confirm | " + strings.TrimPrefix(wrongCode(line), "confirm ") + " | refused: confirm_wrong · " + wrongCode(line),
		"broadcast_all | #1 | console: broadcast all notice", "pause | #1 | console: broadcast pause #1", "console |  | console",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whoever holds a session and not the admin's phone sends to the admin and to the test list
// alone, and lets nobody in.
func TestAStolenSessionCanNotSend(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{undo: time.Hour})
	d.say(owner, "broadcast all notice")
	n := 0
	for name, cmd := range map[string]chat.Command{
		"to all": {Name: chat.BroadcastAll, Message: "other"}, "to a topic": {Name: chat.BroadcastTopic, Groups: []string{"x"}},
		"to a tag": {Name: chat.BroadcastTag, Groups: []string{"x"}}, "to a list": {Name: chat.BroadcastList, Groups: []string{"x"}},
		"again": {Name: chat.BroadcastAll, Message: "notice", Again: true}, "retry": {Name: chat.Retry, ID: 1}, "rest": {Name: chat.Rest, ID: 1},
		"reached": {Name: chat.Reached, ID: 1}, "resume": {Name: chat.Resume, ID: 1}, "approve": {Name: chat.Approve, ID: 1},
		"sooner": {Name: chat.Reschedule, ID: 1, At: "in 1 minute"}, "an admin": {Name: chat.AdminsAdd, OpenID: ben, Arg: "sender"},
		"a tester": {Name: chat.TestersAdd, OpenID: ben}, "a reply": {Name: chat.RepliesSet, Arg: "x", Text: "y"}, "a short list": {Name: chat.SyncConfirm},
		"its own confirm": {Name: chat.Confirm, Arg: "123456"}, "a link": {Name: chat.Console}, "leave for others": {Name: chat.Stop}, "none": {Name: "x"},
		"me with a group": {Name: chat.BroadcastMe, Groups: []string{"x"}}, "me but": {Name: chat.BroadcastMe, Except: []models.Group{{Kind: models.GroupTag, Name: "x"}}},
		"test by canary": {Name: chat.BroadcastTest, Canary: true}, "no number": {Name: chat.Reject}, "no name": {Name: chat.MessagesRemove},
	} {
		n++
		reply, err := d.chat.Carry(t.Context(), owner, cmd, models.ViaConsole, fmt.Sprintf("console:1:%d", n))
		if reply == "" || err == nil {
			t.Errorf("%s: %q, %v", name, reply, err)
		}
	}
	d.wantBroadcasts(1)
	if all, err := d.store.Admins(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("admins %+v, %v", all, err)
	}
	var e *models.Error
	if _, err := d.chat.Carry(t.Context(), anna, chat.Command{Name: chat.BroadcastMe}, models.ViaConsole, "k"); !errors.As(err, &e) || e.Code != models.ErrRoleTooLow {
		t.Errorf("who is no admin: %v", err)
	}
	if reply, err := d.chat.Carry(t.Context(), owner, chat.Command{Name: chat.BroadcastMe, Message: "other"}, models.ViaConsole, "me"); err != nil {
		t.Errorf("to me: %s, %v", reply, err)
	}
	if _, err := d.chat.Carry(t.Context(), owner, chat.Command{Name: chat.BroadcastMe, Message: "other"}, models.ViaConsole, "me"); err != nil {
		t.Errorf("the same form again: %v", err)
	}
	d.wantBroadcasts(2)
}
