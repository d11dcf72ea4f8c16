package chat

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/message/messagetest"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
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

// stage is a Chat with stand-ins for its services, which record what they are asked.
type stage struct {
	*Chat
	calls []string
	log   bytes.Buffer

	asked   *broadcast.Created
	status  broadcast.Status
	list    []broadcast.Status
	waiting []models.Broadcast
	testers []models.Recipient
	stats   followers.Stats
	changed bool
	err     error
	file    *messagetest.File
	// store has the messages that were written in the chat.
	store     messagetest.Store
	templates messagetest.Templates
	quota     func(context.Context) (wechat.Quota, error)
	link      string
	history   string
	replies   stageReplies
	groups    stageLists
	// onTheWay is how many calls are under way when a cancel comes.
	onTheWay int64
	// halted is what a panic word stops.
	halted broadcast.Halted
	kept   keptNotices
	// syncEnded ends the sync that was started.
	syncEnded func(ctx context.Context, res followers.SyncResult, err error)
	people
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
		people: people{given: map[string]models.Role{}, untold: map[string]string{}},

		asked:   &broadcast.Created{},
		changed: true,
		file:    messagetest.New(t, messageFile),
		quota: func(context.Context) (wechat.Quota, error) {
			return wechat.Quota{Limit: 100_000, Used: 24_800, Remain: 75_200}, nil
		},
	}
	log := slog.New(watch{slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}), t})
	composer, err := NewComposer(language, stageLinks{s}, func() time.Time { return now }, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Chat = New(Config{
		Roles: stageRoles{s}, Audit: stageAudit{s}, Composer: composer,
		Engine: stageEngine{s}, Approvals: stageApprovals{s}, Followers: stageFollowers{s}, Platform: stagePlatform{s},
		Notices: stageNotices{s}, Messages: messages.NewSource(messages.SourceConfig{
			Path: s.file.Path, Language: language, Store: &s.store, Templates: stagePlatform{s}, Now: func() time.Time { return now },
		}), Replies: &s.replies, Topics: stageTopics{s}, Lists: &s.groups, Console: stageConsole{s}, Log: log,
	})
	return s
}

func (s *stage) record(format string, args ...any) {
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

// stageEngine stands in for the engine.
type stageEngine struct{ *stage }

// given writes the fields of a request that are set.
func given(r broadcast.Request) string {
	var parts []string
	for v, i := reflect.ValueOf(r), 0; i < v.NumField(); i++ {
		if !v.Field(i).IsZero() {
			parts = append(parts, fmt.Sprintf("%s:%v", v.Type().Field(i).Name, v.Field(i)))
		}
	}
	return strings.Join(parts, " ")
}

func (s stageEngine) Create(_ context.Context, r broadcast.Request) (*broadcast.Created, error) {
	s.record("ask %s", given(r))
	return s.asked, s.err
}

func (s stageEngine) Rehearse(_ context.Context, r broadcast.Request) (*broadcast.Created, error) {
	s.record("rehearse %s", given(r))
	return s.asked, s.err
}

func (s stageEngine) PauseAll(_ context.Context, by string) (*broadcast.Halted, error) {
	s.record("pause all by %s", by)
	return &s.halted, s.err
}

func (s stageEngine) Status(_ context.Context, id int64) (*broadcast.Status, error) {
	s.record("status %d", id)
	if s.kept.status != nil {
		return s.kept.status(id)
	}
	return &s.stage.status, s.err
}

func (s stageEngine) List(_ context.Context, n int) ([]broadcast.Status, error) {
	s.record("list %d", n)
	return s.stage.list, s.err
}

func (s stageEngine) Reschedule(_ context.Context, id int64, at time.Time, by string) (*models.Broadcast, error) {
	return s.move("reschedule to "+at.In(zone.Beijing).Format("2006-01-02 15:04:05"), id, by)
}

func (s stageEngine) Waiting(context.Context) ([]models.Broadcast, error) {
	s.record("waiting")
	return s.stage.waiting, s.err
}

func (s stageEngine) Digest(_ context.Context, r broadcast.Request) (string, error) {
	s.record("digest %s", given(r))
	return "digest of " + r.Message, s.err
}

func (s stageEngine) SentToday(context.Context) (int64, error) { return 24_800, s.err }

func (s stageEngine) move(name string, id int64, by string) (*models.Broadcast, error) {
	s.record("%s %d by %s", name, id, by)
	return &s.stage.status.Broadcast, s.err
}

func (s stageEngine) Pause(_ context.Context, id int64, by string) (*models.Broadcast, error) {
	return s.move("pause", id, by)
}

func (s stageEngine) Resume(_ context.Context, id int64, by string) (*models.Broadcast, error) {
	return s.move("resume", id, by)
}

func (s stageEngine) ResumeNow(_ context.Context, id int64, by string) (*models.Broadcast, error) {
	return s.move("resume now", id, by)
}

func (s stageEngine) Cancel(_ context.Context, id int64, by string) (*broadcast.Cancelled, error) {
	b, err := s.move("cancel", id, by)
	n := s.stage.status.Counts
	return &broadcast.Cancelled{Broadcast: *b, Counted: true, Taken: n.Taken(), Left: b.Recipients - n.Tried(), OnTheWay: s.onTheWay}, err
}

// stageNotices stands in for the notifier.
type stageNotices struct{ *stage }

func (s stageNotices) Send(_ context.Context, openID, text string) {
	s.record("notify %s: %s", openID, text)
}

func (s stageNotices) Kept(_ context.Context, openID, key string) ([]models.Broadcast, error) {
	return s.kept.of(openID, key), s.kept.err
}

func (s stageNotices) Say(_ context.Context, _ string, ids []int64, key string) ([]int64, error) {
	return s.kept.say(ids, key), s.kept.err
}

// stageFollowers stands in for the followers service.
type stageFollowers struct{ *stage }

func (s stageFollowers) person(did, openID string) (changed bool, err error) {
	s.record("%s %s", did, openID)
	return s.stage.changed, s.err
}

func (s stageFollowers) SetOptedOut(_ context.Context, openID string, out bool, _ followers.Said) (bool, error) {
	if out {
		return s.person("opt out", openID)
	}
	return s.person("opt in", openID)
}

func (s stageFollowers) AddTester(_ context.Context, openID, name string) (followers.AddedTester, error) {
	changed, err := s.person("add", strings.TrimSpace(openID+" "+name))
	return followers.AddedTester{Added: changed, Named: name != ""}, err
}

func (s stageFollowers) RemoveTester(_ context.Context, openID string) (bool, error) {
	return s.person("remove", openID)
}

func (s stageFollowers) Testers(context.Context) ([]models.Recipient, error) {
	return s.stage.testers, s.err
}

func (s stageFollowers) Stats(context.Context) (followers.Stats, error) { return s.stage.stats, s.err }

func (s stageFollowers) StartSync(
	_ context.Context, confirmed bool, ended func(context.Context, followers.SyncResult, error),
) error {
	s.record("sync, confirmed: %v", confirmed)
	s.syncEnded = ended
	return s.err
}

// stagePlatform stands in for the platform.
type stagePlatform struct{ *stage }

func (s stagePlatform) Quota(ctx context.Context, path string) (wechat.Quota, error) {
	if path != (wechat.TemplateMessages{}).QuotaPath() {
		return wechat.Quota{}, fmt.Errorf("asked for the quota of %s", path)
	}
	return s.stage.quota(ctx)
}

func (s stagePlatform) KnownTemplates(ctx context.Context, age time.Duration) ([]wechat.Template, time.Time, error) {
	return s.stage.templates.KnownTemplates(ctx, age)
}

// stageLinks stands in for the links.
type stageLinks struct{ *stage }

func (s stageLinks) Broadcast(int64) string { return s.stage.link }
func (s stageLinks) History() string        { return s.stage.history }

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
	if reply == "" || len(reply) > wechat.MaxText || strings.Contains(reply, "<no value>") || reply != wechat.FitText(reply) {
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

// stageReplies stands in for the store of the replies.
type stageReplies struct {
	list  []models.AutoReply
	err   error
	reads int
}

func (s *stageReplies) AutoReplies(context.Context) ([]models.AutoReply, error) {
	s.reads++
	return s.list, s.err
}

func (s *stageReplies) SetAutoReply(_ context.Context, r models.AutoReply) (before *models.AutoReply, err error) {
	i := slices.IndexFunc(s.list, func(one models.AutoReply) bool { return one.Folded == r.Folded })
	if i < 0 {
		s.list = append(slices.Clone(s.list), r)
		return nil, s.err
	}
	was := s.list[i]
	s.list = slices.Clone(s.list)
	s.list[i] = r
	return &was, s.err
}

func (s *stageReplies) RemoveAutoReply(_ context.Context, folded string) (*models.AutoReply, error) {
	i := slices.IndexFunc(s.list, func(one models.AutoReply) bool { return one.Folded == folded })
	if i < 0 {
		return nil, models.NewError(models.NotFound, models.ErrReplyUnknown)
	}
	was := s.list[i]
	s.list = slices.Delete(slices.Clone(s.list), i, i+1)
	return &was, s.err
}
