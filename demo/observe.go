package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// track is a broadcast of which something is still to be shown.
type track struct {
	st      broadcast.Status
	changed time.Time // when it was last seen to move
	carded  bool      // its message was shown
	quarter int       // the last progress that was printed
	ended   bool      // its last progress was printed
	shown   bool      // its outcome was shown
}

// observe looks at what has happened and shows it: progress, what followers
// received, what the account wrote, outcomes.
func (d *Account) observe(ctx context.Context) error {
	notices, messages := d.take()
	list, err := d.engine.List(ctx, looked)
	if err != nil {
		return fmt.Errorf("look at the broadcasts: %w", err)
	}
	var shown *broadcast.Status
	for _, st := range slices.Backward(list) {
		t := d.tracks[st.Broadcast.ID]
		if t == nil {
			t = &track{}
			d.tracks[st.Broadcast.ID] = t
		}
		d.follow(t, st)
		if st.Broadcast.Recipients > few && !st.Broadcast.State.Final() && !farOff(st.Broadcast) {
			shown = &st
		}
	}
	d.bar = nil
	if shown != nil {
		d.bar = func(columns int) string { return "  " + d.words.foot(*shown, time.Now(), columns-2) }
	}
	d.shown = latest(list)
	d.arrive(messages)
	for _, n := range notices {
		d.hear(n.OpenID, n.Text)
	}
	for _, t := range d.inOrder() {
		if t.complete() {
			d.conclude(t)
		}
	}
	d.refresh(time.Now())
	return nil
}

// latest is the broadcast to look at: the newest that goes on or is about to, or else the
// newest of a list that begins with it; nil if there is none.
func latest(list []broadcast.Status) *broadcast.Status {
	if len(list) == 0 {
		return nil
	}
	open := slices.IndexFunc(list, func(st broadcast.Status) bool {
		return !st.Broadcast.State.Final() && !farOff(st.Broadcast)
	})
	return &list[max(0, open)]
}

// farOff tells whether a broadcast waits for a time that the demo does not wait for.
func farOff(b models.Broadcast) bool {
	return b.State == models.Scheduled && time.Until(b.NotBefore.Time) > waitMove
}

func (d *Account) inOrder() []*track {
	var list []*track
	for _, id := range slices.Sorted(maps.Keys(d.tracks)) {
		list = append(list, d.tracks[id])
	}
	return list
}

// follow takes in how a broadcast stands, and shows its message once it arrives
// and how far it has got.
func (d *Account) follow(t *track, st broadcast.Status) {
	if t.st.Broadcast.State != st.Broadcast.State || t.st.Counts != st.Counts ||
		t.st.Broadcast.NotifiedState != st.Broadcast.NotifiedState {
		t.changed, d.last = time.Now(), time.Now()
	}
	t.st = st
	if !t.carded {
		t.carded = d.showCard(st)
	}
	if st.Broadcast.Recipients <= few || t.ended || done(st) == 0 {
		return
	}
	switch quarter := percent(st) / 25; {
	case st.Broadcast.State.Final():
		t.ended = true
		d.screen.print("  " + d.words.bar(st, d.screen.width()-2))
	case !d.screen.live && quarter > t.quarter && quarter < 4:
		t.quarter = quarter
		d.screen.print("  " + d.words.bar(st, d.screen.width()-2))
	}
}

// showCard shows the message of a broadcast as one of its recipients sees it,
// if one has received it yet.
func (d *Account) showCard(st broadcast.Status) bool {
	// The people with a name are shown their own messages.
	small := st.Broadcast.Recipients <= few || st.Broadcast.Audience == models.AudienceMe || st.Broadcast.Audience == models.AudienceTest
	m, ok := d.platform.received.first(st.Broadcast.Salt, func(m simulator.Message) bool {
		return arrived(m) && (small || !d.named(m.OpenID))
	})
	if !ok {
		return false
	}
	w := d.words
	var caption string
	switch st.Broadcast.Audience {
	case models.AudienceMe:
		caption = w.terminal("on_yours")
	case models.AudienceTest:
		caption = w.terminal("on_testers")
	default:
		caption = w.terminal("on_phone", lang.Vars{"OpenID": masked(m.OpenID)})
	}
	lines := []string{"  " + w.of(caption)}
	for _, line := range card(m, d.platform.template(m.Content.TemplateID), w.terminal("details"), d.screen.width()) {
		lines = append(lines, "  "+line)
	}
	d.screen.print(lines...)
	return true
}

// conclude shows the outcome of a broadcast that tried anyone, once.
func (d *Account) conclude(t *track) {
	if t.shown || t.st.Counts.Tried() == 0 {
		return
	}
	t.shown = true
	reached, twice := d.platform.received.count(t.st.Broadcast.Salt)
	d.screen.print(d.words.outcome(t.st, reached, twice, d.screen.width())...)
}

// complete tells whether there is nothing more to wait for: it has ended, the
// admin was told, and the receipts are in, each within its time.
func (t *track) complete() bool {
	b := t.st.Broadcast
	if !b.State.Final() {
		return false
	}
	reported := t.st.Counts.Accepted == 0 && t.st.Counts.Sending == 0 || time.Since(t.changed) > waitReport
	return t.told() && reported
}

// told tells whether the admin knows that a broadcast has ended or is paused, or was given
// the time to be told.
func (t *track) told() bool {
	b := t.st.Broadcast
	return b.NotifiedState == b.NoticeMark() || b.Reason == models.ReasonAdmin || time.Since(t.changed) > waitNotice
}

// over tells whether nothing more will come of a broadcast by itself.
func (t *track) over() bool {
	b := t.st.Broadcast
	switch b.State {
	case models.Paused:
		return t.told() && (b.ResumeAt.IsZero() || time.Until(b.ResumeAt.Time) > waitMove)
	case models.Pending:
		return true
	case models.Scheduled:
		return farOff(b)
	case models.Running, models.Finished, models.Cancelled, models.Failed:
	}
	return t.complete()
}

// fewEnded tells whether every small broadcast is over.
func (d *Account) fewEnded() bool {
	for _, t := range d.tracks {
		if t.st.Broadcast.Audience != models.AudienceAll && t.st.Broadcast.Recipients <= few && !t.over() {
			return false
		}
	}
	return true
}

// idle tells whether every broadcast is over.
func (d *Account) idle() bool {
	for _, t := range d.tracks {
		if !t.over() {
			return false
		}
	}
	return true
}
