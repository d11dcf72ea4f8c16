package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/web"
)

// countEvery is how often the platform's ledger is counted for an open page.
const countEvery = 500 * time.Millisecond

// pageWords are the texts of the pages in one language.
type pageWords struct {
	Language string
	Text     map[string]string `yaml:"text"`
}

// newPageWords returns the texts by language.
func newPageWords() (map[string]*pageWords, error) {
	all := map[string]*pageWords{}
	for _, language := range []string{"zh", "en"} {
		data, err := web.Locale(language)
		if err != nil {
			return nil, fmt.Errorf("read the words of pages: %w", err)
		}
		w := &pageWords{Language: language}
		if err := yaml.Unmarshal(data, w); err != nil {
			return nil, fmt.Errorf("read the words of pages in %s: %w", language, err)
		}
		all[language] = w
	}
	return all, nil
}

// Say returns a text with its blanks filled: names and their values in turn.
func (w *pageWords) Say(key string, fill ...string) string {
	text, ok := w.Text[key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(fill); i += 2 {
		text = strings.ReplaceAll(text, "{"+fill[i]+"}", fill[i+1])
	}
	return text
}

// sayIf returns a text if there is one, else nothing.
func (w *pageWords) sayIf(key string) string { return w.Text[key] }

// note words a note.
func (w *pageWords) note(n note) string {
	fill := slices.Clone(n.fill)
	for i := 1; i < len(fill); i += 2 {
		fill[i] = w.Say(fill[i])
	}
	return w.Say(n.key, fill...)
}

// entryView is an entry as the page's script gets it.
type entryView struct {
	Number int64     `json:"number"`
	Phone  string    `json:"phone"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`
	Card   *cardView `json:"card,omitempty"`
}

type cardView struct {
	Title   string      `json:"title"`
	Time    string      `json:"time"`
	Fields  [][2]string `json:"fields"` // label and value
	Details string      `json:"details"`
}

func (w *pageWords) entry(e entry) entryView {
	v := entryView{Number: e.number, Phone: e.phone, Kind: e.kind, Text: e.text}
	if e.kind == entryNote {
		v.Text = w.note(e.note)
	}
	if e.card != nil {
		v.Card = &cardView{Title: e.card.Title, Time: e.card.Time, Details: e.card.Details}
		for _, f := range e.card.Fields {
			v.Card.Fields = append(v.Card.Fields, [2]string{f.Label, f.Value})
		}
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
func (d *Demo) views(now time.Time) map[string][]byte {
	d.mu.Lock()
	on := maps.Clone(d.on)
	d.mu.Unlock()
	views := map[string][]byte{}
	for language, w := range d.pageWords {
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

// progress words how a broadcast stands.
func (w *pageWords) progress(st broadcast.Status, now time.Time) *progressView {
	b, n := st.Broadcast, st.Counts
	v := &progressView{
		Name: fmt.Sprintf("#%d · %s", b.ID, b.Name), State: string(b.State), Badge: w.Say("state." + string(b.State)),
		Percent: percent(st),
	}
	figures := []string{w.Say("of", "done", thousands(done(st)), "total", thousands(b.Recipients))}
	switch wait := b.NotBefore.Sub(now); {
	case b.State == models.Scheduled && wait > 0:
		seconds := int64((wait + time.Second - 1) / time.Second)
		figures = append(figures, w.Say("line.starts", "in", w.Say("span.seconds", "n", thousands(seconds))))
	case b.State == models.Running && st.Rate >= 1:
		figures = append(figures, w.Say("line.speed", "rate", thousands(int64(st.Rate+0.5))))
	}
	v.Figures = strings.Join(figures, " · ")
	var counts []string
	for i, count := range []int64{n.Delivered, n.Accepted, n.Blocked, n.Failed, n.Uncertain} {
		kind := barKinds()[i]
		v.Widths = append(v.Widths, math.Round(1e5*float64(count)/float64(max(1, b.Recipients)))/1e3)
		if count > 0 {
			counts = append(counts, w.Say("count."+kind)+" "+thousands(count))
		}
	}
	v.Counts = strings.Join(counts, " · ")
	if b.State == models.Paused || b.State == models.Failed {
		v.Reason = strings.TrimSpace(w.sayIf("reason."+b.Reason) + " " + w.sayIf("phone.todo."+b.Reason))
	}
	return v
}

// ledger says what the platform's own books have of a broadcast.
func (w *pageWords) ledger(t tally) string {
	switch {
	case t.reached == 0:
		return w.Say("phone.ledger.none")
	case t.twice > 0:
		return w.Say("phone.ledger.twice", "n", thousands(int64(t.reached)), "twice", thousands(int64(t.twice)))
	}
	return w.Say("phone.ledger.once", "n", thousands(int64(t.reached)))
}

// answers lists how often the platform answered otherwise than with 0.
func (w *pageWords) answers(codes map[string]int) string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if code != "0" {
			list = append(list, code+"\u00a0×\u00a0"+thousands(int64(codes[code])))
		}
	}
	if list == nil {
		return ""
	}
	return w.Say("phone.answers", "list", strings.Join(list, ", "))
}

// count reads the platform's books.
func (d *Demo) count() {
	d.tally = tally{codes: d.platform.Stats().Codes}
	if d.shown != nil {
		d.tally.id = d.shown.Broadcast.ID
		d.tally.reached, d.tally.twice = d.platform.received.count(d.shown.Broadcast.Salt)
	}
}

// quick are the lines that a phone offers to say with one tap.
func quick(language, phone string) []string {
	switch {
	case phone == phoneLin && language == "zh":
		return []string{"退订", "订阅", "openid", "帮助", "群发全部"}
	case phone == phoneLin:
		return []string{"stop", "start", "openid", "help", "broadcast all"}
	case language == "zh":
		return []string{"群发测试", "群发全部", "群发全部 再发", "群发状态", "暂停", "继续", "取消", "统计", "openid", "帮助"}
	}
	return []string{
		"broadcast test", "broadcast all", "broadcast all again", "status", "pause", "resume", "cancel",
		"stats", "openid", "help",
	}
}
