package demo

import (
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

const barWidest = 30 // columns

// done is how many recipients of a broadcast have an outcome.
func done(st broadcast.Status) int64 { return st.Counts.Known() - st.Counts.Sending }

// percent is how far a broadcast has got, rounded down.
func percent(st broadcast.Status) int {
	if st.Broadcast.Recipients == 0 {
		return 0
	}
	return int(min(100, 100*done(st)/st.Broadcast.Recipients))
}

// foot is how an unfinished broadcast stands, in one line that fits the columns.
func (w words) foot(st broadcast.Status, now time.Time, columns int) string {
	b := st.Broadcast
	wait := b.NotBefore.Sub(now)
	if b.State != models.Scheduled || wait <= 0 {
		return w.bar(st, columns)
	}
	// Rounded up: "in 0 s" would be wrong for most of a second.
	text := w.of(w.terminal("starts", lang.Vars{"ID": b.ID, "Seconds": int64((wait + time.Second - 1) / time.Second)}))
	return wrap(text, columns-1)[0]
}

// bar draws how far a broadcast has got, in one line that fits the columns.
func (w words) bar(st broadcast.Status, columns int) string {
	head := w.of(fmt.Sprintf("#%d ", st.Broadcast.ID))
	tail := " " + w.figures(st)
	room := min(barWidest, columns-1-cells(head)-cells(tail))
	if room < 5 { // the figures matter more than the picture
		return head + strings.TrimSpace(tail)
	}
	full := room * percent(st) / 100
	return head + strings.Repeat("█", full) + strings.Repeat("░", room-full) + tail
}

// figures says in words how far a broadcast has got.
func (w words) figures(st broadcast.Status) string {
	text := fmt.Sprintf("%3d%% · %s/%s", percent(st), w.Number(done(st)), w.Number(st.Broadcast.Recipients))
	switch {
	case st.Broadcast.State == models.Paused:
		text += " · " + w.terminal("state.paused")
	case st.Rate >= 1:
		text += " · " + w.terminal("speed", lang.Vars{"N": int64(st.Rate + 0.5)})
	}
	return text
}

// outcome is the counts of a broadcast, which add up, and what the platform
// says of the same: a table, or a sentence for a few recipients.
func (w words) outcome(st broadcast.Status, reached, twice, columns int) []string {
	total := w.Number(st.Broadcast.Recipients)
	rows, sum := w.rows(st)
	check := w.terminal("sum_wrong")
	if sum == st.Broadcast.Recipients {
		check = w.terminal("sum")
	}
	times := w.terminal("once", lang.Vars{"Count": int64(reached)})
	if twice > 0 {
		times = w.terminal("twice", lang.Vars{"N": twice})
	}
	head := w.terminal("outcome", lang.Vars{
		"ID": st.Broadcast.ID, "Name": st.Broadcast.Name, "State": w.terminal("state." + string(st.Broadcast.State)),
	})
	ledger := w.terminal("ledger", lang.Vars{"Count": int64(reached), "Times": times})
	lines := append([]string{""}, wrap(w.of(head), columns)...)
	if st.Broadcast.Recipients <= few {
		var parts []string
		for _, r := range rows {
			if r.count > 0 {
				parts = append(parts, r.label+" "+w.Number(r.count))
			}
		}
		text := w.terminal("recipients_are", lang.Vars{"Total": total, "Parts": strings.Join(parts, " + ")})
		return append(append(lines, hang("  ", text, columns)...), hang("  ", ledger, columns)...)
	}
	widest := cells(w.terminal("recipients"))
	for _, r := range rows {
		widest = max(widest, cells(r.label))
	}
	for _, r := range append(rows, row{w.terminal("recipients"), st.Broadcast.Recipients, check}) {
		if r.count == 0 {
			r.note = ""
		}
		count := narrow.FillLeft(w.Number(r.count), max(6, len(total)))
		for _, line := range hang("  "+narrow.FillRight(r.label, widest)+" "+count+"   ", r.note, columns) {
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return append(lines, hang("  ", ledger, columns)...)
}

type row struct {
	label string
	count int64
	note  string
}

// rows are the counts by outcome and their sum. Those who were skipped or had no turn are
// among them only if there are any.
func (w words) rows(st broadcast.Status) (rows []row, sum int64) {
	n := st.Counts
	add := func(id string, count int64) {
		rows = append(rows, row{w.terminal("count." + id), count, w.terminal("note." + id)})
		sum += count
	}
	add("delivered", n.Delivered)
	add("accepted", n.Accepted)
	add("blocked", n.Blocked)
	add("failed", n.Failed)
	add("uncertain", n.Uncertain)
	if n.Skipped > 0 {
		add("skipped", n.Skipped)
	}
	if left := st.Remaining(); left > 0 {
		add("unsent", left)
	}
	return rows, sum
}
