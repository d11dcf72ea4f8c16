package chat

import (
	"context"

	"wechat-broadcast/models"
)

// Knows tells whether Reply has more to say to a text than a hint: it is a command that
// this person may use, or has a reply of the account. A text that an admin typed is
// known, too, if the hint to it is more than the one to everybody. What else comes of a text is not for the chat to
// say. An admin command of a stranger is logged.
//
// A command with words behind it that mean nothing there is known from an admin alone:
// a follower who writes “help me find a book” has no command in mind.
func (c *Chat) Knows(ctx context.Context, openID, text string, typed bool) bool {
	via := models.ViaText
	if !typed {
		via = models.ViaMenu
	}
	parsed, role := c.interpret(ctx, text, via), c.config.Roles.RoleOf(ctx, openID)
	cmd := c.find(parsed.Name)
	switch {
	case role == "" && (parsed.Name == Topics || parsed.Name == Join || parsed.Name == Leave) && !c.aboutTopics(ctx, parsed, text):
	case cmd != nil && role != "", role != "" && Alarming(text):
		return true
	case cmd != nil && cmd.role == "" && parsed.Fault == "":
		return true
	case cmd != nil && cmd.role != "":
		c.logRefused(ctx, cmd, request{from: openID})
	}
	if _, found := c.autoReply(ctx, text); found {
		return true
	}
	return typed && role != "" && c.unknown(parsed.Line, role) != c.unknown("", role)
}

// noCommand answers a text that is no command of its sender.
func (c *Chat) noCommand(ctx context.Context, r request, line string) string {
	if text, found := c.autoReply(ctx, r.text); found {
		return text
	}
	if r.role == "" && line != "" && wantsOut(r.text) {
		return c.say("unknown.leave", vars{"Stop": c.write(Stop, ""), "Help": c.write(Help, "")})
	}
	return c.unknown(line, r.role)
}

// logRefused logs an admin command of somebody who may not use it.
func (c *Chat) logRefused(ctx context.Context, cmd *command, r request) {
	c.log.WarnContext(ctx, "admin command refused", "command", cmd.name, "role", r.role, "from", models.MaskOpenID(r.from))
}

// OnlyTexts is the hint for whoever sends an image, a voice message and the like.
func (c *Composer) OnlyTexts() string {
	return c.say("unknown.not_text", vars{"Help": c.write(Help, "")})
}
