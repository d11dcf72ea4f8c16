package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/throttle"
	"wechat-broadcast/services/wechat"
)

const (
	// profileLasts is how long what the platform told of a person is good: the
	// account can give them another remark at any time.
	profileLasts = 24 * time.Hour
	// profileAgain is when a batch is tried again whose profiles could not be read.
	profileAgain = 10 * time.Second
	// minuteOver is the same when the platform asks to wait for the next minute.
	minuteOver = time.Minute + throttle.ClockSlack
	// The platform's codes for a quota that is used up (WeChat: API call limits docs).
	codeDailyQuota  = 45009
	codeMinuteQuota = 45011
)

// Person is a recipient with what the platform told of them.
type Person struct {
	models.Recipient
	// Left says that the platform knows nothing of them: they do not follow.
	Left bool
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
	known func(p Person) bool
}

var platformVariables = []platformVariable{
	{"SubscribedAt", func(p Person) bool { return !p.SubscribedAt.IsZero() }},
	{"Scene", func(p Person) bool { return p.Scene != "" }},
	{"Remark", func(Person) bool { return false }}, // no event tells it
}

// Asks tells whether the platform must be asked for what the message says of a
// person: their remark, and when and how they came to follow if no event told it.
func Asks(c *message.Content, p Person, now time.Time) bool {
	unknown := func(v platformVariable) bool { return c.Uses(v.name) && !v.known(p) }
	if !slices.ContainsFunc(platformVariables, unknown) {
		return false
	}
	age := now.Sub(p.ProfiledAt.Time)
	return age < 0 || age > profileLasts
}

// Personal returns the variables of the message that only the platform can fill.
func Personal(c *message.Content) []string {
	var used []string
	for _, v := range platformVariables {
		if c.Uses(v.name) {
			used = append(used, "."+v.name)
		}
	}
	return used
}

// ReadProfiles asks the platform for those whom the message needs it for, a
// hundred a call, and stores what it tells of them. What it has until an error
// comes stays.
func ReadProfiles(ctx context.Context, platform *wechat.Client, store *models.Store, c *message.Content, people []Person, now time.Time) error {
	var asked []*Person
	for i := range people {
		if Asks(c, people[i], now) {
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
func (p *Person) learn(t wechat.Person, now time.Time) {
	p.Left, p.ProfiledAt, p.Remark = !t.Follows, models.At(now), t.Remark
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
func (s *Sender) fillProfiles(ctx context.Context, a *Active, tasks []models.Task) error {
	if a.content == nil || len(Personal(a.content)) == 0 {
		return nil
	}
	people := make([]Person, len(tasks))
	for i, t := range tasks {
		people[i].Recipient = recipientOf(t)
	}
	err := ReadProfiles(ctx, s.platform, s.store, a.content, people, s.now())
	for i, p := range people {
		t := &tasks[i]
		t.SubscribedAt, t.Scene, t.Remark, t.ProfiledAt = p.SubscribedAt, p.Scene, p.Remark, p.ProfiledAt
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	after, stop := unprofiled(err)
	if stop != nil {
		a.Stop(*stop)
		return context.Cause(ctx)
	}
	s.log.WarnContext(ctx, "what the platform knows of a batch's recipients can't be read, trying again",
		"broadcast", a.Broadcast.ID, "in", after, "err", err)
	return &Undone{s.now().Add(after)}
}

// unprofiled is what a batch without its profiles asks for: a rest, or a move of the
// broadcast.
func unprofiled(err error) (after time.Duration, stop *models.Move) {
	var refused *wechat.APIError
	switch {
	case wechat.IsTokenError(err):
		res := wechat.NoToken(err)
		if res.Verdict == wechat.Halt || res.Verdict == wechat.Hold {
			return 0, throttle.StopFor(res)
		}
		return max(profileAgain, res.RetryAfter), nil
	case !errors.As(err, &refused), wechat.Busy(err):
		return profileAgain, nil
	case refused.Code == codeMinuteQuota:
		return minuteOver, nil
	}
	m := &models.Move{
		Event: models.EventStop, Reason: models.ReasonProfiles,
		Detail: wechat.Result{Code: refused.Code, Detail: refused.Msg}.Words(),
	}
	if refused.Code == codeDailyQuota {
		m.Reason = models.ReasonInfoQuota
	}
	return 0, m
}
