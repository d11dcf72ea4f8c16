package chat

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

// halted is what a panic word stops: one that runs, one in its undo window, and one that
// starts later.
func halted() broadcast.Halted {
	running := models.Broadcast{
		ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Running, Recipients: 25_000, StartedAt: models.At(now.Add(-time.Minute)),
	}
	waiting := models.Broadcast{ID: 8, Name: "闭馆", Audience: models.AudienceRest, OfID: 7, State: models.Scheduled, Recipients: 300}
	later := models.Broadcast{ID: 9, Name: "notice", Audience: models.AudienceAll, State: models.Scheduled, NotBefore: models.At(now.Add(26 * time.Hour))}
	return broadcast.Halted{
		Paused: []broadcast.Status{{Broadcast: waiting}, {Broadcast: running, Counts: models.Counts{Accepted: 10_000, Delivered: 1_160}}},
		Later:  []models.Broadcast{later},
	}
}

func TestPanicWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"stop", "STOP!", "Stop it", "stop sending", "ｓｔｏｐ", "abort", "don't send",
		"停", "停！！！", "停停停", "停止", "停发", "别发了", "别发了。", "撤回", "撤销", "中止", "停止群发", "停 止", "先别发", "发错了", " 停\n",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "zh")
			s.halted = halted()
			wantAll(t, s.ask(t, admin, text), "已暂停 2 个群发", "#7 notice", "11,160 / 25,000", "继续 #7", "取消 #7",
				"#8 闭馆", "没有人收到", "继续 #8", "#9", "11-25 11:00", "取消 #9")
			s.wantCalls(t, "pause all by "+admin)
			if _, remember, _ := s.Reply(t.Context(), admin, text, "m:1"); !remember || !s.Remembers(text) {
				t.Error("a copy of the word must get the same reply")
			}

			s = newStage(t, "zh")
			s.halted = halted()
			if reply := s.ask(t, follower, text); strings.Contains(reply, "#7") {
				t.Errorf("a follower is answered %q", reply)
			}
			for _, call := range s.calls {
				if strings.HasPrefix(call, "pause") {
					t.Errorf("a follower's word pauses: %s", call)
				}
			}
		})
	}
}

// With nothing to stop, stop is what it is for everyone, and the other words say so.
func TestPanicWordsWithNothingToStop(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, admin, "stop"), "you won't get our broadcasts")
	s.wantCalls(t, "pause all by "+admin, "opt out "+admin)

	s = newStage(t, "en")
	s.halted = broadcast.Halted{Later: halted().Later}
	for _, text := range []string{"停发", "stop sending"} {
		wantAll(t, s.ask(t, admin, text), "Nothing is running", "#9", "11-25 11:00", "broadcast cancel #9")
	}
	// Whoever meant a broadcast must see that it still goes out.
	wantAll(t, s.ask(t, admin, "stop"), "you won't get our broadcasts", "Not paused", "#9", "broadcast cancel #9")

	s = newStage(t, "en")
	s.err = errors.New("the database is away")
	wantAll(t, s.ask(t, admin, "停"), "don't know whether that is done", "send it again")
}

// However many it paused, the reply fits, with what is still to come.
func TestAPanicWordThatPausesMany(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"zh", "en"} {
		s := newStage(t, language)
		s.halted = halted()
		for range 5 {
			s.halted.Paused = append(s.halted.Paused, s.halted.Paused...)
		}
		reply := s.ask(t, admin, "停")
		if len(reply) > wechat.MaxText {
			t.Errorf("%d bytes", len(reply))
		}
		wantAll(t, reply, "64", "#9", "11-25 11:00")
	}
}

// What goes to some of an earlier broadcast's recipients names it.
func TestRestAndReached(t *testing.T) {
	t.Parallel()
	tests := []struct {
		language, text string
		asked          broadcast.Created
		err            error
		call           string
		want           []string
	}{
		{
			language: "zh", text: "其余 #7",
			asked: broadcast.Created{Recipients: 23_785, Instead: 7, Broadcast: models.Broadcast{
				ID: 8, Name: "notice", Audience: models.AudienceRest, OfID: 7, NotBefore: models.At(now.Add(10 * time.Second)), AskedAt: models.At(now),
			}},
			call: "ask Audience:rest Of:7 AskedBy:" + admin + " RequestKey:m:1",
			want: []string{"#8", "#7 中还没发过的 23,785 人", "#7 已取消", "取消 #8"},
		},
		{
			language: "en", text: "broadcast rest 7 birthday again",
			asked: broadcast.Created{Recipients: 1, Broadcast: models.Broadcast{ID: 8, Name: "birthday", Audience: models.AudienceRest, OfID: 7}},
			call:  "ask Message:birthday Audience:rest Of:7 AskedBy:" + admin + " RequestKey:m:1 Again:true",
			want:  []string{"#8", "1 person left of #7"},
		},
		{
			language: "en", text: "reached #7 birthday",
			asked: broadcast.Created{Recipients: 11_160, Broadcast: models.Broadcast{ID: 8, Name: "birthday", Audience: models.AudienceReached, OfID: 7}},
			call:  "ask Message:birthday Audience:reached Of:7 AskedBy:" + admin + " RequestKey:m:1",
			want:  []string{"#8", "11,160 people reached by #7"},
		},
		{
			language: "zh", text: "群发已达#7 更正",
			err:  models.NewError(models.NotFound, models.ErrNobodyReached, "ID", int64(7)),
			call: "ask Message:更正 Audience:reached Of:7 AskedBy:" + admin + " RequestKey:m:1",
			want: []string{"#7 没有人收到"},
		},
		{
			language: "en", text: "rest #7",
			err:  models.NewError(models.Conflict, models.ErrRestRunning, "ID", int64(7), "Rest", int64(9), "State", "paused"),
			call: "ask Audience:rest Of:7 AskedBy:" + admin + " RequestKey:m:1",
			want: []string{"#9 goes to the rest of #7", "broadcast resume #9", "broadcast rest #9 MESSAGE"},
		},
		{
			language: "zh", text: "其余 #7",
			err:  models.NewError(models.Conflict, models.ErrWrongState, "ID", int64(7), "State", "running", "Action", "rest"),
			call: "ask Audience:rest Of:7 AskedBy:" + admin + " RequestKey:m:1",
			want: []string{"#7 正在进行", "发给其余的人"},
		},
		{language: "zh", text: "其余", want: []string{"请写明群发编号", "群发其余 #7"}},
	}
	for _, tt := range tests {
		t.Run(tt.language+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			s.asked, s.err = &tt.asked, tt.err
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			if tt.call != "" {
				s.wantCalls(t, tt.call)
			} else {
				s.wantCalls(t)
			}
		})
	}
}

// After a cancel the reply says to how many it went, and how to go on.
func TestWhatToDoAfterACancel(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.status.Broadcast = models.Broadcast{ID: 7, Audience: models.AudienceAll, State: models.Cancelled, Recipients: 34_945, StartedAt: models.At(now.Add(-time.Minute))}
	s.status.Counts = models.Counts{Accepted: 1_160, Delivered: 10_000}
	wantAll(t, s.ask(t, admin, "取消 #7"), "11,160 / 34,945", "其余 23,785 人", "群发其余 #7", "11,160 人发更正", "群发已达 #7")
	wantAll(t, s.ask(t, admin, "群发状态 #7"), "其余 23,785 人", "群发其余 #7", "群发已达 #7")
}
