// Package check tells before a broadcast is taken, and again before a planned one starts,
// whether it can be sent: whether its message can be filled in, and what the platform
// says of its template and the day's quota.
package check

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/delivery"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
)

// profilePatience is how long a reply waits for the profiles of its sample.
const profilePatience = 1500 * time.Millisecond

// lackPatience is how long a reply, which has 5 s, goes through all followers for those who lack
// a field.
const lackPatience = 1500 * time.Millisecond

// Content fills the message for some of its recipients, and returns that of the first,
// and what the admin should know of it. The error is a *models.Error if it can't be filled.
func (c *Checker) Content(ctx context.Context, b *models.Broadcast, people []models.Recipient) (wechat.Message, []Warning, error) {
	var first wechat.Message
	refuse := func(err error) error {
		return models.NewError(models.Invalid, models.ErrContent, "Name", b.Name, "Reason", err)
	}
	content, err := message.NewContent(*b)
	if err != nil {
		return first, nil, refuse(err)
	}
	switch {
	case !content.Varies():
		people = []models.Recipient{{OpenID: b.AskedBy}}
	case len(people) > 0:
	case models.ValidOpenID(b.AskedBy):
		people = []models.Recipient{{OpenID: b.AskedBy}}
	default: // a token is nobody whom a message could be filled for
		return first, unchecked(content, b, 0, nil), nil
	}
	uncounted, err := c.lacking(ctx, b, content, people)
	if err != nil {
		return first, nil, err
	}
	checked, err := c.checkable(ctx, content, people)
	warnings := append(uncounted, unchecked(content, b, len(checked), err)...)
	seen := map[string]bool{}
	for i, p := range checked {
		m, cuts, err := content.Fill(p.Recipient)
		switch {
		case errors.As(err, new(*message.RenderError)), errors.As(err, new(*field.Error)):
			return first, nil, refuse(err)
		case err != nil:
			return first, nil, err
		case i == 0:
			first = m
		}
		for _, f := range cuts {
			if !seen[f.Key] {
				seen[f.Key] = true
				warnings = append(warnings, Warning{WarnCut, map[string]any{"Field": f.Key, "Value": f.Value}})
			}
		}
	}
	return first, warnings, nil
}

// unchecked says of which recipients it is not known whether the message can be
// filled, having checked so many. failed is why the platform could not be asked.
func unchecked(c *message.Content, b *models.Broadcast, checked int, failed error) []Warning {
	used := delivery.Personal(c)
	switch {
	case len(used) == 0:
		return nil
	case failed != nil:
		return []Warning{{WarnProfiles, map[string]any{"Variables": used}}}
	case b.Recipients > int64(checked):
		return []Warning{{WarnSampled, map[string]any{"Variables": used, "Checked": checked}}}
	}
	return nil
}

// checkable returns those of a sample for whom the message can be filled now,
// having asked the platform for what it needs of them, and why it could not be
// asked. Who has left since is no reason to refuse a broadcast.
func (c *Checker) checkable(ctx context.Context, content *message.Content, sample []models.Recipient) ([]delivery.Person, error) {
	people := make([]delivery.Person, len(sample))
	for i, r := range sample {
		people[i].Recipient = r
	}
	if len(delivery.Personal(content)) == 0 {
		return people, nil
	}
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	now := c.Now()
	err := delivery.ReadProfiles(ctx, c.Client, c.Store, content, people, now)
	if err != nil {
		c.Log.WarnContext(ctx, "what the platform knows of the recipients can't be read, so the message goes unchecked", "err", err)
	}
	return slices.DeleteFunc(people, func(p delivery.Person) bool { return p.Left || delivery.Asks(content, p, now) }), err
}

// lacking refuses a message that needs fields which somebody lacks who would be sent to, or,
// for lists while the followers are not known yet, anybody on them. Without lists people have
// their own fields; if nobody of the sample has any, the sample tells. If all followers can't be
// gone through in time, the sample tells, too, and the warning says so.
func (c *Checker) lacking(ctx context.Context, b *models.Broadcast, content *message.Content, people []models.Recipient) ([]Warning, error) {
	needs := content.Needs()
	isList := func(g models.Group) bool { return g.Kind == models.GroupList }
	hasFields := func(r models.Recipient) bool { return r.Fields != "" }
	toList := slices.ContainsFunc(b.Target.Groups, isList)
	if len(needs) == 0 || len(people) == 0 || !toList && (b.Recipients == 0 || !slices.ContainsFunc(people, hasFields)) {
		return nil, nil
	}
	within := ctx
	if !toList {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, lackPatience)
		defer cancel()
	}
	lacks, err := c.Store.Lacking(within, b, needs, toList && b.Recipients == 0)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		variables := make([]string, len(needs))
		for i, name := range needs {
			variables[i] = "{" + name + "}"
		}
		return []Warning{{WarnSampled, map[string]any{"Variables": variables, "Checked": len(people)}}}, nil
	}
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	known, err := c.Store.FieldsOf(ctx, b)
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		own, _ := models.ReadFields(p.Fields) // what can't be read is told when it is filled
		for _, name := range slices.Sorted(maps.Keys(own)) {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	return nil, models.NewError(models.Invalid, models.ErrFieldsLacking, "Name", b.Name, "Lacks", lacks, "Known", known)
}
