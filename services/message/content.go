package message

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// Content is a broadcast's message, ready to be filled for each recipient. It is
// safe for concurrent use.
type Content struct {
	broadcast models.Broadcast
	compiled  *compiled
	// fixed is the message for everyone if it is the same for all, and fixedCuts
	// names its shortened fields.
	fixed     *wechat.Message
	fixedCuts []wechat.Field
}

// NewContent returns the content of a broadcast from the definition that is stored
// with it. Its templates see the moment at which the broadcast started, or is to
// start. The error is Problems, or joins *RenderErrors and *field.Errors, if the
// message can be sent to nobody.
func NewContent(b models.Broadcast) (*Content, error) {
	var d Definition
	if err := json.Unmarshal([]byte(b.Message), &d); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	compiled, problems := d.compile()
	if err := problems.or(); err != nil {
		return nil, err
	}
	c := &Content{broadcast: b, compiled: compiled}
	if compiled.varies {
		return c, nil
	}
	m, cuts, err := c.Fill(models.Recipient{})
	if err != nil {
		return nil, err
	}
	c.fixed, c.fixedCuts = &m, cuts
	return c, nil
}

// Varies tells whether two recipients can be sent different texts.
func (c *Content) Varies() bool { return c.compiled.varies }

// Uses tells whether the message uses a variable, such as "Remark".
func (c *Content) Uses(variable string) bool { return slices.Contains(c.compiled.uses, variable) }

// Needs returns the fields that everyone who is sent the message must have, each once: not
// those that only one of the branches of an if uses.
func (c *Content) Needs() (fields []string) {
	for _, p := range append(slices.Clone(c.compiled.data), c.compiled.url, c.compiled.pagePath) {
		for _, name := range p.needs {
			if !slices.Contains(fields, name) {
				fields = append(fields, name)
			}
		}
	}
	return fields
}

// For returns the message for a recipient, addressed to them. The error joins
// *RenderErrors and *field.Errors if it can't be filled.
func (c *Content) For(r models.Recipient) (wechat.Message, error) {
	m, _, err := c.Fill(r)
	if err != nil {
		return wechat.Message{}, err
	}
	m.ToUser = r.OpenID
	m.ClientMsgID = c.clientMsgID(r.ID)
	return m, nil
}

// clientMsgID is the platform's key against sending twice: the same for every
// try of this recipient in this broadcast, and for no other.
func (c *Content) clientMsgID(recipient int64) string {
	return c.broadcast.Salt + "b" + strconv.FormatInt(c.broadcast.ID, 10) + "r" + strconv.FormatInt(recipient, 10)
}

// Fill returns the message as a recipient reads it, addressed to nobody, with its
// values fitted to the platform's rules. cuts are the fields that were shortened.
// The error is that of For.
func (c *Content) Fill(r models.Recipient) (m wechat.Message, cuts []wechat.Field, err error) {
	if c.fixed != nil {
		return *c.fixed, c.fixedCuts, nil
	}
	v, err := newVars(c.broadcast, r)
	if err != nil {
		return wechat.Message{}, nil, err
	}
	if c.broadcast.Audience.Trial() { // the list that will fill it is not known
		return c.compiled.fill(v, c.compiled.standIns(v, false))
	}
	return c.compiled.fill(v, nil)
}

// Preview returns the message as a follower would read it if it was broadcast now. A
// {NAME} of plain text stands for itself if the follower has no such field. The error
// is that of NewContent.
func (d *Definition) Preview(r models.Recipient, now time.Time) (wechat.Message, error) {
	m, _, err := d.Try(r, now)
	return m, err
}

// Try is Preview, with the fields that were shortened.
func (d *Definition) Try(r models.Recipient, now time.Time) (m wechat.Message, cuts []wechat.Field, err error) {
	compiled, problems := d.compile()
	if err := problems.or(); err != nil {
		return wechat.Message{}, nil, err
	}
	v, err := newVars(models.Broadcast{AskedAt: models.At(now)}, r)
	if err != nil {
		return wechat.Message{}, nil, err
	}
	return compiled.fill(v, compiled.standIns(v, true))
}

// standIns has {NAME} stand for itself where a person has no such field, and returns the
// names; onlyPlain leaves out what is no plain text.
func (c *compiled) standIns(v vars, onlyPlain bool) (names []string) {
	for _, p := range append(slices.Clone(c.data), c.url) {
		for _, name := range p.names {
			if _, known := v.Fields[name]; !known && (p.plain || !onlyPlain) {
				v.Fields[name] = "{" + name + "}"
				names = append(names, name)
			}
		}
	}
	return names
}
