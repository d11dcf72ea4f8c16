package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/wechat"
)

// pendingStatus is where a broadcast stands that waits for approvals.
func pendingStatus() broadcast.Status {
	b := sample()
	b.State, b.Approvals, b.PendingSince, b.AskedBy, b.StartedAt = models.Pending, 2, models.At(now), admin, models.Time{}
	return broadcast.Status{
		Broadcast: b, Names: map[string]string{admin: "小王", follower: "小林"}, Approved: []string{follower},
		Message: wechat.Message{TemplateID: "x", Data: []wechat.Field{{Key: "thing1", Value: "周三闭馆"}}},
	}
}

// Only senders approve and reject; to strangers both are unknown words.
func TestWhoMayApproveAndReject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role models.Role
		may  bool
	}{{"", false}, {models.Viewer, false}, {models.Editor, false}, {models.Sender, true}} {
		for text, call := range map[string]string{
			"approve #7": "approve 7 by " + follower, "同意7": "approve 7 by " + follower, "同意 #7": "approve 7 by " + follower,
			"reject #7 wrong date": "reject 7 by " + follower + ": wrong date", "驳回7 日期不对": "reject 7 by " + follower + ": 日期不对",
			"broadcast reject 7": "reject 7 by " + follower + ": ", "驳回 #7\n日期不对\n请改": "reject 7 by " + follower + ": 日期不对 请改",
		} {
			s := newStage(t, "zh")
			s.status = pendingStatus()
			if tt.role != "" {
				s.given[follower] = tt.role
			}
			got := s.ask(t, follower, text)
			if tt.may {
				s.wantCalls(t, call)
				continue
			}
			s.wantCalls(t)
			if unknown := s.ask(t, follower, "今天天气不错"); tt.role == "" && got != unknown {
				t.Errorf("%q of a stranger: %s", text, got)
			}
		}
	}
	for _, text := range []string{"approve", "同意", "reject why", "驳回"} {
		s := newStage(t, "en")
		s.ask(t, admin, text)
		s.wantCalls(t)
	}
}

func TestRepliesAboutApprovals(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.status = pendingStatus()
	wantAll(t, s.ask(t, follower, "帮助"), "帮助")
	wantAll(t, s.ask(t, admin, "群发状态 #7"), "等待同意：已有 1 / 2 人同意（小林）", "发起人：小王", "周三闭馆", "同意 #7", "驳回 #7", "11月25日（周三）09:00（北京时间）前没有等到")
	wantAll(t, s.Notice("pending", s.status), "等待同意", "周三闭馆", "同意 #7", "驳回 #7")
	wantAll(t, s.ask(t, admin, "同意 #7"), "你已同意，还需要另外 1 位")
	s.status.Broadcast.State, s.status.Broadcast.NotBefore = models.Scheduled, models.At(now.Add(10*time.Second))
	wantAll(t, s.ask(t, admin, "同意 #7"), "群发 #7 · notice · 全体关注者", "已同意", "10 秒后开始", "取消 #7")
	wantAll(t, s.Notice("approved", s.status), "小林 已同意", "10 秒后开始")
	wantAll(t, s.Notice("scheduled", s.status), "小林 已同意") // kept for the next word
	s.status.Broadcast.PlannedStart = models.At(now.Add(-2 * time.Hour))
	s.status.Broadcast.NotBefore = s.status.Broadcast.PlannedStart
	wantAll(t, s.ask(t, admin, "同意 #7"), "已经过了 1 小时以上", "改期 #7")
	s.status.Broadcast.State, s.status.Broadcast.Reason = models.Paused, models.ReasonMissed
	wantAll(t, s.ask(t, admin, "群发状态 #7"), "原来的同意只对原来的时间有效", "改期 #7")
	s.status.Broadcast.State, s.status.Broadcast.Reason, s.status.Broadcast.Detail = models.Cancelled, models.ReasonRejected, follower+" 日期 不对"
	wantAll(t, s.Notice("cancelled", s.status), "群发 #7 · notice 已取消", "小林 已驳回：日期 不对")
	s.status.Names = nil
	if got := s.Notice("cancelled", s.status); strings.Contains(got, follower) {
		t.Errorf("a whole OpenID: %s", got)
	}
	for code, parts := range map[string][]string{
		models.ErrOwnApproval:  {"你自己发起的", "取消 #7"},
		models.ErrNotPending:   {"没有执行：群发 #7 已完成，不需要同意"},
		models.ErrApprovalLate: {"群发 #7 的同意只对原来的时间有效", "改期 #7", "取消 #7"},
	} {
		s.err = models.NewError(models.Conflict, code, "ID", int64(7), "State", "finished", "Action", "approve")
		wantAll(t, s.ask(t, admin, "同意 #7"), parts...)
	}
}

// The answer to a request says for whom it waits, and if there are too few.
func TestTheAnswerToARequestThatTakesApprovals(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	b := pendingStatus().Broadcast
	s.asked = &broadcast.Created{Broadcast: b, Recipients: 25_000, Approvers: []string{follower, "oOther"}, Names: map[string]string{follower: "小林"}}
	wantAll(t, s.ask(t, admin, "群发全部"), "需要另外 2 位管理员同意", "可以同意的有 2 位", "小林", "取消 #7")
	s.asked.Approvers, s.asked.Instead = []string{follower}, 3
	wantAll(t, s.ask(t, admin, "群发全部"), "可以同意的只有 1 位（小林）", "人数不够", "管理员 添加", "群发其余 #3")
	s.asked.Approvers = nil
	wantAll(t, s.ask(t, admin, "群发全部"), "现在没有别人可以同意")
}

// Who has to test first is taught the command that does.
func TestAnUntestedBroadcastTeachesTheTest(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		for text, taught := range map[string]string{
			"broadcast all":                              "notice",
			"broadcast all party\nthing1=closed":         "party\nthing1=closed",
			"broadcast topic a party again at 9:00\nx=y": "party\nx=y",
			"broadcast rest #7":                          "notice",
		} {
			s := newStage(t, language)
			s.err = models.NewError(models.Conflict, models.ErrUntested, "Name", "notice")
			wantAll(t, s.ask(t, admin, text), "\n"+s.write(BroadcastTest, taught)+"\n")
		}
	}
}

func TestAPanicWordNamesWhatWaitsForApproval(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.halted = broadcast.Halted{Pending: []models.Broadcast{{ID: 9}, {ID: 7}}}
	wantAll(t, s.ask(t, admin, "停"), "#9、#7 在等待同意", "取消 #9")
}
