package chat

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
)

func TestRehearsalSaysWhatWouldCome(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) models.Time { return models.At(now.Add(d)) }
	for _, tt := range []struct {
		title  string
		would  broadcast.Created
		en, zh []string
	}{
		{
			"everyone, in the undo window",
			broadcast.Created{Broadcast: models.Broadcast{Name: "notice", Audience: models.AudienceAll, State: models.Scheduled, NotBefore: at(30 * time.Second)}, Recipients: 12_345},
			[]string{"“notice” goes to all followers: 12,345 people.", "It starts 30 s after you have confirmed it"},
			[]string{"「notice」发给全体关注者，共 12,345 人。", "确认后过 30 秒开始"},
		},
		{
			"planned, with approvals and a canary",
			broadcast.Created{
				Broadcast: models.Broadcast{
					Name: "notice", Audience: models.AudienceGroups, Target: models.Target{Groups: []models.Group{{Kind: models.GroupTag, Name: "老读者"}}},
					State: models.Pending, Approvals: 1, NotBefore: at(24 * time.Hour), PlannedStart: at(24 * time.Hour), Canary: 50,
				}, Recipients: 900, Approvers: []string{"oSender"}, Names: map[string]string{"oSender": "Lin"},
			},
			[]string{"900 people", "50 of them are tried first", "Wednesday", "approval of another admin: Lin"},
			[]string{"共 900 人", "先试发 50 人", "周三", "可以同意的有：Lin"},
		},
		{
			"too few approvers, a warning",
			broadcast.Created{
				Broadcast:  models.Broadcast{Name: "notice", Audience: models.AudienceAll, State: models.Pending, Approvals: 2, NotBefore: at(30 * time.Second)},
				Recipients: 1, Found: check.Found{Warnings: []check.Warning{{Code: check.WarnSampled, Args: map[string]any{"Variables": []string{"{a}"}, "Checked": 1}}}},
			},
			[]string{"1 person", "nobody else can give one"},
			[]string{"共 1 人", "现在没有别人可以同意"},
		},
		{
			"in quiet hours",
			broadcast.Created{Broadcast: models.Broadcast{Name: "notice", Audience: models.AudienceAll, State: models.Scheduled, NotBefore: at(8 * time.Hour), Reason: models.ReasonQuiet}},
			[]string{"These are quiet hours: it starts by itself on"},
			[]string{"现在是免打扰时段"},
		},
		{
			"not counted yet, for the rest of a paused one",
			broadcast.Created{Broadcast: models.Broadcast{Name: "notice", Audience: models.AudienceRest, OfID: 7, State: models.Scheduled, Canary: models.CanaryAsSet}, SyncFirst: true, Instead: 7},
			[]string{"once the followers are synced", "Some of them are tried first", "It starts at once", "#7 ends with it"},
			[]string{"先同步", "先试发一部分人", "马上开始", "#7 会就此结束"},
		},
	} {
		for language, want := range map[string][]string{"en": tt.en, "zh": tt.zh} {
			s := newStage(t, language)
			s.asked = &tt.would
			r, err := s.Rehearse(t.Context(), admin, Command{Name: BroadcastAll, Message: "notice"})
			if err != nil || r.Refused != "" {
				t.Fatalf("%s: refused with %q, %v", tt.title, r.Refused, err)
			}
			said := strings.Join(append(r.Says, r.Warnings...), "\n")
			wantAll(t, said, want...)
			if strings.Contains(said, "#0") || strings.Contains(said, "<no value>") {
				t.Errorf("%s: %s", tt.title, said)
			}
		}
	}
}

// A rehearsal is refused in the words in which the command would be, and asks for the same.
func TestRehearsalIsRefusedAsTheCommandIs(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"broadcast all nothing", "broadcast all at 25:99", "broadcast topic", "broadcast rest", "broadcast me notice canary",
		"broadcast tag 老读者 except list a notice again canary now at 2026-11-25 09:00\nthing1=x",
	} {
		s := newStage(t, "en")
		s.err = models.NewError(models.Conflict, models.ErrNoRecipients)
		reply := s.ask(t, admin, line)
		asked := s.calls
		s.calls = nil
		r, err := s.Rehearse(t.Context(), admin, Parse(line))
		if err != nil || r.Refused != reply {
			t.Errorf("%s: %q, %v; the chat says %q", line, r.Refused, err, reply)
		}
		for i := range asked {
			asked[i] = strings.Replace(strings.Replace(asked[i], "ask ", "rehearse ", 1), " RequestKey:m:1", "", 1)
		}
		s.wantCalls(t, asked...)
	}
}

func TestRehearsalNeedsTheCommandsRole(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.given["oEditor"] = models.Editor
	r, err := s.Rehearse(t.Context(), "oEditor", Command{Name: BroadcastAll, Message: "notice"})
	if err != nil || !strings.Contains(r.Refused, "sender") || len(s.calls) > 0 {
		t.Errorf("%+v, %v, %v", r, err, s.calls)
	}
}
