package check

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wechat-broadcast/models"
	"wechat-broadcast/services/audience"
	"wechat-broadcast/services/message"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
)

const (
	askPlatform = 2 * time.Second
	// TemplatesLast is how old the list of the account's templates may be when a message
	// is written or a broadcast asked for.
	TemplatesLast = time.Minute
)

// Checker checks broadcasts. All fields are required.
type Checker struct {
	Store    *models.Store
	Client   *wechat.Client
	Messages *messages.Source
	// ResetAt is when, after midnight in Beijing, the platform's daily quota starts anew.
	ResetAt time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Warning is something that the admin should know but that does not forbid the
// broadcast. Code names the sentence and Args fill it.
type Warning struct {
	Code string
	Args map[string]any
}

// The warnings.
const (
	WarnCut   = "cut"   // Field, Value: cut to what the platform shows
	WarnQuota = "quota" // Remain, Recipients, ResumeAt: today's rest is too small
)

// Those about what only the platform can fill in.
const (
	WarnProfiles = "profiles" // Variables: the platform could not be asked for them, so nobody was checked
	WarnSampled  = "sampled"  // Variables, Checked: only so many were checked, and they differ
)

// Found is what the checks of a broadcast found that can be sent.
type Found struct {
	Warnings []Warning
	// Message is what one of the first recipients gets, or else what the admin would get;
	// without a template id if that is not known.
	Message wechat.Message
	// Template is the account's template of the message, the zero one if it is not known.
	Template wechat.Template
	// Parts are the groups of the audience in numbers, if it has groups.
	Parts []models.Part
}

// All checks a broadcast that is asked for: its message for some of its recipients, which
// sample returns, its template, and the day's quota. The error is a *models.Error if it
// can't be sent, with the fields as the template calls them.
func (c *Checker) All(
	ctx context.Context, b *models.Broadcast, def *message.Definition,
	sample func(ctx context.Context, b *models.Broadcast) (audience.Sampled, error),
) (Found, error) {
	var (
		found Found
		quota *wechat.Quota
	)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		sampled, err := sample(gctx, b)
		if err != nil {
			return err
		}
		found.Parts = sampled.Parts
		found.Message, found.Warnings, err = c.Content(gctx, b, sampled.People)
		return err
	})
	group.Go(func() (err error) {
		found.Template, quota, err = c.Platform(gctx, def, TemplatesLast)
		return err
	})
	if err := group.Wait(); err != nil {
		return Found{}, c.inWords(ctx, def, err)
	}
	for _, w := range found.Warnings {
		if key, ok := w.Args["Field"].(string); ok {
			w.Args["Field"] = found.Template.Name(key)
		}
	}
	found.Warnings = append(found.Warnings, c.Quota(b, quota)...)
	return found, nil
}

// inWords returns a refusal of a message with its fields as the template calls them,
// if the platform tells it in time.
func (c *Checker) inWords(ctx context.Context, def *message.Definition, err error) error {
	var told *models.Error
	if !errors.As(err, &told) || told.Code != models.ErrContent {
		return err
	}
	if reason, ok := told.Args["Reason"].(error); ok {
		t, _ := c.Messages.Template(ctx, def.TemplateID)
		told.Args["Reason"] = message.InWords(reason, t)
	}
	return err
}

// Platform holds the message against the account's template, which it returns, as listed
// no longer ago than that, and reads what is left of the day's quota, nil if that is not known. A
// platform that does not answer in time forbids nothing.
func (c *Checker) Platform(ctx context.Context, def *message.Definition, listed time.Duration) (wechat.Template, *wechat.Quota, error) {
	ctx, cancel := context.WithTimeout(ctx, askPlatform)
	defer cancel()
	var quota *wechat.Quota
	var wait sync.WaitGroup
	wait.Go(func() {
		q, err := c.Client.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
		if err != nil {
			c.Log.DebugContext(ctx, "read the quota", "err", err)
			return
		}
		quota = &q
	})
	t, err := c.template(ctx, def, listed)
	wait.Wait()
	return t, quota, err
}

// template refuses a message whose template the account does not have, or
// that does not fit it, and returns the template. A list that can't be read forbids
// nothing; then the template is the zero one.
func (c *Checker) template(ctx context.Context, def *message.Definition, listed time.Duration) (wechat.Template, error) {
	asked := time.Now()
	list, read, err := c.Client.KnownTemplates(ctx, listed)
	has := func(t wechat.Template) bool { return t.ID == def.TemplateID }
	if err == nil && !slices.ContainsFunc(list, has) && !read.After(asked) { // it may have been added just now
		list, _, err = c.Client.KnownTemplates(ctx, 0)
	}
	if err != nil {
		c.Log.WarnContext(ctx, "the account's templates could not be read, so the message goes unchecked", "err", err)
		return wechat.Template{}, nil
	}
	i := slices.IndexFunc(list, has)
	if i < 0 {
		return wechat.Template{}, models.NewError(models.Invalid, models.ErrTemplateUnknown, "Name", def.Name, "ID", def.TemplateID)
	}
	return list[i], def.CheckTemplate(list[i])
}
