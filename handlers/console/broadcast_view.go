package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/handlers/progress"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/web"
)

// broadcastPage is what the template "console_broadcast" shows. Its embedded words, View,
// Kinds, Card and AskedAt are what the parts of the page of progress show.
type broadcastPage struct {
	*progress.Words
	Kinds   []string
	View    *progress.View
	Card    *web.Card
	AskedAt string
	// CSV is empty: the list of failures is a part of Deliveries.
	CSV string
	// Deliveries is the list of all outcomes, below Root; empty once these are deleted.
	Deliveries string

	ID   string
	Path string // the page's own, below Root
	Name string
	// About are the lines that say to whom it goes, who asked for it, and who approved it.
	About   []string
	Actions []action
	// Sender says that this admin may carry the actions out.
	Sender bool
	// Who is whose outcome is looked up, as it was written, and Outcome what was found.
	Who     string
	Outcome *outcomeFound
}

// action is a form or a link to go on with a broadcast.
type action struct {
	// Path is where the form is sent to, or where the link leads, below Root.
	Path string
	Link bool
	Word string
	Note string
	// Folded says that the form is shown on demand only: it can't be undone, or has a field.
	Folded bool
	// Field is the label of a field that the form has, Input its name, and Type the input's
	// type; empty for none.
	Field, Input, Type string
	// Now says that the form overrules the quiet hours.
	Now bool
	// Confirm says that it is to be confirmed in the chat.
	Confirm bool
}

// outcomeFound is what became of a broadcast for one person.
type outcomeFound struct {
	// Problem says why nothing was found; empty if it was.
	Problem string
	OpenID  string
	Name    string
	State   string
	Cause   string
	Todo    string
	Facts   []figure
}

func newBroadcastPage(w *progress.Words, s *visit, snapshot *progress.Snapshot, now time.Time) *broadcastPage {
	b := snapshot.Broadcast
	page := &broadcastPage{
		Words: w, Kinds: progress.Kinds, View: w.View(snapshot), AskedAt: lang.Moment(b.AskedAt.Time),
		ID: fmt.Sprint(b.ID), Path: broadcastPath(b.ID), Name: b.Name, About: about(w, snapshot),
		Sender: s.Role.May(models.Sender),
	}
	if b.TalliedAt.IsZero() {
		page.Deliveries = page.Path + "/deliveries.csv"
	}
	if page.Sender {
		page.Actions = actions(w, s.OpenID, snapshot, now)
	}
	return page
}

// about says to whom a broadcast goes, who asked for it, and who approved or rejected it.
func about(w *progress.Words, snapshot *progress.Snapshot) []string {
	b := snapshot.Broadcast
	name := func(openID string) string {
		if called := snapshot.Names[openID]; called != "" {
			return called
		}
		return openID
	}
	list := []string{w.Audience(b), w.Say("broadcast_page.asked_by", lang.Vars{"Who": name(b.AskedBy)})}
	if !b.PlannedStart.IsZero() {
		list = append(list, w.Say("broadcast_page.planned", lang.Vars{"At": lang.Minute(b.PlannedStart.Time)}))
	}
	if b.Approvals > 0 {
		var by []string
		for _, openID := range snapshot.Approved {
			by = append(by, name(openID))
		}
		list = append(list, w.Say("broadcast_page.approvals", lang.Vars{"Have": len(by), "N": b.Approvals, "By": by}))
	}
	if b.Reason == models.ReasonRejected {
		who, why, _ := strings.Cut(b.Detail, " ")
		list = append(list, w.Say("broadcast_page.rejected_by", lang.Vars{"Who": name(who), "Why": why}))
	}
	return list
}

// actions are what a sender can do with a broadcast as it stands.
func actions(w *progress.Words, openID string, snapshot *progress.Snapshot, now time.Time) []action {
	b := snapshot.Broadcast
	var list []action
	add := func(can bool, a action, id string) {
		if can {
			a.Word, a.Note = w.Say("do."+id), w.Say("do."+id+"_note", lang.Vars{"ID": b.ID})
			list = append(list, a)
		}
	}
	path := broadcastPath(b.ID)
	decides := b.State == models.Pending && slices.Contains(snapshot.Approvers, openID) && !slices.Contains(snapshot.Approved, openID)
	add(decides, action{Path: path + "/approve", Confirm: chat.NeedsConfirm(chat.Approve)}, "approve")
	add(decides, action{Path: path + "/reject", Folded: true, Field: w.Say("do.reject_why"), Input: "why", Type: "text"}, "reject")
	add(b.Moves(models.EventPause), action{Path: path + "/pause"}, "pause")
	paused := b.State == models.Paused && !b.ApprovalLate(now)
	add(paused, action{Path: path + "/resume", Confirm: chat.NeedsConfirm(chat.Resume)}, "resume")
	quiet := b.WaitsForQuietEnd() || b.State == models.Paused && b.Reason == models.ReasonQuiet
	add(quiet, action{Path: path + "/resume", Now: true, Confirm: chat.NeedsConfirm(chat.Resume)}, "resume_now")
	unbegun := b.StartedAt.IsZero() && !b.State.Final()
	add(unbegun, action{
		Path: path + "/reschedule", Folded: true, Field: w.Say("do.reschedule_at"), Input: "at", Type: "datetime-local",
		Confirm: chat.NeedsConfirm(chat.Reschedule),
	}, "reschedule")
	add(b.Moves(models.EventCancel), action{Path: path + "/cancel", Folded: true}, "cancel")
	if !b.State.Final() || !b.TalliedAt.IsZero() {
		return list
	}
	n := snapshot.Counts
	left := b.Recipients - n.Known() - snapshot.TakenOver
	add(n.Failed+n.Uncertain > 0, action{Path: path + "/retry", Confirm: chat.NeedsConfirm(chat.Retry)}, "retry")
	add(b.State != models.Finished && left > 0, action{Path: fmt.Sprintf("send?to=rest&of=%d", b.ID), Link: true}, "rest")
	add(n.Taken() > 0, action{Path: fmt.Sprintf("send?to=reached&of=%d", b.ID), Link: true}, "reached")
	return list
}

// outcomeFor finds what became of a broadcast for the person that a text means: an OpenID,
// or a name that an admin gave.
func (c *Console) outcomeFor(ctx context.Context, w *progress.Words, b models.Broadcast, text string) (*outcomeFound, error) {
	r, err := c.config.Followers.Find(ctx, text)
	var known *models.Error
	switch {
	case errors.As(err, &known) && known.Code == models.ErrPersonUnknown:
		return &outcomeFound{Problem: w.Say("outcome.unknown")}, nil
	case errors.As(err, &known) && known.Code == models.ErrPersonAmbiguous:
		return &outcomeFound{Problem: w.Say("outcome.ambiguous", lang.Vars{"People": known.Args["People"]})}, nil
	case err != nil:
		return nil, err
	}
	found := &outcomeFound{OpenID: r.OpenID, Name: r.Name}
	d, err := c.config.Store.DeliveryTo(ctx, b.ID, r.ID)
	switch {
	case err != nil:
		return nil, err
	case d == nil && !b.TalliedAt.IsZero():
		found.Problem = w.Say("deleted", lang.Vars{"At": lang.Moment(b.TalliedAt.Time)})
		return found, nil
	case d == nil && b.State.Final():
		found.Problem = w.Say("outcome.not_tried")
		return found, nil
	case d == nil:
		found.Problem = w.Say("outcome.not_yet")
		return found, nil
	}
	found.describe(w, d)
	return found, nil
}

// describe puts a delivery into words.
func (f *outcomeFound) describe(w *progress.Words, d *models.Delivery) {
	f.State = w.Say("outcome." + string(d.State))
	switch d.State {
	case models.FailedFor, models.Uncertain, models.Skipped, models.Deferred:
		cause := w.Cause(d.State, d.ErrCode, d.Detail)
		f.Cause, f.Todo = cause.What, cause.Todo
		noted := w.Noted(d.State, d.ErrCode, d.Detail)
		if noted.Own != "" {
			f.Cause = w.Say("csv.with", lang.Vars{"Cause": f.Cause, "More": noted.Own})
		}
		if noted.Answer != "" {
			f.Facts = append(f.Facts, figure{w.Say("csv.words"), noted.Answer})
		}
	case models.Sending, models.Accepted, models.Delivered, models.Blocked:
	}
	if d.ErrCode != 0 {
		f.Facts = append(f.Facts, figure{w.Say("csv.code"), fmt.Sprint(d.ErrCode)})
	}
	if d.MsgID != 0 {
		f.Facts = append(f.Facts, figure{"msgid", fmt.Sprint(d.MsgID)})
	}
	f.Facts = append(f.Facts,
		figure{w.Say("csv.attempts"), w.Number(int64(d.Attempts))}, figure{w.Say("csv.sent_at"), lang.Moment(d.SentAt.Time)})
}

// title is that of the page.
func (p *broadcastPage) title() string { return "#" + p.ID + " " + p.Name }
