// Package chat answers what people write to the account: a pure parser turns a
// line into a command, a table finds its handler, the whitelist is asked, and
// the handler calls the services and renders one reply.
package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

// engine is what the chat asks of a *broadcast.Engine.
type engine interface {
	Create(ctx context.Context, r broadcast.Request) (*broadcast.Created, error)
	Rehearse(ctx context.Context, r broadcast.Request) (*broadcast.Created, error)
	Reschedule(ctx context.Context, id int64, at time.Time, by string) (*models.Broadcast, error)
	Waiting(ctx context.Context) ([]models.Broadcast, error)
	Status(ctx context.Context, id int64) (*broadcast.Status, error)
	List(ctx context.Context, n int) ([]broadcast.Status, error)
	SentToday(ctx context.Context) (int64, error)
	Pause(ctx context.Context, id int64, by string) (*models.Broadcast, error)
	Resume(ctx context.Context, id int64, by string) (*models.Broadcast, error)
	ResumeNow(ctx context.Context, id int64, by string) (*models.Broadcast, error)
	Cancel(ctx context.Context, id int64, by string) (*broadcast.Cancelled, error)
	Tags(ctx context.Context) ([]wechat.Tag, error)
	Target(ctx context.Context, r broadcast.Request) (models.Target, error)
	PauseAll(ctx context.Context, by string) (*broadcast.Halted, error)
	Digest(ctx context.Context, r broadcast.Request) (string, error)
}

// approvals is what the chat asks of an *approval.Desk.
type approvals interface {
	Approve(ctx context.Context, id int64, by string) (*models.Approved, error)
	Reject(ctx context.Context, id int64, by, why string) (*models.Broadcast, error)
}

// followerList is what the chat asks of a *followers.Service.
type followerList interface {
	SetOptedOut(ctx context.Context, openID string, out bool, said followers.Said) (changed bool, err error)
	SetTopics(ctx context.Context, openID string, topics []int64, join bool, said followers.Said) (followers.Changed, error)
	TopicsOf(ctx context.Context, openID string) (in []models.Topic, optedOut bool, err error)
	Testers(ctx context.Context) ([]models.Recipient, error)
	AddTester(ctx context.Context, openID, name string) (followers.AddedTester, error)
	RemoveTester(ctx context.Context, openID string) (removed bool, err error)
	Stats(ctx context.Context) (followers.Stats, error)
	MustFollow(ctx context.Context, openID string) error
	Find(ctx context.Context, text string) (*models.Recipient, error)
	Who(ctx context.Context, text string) (*followers.Known, error)
	Names(ctx context.Context) (map[string]string, error)
	StartSync(ctx context.Context, confirmed bool, ended func(ctx context.Context, res followers.SyncResult, err error)) error
}

// platform is what the chat asks of a *wechat.Client.
type platform interface {
	Quota(ctx context.Context, path string) (wechat.Quota, error)
}

// notices is what the chat asks of a *notify.Notifier.
type notices interface {
	Send(ctx context.Context, openID, text string)
	Kept(ctx context.Context, openID, key string) ([]models.Broadcast, error)
	Say(ctx context.Context, openID string, ids []int64, key string) ([]int64, error)
	SendRole(ctx context.Context, openID, text string)
	RoleKept(ctx context.Context, openID, key string) (bool, error)
	SayRole(ctx context.Context, openID, key string) error
}

// roles is what the chat asks of an *admins.Service.
type roles interface {
	RoleOf(ctx context.Context, openID string) models.Role
	List(ctx context.Context) ([]models.Admin, error)
	Add(ctx context.Context, openID string, role models.Role, by string) (was models.Role, err error)
	Remove(ctx context.Context, openID string) (was models.Role, err error)
}

// audit is what the chat asks of a *models.Store: to keep what admins did.
type audit interface {
	AddAudit(ctx context.Context, a models.Audit) error
}

// Config is what a Chat needs. All fields are required.
type Config struct {
	// Roles says who may do what.
	Roles     roles
	Audit     audit
	Composer  *Composer
	Engine    engine
	Approvals approvals
	Followers followerList
	Platform  platform
	Notices   notices
	Messages  *messages.Source
	Replies   replyStore
	Topics    topicList
	Lists     listService
	Console   console
	Log       *slog.Logger
}

// Chat answers chat lines. It is safe for concurrent use.
type Chat struct {
	*Composer
	config  Config
	log     *slog.Logger
	replies *replies
}

// request is a command that may be carried out.
type request struct {
	Command
	// from is the sender's OpenID.
	from string
	// alarm says that the text is a panic word.
	alarm bool
	// role is the sender's, empty for whoever is no admin.
	role models.Role
	// key names the chat message, the same for a redelivery.
	key string
	// via is how it came: one of models.Via….
	via string
	// text is the message as it was written.
	text string
	// target is what the command is carried out on, for the audit.
	target *string
	// requestKey is that of a broadcast, if it is not the key.
	requestKey string
	// digest is that of the message as the sender saw it; empty if they did not.
	digest string
}

// New returns a Chat.
func New(c Config) *Chat {
	return &Chat{Composer: c.Composer, config: c, log: c.Log, replies: newReplies(c.Replies)}
}

// Reply answers one chat line of openID. key names the chat message and is the
// same when the platform delivers it again. The reply is at most 2,047 bytes;
// remember says that it depends on more than the line, so that a redelivery
// must get this reply from memory. An error is for the log: the line could not
// be answered, and the sender may try again.
//
// A reply to an admin has the notices that could not be handed over before. A
// redelivery finds them by the key. The reply to `openid` has none: it is to be
// copied as a whole.
func (c *Chat) Reply(ctx context.Context, openID, text, key string) (reply string, remember bool, err error) {
	return c.reply(ctx, openID, text, models.ViaText, key)
}

// Act answers what a person tapped in the menu, models.ViaMenu, or the scene of a QR code
// that they scanned, models.ViaScan, as Reply answers a text. The name of a topic alone
// joins it. A line of the terminal, models.ViaTerminal, is a text whose reply has no kept
// notices.
func (c *Chat) Act(ctx context.Context, openID, text, via, key string) (reply string, remember bool, err error) {
	return c.reply(ctx, openID, text, via, key)
}

func (c *Chat) reply(ctx context.Context, openID, text, via, key string) (reply string, remember bool, err error) {
	parsed := c.interpret(ctx, text, via)
	role := c.config.Roles.RoleOf(ctx, openID)
	// Of an admin a word to leave that sounds like one to stop is that first.
	alarm := Alarming(text) || optWord(text) == Stop && soundsAlarmed(squeezed(text))
	reply, remember, err = c.answer(ctx, request{
		Command: parsed, from: openID, role: role, alarm: alarm, key: key, via: via, text: text, target: new(string),
	})
	reply = wechat.FitText(reply)
	if err == nil && role != "" && parsed.Name != OpenID && via != models.ViaTerminal { // their notices are for the phone
		reply = c.withKept(ctx, openID, key, c.withRole(ctx, openID, role, key, reply))
	}
	return reply, remember, err
}

// answer returns the reply to a line and whether it must be remembered.
func (c *Chat) answer(ctx context.Context, r request) (text string, remember bool, err error) {
	later := ""
	if r.role != "" && r.alarm {
		text, handled, err := c.panicked(ctx, r)
		later = text
		if handled {
			c.keep(ctx, r, &command{name: Panic}, c.came(err, r.Command))
		}
		if err != nil {
			c.log.WarnContext(ctx, "it is not known whether a panic word was carried out", "err", err)
			return c.say("halted.unknown", nil), false, nil
		}
		if handled {
			return text, true, nil
		}
	}
	cmd := c.find(r.Name)
	switch {
	case cmd == nil:
		return c.noCommand(ctx, r, r.Line), false, nil
	case !r.role.May(cmd.role):
		c.logRefused(ctx, cmd, r)
		if r.role == "" {
			return c.noCommand(ctx, r, ""), false, nil
		}
		c.keep(ctx, r, cmd, refusedFor("role"))
		return c.tooLow(cmd, r.role), true, nil
	case r.Fault != "" && r.role == "" && cmd.name == Stop:
		return c.noCommand(ctx, r, r.text), false, nil
	case r.Fault != "" && cmd.takes == takesNames: // `join` alone
		text, err = c.topics(ctx, r)
		return text, false, err
	case r.Fault != "":
		return c.withOtherFaults(ctx, cmd, r), false, nil
	}
	done, err := c.carryOut(ctx, cmd, r)
	if err != nil {
		return "", false, err
	}
	if done.refused != nil {
		// A redelivery may find the database answering again.
		return done.text, cmd.remember && done.known && models.KindOf(done.refused) != models.Unavailable, nil
	}
	return joined([]string{done.text, later}), cmd.remember, nil
}

// carried is what came of a command.
type carried struct {
	text string
	// refused is why it was not carried out; nil if it was. known says that it surely was
	// not.
	refused error
	known   bool
}

// carryOut carries a command out, keeps that for the audit, and puts into words what came
// of it. The error is for a command of which nothing can be said.
func (c *Chat) carryOut(ctx context.Context, cmd *command, r request) (carried, error) {
	text, err := cmd.run(c, ctx, r)
	if cmd.role != "" && !cmd.reads && !cmd.keeps {
		c.keep(ctx, r, cmd, c.came(err, r.Command))
	}
	done := carried{text: text, refused: err, known: true}
	if err != nil {
		done.text, done.known = c.errorText(err, r.Command)
		switch {
		case !done.known && cmd.repeatable:
			// The database may have stored it before it failed.
			c.log.WarnContext(ctx, "it is not known whether a command was carried out", "command", cmd.name, "err", err)
			done.text = c.say("busy_or_done", nil)
			return done, nil
		case !done.known:
			return carried{}, fmt.Errorf("answer %s: %w", cmd.name, err)
		}
	}
	if cmd.role != "" {
		c.log.InfoContext(ctx, "admin command", "command", cmd.name, "broadcast", r.ID,
			"from", models.MaskOpenID(r.from), "refused", code(err))
	}
	return done, nil
}

// Remembers tells from a text alone whether its reply depends on more than the
// text, so that a redelivery must be answered from memory.
func (c *Chat) Remembers(text string) bool {
	parsed, maybe := parse(text)
	cmd := c.find(cmp.Or(parsed.Name, maybe.Name))
	return cmd != nil && cmd.remember || Alarming(text)
}

// Busy answers a text that was not answered in time, or whose command failed. What changes
// something may still be stored after that, so it does not say that it was not.
func (c *Chat) Busy(ctx context.Context, openID, text string) string {
	role := c.config.Roles.RoleOf(ctx, openID)
	cmd := c.find(c.interpret(ctx, text, models.ViaMenu).Name)
	switch {
	case role != "" && Alarming(text):
		return c.say("halted.unknown", nil)
	case cmd != nil && cmd.repeatable && (cmd.role == "" || role.May(cmd.role)):
		return c.say("busy_or_done", nil)
	default:
		return c.say("busy", nil)
	}
}

// fault says why a known command can't be carried out as written.
func (c *Chat) fault(cmd *command, parsed Command) string {
	id := "fault." + string(parsed.Fault)
	if parsed.Fault == FaultExtra && (cmd.takes == takesMessage || cmd.takes == takesGroups || cmd.takes == takesOf) {
		// `群发全部 明天 9点` has a message named 明天.
		for _, words := range []string{parsed.Message + " " + parsed.Words, parsed.Words} {
			if looksLikeTime(words) {
				id, parsed.Words = "fault.time", strings.TrimSpace(words)
				break
			}
		}
	}
	return c.say(id, vars{
		"Words":   clip(quotable(parsed.Words), 60),
		"Command": c.write(cmd.name, ""),
		"Before":  c.beforeExcept(cmd),
		"Trial":   c.odd(parsed),
	})
}

// code returns an Error's code for the log, or "". Of several joined ones it has all.
func code(err error) string {
	var codes []string
	for _, one := range parts(err) {
		codes = append(codes, code(one))
	}
	if len(codes) > 0 && !slices.Contains(codes, "") {
		return strings.Join(codes, ", ")
	}
	var e *models.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// parts returns the errors that err joins, if it joins any.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // what wraps a joined error says more than its parts
		return joined.Unwrap()
	}
	return nil
}
