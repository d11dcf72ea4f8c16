package broadcast_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/simulator"
	"wechat-broadcast/zone"
)

// write writes a message as the chat does.
func (a *account) write(name string, lines ...messages.Change) {
	a.t.Helper()
	if _, err := a.source().Set(a.t.Context(), messages.Edit{Name: name, Lines: lines, By: admin}); err != nil {
		a.t.Fatal(err)
	}
}

// closing are the lines of a message about when it is sent.
var closing = []messages.Change{{Field: "模板", Value: "通知提醒"}, {Field: "通知内容", Value: "闭馆"}, {Field: "通知时间", Value: "{date} {time}"}, {Field: "备注", Value: "{{.OpenID}}"}}

// askWith asks for a broadcast with changes of its message.
func (a *account) askWith(message string, to models.Audience, changes ...messages.Change) (*broadcast.Created, error) {
	a.mu.Lock()
	a.asks++
	key := fmt.Sprintf("ask %d", a.asks)
	a.mu.Unlock()
	return a.engine.Create(a.t.Context(), broadcast.Request{Message: message, Audience: to, AskedBy: admin, RequestKey: key, Fields: changes})
}

// Everyone reads the moment at which the broadcast started: whoever was asked last,
// after a pause, and from a process that began later.
func TestTheTimeInAMessageIsThatOfTheStartForEveryone(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"a pause": false, "a restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, setup{Options: simulator.Options{Followers: 1200}, rate: 10, undo: 90 * time.Second})
				a.write("闭馆", closing...)
				stop := a.start()
				asked, err := a.askWith("闭馆", models.AudienceAll)
				if err != nil {
					t.Fatal(err)
				}
				id := asked.Broadcast.ID
				a.received(300)
				a.interrupt(id, restart, stop, 5*time.Minute)
				b := a.reaches(id, models.Finished)
				a.audit(id)
				a.everyoneOnce()
				if b.StartedAt.Sub(b.AskedAt.Time) < time.Minute || b.FinishedAt.Sub(b.StartedAt.Time) < 5*time.Minute {
					t.Fatalf("asked at %s, started at %s, finished at %s", b.AskedAt, b.StartedAt, b.FinishedAt)
				}
				want := "闭馆|" + b.StartedAt.In(zone.Beijing).Format("2006年1月2日 15:04") + "|{{.OpenID}}"
				for _, openID := range a.people() {
					if got := a.read(openID); !slices.Equal(got, []string{want}) {
						t.Fatalf("%s read %q, want %q", openID, got, want)
					}
				}
			})
		})
	}
}

func TestLinesChangeTheMessageForOneBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
		a.write("闭馆", closing...)
		a.start()
		finished := func(asked *broadcast.Created, err error) models.Broadcast {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return a.reaches(asked.Broadcast.ID, models.Finished)
		}
		asked, err := a.askWith("闭馆", models.AudienceAll, messages.Change{Field: "通知内容", Value: "今天照常开放"}, messages.Change{Field: "KEYWORD3", Value: "{time}"},
			messages.Change{Field: "网址", Value: "https://example.com/2"})
		changed := finished(asked, err)
		if asked.Template.Title != "通知提醒" || len(asked.Message.Data) != 3 || asked.Message.Data[0].Value != "今天照常开放" || asked.Message.URL != "https://example.com/2" {
			t.Errorf("the asker sees %+v of %+v", asked.Message, asked.Template)
		}
		// The message itself is as it was.
		plain := finished(a.askWith("闭馆", models.AudienceMe))
		start := func(b models.Broadcast) (day, hour string) {
			at := b.StartedAt.In(zone.Beijing)
			return at.Format("2006年1月2日"), at.Format("15:04")
		}
		day, hour := start(changed)
		want := []string{"今天照常开放|" + day + " " + hour + "|" + hour}
		if got := a.read(a.sim.Follower(0)); !slices.Equal(got, want) {
			t.Errorf("a follower read %q, want %q", got, want)
		}
		day, hour = start(plain)
		if got := a.read(admin); len(got) != 2 || got[1] != "闭馆|"+day+" "+hour+"|{{.OpenID}}" {
			t.Errorf("the admin read %q", got)
		}
		if received, _ := a.sim.Ledger(a.sim.Follower(0)); len(received) == 1 && received[0].Content.URL != "https://example.com/2" {
			t.Errorf("the link is %s", received[0].Content.URL)
		}
		// The same lines make the same message, and other ones another.
		same := []messages.Change{{Field: "网址", Value: "https://example.com/2"}, {Field: "备注", Value: "{时间}"}, {Field: "thing1", Value: "今天照常开放"}}
		if _, err := a.askWith("闭馆", models.AudienceAll, same...); errorCode(err) != models.ErrSameMessage {
			t.Errorf("the same again: %v", err)
		}
		finished(a.askWith("闭馆", models.AudienceAll))
		if _, err := a.askWith("闭馆", models.AudienceAll, messages.Change{Field: "通知内容", Value: "闭馆"}); errorCode(err) != models.ErrSameMessage {
			t.Errorf("with a line that changes nothing: %v", err)
		}
	})
}

// A message of the chat that says what one of the file says is the same to everyone.
func TestTheFilesMessageAndTheChatsCanBeTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
		a.write("copied", messages.Change{Field: "复制", Value: "notice"})
		a.write("typed", messages.Change{Field: "模板", Value: "1"}, messages.Change{Field: "通知内容", Value: "图书馆周三闭馆"},
			messages.Change{Field: "通知时间", Value: "9:00"}, messages.Change{Field: "备注", Value: "请相互转告"})
		a.start()
		a.reaches(a.ask("notice", models.AudienceAll), models.Finished)
		if _, err := a.askWith("copied", models.AudienceAll); errorCode(err) != models.ErrSameMessage {
			t.Errorf("a copy: %v", err)
		}
		a.reaches(a.ask("typed", models.AudienceAll), models.Finished)
		if _, err := a.askWith("notice", models.AudienceAll, messages.Change{Field: "通知时间", Value: "9:00"}); errorCode(err) != models.ErrSameMessage {
			t.Errorf("one of the file, changed to be the same: %v", err)
		}
	})
}

func TestWrongLinesSendNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
		a.start()
		for _, tt := range []struct {
			lines []messages.Change
			code  string
			told  []string
		}{
			{
				[]messages.Change{{Field: "通知", Value: "x"}, {Field: "通知时间", Value: "soon"}, {Field: "备注", Value: ""}, {Field: "time2", Value: "9:00"}, {Field: "url", Value: "x"}, {Field: "模板", Value: "2"}},
				models.ErrFieldsRefused,
				[]string{"通知: there is no such field", "通知内容, 通知时间, 备注, 链接", "通知时间: not what a time", "备注: is empty", "time2: is given twice", "url: ", "模板: there is no such field"},
			},
			{[]messages.Change{{Field: "备注", Value: "{城市}"}}, models.ErrContent, []string{"备注", "{城市}"}},
		} {
			_, err := a.askWith("notice", models.AudienceAll, tt.lines...)
			var told *models.Error
			if !errors.As(err, &told) || told.Code != tt.code {
				t.Fatalf("%v: %v", tt.lines, err)
			}
			for _, part := range tt.told {
				if !strings.Contains(fmt.Sprint(told.Args["Reason"]), part) {
					t.Errorf("no %q in: %v", part, told.Args["Reason"])
				}
			}
		}
		_ = loop.Sleep(t.Context(), time.Minute)
		if list, err := a.store.Broadcasts(t.Context(), 10); err != nil || len(list) != 0 || a.calls() != 0 {
			t.Errorf("there are %v, %v after %d calls", list, err, a.calls())
		}
	})
}

// A platform that is away knows no field's name, but its keys work.
func TestKeysWorkWhileThePlatformIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 3}})
		a.start()
		a.wire.down.Store(true)
		var told *models.Error
		_, err := a.askWith("notice", models.AudienceAll, messages.Change{Field: "thing1", Value: "x"}, messages.Change{Field: "通知时间", Value: "9:00"})
		if !errors.As(err, &told) || told.Code != models.ErrFieldNamesUnknown || told.Args["Name"] != "通知时间" || told.Args["Known"] != "thing1, time2, keyword3, 链接" {
			t.Errorf("by a name: %v", err)
		}
		asked, err := a.askWith("notice", models.AudienceAll, messages.Change{Field: "thing1", Value: "x"}, messages.Change{Field: "time2", Value: "9:00"})
		if err != nil {
			t.Fatal(err)
		}
		a.wire.down.Store(false)
		a.reaches(asked.Broadcast.ID, models.Finished)
		if got := a.read(a.sim.Follower(0)); !slices.Equal(got, []string{"x|9:00|请相互转告"}) {
			t.Errorf("a follower read %q", got)
		}
		_ = loop.Sleep(t.Context(), time.Minute) // the last read of the templates ends
	})
}

// What a broadcast sends is that of the moment at which it was asked for.
func TestAChangeOfAMessageChangesNoBroadcast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 3}, undo: time.Minute})
		a.write("闭馆", closing...)
		a.start()
		first := a.ask("闭馆", models.AudienceAll)
		a.write("闭馆", messages.Change{Field: "通知内容", Value: "改了"})
		second := a.ask("闭馆", models.AudienceAll)
		if _, err := a.source().Remove(t.Context(), "闭馆"); err != nil {
			t.Fatal(err)
		}
		a.reaches(first, models.Finished)
		a.reaches(second, models.Finished)
		var said []string
		for _, text := range a.read(a.sim.Follower(0)) {
			before, _, _ := strings.Cut(text, "|")
			said = append(said, before)
		}
		slices.Sort(said)
		if !slices.Equal(said, []string{"改了", "闭馆"}) {
			t.Errorf("a follower read %q", said)
		}
	})
}

// Two admins who change different fields at once both change the message.
func TestChangesAtOnceAreBothKept(t *testing.T) {
	t.Parallel()
	a := newAccount(t, setup{Options: simulator.Options{Followers: 1}, overHTTP: true})
	a.write("闭馆", closing...)
	done := make(chan error, 2)
	for _, c := range []messages.Change{{Field: "通知内容", Value: "甲"}, {Field: "备注", Value: "乙"}} {
		go func() {
			_, err := a.source().Set(t.Context(), messages.Edit{Name: "闭馆", Lines: []messages.Change{c}, By: admin})
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	d, err := a.source().Resolve(t.Context(), "闭馆", nil)
	if err != nil || d.Data[0].Value != "甲" || d.Data[2].Value != "乙" {
		t.Errorf("%+v, %v", d, err)
	}
}
