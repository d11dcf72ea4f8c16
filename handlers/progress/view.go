package progress

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// Kinds are what becomes of recipients, in the order of the page's figures.
var Kinds = []string{"delivered", "accepted", "blocked", "failed", "uncertain", "skipped", "left"}

// View is what a progress page shows and what changes on it, in one language.
// As JSON it is what the page's script gets.
type View struct {
	// Rank grows whenever a delivery gets further: of two views, the one with the
	// lower rank is the older one.
	Rank    int64  `json:"rank"`
	State   string `json:"state"`
	Percent string `json:"percent"`
	// Text is what stands in the elements of these names; one that is empty is
	// not shown.
	Text     map[string]string `json:"text"`
	Bar      []BarPart         `json:"bar"`
	Chart    chart             `json:"chart"`
	Failures []FailureView     `json:"failures"`
}

// BarPart is a part of the bar: where it begins and how long it is, in percent.
type BarPart struct {
	Kind  string `json:"kind"`
	X     string `json:"x"`
	Width string `json:"width"`
}

// FailureView is a cause of failures, in words.
type FailureView struct {
	Kind  string `json:"kind"`
	What  string `json:"what"`
	Code  string `json:"code"`
	Todo  string `json:"todo"`
	Count string `json:"count"`
}

// rank counts one for each delivery that was accepted and two for each that has its
// final outcome. No delivery ever goes back, so the rank never falls.
func rank(n models.Counts) int64 {
	return n.Accepted + 2*(n.Delivered+n.Blocked+n.Failed+n.Uncertain+n.Skipped)
}

// figures are the numbers of the Kinds.
func figures(st broadcast.Status) map[string]int64 {
	n := st.Counts
	return map[string]int64{
		"delivered": n.Delivered, "accepted": n.Accepted, "blocked": n.Blocked,
		"failed": n.Failed, "uncertain": n.Uncertain, "skipped": n.Skipped, "left": st.Remaining(),
	}
}

// View returns what a page shows of a snapshot.
func (w *Words) View(s *Snapshot) *View {
	b := s.Broadcast
	done := s.Counts.Known() - s.Counts.Sending
	v := &View{
		Rank: rank(s.Counts), State: string(b.State), Percent: lang.Percent(done, b.Recipients), Chart: s.chart,
		Bar: bar(s.Status), Failures: w.failures(s.failures),
	}
	v.Text = map[string]string{
		"at": w.Say("as_of", lang.Vars{"At": lang.Clock(s.at)}), "state": w.Say("state." + v.State),
		"percent": v.Percent + "%", "done": w.Say("of", lang.Vars{"Done": done, "Total": b.Recipients}), "pace": w.pace(s),
		"speed_max": "", "speed_none": w.Say("speed_none"), "speed_alt": "", "from": "", "to": "",
		"started_at": lang.Moment(b.StartedAt.Time), "finished_at": lang.Moment(b.FinishedAt.Time), "took": w.took(b, s.at), "retry": "", "price": "", "intercepted": "",
	}
	if n := s.Counts; n.Accepted+n.Delivered+n.Uncertain > 0 {
		v.Text["price"] = w.Say("price", lang.Vars{"Left": s.Price.Left, "OptedOut": s.Price.OptedOut})
	}
	v.Text["deleted"] = ""
	if !b.TalliedAt.IsZero() {
		v.Text["deleted"] = w.Say("deleted", lang.Vars{"At": lang.Moment(b.TalliedAt.Time)})
	}
	if b.Intercepted > 0 {
		v.Text["intercepted"] = w.Say("intercepted", lang.Vars{"N": b.Intercepted})
	}
	v.Text["value"] = strings.Join([]string{v.Text["state"], v.Text["percent"], v.Text["done"]}, " · ")
	for kind, n := range figures(s.Status) {
		v.Text["count."+kind] = w.Number(n)
	}
	if s.Counts.Skipped == 0 { // most accounts have no cap
		v.Text["count.skipped"] = ""
	}
	v.Text["note.left"] = w.Say("note.left")
	if b.State.Final() {
		v.Text["note.left"] = w.Say("note.left_ended")
	}
	w.reason(v.Text, b, s.at)
	w.stall(v.Text, s)
	if s.chart.Line != "" {
		format := lang.Clock
		if s.to.Sub(s.from) > 20*time.Hour {
			format = lang.Minute
		}
		most := int64(math.Round(s.chart.max))
		v.Text["speed_none"] = ""
		v.Text["speed_max"] = w.Say("speed_max", lang.Vars{"Max": most})
		v.Text["from"], v.Text["to"] = format(s.from), format(s.to)
		v.Text["speed_alt"] = w.Say("speed_alt", lang.Vars{"Max": most, "From": v.Text["from"], "To": v.Text["to"]})
	}
	if b.State.Final() && b.TalliedAt.IsZero() && s.Counts.Failed+s.Counts.Uncertain > 0 && len(s.failures) > 0 {
		v.Text["retry"] = w.Say("retry_note", lang.Vars{"ID": b.ID})
	}
	return v
}

// pace is what there is to say of time and speed.
func (w *Words) pace(s *Snapshot) string {
	b := s.Broadcast
	var parts []string
	switch {
	case b.State == models.Pending:
		parts = append(parts, w.Say("line.pending", lang.Vars{"Until": lang.Moment(b.PendingSince.Add(models.ApprovalWithin))[:len("2006-01-02 15:04")]}))
	case b.State == models.Scheduled && b.StartsIn(s.at) > 0:
		parts = append(parts, w.Say("line.starts", lang.Vars{"In": b.StartsIn(s.at)}))
	case b.State == models.Scheduled:
		parts = append(parts, w.Say("line.due"))
	case b.State == models.Running && b.PlannedAt.IsZero() && s.Counts.Known() == 0:
		parts = append(parts, w.Say("line.planning"))
	case b.State == models.Running:
		parts = append(parts, w.canary(s)...)
		if s.rate > 0 {
			parts = append(parts, w.Say("line.speed", lang.Vars{"Rate": max(1, int64(math.Round(s.rate)))}))
		}
		if s.left > 0 {
			parts = append(parts, w.Say("line.left", lang.Vars{"Left": s.left}))
		}
		if s.Stall != nil {
			parts = append(parts, w.Say("line.stalled", lang.Vars{"For": s.at.Sub(s.Stall.Since)}))
		}
		if s.Slowed {
			parts = append(parts, w.Say("line.slowed"))
		}
		if s.Counts.Deferred > 0 {
			parts = append(parts, w.putOff(s))
		}
	case b.State == models.Paused && !b.ResumeAt.IsZero():
		parts = append(parts, w.Say("line.resumes", lang.Vars{"At": b.ResumeAt.Time}))
	case b.State == models.Paused && b.TriesFirst() || b.AwaitsWord():
		parts = append(parts, w.canary(s)...)
	case b.State.Final() && s.Counts.Tried() == 0:
		parts = append(parts, w.Say("line.none"))
	case b.State.Final() && !b.StartedAt.IsZero() && !b.FinishedAt.IsZero():
		parts = append(parts, w.Say("line.took", lang.Vars{"Took": w.took(b, s.at)}))
	}
	if n := b.Withdrawn(); n > 0 {
		parts = append(parts, w.Say("line.withdrawn", lang.Vars{"N": n}))
	}
	return strings.Join(parts, " · ")
}

// canary says how far the canary is; nothing if there is none.
func (w *Words) canary(s *Snapshot) []string {
	b := s.Broadcast
	switch {
	case b.AwaitsWord():
		return []string{w.Say("line.canary_tried", lang.Vars{"N": b.Canary})}
	case !b.TriesFirst():
		return nil
	case b.CanarySegment == 0:
		return []string{w.Say("line.canary_some")}
	}
	return []string{w.Say("line.canary", lang.Vars{"Done": s.Counts.Known() - s.Counts.Sending, "N": b.Canary})}
}

// putOff says that some rest, and until when.
func (w *Words) putOff(s *Snapshot) string {
	if s.Again.After(s.at) {
		return w.Say("line.put_off_until", lang.Vars{"N": s.Counts.Deferred, "At": lang.Clock(s.Again)})
	}
	return w.Say("line.put_off", lang.Vars{"N": s.Counts.Deferred})
}

// took is how long a broadcast has been or was under way.
func (w *Words) took(b models.Broadcast, now time.Time) string {
	if b.StartedAt.IsZero() {
		return "–"
	}
	return w.Span(b.Took(now))
}

// reason says why a broadcast is paused, cancelled or failed, and what to do now.
func (w *Words) reason(text map[string]string, b models.Broadcast, now time.Time) {
	text["reason"], text["said"], text["todo"] = "", "", ""
	if b.Reason == "" {
		return
	}
	kind := b.Reason
	if kind == models.ReasonRestored {
		w.gap(text, b)
		if b.ApprovalLate(now) { // a resume is refused
			text["todo"] = w.Say("todo.approval_late")
		}
		return
	}
	if kind == models.ReasonCredentials && strings.HasPrefix(b.Detail, "48001 ") {
		kind = "permission" // the credentials are right, and the account may not
	}
	if kind == models.ReasonMissed && b.Approvals > 0 {
		kind = "missed_approval" // it may have missed its start for want of them
	}
	text["reason"] = cmp.Or(w.SayIf("reason."+kind+"_"+string(b.State)), w.SayIf("reason."+kind), b.Reason)
	refusal, refused := lang.ParseRefusal(b.Detail)
	switch {
	case b.Detail == "", b.Reason == models.ReasonRejected: // who rejected it is for admins
	case b.Reason == models.ReasonMessage || b.Reason == models.ReasonTemplate:
		text["said"] = w.Say("reason.field", lang.Vars{"Field": b.Detail})
	case refused:
		refusal.Token = b.Reason == models.ReasonCredentials // see chat.Composer.reasonDetail
		general := text["reason"]
		if slices.Contains([]string{models.ReasonQuota, models.ReasonCredentials, "permission"}, kind) {
			general = "" // the code says the same, and more
		}
		text["reason"] = w.Say("reason.means", lang.Vars{"Reason": general, "Said": w.Refusal(refusal)})
		text["said"] = w.Say("reason.said", lang.Vars{"Detail": b.Detail})
	default:
		text["said"] = w.Fault(b.Detail)
	}
	switch {
	case b.ApprovalLate(now): // a resume is refused
		text["todo"] = w.Say("todo.approval_late")
	case b.State == models.Paused || b.State == models.Failed:
		text["todo"] = w.SayIf("todo."+kind, lang.Vars{"ID": b.ID})
	}
}

// stall says why a running broadcast gets no further.
func (w *Words) stall(text map[string]string, s *Snapshot) {
	if s.Stall == nil || s.Broadcast.State != models.Running {
		return
	}
	text["reason"] = cmp.Or(w.SayIf("stall."+s.Stall.Reason), w.Say("stall.unknown"))
	if answer := w.Answer(s.Stall.Detail); answer != "" {
		text["said"] = w.Say("reason.last", lang.Vars{"Detail": answer})
	}
}

func (w *Words) failures(list []models.Failures) []FailureView {
	views := make([]FailureView, 0, len(list))
	for _, f := range list {
		c := w.Cause(f.State, f.ErrCode, f.Detail)
		v := FailureView{Kind: string(f.State), What: c.What, Todo: c.Todo, Count: w.Number(f.N)}
		switch {
		case f.ErrCode != 0:
			v.Code = w.Say("failures_code", lang.Vars{"Code": f.ErrCode})
		case f.Detail != "":
			more := w.Noted(f.State, f.ErrCode, f.Detail)
			v.Code = cmp.Or(more.Own, more.Answer)
		}
		views = append(views, v)
	}
	return views
}

// bar divides the bar among the outcomes, which are all Kinds but the last.
func bar(st broadcast.Status) []BarPart {
	total, numbers := max(st.Broadcast.Recipients, st.Counts.Known(), 1), figures(st)
	x := 0.0
	var parts []BarPart
	for _, kind := range Kinds[:len(Kinds)-1] {
		width := 100 * float64(numbers[kind]) / float64(total)
		parts = append(parts, BarPart{kind, fmt.Sprintf("%.3f", x), fmt.Sprintf("%.3f", width)})
		x += width
	}
	return parts
}
