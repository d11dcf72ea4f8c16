package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
)

const helper = "oHelpe_abcdefghijklmnop-7abc"

func TestAdminsByChat(t *testing.T) {
	t.Parallel()
	notFollowing := models.NewError(models.Invalid, models.ErrTesterNotFollowing)
	tests := []struct {
		language, text string
		given          map[string]models.Role
		unfollowed     error
		found          string
		want           []string
		calls          []string
	}{
		{"en", "admins add " + helper + " Sender", nil, nil, "", []string{helper + " has the role sender now. I'm telling them"}, []string{"role " + helper + " sender by " + admin, "tell"}},
		{"zh", "管理员添加" + helper + " 发送", nil, nil, "", []string{helper + " 现在的权限是「发送」"}, []string{"role " + helper + " sender by " + admin, "tell"}},
		{"zh", "管理员 添加 " + helper + " ＥＤＩＴＯＲ", nil, nil, "", []string{"「编辑」"}, []string{"role " + helper + " editor by " + admin, "tell"}},
		{
			"en", "admins add " + helper + " viewer",
			map[string]models.Role{helper: models.Sender},
			nil, "",
			[]string{"has the role viewer now (was sender)"},
			[]string{"role " + helper + " viewer by " + admin, "tell"},
		},
		{
			"en", "admins add " + helper + " viewer",
			map[string]models.Role{helper: models.Viewer},
			nil, "",
			[]string{"had the role viewer already"},
			[]string{"role " + helper + " viewer by " + admin},
		},
		{"en", "admins add 小林 viewer", nil, nil, helper, []string{helper + " has the role viewer now"}, []string{"role " + helper + " viewer by " + admin, "tell"}},
		{"en", "admins add 小林 viewer", nil, nil, "", []string{"“小林” is neither an OpenID nor a name", "nothing was done"}, nil},
		{"en", "admins add " + helper + " king", nil, nil, "", []string{"no role “king”", "viewer, editor and sender"}, nil},
		{"en", "admins add " + helper + " owner", nil, nil, "", []string{"“owner” can't be given by chat", "ADMIN_OPENIDS"}, nil},
		{"zh", "管理员 添加 " + helper + " 所有者", nil, nil, "", []string{"「所有者」不能在聊天里授予"}, nil},
		{"en", "admins add oOther0000000000000000000000 viewer", nil, notFollowing, "", []string{"No follower of this account has that OpenID"}, nil},
		{"en", "admins add " + admin + " viewer", nil, nil, "", []string{"is an owner by the server's settings"}, nil},
		{"en", "admins add " + admin + " king", nil, nil, "", []string{"is an owner by the server's settings", "no role “king”"}, nil},
		{"en", "admins add oTypo king", nil, nil, "", []string{"“oTypo” is neither", "no role “king”"}, nil},
		{"en", "admins remove " + helper, map[string]models.Role{helper: models.Editor}, nil, "", []string{"is no admin any more (was editor)"}, []string{"no role " + helper}},
		{"zh", "管理员 删除 oHel…abc", map[string]models.Role{helper: models.Editor}, nil, "", []string{"已不再是管理员（原来的权限是「编辑」）"}, []string{"no role " + helper}},
		{"en", "admins remove 小张", map[string]models.Role{helper: models.Editor}, nil, "", []string{"is no admin any more"}, []string{"no role " + helper}},
		{"en", "admins remove " + helper, nil, nil, "", []string{"is no admin, so nothing was done"}, []string{"no role " + helper}},
		{"en", "admins remove " + admin, nil, nil, "", []string{"is an owner by the server's settings"}, []string{"no role " + admin}},
	}
	for _, tt := range tests {
		t.Run(tt.language+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			for openID, role := range tt.given {
				s.given[openID] = role
			}
			s.unfollowed, s.names = tt.unfollowed, map[string]string{helper: "小张"}
			if tt.found != "" {
				s.found = &models.Recipient{OpenID: tt.found}
			}
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			for i, call := range s.calls {
				if strings.HasPrefix(call, "notify "+helper+": ") {
					wantAll(t, call, map[string]string{"en": "send: help", "zh": "请发送：帮助"}[tt.language])
					s.calls[i] = "tell"
				}
			}
			s.wantCalls(t, tt.calls...)
			if strings.Contains(s.log.String(), helper) || strings.Contains(s.log.String(), admin) {
				t.Errorf("a full OpenID is in the log:\n%s", s.log.String())
			}
		})
	}
}

// Admins are shown with whole OpenIDs, since who may do what must be plain.
func TestAdminsAreShownWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.given[helper] = models.Sender
	s.names = map[string]string{helper: "小林"}
	wantAll(t, s.ask(t, admin, "admins"), "2 admins", admin+" · owner · by the server's settings", "小林 · "+helper+" · sender · since 2026-11-24 09:00")
	for i := range 5_000 {
		s.given[fmt.Sprintf("oMany0000000000000000000%04d", i)] = models.Viewer
	}
	wantAll(t, s.ask(t, admin, "admins"), "5,002 admins", admin, "more")
}

// Each role may do what the one before it may. A stranger learns nothing, somebody with
// too low a role what it takes.
func TestEachCommandTakesItsRole(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		unknown := s.ask(t, follower, "blah")
		for _, cmd := range commands {
			if cmd.role == "" {
				continue
			}
			for _, role := range append([]models.Role{""}, models.Roles...) {
				if s.given[helper] = role; role == models.Owner {
					continue // nobody is one by chat
				}
				line := map[string]string{"en": cmd.en[0], "zh": cmd.zh[0]}[language] + " x y z w"
				reply := s.ask(t, helper, line)
				refused := strings.Contains(reply, s.roleWord(cmd.role)) && strings.Contains(reply, s.write(cmd.name, ""))
				switch {
				case role == "" && reply != unknown:
					t.Errorf("a stranger's %q is answered: %s", line, reply)
				case role != "" && !role.May(cmd.role) && !refused:
					t.Errorf("a %s's %q is answered: %s", role, line, reply)
				}
			}
		}
		for _, call := range s.calls {
			if strings.HasPrefix(call, "role ") || strings.HasPrefix(call, "ask ") {
				t.Errorf("carried out: %s", call)
			}
		}
	}
}

// Whoever loses the role may do nothing from the next message on.
func TestARemovedAdminIsAStrangerAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.status.Broadcast = sample()
	s.ask(t, admin, "admins add "+helper+" sender")
	wantAll(t, s.ask(t, helper, "broadcast pause #7"), "is paused")
	s.ask(t, admin, "admins remove "+helper)
	if got := s.ask(t, helper, "broadcast pause #7"); got != s.ask(t, follower, "broadcast pause #7") {
		t.Errorf("answered: %s", got)
	}
	if strings.Contains(s.ask(t, helper, "help"), "broadcast all") {
		t.Error("the help shows admin commands")
	}
}

// An admin who does not know of the role learns of it with the first reply that has room,
// and once.
func TestANewAdminLearnsOfTheRoleWithTheirNextWord(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		s.given[helper], s.untold[helper] = models.Editor, ""
		reply := func(text, key string) string {
			t.Helper()
			got, _, err := s.Reply(t.Context(), helper, text, key)
			if err != nil {
				t.Fatal(err)
			}
			checkReply(t, got)
			return got
		}
		welcome := s.roleText(models.Editor)
		if got := reply("openid", "m:0"); got != helper {
			t.Errorf("the OpenID can't be copied: %s", got)
		}
		for _, key := range []string{"m:1", "m:1"} {
			if got := reply("testers", key); !strings.HasPrefix(got, welcome+"\n\n") {
				t.Errorf("%s: %s", key, got)
			}
		}
		if got := reply("testers", "m:2"); strings.Contains(got, welcome) {
			t.Errorf("told again: %s", got)
		}
	}
}

func TestTheAuditKeepsWhatAdminsDo(t *testing.T) {
	t.Parallel()
	refused := models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(3), "Name", "notice")
	tests := []struct {
		from, text             string
		err                    error
		action, target, detail string // no row if action is empty
	}{
		{admin, "broadcast all notice", nil, "broadcast_all", "#7", "broadcast all notice"},
		{admin, " 群发全部 notice\nthing1=周三 ", nil, "broadcast_all", "#7", "群发全部 notice\nthing1=周三"},
		{admin, "broadcast all notice", refused, "broadcast_all", "notice", "refused: same_message · broadcast all notice"},
		{admin, "broadcast all notice", models.NewError(models.Unavailable, models.ErrNotKnownYet), "broadcast_all", "notice", "unknown · broadcast all notice"},
		{admin, "pause", nil, "pause", "#7", "pause"},
		{admin, "broadcast cancel #9", refused, "cancel", "#9", "refused: same_message · broadcast cancel #9"},
		{admin, "pause #7", errors.New("the database is away"), "pause", "#7", "unknown · pause #7"},
		{admin, "testers add " + follower + " 小林", nil, "testers_add", follower, "testers add " + follower + " 小林"},
		{admin, "testers remove oFol…wer", nil, "testers_remove", follower, "testers remove oFol…wer"},
		{admin, "admins add " + helper + " viewer", nil, "admins_add", helper, "admins add " + helper + " viewer"},
		{admin, "admins add " + helper + " king", nil, "admins_add", helper, "refused: role_unknown · admins add " + helper + " king"},
		{admin, "admins add oTypo king", nil, "admins_add", "oTypo", "refused: person_unknown, role_unknown · admins add oTypo king"},
		{admin, "who 小林", nil, "who", follower, "who 小林"},
		{admin, "sync", nil, "sync", "", "sync"},
		{helper, "broadcast all", nil, "broadcast_all", "", "refused: role · broadcast all"},
		{helper, "admins", nil, "admins", "", "refused: role · admins"},
		{helper, "status", nil, "", "", ""},
		{admin, "broadcast status", nil, "", "", ""},
		{admin, "broadcast list", nil, "", "", ""},
		{admin, "help", nil, "", "", ""},
		{admin, "openid", nil, "", "", ""},
		{admin, "stats", nil, "", "", ""},
		{admin, "messages", nil, "", "", ""},
		{admin, "testers", nil, "", "", ""},
		{admin, "admins", nil, "", "", ""},
		{admin, "pause it", nil, "", "", ""}, // not understood
		{admin, "what a lovely day", nil, "", "", ""},
		{follower, "broadcast all", nil, "", "", ""},
		{follower, "stop", nil, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.from[:6]+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "en")
			s.given[helper] = models.Viewer
			s.err, s.status.Broadcast, s.asked.Broadcast = tt.err, sample(), sample()
			s.testers = []models.Recipient{{OpenID: follower, Subscribed: true}}
			s.known = &followers.Known{Recipient: models.Recipient{ID: 1, OpenID: follower, Name: "小林"}}
			_, _, _ = s.Reply(t.Context(), tt.from, tt.text, "m:7")
			var want []models.Audit
			if tt.action != "" {
				want = []models.Audit{{At: models.At(now), Admin: tt.from, Action: tt.action, Target: tt.target, Detail: tt.detail, MessageKey: "m:7"}}
			}
			if diff := cmp.Diff(want, s.audit); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A command is answered although the audit can't be written; the log then has the same,
// without a whole OpenID.
func TestACommandDoesNotFailWithItsAudit(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.auditErr = errors.New("the disk is full")
	key := "m:" + admin + ":7"
	reply, remember, err := s.Reply(t.Context(), admin, "testers add "+follower, key)
	if err != nil || !remember || !strings.Contains(reply, "on the test list now") {
		t.Errorf("%q, %v, %v", reply, remember, err)
	}
	wantAll(t, s.log.String(), "the disk is full", "action=testers_add", "target="+models.MaskOpenID(follower), "detail=\"testers add "+models.MaskOpenID(follower))
	if strings.Contains(s.log.String(), admin) || strings.Contains(s.log.String(), follower) {
		t.Errorf("a full OpenID is in the log:\n%s", s.log.String())
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) models.Time { return models.At(now.Add(d)) }
	base := models.Recipient{ID: 7, OpenID: follower, Subscribed: true}
	tests := []struct {
		name, language string
		known          *followers.Known
		change         func(k *followers.Known)
		want           string
	}{
		{"a follower", "en", nil, func(*followers.Known) {}, follower + "\nFollows\nHas not opted out\nWould get the next broadcast to all.\n" +
			"None of the last 50 broadcasts was sent to this person."},
		{"a tester", "en", nil, func(k *followers.Known) {
			k.Name, k.Tester, k.SubscribedAt = "小林", true, at(-time.Hour)
			k.Heard, k.HeardAt = "when do\nyou open?", at(-time.Minute)
			d := func(id int64, s models.DeliveryState, code int, detail string, sent time.Duration) models.Sent {
				return models.Sent{Name: "notice", Delivery: models.Delivery{BroadcastID: id, State: s, ErrCode: code, Detail: detail, SentAt: at(sent), UpdatedAt: at(0)}}
			}
			k.Sent = []models.Sent{
				d(9, models.Delivered, 0, "", -time.Hour), d(8, models.FailedFor, 43004, "require subscribe", -2*time.Hour),
				d(7, models.FailedFor, 0, "failed: system failed", -3*time.Hour), d(6, models.FailedFor, 0, "thing1", -4*time.Hour),
			}
		}, "小林 · " + follower + "\nFollows since 2026-11-24 08:00\nHas not opted out\nOn the test list\nWould get the next broadcast to all.\n" +
			"Last wrote “when do you open?” (2026-11-24 08:59)\nThe last 4 broadcasts:\n#9 notice · delivered · 2026-11-24 08:00\n#8 notice · failed (43004) · 2026-11-24 07:00\n" +
			"#7 notice · failed: WeChat could not deliver it · 2026-11-24 06:00\n#6 notice · failed: the message could not be filled in · 2026-11-24 05:00"},
		{"opted out", "zh", nil, func(k *followers.Known) {
			k.OptedOut, k.OptedOutAt = true, at(-time.Hour)
			k.Sent = []models.Sent{{Name: "notice", Delivery: models.Delivery{BroadcastID: 9, State: models.Blocked, UpdatedAt: at(0)}}}
		}, follower + "\n已关注\n已退订（2026-11-24 08:00）\n下次群发给全体时不会收到：已退订。\n最近 1 次群发：\n#9 notice · 对方拒收 · 2026-11-24 09:00"},
		{"left", "en", nil, func(k *followers.Known) { k.Subscribed, k.LeftAt = false, at(-time.Hour) }, follower +
			"\nDoesn't follow any more, since 2026-11-24 08:00\nHas not opted out\nWould not get the next broadcast to all: doesn't follow.\nNone of the last 50 broadcasts was sent to this person."},
		{"left and opted out", "zh", nil, func(k *followers.Known) { k.Subscribed, k.OptedOut = false, true }, follower +
			"\n已取消关注\n已退订\n下次群发给全体时不会收到：已取消关注，并且已退订。\n最近 50 次群发都没有发给此人。"},
		{
			"unknown, follows", "en", &followers.Known{Recipient: models.Recipient{OpenID: follower}, Asked: true, Follows: true}, nil,
			"I have nothing about " + follower + ".\nWeChat says that this person follows. To pull the followers: sync",
		},
		{
			"unknown, follows not", "zh", &followers.Known{Recipient: models.Recipient{OpenID: follower}, Asked: true}, nil,
			"名单里没有 " + follower + "。\n微信说，没有关注者是这个 OpenID，请检查有没有打错。",
		},
		{
			"unknown, no answer", "en", &followers.Known{Recipient: models.Recipient{OpenID: follower}}, nil,
			"I have nothing about " + follower + ".\nWeChat could not be asked just now whether that person follows.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			if s.known = tt.known; s.known == nil {
				s.known = &followers.Known{Recipient: base}
				tt.change(s.known)
			}
			if diff := cmp.Diff(tt.want, s.ask(t, admin, "who "+follower)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, language := range lang.Languages {
		s := newStage(t, language)
		s.known = &followers.Known{Recipient: base}
		s.known.Name, s.known.Heard, s.known.HeardAt = strings.Repeat("名", 64), strings.Repeat("长", 255), at(0)
		for range 10 {
			s.known.Sent = append(s.known.Sent, models.Sent{Name: strings.Repeat("长", 191), Delivery: models.Delivery{BroadcastID: 1 << 60, State: models.Uncertain, ErrCode: -1 << 31, UpdatedAt: at(0)}})
		}
		if got := s.ask(t, admin, "查询 "+follower); strings.Count(got, "#1152921504606846976") != 10 {
			t.Errorf("cut:\n%s", got)
		}
		wantAll(t, s.ask(t, admin, "who"), "OPENID")
		s.known = nil
		wantAll(t, s.ask(t, admin, "查询 小林"), "小林")
	}
}

func TestThePriceOfABroadcast(t *testing.T) {
	t.Parallel()
	taken := models.Counts{Delivered: 90, Accepted: 5, Uncertain: 5}
	tests := []struct {
		language        string
		counts          models.Counts
		price           models.Price
		status, noticed string // empty if it is not told
	}{
		{"en", taken, models.Price{Left: 12, OptedOut: 3}, "Within 24 hours of it: 12 unfollowed, 3 opted out", "So far 12 unfollowed and 3 opted out after it."},
		{"zh", taken, models.Price{Left: 12_000, OptedOut: 3}, "收到后 24 小时内：取消关注 12,000 人，退订 3 人", "到目前为止，收到后取消关注 12,000 人，退订 3 人。"},
		{"en", taken, models.Price{}, "Within 24 hours of it: 0 unfollowed, 0 opted out", ""},
		{"en", models.Counts{Failed: 100}, models.Price{}, "", ""},
		{"en", models.Counts{}, models.Price{}, "", ""},
	}
	for _, tt := range tests {
		s := newStage(t, tt.language)
		b := sample()
		b.State, b.FinishedAt = models.Finished, models.At(now)
		s.status = broadcast.Status{Broadcast: b, Counts: tt.counts, Price: tt.price}
		for got, want := range map[string]string{s.ask(t, admin, "broadcast status"): tt.status, s.Notice("finished", s.status): tt.noticed} {
			if told := slices.ContainsFunc([]string{"unfollowed", "取消关注"}, func(w string) bool { return strings.Contains(got, w) }); want != "" && !strings.Contains(got, want+"\n") && !strings.HasSuffix(got, want) || told != (want != "") {
				t.Errorf("want %q in:\n%s", want, got)
			}
		}
	}
}

// One notice tells of all that were halted at once, and fits however many they are.
func TestHaltsInOneNotice(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		st := broadcast.Status{Broadcast: sample(), Counts: models.Counts{Accepted: 5}}
		st.Broadcast.State, st.Broadcast.Reason, st.Broadcast.Detail = models.Paused, models.ReasonAccount, "48004 "+strings.Repeat("长", 900)
		if got := s.Halts(st, nil); got != s.Notice("paused", st) {
			t.Errorf("one alone: %s", got)
		}
		wantAll(t, s.Halts(st, []int64{8, 9}), "#7", "#8", "#9", "48004")
		many := make([]int64, 3_000)
		for i := range many {
			many[i] = int64(i) + 1_000_000
		}
		got := s.Halts(st, many)
		checkReply(t, got)
		wantAll(t, got, "#7", "#1000000", "48004")
	}
}

// A role is asked for with each text, so a cancelled request must not make a stranger of
// an owner.
func TestOwnersAreKnownWhateverTheContext(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if reply, _, err := s.Reply(ctx, admin, "help", "m:1"); err != nil || !strings.Contains(reply, "broadcast all") {
		t.Errorf("%q, %v", reply, err)
	}
}
