package broadcast

import (
	"encoding/json"
	"fmt"
	"strconv"

	"wechat-broadcast/config"
	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// content is a broadcast's message, ready to be filled for each recipient.
type content struct {
	broadcast models.Broadcast
	def       *config.Message
	compiled  *config.Compiled
	// fixed is the message for everyone, when it is the same for each.
	fixed *wechat.Message
}

// newContent reads the definition that was fixed when the broadcast was asked
// for; its clock stands at that moment.
func newContent(b models.Broadcast) (*content, error) {
	c := &content{broadcast: b, def: &config.Message{}}
	if err := json.Unmarshal([]byte(b.Message), c.def); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	var err error
	if c.compiled, err = c.def.Compile(); err != nil {
		return nil, err
	}
	if c.compiled.Varies() {
		return c, nil
	}
	msg, _, err := c.render(config.Vars{})
	if err != nil {
		return nil, err
	}
	c.fixed = &msg
	return c, nil
}

// message returns the message for a recipient.
func (c *content) message(t models.Task) (wechat.Message, error) {
	var m wechat.Message
	if c.fixed != nil {
		m = *c.fixed
	} else {
		vars, err := recipientVars(personOf(t))
		if err == nil {
			m, _, err = c.render(vars)
		}
		if err != nil {
			return wechat.Message{}, err
		}
	}
	m.ToUser = t.OpenID
	m.ClientMsgID = c.clientMsgID(t.RecipientID)
	return m, nil
}

// clientMsgID is the platform's key against sending twice: the same for every
// try of this recipient in this broadcast, and for no other.
func (c *content) clientMsgID(recipient int64) string {
	return c.broadcast.Salt + "b" + strconv.FormatInt(c.broadcast.ID, 10) + "r" + strconv.FormatInt(recipient, 10)
}

// render fills the message and fits its values to the platform's rules; cuts
// names the fields that were shortened.
func (c *content) render(vars config.Vars) (m wechat.Message, cuts []wechat.Field, err error) {
	vars.Now = c.broadcast.AskedAt.Time
	vars.Broadcast.ID = c.broadcast.ID
	r, err := c.compiled.Render(vars)
	if err != nil {
		return m, nil, err
	}
	m = wechat.Message{TemplateID: c.def.TemplateID, URL: r.URL}
	if r.MiniProgram != nil {
		m.MiniProgram = &wechat.MiniProgram{AppID: r.MiniProgram.AppID, PagePath: r.MiniProgram.PagePath}
	}
	for _, f := range r.Data {
		value, cut, err := wechat.CheckField(f.Key, f.Value)
		if err != nil {
			return m, nil, fmt.Errorf("field %s: %w", f.Key, err)
		}
		field := wechat.Field{Key: f.Key, Value: value, Color: f.Color}
		if cut {
			cuts = append(cuts, field)
		}
		m.Data = append(m.Data, field)
	}
	return m, cuts, nil
}

// recipientVars returns what a template can say of a recipient.
func recipientVars(p person) (config.Vars, error) {
	vars := config.Vars{
		OpenID: p.openID, SubscribedAt: p.subscribedAt.Time, Scene: p.scene, Remark: p.remark, Fields: map[string]string{},
	}
	if p.fields != "" {
		if err := json.Unmarshal([]byte(p.fields), &vars.Fields); err != nil {
			return vars, fmt.Errorf("read stored fields: %w", err)
		}
	}
	return vars, nil
}

var beijing = zone.Beijing
