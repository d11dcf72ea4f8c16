package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/config"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/wechat"
)

const (
	admin    = "oAdmiN_abcdefghijklmnop-7xYz"
	follower = "oFollo_abcdefghijklmnop-7wer"
)

var now = time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) // 09:00 in Beijing

const messageFile = `
default: notice
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    url: https://example.com/notices/1
    data:
      thing1: {value: "图书馆周三闭馆，请各位读者提前归还所借图书，谢谢配合"}
      time2: {value: "{{.Now.Format \"2006年1月2日 15:04\"}}"}
      keyword3: {value: "{{.OpenID}}"}
  birthday:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "{{.Fields.city}}"}
`

// stage is a Chat whose services are functions that record what they are asked.
type stage struct {
	*Chat
	calls []string
	log   bytes.Buffer

	asked   *broadcast.Asked
	status  broadcast.Status
	list    []broadcast.Status
	testers []models.Recipient
	stats   followers.Stats
	changed bool
	err     error
	file    string
	quota   func(context.Context) (wechat.Quota, error)
	link    string
	history string
	// onTheWay is how many calls a cancel can't call back.
	onTheWay int64
	kept     keptNotices
}

// watch fails the test when a sentence is missing, and keeps the log.
type watch struct {
	slog.Handler
	tb testing.TB
}

func (w watch) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		w.tb.Errorf("logged as an error: %s", r.Message)
	}
	return w.Handler.Handle(ctx, r)
}

func newStage(t *testing.T, language string) *stage {
	t.Helper()
	s := &stage{
		asked:   &broadcast.Asked{},
		changed: true,
		file:    messageFile,
		quota: func(context.Context) (wechat.Quota, error) {
			return wechat.Quota{Limit: 100_000, Used: 24_800, Remain: 75_200}, nil
		},
	}
	record := func(format string, args ...any) { s.calls = append(s.calls, fmt.Sprintf(format, args...)) }
	move := func(name string) func(context.Context, int64, string) (*models.Broadcast, error) {
		return func(_ context.Context, id int64, by string) (*models.Broadcast, error) {
			record("%s %d by %s", name, id, by)
			return &s.status.Broadcast, s.err
		}
	}
	person := func(name string) func(context.Context, string) (bool, error) {
		return func(_ context.Context, openID string) (bool, error) {
			record("%s %s", name, openID)
			return s.changed, s.err
		}
	}
	c, err := New(Config{
		Admins:   []string{"", "oOther", admin},
		Language: language,
		Broadcasts: Broadcasts{
			Ask: func(_ context.Context, r broadcast.Request) (*broadcast.Asked, error) {
				record("ask %+v", r)
				return s.asked, s.err
			},
			Retry: func(_ context.Context, id int64, askedBy, key string) (*broadcast.Asked, error) {
				record("retry %d for %s by %s", id, askedBy, key)
				return s.asked, s.err
			},
			Status: func(_ context.Context, id int64) (*broadcast.Status, error) {
				record("status %d", id)
				return &s.status, s.err
			},
			Pause:  move("pause"),
			Resume: move("resume"),
			Cancel: func(ctx context.Context, id int64, by string) (*broadcast.Cancelled, error) {
				b, err := move("cancel")(ctx, id, by)
				return &broadcast.Cancelled{Broadcast: *b, Counted: true, Taken: s.status.Counts.Taken(), OnTheWay: s.onTheWay}, err
			},
			List: func(_ context.Context, n int) ([]broadcast.Status, error) {
				record("list %d", n)
				return s.list, s.err
			},
			SentToday: func(context.Context) (int64, error) { return 24_800, s.err },
			KeptNotices: func(_ context.Context, openID, key string) ([]models.Broadcast, error) {
				return s.kept.of(openID, key), s.kept.err
			},
			SayNotices: func(_ context.Context, ids []int64, key string) ([]int64, error) {
				return s.kept.say(ids, key), s.kept.err
			},
		},
		Followers: Followers{
			OptOut:       person("opt out"),
			OptIn:        person("opt in"),
			AddTester:    person("add"),
			RemoveTester: person("remove"),
			Testers:      func(context.Context) ([]models.Recipient, error) { return s.testers, s.err },
			Stats:        func(context.Context) (followers.Stats, error) { return s.stats, s.err },
		},
		Messages: func() (*config.Messages, error) { return config.ParseMessages([]byte(s.file)) },
		StartSync: func(_ context.Context, by string, confirmed bool) error {
			if confirmed {
				by += ", confirmed"
			}
			record("sync for %s", by)
			return s.err
		},
		Quota:       func(ctx context.Context) (wechat.Quota, error) { return s.quota(ctx) },
		PublicLink:  func(int64) string { return s.link },
		HistoryLink: func() string { return s.history },
		Now:         func() time.Time { return now },
		Log:         slog.New(watch{slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}), t}),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Chat = c
	return s
}

// ask sends a line and returns the reply, having checked what holds for each.
func (s *stage) ask(t *testing.T, from, text string) string {
	t.Helper()
	reply, _, err := s.Reply(t.Context(), from, text, "m:1")
	if err != nil {
		t.Fatalf("Reply(%q): %v", text, err)
	}
	checkReply(t, reply)
	return reply
}

func checkReply(t *testing.T, reply string) {
	t.Helper()
	if reply == "" || len(reply) > maxReply || strings.Contains(reply, "<no value>") || reply != fit(reply) {
		t.Errorf("bad reply of %d bytes: %q", len(reply), reply)
	}
}

func (s *stage) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls, -want +got:\n%s", diff)
	}
}

func wantAll(t *testing.T, reply string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(reply, part) {
			t.Errorf("no %q in the reply:\n%s", part, reply)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	if got := s.ask(t, follower, "help"); !strings.Contains(got, "退订") {
		t.Errorf("the default language is not Chinese:\n%s", got)
	}
	bad := s.config
	bad.Language = "fr"
	if _, err := New(bad); err == nil {
		t.Error("French was accepted")
	}
	bad = s.config
	bad.Broadcasts.Cancel = nil
	if _, err := New(bad); err == nil {
		t.Error("an engine without Cancel was accepted")
	}
	good := s.config
	good.PublicLink, good.HistoryLink, good.Quota = nil, nil, nil
	if _, err := New(good); err != nil {
		t.Errorf("pages and quota must be optional: %v", err)
	}
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"openid", "OpenID ", "ｏｐｅｎｉｄ", "我的openid"} {
		if got := newStage(t, "en").ask(t, follower, text); got != follower {
			t.Errorf("%q is answered with %q", text, got)
		}
	}
}

// Nobody but the exact OpenIDs of the whitelist can do anything, and nobody else
// can tell an admin command from nonsense.
func TestWhitelist(t *testing.T) {
	t.Parallel()
	notAdmins := []string{
		follower, "", " ", strings.ToLower(admin), strings.ToUpper(admin), " " + admin, admin + " ", admin + "\n",
		admin + "\x00", admin[:len(admin)-1], admin + "z", strings.ReplaceAll(admin, "o", "ｏ"), "oOther," + admin, admin + ",",
	}
	for _, language := range Languages {
		s := newStage(t, language)
		unknown := s.ask(t, follower, "blah")
		for _, cmd := range commands {
			if !cmd.admin {
				continue
			}
			for _, name := range append(append([]string{}, cmd.en...), cmd.zh...) {
				for _, from := range notAdmins {
					for _, text := range []string{name, " " + strings.ToUpper(name) + "\n", name + " x y", name + " #7", name + "\nthing1=x"} {
						reply, remember, err := s.Reply(t.Context(), from, text, "m:1")
						if err != nil || remember || reply != unknown {
							t.Fatalf("%q from %q: %q, %v, %v", text, from, reply, remember, err)
						}
					}
				}
			}
		}
		s.wantCalls(t)
		if got := strings.Count(s.log.String(), "admin command refused"); got == 0 {
			t.Error("the attempts were not logged")
		}
		if strings.Contains(s.log.String(), admin) || strings.Contains(s.log.String(), follower) {
			t.Error("a full OpenID is in the log")
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		language, text string
		want           []string
	}{
		{"en", "brodcast all notice", []string{"“broadcast all”"}},
		{"en", "broadcast al", []string{"“broadcast all”"}},
		{"en", "broadcast stauts", []string{"“broadcast status”"}},
		{"en", "tester", []string{"“testers”"}},
		{"en", "hepl", []string{"“help”"}},
		{"en", "broadcast", []string{"“broadcast me”", "“broadcast test”", "“broadcast all”", "“broadcast status”"}},
		{"en", "群发全不", []string{"“broadcast all”"}},
		{"zh", "群发全不", []string{"「群发全部」"}},
		{"zh", "群发", []string{"「群发自己」", "「群发测试」", "「群发全部」"}},
		{"zh", "群发全步 notice", []string{"「群发全部」"}},
		{"zh", "暂停一下", []string{"「暂停」"}},
		{"zh", "brodcast all", []string{"「群发全部」"}},
		{"zh", "今天天气不错", []string{"「帮助」"}},
		{"en", "what a lovely day", []string{"“help”"}},
		{"en", "", []string{"“help”"}},
	}
	for _, tt := range tests {
		t.Run(tt.language+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			if _, remember, _ := s.Reply(t.Context(), admin, tt.text, "m:1"); remember {
				t.Error("a hint need not be remembered")
			}
			s.wantCalls(t)
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []string
	}{
		{"broadcast all notice agian", []string{"“agian”", "“broadcast all”", "did nothing"}},
		{"broadcast all\nthing1=x", []string{"not supported yet", "nothing is sent"}},
		{"broadcast all at 2026-11-24 09:00", []string{"not supported yet", "nothing is sent"}},
		{"broadcast pause now", []string{"“now”", "broadcast pause #7"}},
		{"broadcast retry", []string{"number is needed", "broadcast retry #7"}},
		{"testers add", []string{"testers add OPENID"}},
		{"stop please", []string{"“please”"}},
		{"broadcast all notice " + strings.Repeat("长", 600), []string{"长…”"}},
	}
	for _, tt := range tests {
		t.Run(tt.text[:min(len(tt.text), 40)], func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "en")
			wantAll(t, s.ask(t, admin, tt.text), tt.want...)
			s.wantCalls(t)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, language := range Languages {
		s := newStage(t, language)
		forAll, forAdmins := s.ask(t, follower, "help"), s.ask(t, admin, "帮助")
		for _, cmd := range commands {
			name := s.write(cmd.name, "")
			if !strings.Contains(forAdmins, name) {
				t.Errorf("%s is not in the admin's help:\n%s", name, forAdmins)
			}
			if strings.Contains(forAll, name) == cmd.admin {
				t.Errorf("%s in everybody's help: %v:\n%s", name, !cmd.admin, forAll)
			}
		}
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, follower, "stop"), "won't get", "“start”")
	wantAll(t, s.ask(t, follower, "订阅"), "Welcome back", "“stop”")
	s.changed = false
	wantAll(t, s.ask(t, follower, "退订"), "not getting")
	wantAll(t, s.ask(t, follower, "start"), "You are getting")
	s.wantCalls(t, "opt out "+follower, "opt in "+follower, "opt out "+follower, "opt in "+follower)
}

func TestRemember(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands {
		s := newStage(t, "en")
		s.asked.Broadcast, s.status.Broadcast = sample(), sample()
		text := cmd.en[0]
		switch cmd.takes {
		case takesOpenID:
			text += " " + follower
		case needsNumber:
			text += " #7"
		case takesNothing, takesMessage, takesNumber:
		}
		_, remember, err := s.Reply(t.Context(), admin, text, "m:1")
		if want := cmd.name != OpenID && cmd.name != Help; err != nil || remember != want {
			t.Errorf("%s: remember is %v, want %v; %v", text, remember, want, err)
		}
	}
	s := newStage(t, "en")
	s.err = models.NewError(models.Unavailable, models.ErrPlatform)
	if reply, remember, err := s.Reply(t.Context(), admin, "stats", "m:1"); remember || err != nil || reply == "" {
		t.Errorf("what is away for a moment: %q, %v, %v", reply, remember, err)
	}
	s.err = errors.New("boom")
	if reply, remember, err := s.Reply(t.Context(), admin, "stats", "m:1"); remember || !errors.Is(err, s.err) || reply != "" {
		t.Errorf("an inner error: %q, %v, %v", reply, remember, err)
	}
}

// The admin's doings are in the log, without a full OpenID.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.ask(t, admin, "broadcast cancel #7")
	s.ask(t, admin, "testers add "+follower)
	wantAll(t, s.log.String(), "command=cancel", "broadcast=7", "command=testers_add", models.MaskOpenID(admin))
	if strings.Contains(s.log.String(), admin) || strings.Contains(s.log.String(), follower) {
		t.Errorf("a full OpenID is in the log:\n%s", s.log.String())
	}
}
