package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/sessions"
	"wechat-broadcast/zone"
)

// console is what the chat asks of a *sessions.Service.
type console interface {
	Link(ctx context.Context, openID, key string) (string, error)
	Out(ctx context.Context, openID string) (sessions int64, err error)
	Prepare(ctx context.Context, openID, command, digest string) (code string, err error)
	Take(ctx context.Context, openID, code, key string) (c *models.ConsoleConfirm, used bool, err error)
}

// openConsole answers with a link to the console. The reply is kept nowhere: the same
// message gets the same link.
func (c *Chat) openConsole(ctx context.Context, r request) (string, error) {
	address, err := c.config.Console.Link(ctx, r.from, r.key)
	if err != nil {
		return "", err
	}
	return c.say("console.link", vars{"URL": address, "Out": c.write(ConsoleOut, "")}), nil
}

// leaveConsole ends all that an admin holds of the console.
func (c *Chat) leaveConsole(ctx context.Context, r request) (string, error) {
	n, err := c.config.Console.Out(ctx, r.from)
	if err != nil {
		return "", err
	}
	return c.say("console.out", vars{"Count": n, "Console": c.write(Console, "")}), nil
}

// Prepared is what an admin is to confirm in the chat.
type Prepared struct {
	// Confirm is the line that confirms it, and Line the chat line that means the same; empty
	// if there is none.
	Confirm, Line string
	// Until is when it can't be confirmed any more.
	Until time.Time
}

// Prepare stores a command until the admin confirms it in the chat. The reply is for one
// that can't be prepared; then the error says why.
func (c *Chat) Prepare(ctx context.Context, openID string, asked Command, key string) (p *Prepared, reply string, err error) {
	cmd, r, err := c.formed(ctx, openID, asked, models.ViaConsole, key)
	if err == nil {
		p, err = c.prepare(ctx, r)
	}
	if err == nil {
		return p, "", nil
	}
	if _, known := c.errorText(err, r.Command); !known && code(err) == "" {
		c.log.WarnContext(ctx, "a form was not prepared", "command", asked.Name, "err", err)
		return nil, c.say("busy", nil), err
	}
	return nil, c.notFormed(ctx, cmd, r, err), err
}

func (c *Chat) prepare(ctx context.Context, r request) (*Prepared, error) {
	if r.At != "" { // "tomorrow" is another day when it is confirmed
		at, err := when(r.At, c.now())
		if err != nil {
			return nil, err
		}
		r.At = at.In(zone.Beijing).Format("2006-01-02 15:04:05")
	}
	digest := ""
	if _, sends := audiences[r.Name]; sends {
		var err error
		if digest, err = c.config.Engine.Digest(ctx, r.asked()); err != nil {
			return nil, err
		}
	}
	stored, err := json.Marshal(r.Command)
	if err != nil {
		return nil, fmt.Errorf("store a command: %w", err)
	}
	made, err := c.config.Console.Prepare(ctx, r.from, string(stored), digest)
	if err != nil {
		return nil, err
	}
	line := c.Line(r.Command)
	if r.Name == ListsReplace { // no line has the file
		line = ""
	}
	return &Prepared{c.write(Confirm, made), line, c.now().Add(sessions.ConfirmLasts)}, nil
}

// confirm carries out what an admin prepared in the console, as if they had sent the line
// for it.
func (c *Chat) confirm(ctx context.Context, r request) (string, error) {
	stored, used, err := c.config.Console.Take(ctx, r.from, r.Arg, r.key)
	if err != nil {
		c.keep(ctx, r, c.find(Confirm), c.came(err, r.Command))
		return "", err
	}
	next := r
	next.Command = Command{}
	if err := json.Unmarshal([]byte(stored.Command), &next.Command); err != nil {
		return "", fmt.Errorf("read what was prepared: %w", err)
	}
	cmd := c.find(next.Name)
	if cmd == nil {
		return "", fmt.Errorf("what was prepared is no command: %q", next.Name)
	}
	_, sends := audiences[next.Name]
	switch {
	case !r.role.May(cmd.role):
		c.logRefused(ctx, cmd, r)
		c.keep(ctx, r, cmd, refusedFor("role"))
		return c.tooLow(cmd, r.role), nil
	case used && !sends: // twice may not be the same as once
		return "", models.NewError(models.Conflict, models.ErrConfirmUsed)
	}
	next.text = models.ViaConsole + ": " + c.Line(next.Command)
	next.requestKey, next.digest = fmt.Sprintf("confirm:%d", stored.ID), stored.Digest
	done, err := c.carryOut(ctx, cmd, next)
	return done.text, err
}

// code reads the code of what was prepared in the console.
func (cmd *Command) code(rest []word) {
	if len(rest) == 0 || !isCode(rest[0].folded) {
		cmd.Fault, cmd.Words = FaultCode, raw(rest)
		return
	}
	cmd.Arg = rest[0].folded
	cmd.extra(rest[1:])
}

// isCode tells whether a folded word may be a code: six digits.
func isCode(s string) bool { return len(s) == 6 && strings.Trim(s, "0123456789") == "" }
