package broadcast

import (
	"context"
	"errors"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/wechat"
)

const (
	// profileLasts is how long what the platform told of a person is good: the
	// account can give them another remark at any time.
	profileLasts = 24 * time.Hour
	// profilePatience is how long a reply waits for the profiles of its sample.
	profilePatience = 1500 * time.Millisecond
	// profileAgain is when a batch is tried again whose profiles could not be read.
	profileAgain = 10 * time.Second
	// minuteOver is the same when the platform asks to wait for the next minute.
	minuteOver = time.Minute + clockSlack
	// The platform's codes for a quota that is used up (WeChat: API call limits docs).
	codeDailyQuota  = 45009
	codeMinuteQuota = 45011
)

// person is a recipient with what the platform told of them.
type person struct {
	models.Recipient
	// left says that the platform knows nothing of them: they do not follow.
	left bool
}

func recipientOf(t models.Task) models.Recipient {
	return models.Recipient{
		ID: t.RecipientID, OpenID: t.OpenID, SubscribedAt: t.SubscribedAt, Scene: t.Scene, Remark: t.Remark,
		ProfiledAt: t.ProfiledAt, Fields: t.Fields,
	}
}

// platformVariable is what a message can say of a person that the platform must be
// asked for, unless it is known without.
type platformVariable struct {
	name  string
	known func(p person) bool
}

var platformVariables = []platformVariable{
	{"SubscribedAt", func(p person) bool { return !p.SubscribedAt.IsZero() }},
	{"Scene", func(p person) bool { return p.Scene != "" }},
	{"Remark", func(person) bool { return false }}, // no event tells it
}

// asks tells whether the platform must be asked for what the message says of a
// person: their remark, and when and how they came to follow if no event told it.
func asks(c *message.Content, p person, now time.Time) bool {
	unknown := func(v platformVariable) bool { return c.Uses(v.name) && !v.known(p) }
	if !slices.ContainsFunc(platformVariables, unknown) {
		return false
	}
	age := now.Sub(p.ProfiledAt.Time)
	return age < 0 || age > profileLasts
}

// personal returns the variables of the message that only the platform can fill.
func personal(c *message.Content) []string {
	var used []string
	for _, v := range platformVariables {
		if c.Uses(v.name) {
			used = append(used, "."+v.name)
		}
	}
	return used
}

// unchecked says of which recipients it is not known whether the message can be
// filled, having checked so many. failed is why the platform could not be asked.
func unchecked(c *message.Content, b *models.Broadcast, checked int, failed error) []Warning {
	used := personal(c)
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

// readProfiles asks the platform for those whom the message needs it for, a
// hundred a call, and stores what it tells of them. What it has until an error
// comes stays.
func readProfiles(ctx context.Context, platform *wechat.Client, store *models.Store, c *message.Content, people []person, now time.Time) error {
	var asked []*person
	for i := range people {
		if asks(c, people[i], now) {
			asked = append(asked, &people[i])
		}
	}
	for chunk := range slices.Chunk(asked, wechat.PeopleAtMost) {
		openIDs := make([]string, len(chunk))
		for i, p := range chunk {
			openIDs[i] = p.OpenID
		}
		list, err := platform.People(ctx, openIDs)
		if err != nil {
			return err
		}
		told := make(map[string]wechat.Person, len(list))
		for _, t := range list {
			told[t.OpenID] = t
		}
		var profiles []models.Profile
		for _, p := range chunk {
			t := told[p.OpenID]
			p.learn(t, now)
			if p.ID != 0 {
				profiles = append(profiles, models.Profile{
					RecipientID: p.ID, SubscribedAt: models.At(t.SubscribedAt), Scene: t.Scene, Remark: t.Remark,
				})
			}
		}
		if err := store.SaveProfiles(ctx, profiles, now); err != nil {
			return err
		}
	}
	return nil
}

// learn takes over what the platform tells of a person, as the store does.
func (p *person) learn(t wechat.Person, now time.Time) {
	p.left, p.ProfiledAt, p.Remark = !t.Follows, models.At(now), t.Remark
	if p.Scene == "" {
		p.Scene = t.Scene
	}
	if p.SubscribedAt.IsZero() {
		p.SubscribedAt = models.At(t.SubscribedAt)
	}
}

// fillProfiles enters into the tasks of a batch what its message says of people
// and only the platform knows. Nobody of the batch is sent to before: its
// recipients stay for another run when the platform is away, and the broadcast
// pauses when it refuses.
func (s *Sender) fillProfiles(ctx context.Context, r *run, tasks []models.Task) error {
	if r.content == nil || len(personal(r.content)) == 0 {
		return nil
	}
	people := make([]person, len(tasks))
	for i, t := range tasks {
		people[i].Recipient = recipientOf(t)
	}
	err := readProfiles(ctx, s.platform, s.store, r.content, people, s.now())
	for i, p := range people {
		t := &tasks[i]
		t.SubscribedAt, t.Scene, t.Remark, t.ProfiledAt = p.SubscribedAt, p.Scene, p.Remark, p.ProfiledAt
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return s.unprofiled(ctx, r, err)
}

// unprofiled does what a batch without its profiles asks for.
func (s *Sender) unprofiled(ctx context.Context, r *run, err error) error {
	var refused *wechat.APIError
	later := func(after time.Duration) error {
		s.log.WarnContext(ctx, "what the platform knows of a batch's recipients can't be read, trying again",
			"broadcast", r.b.ID, "in", after, "err", err)
		return &undoneError{s.now().Add(after)}
	}
	switch {
	case wechat.IsTokenError(err):
		res := wechat.NoToken(err)
		switch res.Verdict { //nolint:exhaustive // all others pass by themselves
		case wechat.Halt:
			r.halt(res)
			return errSelf
		case wechat.Hold:
			r.hold(res)
			return errSelf
		}
		return later(max(profileAgain, res.RetryAfter))
	case !errors.As(err, &refused), wechat.Busy(err):
		return later(profileAgain)
	case refused.Code == codeMinuteQuota:
		return later(minuteOver)
	}
	change := models.Change{Reason: models.ReasonProfiles, Detail: describe(wechat.Result{Code: refused.Code, Detail: refused.Msg})}
	if refused.Code == codeDailyQuota {
		change.Reason, change.ResumeAt = models.ReasonInfoQuota, r.e.quotaReset()
	}
	r.stop(models.Paused, change)
	return errSelf
}

// checkable returns those of a sample for whom the message can be filled now,
// having asked the platform for what it needs of them, and why it could not be
// asked. Who has left since is no reason to refuse a broadcast.
func (e *Engine) checkable(ctx context.Context, c *message.Content, sample []models.Recipient) ([]person, error) {
	people := make([]person, len(sample))
	for i, r := range sample {
		people[i].Recipient = r
	}
	if len(personal(c)) == 0 {
		return people, nil
	}
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	now := e.now()
	err := readProfiles(ctx, e.platform, e.store, c, people, now)
	if err != nil {
		e.log.WarnContext(ctx, "what the platform knows of the recipients can't be read, so the message goes unchecked", "err", err)
	}
	return slices.DeleteFunc(people, func(p person) bool { return p.left || asks(c, p, now) }), err
}
