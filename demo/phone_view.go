package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/web"
)

// countEvery is how often the platform's ledger is counted for an open page.
const countEvery = 500 * time.Millisecond

// note words a note.
func (w words) note(n note) string {
	if n.name == "" {
		return w.Say(n.id)
	}
	return w.Say(n.id, lang.Vars{"Name": w.Say(n.name)})
}

// entryView is an entry as the page's script gets it.
type entryView struct {
	Number int64     `json:"number"`
	Phone  string    `json:"phone"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`
	Card   *web.Card `json:"card,omitempty"`
}

func (w words) entry(e entry) entryView {
	v := entryView{Number: e.number, Phone: e.phone, Kind: e.kind, Text: e.text, Card: e.card}
	if e.kind == entryNote {
		v.Text = w.note(e.note)
	}
	return v
}

// stateView is what is shown beside the chats.
type stateView struct {
	Progress *progressView   `json:"progress"` // null before the first broadcast
	On       map[string]bool `json:"on"`       // by switch
	Ledger   string          `json:"ledger"`
	Answers  string          `json:"answers"`
}

// progressView is how a broadcast stands.
type progressView struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Badge   string    `json:"badge"`
	Percent int       `json:"percent"`
	Figures string    `json:"figures"`
	Counts  string    `json:"counts"`
	Reason  string    `json:"reason"`
	Widths  []float64 `json:"widths"` // of the bar's parts, in percent
}

// tally is what the platform has counted.
type tally struct {
	id             int64 // of the broadcast
	reached, twice int
	codes          map[string]int
}

// barKinds are the parts of the bar.
func barKinds() []string { return []string{"delivered", "accepted", "blocked", "failed", "uncertain"} }

// views words what is shown beside the chats in every language, as JSON.
func (d *Account) views(now time.Time) map[string][]byte {
	d.mu.Lock()
	on := maps.Clone(d.on)
	d.mu.Unlock()
	views := map[string][]byte{}
	for language, w := range d.languages {
		v := stateView{On: on, Answers: w.answers(d.tally.codes)}
		if d.shown != nil {
			v.Progress = w.progress(*d.shown, now)
			if d.tally.id == d.shown.Broadcast.ID {
				v.Ledger = w.ledger(d.tally)
			}
		}
		views[language], _ = json.Marshal(v) // strings and numbers always encode
	}
	return views
}

func (w words) progress(st broadcast.Status, now time.Time) *progressView {
	b, n := st.Broadcast, st.Counts
	v := &progressView{
		Name: fmt.Sprintf("#%d · %s", b.ID, b.Name), State: string(b.State), Badge: w.Say("state." + string(b.State)),
		Percent: percent(st),
	}
	figures := []string{w.Say("of", lang.Vars{"Done": done(st), "Total": b.Recipients})}
	switch wait := b.NotBefore.Sub(now); {
	case farOff(b):
		figures = append(figures, w.Say("line.starts", lang.Vars{"In": w.Span(wait)}))
	case b.State == models.Scheduled && wait > 0:
		seconds := int64((wait + time.Second - 1) / time.Second)
		figures = append(figures, w.Say("line.starts", lang.Vars{"In": w.Say("span.seconds", lang.Vars{"N": seconds})}))
	case b.State == models.Running && st.Rate >= 1:
		figures = append(figures, w.Say("line.speed", lang.Vars{"Rate": int64(st.Rate + 0.5)}))
	}
	v.Figures = strings.Join(figures, " · ")
	var counts []string
	for i, count := range []int64{n.Delivered, n.Accepted, n.Blocked, n.Failed, n.Uncertain} {
		kind := barKinds()[i]
		v.Widths = append(v.Widths, math.Round(1e5*float64(count)/float64(max(1, b.Recipients)))/1e3)
		if count > 0 {
			counts = append(counts, w.Say("count."+kind)+" "+w.Number(count))
		}
	}
	v.Counts = strings.Join(counts, " · ")
	if b.State == models.Paused || b.State == models.Failed {
		v.Reason = strings.TrimSpace(w.SayIf("reason."+b.Reason) + " " + w.SayIf("phone.todo."+b.Reason))
	}
	return v
}

// ledger says what the platform's own books have of a broadcast.
func (w words) ledger(t tally) string {
	switch {
	case t.reached == 0:
		return w.Say("phone.ledger.none")
	case t.twice > 0:
		return w.Say("phone.ledger.twice", lang.Vars{"N": t.reached, "Twice": t.twice})
	}
	return w.Say("phone.ledger.once", lang.Vars{"N": t.reached})
}

// answers lists how often the platform answered otherwise than with 0.
func (w words) answers(codes map[string]int) string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if code != "0" {
			what := w.SayIf("cause."+code+".what", lang.Vars{"IP": "", "Field": ""})
			list = append(list, w.Say("phone.answer", lang.Vars{"What": what, "Code": code, "N": int64(codes[code])}))
		}
	}
	if list == nil {
		return ""
	}
	return w.Say("phone.answers", lang.Vars{"List": list})
}

func (d *Account) count() {
	d.tally = tally{codes: d.platform.Stats().Codes}
	if d.shown != nil {
		d.tally.id = d.shown.Broadcast.ID
		d.tally.reached, d.tally.twice = d.platform.received.count(d.shown.Broadcast.Salt)
	}
}
