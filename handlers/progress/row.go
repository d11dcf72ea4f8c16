package progress

import (
	"context"
	"strconv"
	"time"

	"wechat-broadcast/cache"
	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

const (
	listed      = 20 // broadcasts in the history
	historyLast = 2 * time.Second
)

// Row is a broadcast in a list, in words.
type Row struct {
	ID, Name, Audience, AskedAt, Took string
	State, StateText                  string
	// Taken says to how many of all it went so far.
	Taken  string
	Bar    []BarPart
	Counts []RowCount
}

// RowCount is how many recipients one thing became of.
type RowCount struct{ Word, N string }

// Row returns what a list shows of a broadcast.
func (w *Words) Row(st broadcast.Status, now time.Time) Row {
	b := st.Broadcast
	row := Row{
		ID: strconv.FormatInt(b.ID, 10), Name: b.Name, Audience: w.Audience(b), AskedAt: lang.Minute(b.AskedAt.Time),
		State: string(b.State), StateText: w.Say("state." + string(b.State)),
		Taken: w.Say("taken", lang.Vars{"Taken": st.Counts.Taken(), "Total": b.Recipients}), Bar: bar(st),
	}
	if !b.StartedAt.IsZero() && b.State.Final() {
		row.Took = w.Say("line.took", lang.Vars{"Took": w.took(b, now)})
	}
	numbers := figures(st)
	for _, kind := range Kinds {
		if numbers[kind] > 0 {
			row.Counts = append(row.Counts, RowCount{w.Say("count." + kind), w.Number(numbers[kind])})
		}
	}
	return row
}

// Audience says to whom a broadcast goes.
func (w *Words) Audience(b models.Broadcast) string { return chat.AudienceText(w.Locale, b) }

// Latest returns the latest broadcasts, the newest first, as they were a moment ago.
func (p *Feeds) Latest(ctx context.Context) ([]broadcast.Status, error) {
	return p.history.Get(ctx, struct{}{})
}

// newHistory keeps the latest broadcasts for a moment, so that all who look share
// one query. One that takes long is made less often.
func newHistory(list func(ctx context.Context, n int) ([]broadcast.Status, error)) *cache.Cache[struct{}, []broadcast.Status] {
	ttl := func(_ []broadcast.Status, took time.Duration) time.Duration { return max(historyLast, readsShare*took) }
	return cache.New(1, ttl, func(ctx context.Context, _ struct{}) ([]broadcast.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		return list(ctx, listed)
	})
}
