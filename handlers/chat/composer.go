package chat

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// links makes the addresses of the pages; "" without a public address.
type links interface {
	Broadcast(id int64) string
	History() string
}

// Composer writes what the account says in the chat: replies, and notices to
// admins. Each text fits into a message of the platform.
type Composer struct {
	locale   locale
	commands []command
	// parse is Parse, which the table of commands must not refer to either.
	parse func(text string) Command
	links links
	now   func() time.Time
}

// NewComposer returns a Composer for one of lang.Languages, or for the first of them
// if language is empty. log gets the sentences that are missing.
func NewComposer(language string, links links, now func() time.Time, log *slog.Logger) (*Composer, error) {
	sentences, err := newLocale(cmp.Or(language, lang.Languages[0]), log)
	if err != nil {
		return nil, err
	}
	return &Composer{locale: sentences, commands: commands, parse: Parse, links: links, now: now}, nil
}

func (c *Composer) say(id string, v vars) string { return c.locale.say(id, v) }

func (c *Composer) find(name Name) *command {
	i := slices.IndexFunc(c.commands, func(cmd command) bool { return cmd.name == name })
	if i < 0 {
		return nil
	}
	return &c.commands[i]
}

// write returns a command as the chat teaches to write it, with its argument if
// there is one.
func (c *Composer) write(name Name, argument string) string {
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
func (c *Composer) on(name Name, id int64) string {
	return c.write(name, fmt.Sprintf("#%d", id))
}

// faultTexts says what several Errors mean, each on a line; known is false if one of
// them has no sentence, or if there are none.
func (c *Composer) faultTexts(errs []error, asked Command) (text string, known bool) {
	lines := make([]string, len(errs))
	for i, err := range errs {
		if lines[i], known = c.errorText(err, asked); !known {
			return "", false
		}
	}
	return joined(lines), known
}

// errorText says what an Error means; known is false if err is none or has no
// sentence.
func (c *Composer) errorText(err error, asked Command) (text string, known bool) {
	if text, known = c.faultTexts(parts(err), asked); known {
		return text, true
	}
	var e *models.Error
	if !errors.As(err, &e) || !c.locale.Has("error."+e.Code) {
		return "", false
	}
	if text, ok := c.messageError(e); ok {
		return text, true
	}
	v := vars{"Add": c.write(TestersAdd, ""), "Testers": c.write(Testers, ""), "TestersRemove": c.write(TestersRemove, "")}
	maps.Copy(v, e.Args)
	switch e.Code {
	case models.ErrOpenIDInvalid, models.ErrTesterUnknown:
		v["OpenID"] = quotable(asked.OpenID)
	case models.ErrGroupUnknown:
		c.unknownGroup(e, v)
	case models.ErrRoleUnknown:
		v["Role"] = quotable(asked.Arg)
	case models.ErrAdminUnknown, models.ErrPersonUnknown:
		v["Who"] = quotable(asked.OpenID)
	case models.ErrMessageChanged:
		v["Name"] = clip(quotable(fmt.Sprint(e.Args["Name"])), maxNamed)
	case models.ErrMessageUnknown:
		v["Name"] = clip(quotable(fmt.Sprint(e.Args["Name"])), maxNamed)
		if looksLikeTime(fmt.Sprint(e.Args["Name"])) {
			return c.say("error.time_as_name", v), true
		}
	case models.ErrTimeUnclear, models.ErrTimeOfDay, models.ErrTimeNone, models.ErrTimePast, models.ErrTimeFar:
		v["Words"] = clip(quotable(fmt.Sprint(e.Args["Words"])), 60)
		if at, ok := e.Args["Moment"].(time.Time); ok {
			v["At"] = c.moment(at)
		}
	case models.ErrSyncShort:
		v["Sync"], v["Confirm"] = c.write(Sync, ""), c.write(SyncConfirm, "")
	case models.ErrPlatform, models.ErrTesterUnchecked, models.ErrTagsUnchecked:
		c.refusal(e, v)
		if e.Code == models.ErrPlatform && e.Args["Code"] == codeNoPermission {
			return c.say("error.permission", v), true
		}
	case models.ErrSameMessage:
		return c.sameText(e, asked), true
	case models.ErrUntested:
		return c.untestedText(e, asked), true
	case models.ErrRepliesFull:
		v["Remove"] = c.write(RepliesRemove, "")
	case models.ErrReplyUnknown:
		v["Word"], v["Replies"] = quotable(asked.Arg), c.write(Replies, "")
	case models.ErrFieldsLacking:
		return c.lacking(e), true
	case models.ErrNobodyInGroups:
		parts, _ := e.Args["Parts"].([]models.Part)
		return fitList(c.say("error."+e.Code, nil), c.parts(parts), c.more), true
	case models.ErrListUnknown:
		v["Name"], v["Lists"] = clip(quotable(fmt.Sprint(e.Args["Name"])), maxNamed), c.write(Lists, "")
	case models.ErrListsFull:
		v["Remove"] = c.write(ListsRemove, "")
	case models.ErrConfirmVoid:
		v["Out"] = c.write(ConsoleOut, "")
	case models.ErrNotKnownYet, models.ErrConfirmUsed:
		v["Status"] = c.write(Status, "")
	default:
		c.standing(e, v)
	}
	return c.say("error."+e.Code, v), true
}

// unknownGroup fills a sentence about groups that there are not.
func (c *Composer) unknownGroup(e *models.Error, v vars) {
	known, _ := e.Args["Known"].([]string)
	for i, name := range known {
		known[i] = quotable(name)
	}
	kind, _ := e.Args["Kind"].(string)
	names, _ := e.Args["Names"].([]string)
	if name, one := e.Args["Name"].(string); one {
		names = []string{name}
	}
	shown := clip(quotable(strings.Join(names, c.locale.Say("group.and"))), maxNamed)
	v["Group"] = groupText(c.locale.Locale, cmp.Or(models.GroupKind(kind), models.GroupTopic), shown)
	v["Known"] = clip(strings.Join(known, c.locale.Say("group.and")), 400)
}

// standing fills a sentence about where a broadcast stands that it does not fit.
func (c *Composer) standing(e *models.Error, v vars) {
	id, _ := e.Args["ID"].(int64)
	switch e.Code {
	case models.ErrBegun:
		v["Pause"], v["Cancel"] = c.on(Pause, id), c.on(Cancel, id)
	case models.ErrHalted:
		stored, _ := e.Args["Detail"].(string)
		v["Detail"] = c.locale.Answer(stored)
		v["Resume"], v["Cancel"] = c.on(Resume, id), c.on(Cancel, id)
	case models.ErrRestRunning:
		rest, _ := e.Args["Rest"].(int64)
		v["Rest"], v["Resume"], v["Instead"] = strconv.FormatInt(rest, 10), c.on(Resume, rest), c.on(Rest, rest)
		v["State"] = c.say(fmt.Sprintf("state_is.%v", e.Args["State"]), nil)
		v["Paused"] = ""
		if e.Args["State"] == string(models.Paused) {
			v["Paused"] = "paused"
		}
	case models.ErrTopicBusy:
		name, _ := e.Args["Name"].(string)
		v["Name"], v["Cancel"] = clip(quotable(name), maxNamed), c.on(Cancel, id)
		v["State"] = c.say(fmt.Sprintf("state_is.%v", e.Args["State"]), nil)
	case models.ErrOwnApproval, models.ErrApprovalLate:
		v["Cancel"], v["Reschedule"] = c.on(Cancel, id), c.on(Reschedule, id)
	case models.ErrWrongState, models.ErrNotPending:
		v["State"] = c.say(fmt.Sprintf("state_is.%v", e.Args["State"]), nil)
		v["Action"] = c.say(fmt.Sprintf("action.%v", e.Args["Action"]), nil)
	case models.ErrDeliveriesGone:
		at, _ := e.Args["Moment"].(time.Time)
		v["At"] = c.moment(at)
	case models.ErrNothingTo:
		v["Action"] = c.say(fmt.Sprintf("action.%v", e.Args["Action"]), nil)
	}
}

// refusal fills a sentence with what a call to the platform came to: Said is what
// it answered, Reason why it did not.
func (c *Composer) refusal(e *models.Error, v vars) {
	code, _ := e.Args["Code"].(int)
	words, _ := e.Args["Reason"].(string)
	v["Said"], v["Reason"] = "", ""
	if code == 0 {
		v["Reason"] = c.locale.Fault(words)
		return
	}
	v["Said"] = c.locale.Refusal(lang.Refusal{Code: code, Words: words, Token: wechat.IsTokenError(e)})
}
