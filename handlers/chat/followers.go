package chat

import (
	"context"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/wechat"
)

// quotaPatience is how long a reply waits for the platform's word on the quota;
// the reply as a whole has under five seconds.
const quotaPatience = 2 * time.Second

// optOut carries out stop and start.
func (c *Chat) optOut(ctx context.Context, r request) (string, error) {
	changed, err := c.config.Followers.SetOptedOut(ctx, r.from, r.Name == Stop, r.said())
	if err != nil {
		return "", err
	}
	id := string(r.Name) + ".already"
	if changed {
		id = string(r.Name) + ".done"
	}
	return c.say(id, vars{"Start": c.write(Start, ""), "Stop": c.write(Stop, "")}), nil
}

// testers shows the test list, with whole OpenIDs: an admin must recognise who
// gets the test sends. Logs have them masked.
func (c *Chat) testers(ctx context.Context, _ request) (string, error) {
	all, err := c.config.Followers.Testers(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return c.say("testers.empty", vars{"Add": c.write(TestersAdd, "")}), nil
	}
	items := make([]string, len(all))
	for i, t := range all {
		items[i] = person(t.OpenID, t.Name)
		switch {
		case !t.Subscribed:
			items[i] += " · " + c.say("testers.left", nil)
		case t.OptedOut:
			items[i] += " · " + c.say("testers.opted_out", nil)
		}
	}
	return fitList(c.say("testers.head", vars{"Count": int64(len(all))}), items, c.more), nil
}

// person is how admins are shown somebody: the name that one of them gave, and the whole
// OpenID, so that they can tell people apart.
func person(openID, name string) string {
	if name == "" {
		return openID
	}
	return name + " · " + openID
}

func (c *Chat) addTester(ctx context.Context, r request) (string, error) {
	done, err := c.config.Followers.AddTester(ctx, r.OpenID, r.Arg)
	if err != nil {
		return "", err
	}
	id := "testers.already"
	switch {
	case done.Added:
		id = "testers.added"
	case done.Named:
		id = "testers.named"
	}
	return c.say(id, vars{"OpenID": person(r.OpenID, r.Arg), "Name": r.Arg}), nil
}

func (c *Chat) removeTester(ctx context.Context, r request) (string, error) {
	all, err := c.config.Followers.Testers(ctx)
	if err != nil {
		return "", err
	}
	var openID string
	var meant []string
	for _, t := range all {
		if followers.Means(r.OpenID, t.OpenID, t.Name) {
			openID, meant = t.OpenID, append(meant, person(t.OpenID, t.Name))
		}
	}
	switch len(meant) {
	case 0:
		return "", models.NewError(models.NotFound, models.ErrTesterUnknown)
	case 1:
	default:
		return "", models.NewError(models.Conflict, models.ErrPersonAmbiguous, "People", meant)
	}
	r.concerns(openID)
	removed, err := c.config.Followers.RemoveTester(ctx, openID)
	if err != nil {
		return "", err
	}
	id := "testers.absent"
	if removed {
		id = "testers.removed"
	}
	return c.say(id, vars{"OpenID": meant[0]}), nil
}

func (c *Chat) sync(ctx context.Context, r request) (string, error) {
	err := c.config.Followers.StartSync(ctx, r.Name == SyncConfirm, func(ctx context.Context, res followers.SyncResult, err error) {
		c.config.Notices.Send(ctx, r.from, c.SyncNotice(res, err))
	})
	if err != nil {
		return "", err
	}
	return c.say("sync.started", nil), nil
}

// SyncNotice returns what the admin who asked for a sync is told when it ends.
func (c *Composer) SyncNotice(res followers.SyncResult, err error) string {
	again := vars{"Sync": c.write(Sync, ""), "Confirm": c.write(SyncConfirm, "")}
	if err != nil {
		if code(err) == models.ErrSyncRunning {
			return c.say("error."+models.ErrSyncRunning, nil)
		}
		reason, known := c.errorText(err, Command{})
		if !known {
			reason = c.locale.Fault(err.Error())
		}
		again["Reason"] = reason
		return wechat.FitText(c.say("sync.failed", again))
	}
	lines := []string{c.say("sync.done", vars{
		"Total": res.Total, "Added": res.Added + res.Returned, "Left": res.Left, "Took": res.Took,
	})}
	if res.Resumed {
		lines = append(lines, c.say("sync.resumed", nil))
	}
	switch {
	case res.Suspicious && res.Total == 0:
		lines = append(lines, c.say("sync.nobody", again))
	case res.Suspicious:
		again["Listed"], again["Before"], again["Announced"] = res.Total, res.Known, res.Announced
		lines = append(lines, c.say("sync.suspicious", again))
	}
	return wechat.FitText(joined(lines))
}

func (c *Chat) stats(ctx context.Context, _ request) (string, error) {
	s, err := c.config.Followers.Stats(ctx)
	if err != nil {
		return "", err
	}
	sent, err := c.config.Engine.SentToday(ctx)
	if err != nil {
		return "", err
	}
	line := func(id string, n int64) string { return c.say("stats."+id, vars{"N": n}) }
	blacklisted := "" // most accounts have nobody there
	if s.Blacklisted > 0 {
		blacklisted = line("blacklisted", s.Blacklisted)
	}
	return joined([]string{
		line("followers", s.Followers),
		line("left", s.Left),
		line("opted_out", s.OptedOut),
		blacklisted,
		line("testers", s.Testers),
		line("sent", sent),
		c.quota(ctx),
		c.synced(s.LastSync),
	}), nil
}

// quota is the line with what is left of the day's sends. The rest of the reply
// must not wait for it for long, nor fail with it.
func (c *Chat) quota(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	q, err := c.config.Platform.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
	if err != nil {
		c.log.WarnContext(ctx, "quota not known", "error", err)
		return c.say("stats.no_quota", nil)
	}
	return c.say("stats.quota", vars{"Remain": q.Remain, "Limit": q.Limit})
}

func (c *Chat) synced(at time.Time) string {
	if at.IsZero() {
		return c.say("stats.never_synced", vars{"Sync": c.write(Sync, "")})
	}
	return c.say("stats.synced", vars{"At": at})
}
