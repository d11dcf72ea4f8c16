package chat

import (
	"context"
	"fmt"
	"strings"

	"wechat-broadcast/models"
)

// Carry carries out a command that did not come as a chat line but as a form, via
// models.ViaConsole, with the role check, the guards, the audit and the words of the chat.
// key names the form: one that comes again acts once. The reply is never empty; the error
// says why nothing was done, or that it is not known. What takes a word in the chat is
// refused: models.ErrNeedsConfirm. See Prepare.
func (c *Chat) Carry(ctx context.Context, openID string, asked Command, via, key string) (reply string, err error) {
	cmd, r, err := c.formed(ctx, openID, asked, via, key)
	if err != nil {
		return c.notFormed(ctx, cmd, r, err), err
	}
	if cmd.confirmed {
		err := models.NewError(models.Conflict, models.ErrNeedsConfirm)
		return c.notFormed(ctx, cmd, r, err), err
	}
	done, err := c.carryOut(ctx, cmd, r)
	if err != nil {
		c.log.WarnContext(ctx, "a form was not carried out", "command", cmd.name, "err", err)
		return c.say("busy", nil), err
	}
	return done.text, done.refused
}

// NeedsConfirm tells whether in the console a command takes the admin's word in the chat.
func NeedsConfirm(name Name) bool {
	for i := range commands {
		if commands[i].name == name {
			return commands[i].confirmed
		}
	}
	return false
}

// formed returns the request that a form makes, with the command's row; the error says why
// it can't be carried out. Without a row it is no command.
func (c *Chat) formed(ctx context.Context, openID string, asked Command, via, key string) (*command, request, error) {
	asked.complete(c.find(asked.Name))
	r := request{
		Command: asked, from: openID, role: c.config.Roles.RoleOf(ctx, openID), key: key, via: via,
		text: via + ": " + c.Line(asked), target: new(string),
	}
	cmd := c.find(asked.Name)
	switch {
	case cmd == nil || cmd.role == "" || cmd.name == Console || cmd.name == Confirm:
		return nil, r, models.NewError(models.Invalid, models.ErrNotByConsole)
	case !r.role.May(cmd.role):
		return cmd, r, models.NewError(models.Conflict, models.ErrRoleTooLow)
	case r.Fault != "":
		return cmd, r, models.NewError(models.Invalid, models.ErrFormFault)
	}
	return cmd, r, nil
}

// notFormed puts into words why a form was not carried out, and keeps that.
func (c *Chat) notFormed(ctx context.Context, cmd *command, r request, err error) string {
	switch code(err) {
	case models.ErrRoleTooLow:
		c.logRefused(ctx, cmd, r)
		c.keep(ctx, r, cmd, refusedFor("role"))
		return c.tooLow(cmd, r.role)
	case models.ErrFormFault:
		return c.withOtherFaults(ctx, cmd, r)
	default:
		text, _ := c.errorText(err, r.Command)
		return text
	}
}

// tooLow says which role a command takes.
func (c *Composer) tooLow(cmd *command, role models.Role) string {
	return c.say("role.too_low", vars{
		"Command": c.write(cmd.name, ""), "Role": c.roleWord(role), "Takes": c.roleWord(cmd.role),
	})
}

// complete gives a command that no line was parsed for the fault that its line would have.
func (cmd *Command) complete(row *command) {
	cmd.Fault, cmd.Words, cmd.Line = "", "", ""
	if row == nil {
		return
	}
	cmd.trial()
	lacks := func(missing bool, fault Fault) {
		if missing && cmd.Fault == "" {
			cmd.Fault = fault
		}
	}
	switch row.takes {
	case takesGroups:
		lacks(len(cmd.Groups) == 0, FaultNoGroup)
	case takesOf, needsNumber, takesNumberFlags, takesNumberAndWhy:
		lacks(cmd.ID <= 0, FaultNoNumber)
	case takesTime:
		lacks(cmd.ID <= 0, FaultNoNumber)
		lacks(cmd.At == "", FaultNoTime)
	case takesOpenID, takesOpenIDAndName:
		lacks(cmd.OpenID == "", FaultOpenID)
	case takesOpenIDAndRole:
		lacks(cmd.OpenID == "", FaultOpenID)
		lacks(cmd.Arg == "", FaultNoRole)
	case takesName, takesNameAndFields, takesNameAndWords:
		lacks(cmd.Arg == "", FaultNoName)
	case takesNameAndText:
		lacks(cmd.Arg == "", FaultNoName)
		lacks(strings.TrimFunc(cmd.Text, space) == "", FaultNoText)
	case takesNothing, takesMessage, takesNumber, takesNames, takesCode:
	}
}

// Line writes a command as a line of the chat that means the same.
func (c *Composer) Line(cmd Command) string {
	row := c.find(cmd.Name)
	if row == nil {
		return ""
	}
	parts := []string{c.write(cmd.Name, "")}
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(c.quotedNames(cmd.Groups))
	if cmd.ID != 0 {
		add(fmt.Sprintf("#%d", cmd.ID))
	}
	add(nameWord(cmd.OpenID))
	add(nameWord(cmd.Message))
	add(nameWord(cmd.Arg))
	for _, g := range cmd.Except {
		add(c.inLanguage(exceptWords) + " " + c.inLanguage(kindWords[g.Kind]) + " " + nameWord(g.Name))
	}
	for i, set := range []bool{cmd.Again, cmd.Canary, cmd.Now} {
		if set {
			add(c.flagWord(i))
		}
	}
	switch {
	case cmd.At != "" && row.takes == takesTime:
		add(cmd.At)
	case cmd.At != "":
		add(c.inLanguage(atWords) + " " + cmd.At)
	}
	text := strings.Join(parts, " ")
	for _, f := range cmd.Fields {
		text += "\n" + f.Field + "=" + f.Value
	}
	if cmd.Text != "" {
		text += "\n" + cmd.Text
	}
	return text
}

func (c *Composer) quotedNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = nameWord(name)
	}
	return strings.Join(quoted, c.say("list_separator", nil))
}

// nameWord writes a name as one word: in quotation marks if it has space in it.
func nameWord(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return space(r) || separator(r) }) {
		return "“" + name + "”"
	}
	return name
}
