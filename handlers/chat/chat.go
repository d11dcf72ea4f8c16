// Package chat answers what people write to the account: a pure parser turns a
// line into a command, a table finds its handler, the whitelist is asked, and
// the handler calls the services and renders one reply.
package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

// Broadcasts are the engine's methods that the chat calls.
type Broadcasts struct {
	Ask       func(context.Context, broadcast.Request) (*broadcast.Asked, error)
	Retry     func(ctx context.Context, id int64, askedBy, requestKey string) (*broadcast.Asked, error)
	Status    func(ctx context.Context, id int64) (*broadcast.Status, error)
	Pause     func(ctx context.Context, id int64, by string) (*models.Broadcast, error)
	Resume    func(ctx context.Context, id int64, by string) (*models.Broadcast, error)
	Cancel    func(ctx context.Context, id int64, by string) (*broadcast.Cancelled, error)
	List      func(ctx context.Context, n int) ([]broadcast.Status, error)
	SentToday func(context.Context) (int64, error)
	// KeptNotices returns the broadcasts of which an admin could not be told, and
	// SayNotices those of them that the reply to a message is to name.
	KeptNotices func(ctx context.Context, openID, key string) ([]models.Broadcast, error)
	SayNotices  func(ctx context.Context, ids []int64, key string) ([]int64, error)
}

// Followers are the followers service's methods that the chat calls.
type Followers struct {
	OptOut       func(ctx context.Context, openID string) (changed bool, err error)
	OptIn        func(ctx context.Context, openID string) (changed bool, err error)
	Testers      func(context.Context) ([]models.Recipient, error)
	AddTester    func(ctx context.Context, openID string) (added bool, err error)
	RemoveTester func(ctx context.Context, openID string) (removed bool, err error)
	Stats        func(context.Context) (followers.Stats, error)
}

// Config is what a Chat needs.
type Config struct {
	// Admins is the whitelist: OpenIDs, compared byte for byte.
	Admins []string
	// Language is one of lang.Languages; empty for the default.
	Language string

	Broadcasts Broadcasts
	Followers  Followers
	Messages   *message.Source
	// StartSync begins pulling the followers and returns at once; askedBy gets
	// the outcome (SyncNotice) as a message. confirmed has a list like the last one
	// believed that was too short.
	StartSync func(ctx context.Context, askedBy string, confirmed bool) error
	// Quota asks the platform for the day's allowance of sends; nil if it can't
	// be asked.
	Quota func(context.Context) (wechat.Quota, error)
	// PublicLink returns the address of a broadcast's progress page, or ""; nil
	// if there are no pages.
	PublicLink func(id int64) string
	// HistoryLink returns the address of the page with the latest broadcasts, or
	// ""; nil if there are no pages.
	HistoryLink func() string

	Now func() time.Time
	Log *slog.Logger
}

// Chat answers chat lines. It is safe for concurrent use.
type Chat struct {
	config   Config
	locale   locale
	commands []command
	log      *slog.Logger
}

// request is a command that may be carried out.
type request struct {
	Command
	// from is the sender's OpenID.
	from string
	// key names the chat message, the same for a redelivery.
	key string
}

// New returns a Chat, or an error if the language is not one of lang.Languages or
// something that it needs is missing.
func New(c Config) (*Chat, error) {
	if c.Language == "" {
		c.Language = lang.Languages[0]
	}
	if !slices.Contains(lang.Languages, c.Language) {
		return nil, fmt.Errorf("choose language: %q is not one of %v", c.Language, lang.Languages)
	}
	b, f := c.Broadcasts, c.Followers
	if slices.Contains([]bool{
		b.Ask == nil, b.Retry == nil, b.Status == nil, b.Pause == nil, b.Resume == nil, b.Cancel == nil, b.List == nil, b.SentToday == nil,
		b.KeptNotices == nil, b.SayNotices == nil,
		f.OptOut == nil, f.OptIn == nil, f.Testers == nil, f.AddTester == nil, f.RemoveTester == nil, f.Stats == nil,
		c.Messages == nil, c.StartSync == nil, c.Now == nil, c.Log == nil,
	}, true) {
		return nil, errors.New("set up chat: a required part of its configuration is missing")
	}
	sentences, err := newLocale(c.Language, c.Log)
	if err != nil {
		return nil, err
	}
	// An empty sender must never be an admin, whatever the settings say.
	c.Admins = slices.DeleteFunc(slices.Clone(c.Admins), func(id string) bool { return id == "" })
	return &Chat{config: c, locale: sentences, commands: commands, log: c.Log}, nil
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
	parsed := Parse(text)
	admin := slices.Contains(c.config.Admins, openID)
	reply, remember, err = c.answer(ctx, openID, key, parsed, admin)
	if err == nil && admin && parsed.Name != OpenID {
		reply = c.withKept(ctx, openID, key, reply)
	}
	return reply, remember, err
}

// answer returns the reply to a line and whether it must be remembered.
func (c *Chat) answer(ctx context.Context, openID, key string, parsed Command, admin bool) (text string, remember bool, err error) {
	cmd := c.find(parsed.Name)
	switch {
	case cmd == nil:
		return fit(c.unknown(parsed.Line, admin)), false, nil
	case cmd.admin && !admin:
		c.log.WarnContext(ctx, "admin command refused", "command", cmd.name, "from", models.MaskOpenID(openID))
		return fit(c.unknown("", false)), false, nil
	case parsed.Fault != "":
		return fit(c.fault(cmd, parsed)), false, nil
	}
	text, err = cmd.run(c, ctx, request{Command: parsed, from: openID, key: key})
	remember = cmd.remember
	if err != nil {
		var known bool
		text, known = c.errorText(err, parsed)
		switch {
		case !known && cmd.repeatable:
			// The database may have stored it before it failed.
			c.log.WarnContext(ctx, "it is not known whether a command was carried out", "command", cmd.name, "err", err)
			return fit(c.say("busy_or_done", nil)), false, nil
		case !known:
			return "", false, fmt.Errorf("answer %s: %w", cmd.name, err)
		}
		// What is away now may be back at the redelivery.
		remember = remember && models.KindOf(err) != models.Unavailable
	}
	if cmd.admin {
		c.log.InfoContext(ctx, "admin command", "command", cmd.name, "broadcast", parsed.ID,
			"from", models.MaskOpenID(openID), "refused", code(err))
	}
	return fit(text), remember, nil
}

// Remembers tells from a text alone whether its reply depends on more than the
// text, so that a redelivery must be answered from memory.
func (c *Chat) Remembers(text string) bool {
	cmd := c.find(Parse(text).Name)
	return cmd != nil && cmd.remember
}

// Busy asks a person to try again in a moment.
func (c *Chat) Busy() string { return c.say("busy", nil) }

// say returns the sentence of that id, filled with v.
func (c *Chat) say(id string, v vars) string { return c.locale.say(id, v) }

func (c *Chat) find(name Name) *command {
	i := slices.IndexFunc(c.commands, func(cmd command) bool { return cmd.name == name })
	if i < 0 {
		return nil
	}
	return &c.commands[i]
}

// write returns a command as the chat teaches to write it, with its argument if
// there is one.
func (c *Chat) write(name Name, argument string) string {
	cmd := c.find(name)
	taught := cmd.en[0]
	if c.locale.Language == "zh" {
		taught = cmd.zh[0]
	}
	if argument == "" {
		return taught
	}
	return taught + " " + argument
}

// on returns a command on a broadcast as the chat teaches to write it.
func (c *Chat) on(name Name, id int64) string {
	return c.write(name, fmt.Sprintf("#%d", id))
}

// fault says why a known command can't be carried out as written.
func (c *Chat) fault(cmd *command, parsed Command) string {
	return c.say("fault."+string(parsed.Fault), vars{
		"Words":   clip(quotable(parsed.Words), 60),
		"Command": c.write(cmd.name, ""),
	})
}

// errorText says what an Error means; known is false if err is none or has no
// sentence.
func (c *Chat) errorText(err error, asked Command) (text string, known bool) {
	var e *models.Error
	if !errors.As(err, &e) || !c.locale.Has("error."+e.Code) {
		return "", false
	}
	v := vars{"Add": c.write(TestersAdd, ""), "Testers": c.write(Testers, "")}
	for name, value := range e.Args {
		v[name] = value
	}
	switch e.Code {
	case models.ErrMessagesFile:
		if reason, ok := e.Args["Reason"].(error); ok {
			return c.messagesFile(reason), true
		}
	case models.ErrOpenIDInvalid, models.ErrTesterUnknown:
		v["OpenID"] = models.MaskOpenID(asked.OpenID)
	case models.ErrMessageUnknown:
		v["Name"] = quotable(fmt.Sprint(e.Args["Name"]))
	case models.ErrSyncShort:
		v["Sync"], v["Confirm"] = c.write(Sync, ""), c.write(SyncConfirm, "")
	case models.ErrPlatform, models.ErrTesterUnchecked:
		if e.Args["Code"] == 0 {
			delete(v, "Code") // there was no answer that could have had one
		}
	case models.ErrSameMessage:
		return c.sameText(e), true
	case models.ErrNotKnownYet:
		v["Status"] = c.write(Status, "")
	case models.ErrHalted:
		id, _ := e.Args["ID"].(int64)
		v["Resume"], v["Cancel"] = c.on(Resume, id), c.on(Cancel, id)
	case models.ErrWrongState:
		v["State"] = c.say(fmt.Sprintf("state_is.%v", e.Args["State"]), nil)
		v["Action"] = c.say(fmt.Sprintf("action.%v", e.Args["Action"]), nil)
	case models.ErrNothingTo:
		v["Action"] = c.say(fmt.Sprintf("action.%v", e.Args["Action"]), nil)
	}
	return c.say("error."+e.Code, v), true
}

// code returns an Error's code for the log, or "".
func code(err error) string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
