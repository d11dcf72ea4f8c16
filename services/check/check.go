package check

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
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
	Store  *models.Store
	Client *wechat.Client
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

// Platform holds the message against the account's template, as listed no longer ago
// than that, and reads what is left of the day's quota, nil if that is not known. A
// platform that does not answer in time forbids nothing.
func (c *Checker) Platform(ctx context.Context, def *message.Definition, listed time.Duration) (*wechat.Quota, error) {
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
	err := c.template(ctx, def, listed)
	wait.Wait()
	return quota, err
}

// template refuses a message whose template the account does not have, or
// that does not fit it. A list that can't be read forbids nothing.
func (c *Checker) template(ctx context.Context, def *message.Definition, listed time.Duration) error {
	asked := time.Now()
	list, read, err := c.Client.KnownTemplates(ctx, listed)
	has := func(t wechat.Template) bool { return t.ID == def.TemplateID }
	if err == nil && !slices.ContainsFunc(list, has) && !read.After(asked) { // it may have been added just now
		list, _, err = c.Client.KnownTemplates(ctx, 0)
	}
	if err != nil {
		c.Log.WarnContext(ctx, "the account's templates could not be read, so the message goes unchecked", "err", err)
		return nil
	}
	i := slices.IndexFunc(list, has)
	if i < 0 {
		return models.NewError(models.Invalid, models.ErrTemplateUnknown, "Name", def.Name, "ID", def.TemplateID)
	}
	return def.CheckTemplate(list[i])
}
