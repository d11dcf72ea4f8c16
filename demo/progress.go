package demo

import (
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

const barWidest = 30 // columns

// done is how many recipients of a broadcast have an outcome.
func done(st broadcast.Status) int64 { return st.Counts.Tried() - st.Counts.Sending }

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
	text := fmt.Sprintf(w.starts, b.ID, int((wait+time.Second-1)/time.Second))
	return wrap(text, columns-1)[0]
}

// bar draws how far a broadcast has got, in one line that fits the columns.
func (w words) bar(st broadcast.Status, columns int) string {
	head := fmt.Sprintf("#%d ", st.Broadcast.ID)
	tail := " " + w.progress(st)
	room := min(barWidest, columns-1-cells(head)-cells(tail))
	if room < 5 { // the figures matter more than the picture
		return head + strings.TrimSpace(tail)
	}
	full := room * percent(st) / 100
	return head + strings.Repeat("█", full) + strings.Repeat("░", room-full) + tail
}

// progress says in words how far a broadcast has got.
func (w words) progress(st broadcast.Status) string {
	text := fmt.Sprintf("%3d%% · %s/%s", percent(st), thousands(done(st)), thousands(st.Broadcast.Recipients))
	switch {
	case st.Broadcast.State == models.Paused:
		text += " · " + w.states[models.Paused]
	case st.Rate >= 1:
		text += " · " + fmt.Sprintf(w.speed, thousands(int64(st.Rate+0.5)))
	}
	return text
}

// outcome is the counts of a broadcast, which add up, and what the platform
// says of the same: a table, or a sentence for a few recipients.
func (w words) outcome(st broadcast.Status, reached, twice, columns int) []string {
	total := thousands(st.Broadcast.Recipients)
	rows, sum := w.rows(st)
	check := w.sumWrong
	if sum == st.Broadcast.Recipients {
		check = w.sumRight
	}
	again := w.noneTwice
	if twice > 0 {
		again = fmt.Sprintf(w.someTwice, thousands(int64(twice)))
	}
	head := fmt.Sprintf(w.outcomeHead, st.Broadcast.ID, st.Broadcast.Name, w.states[st.Broadcast.State])
	ledger := fmt.Sprintf(w.ledger, thousands(int64(reached)), again)
	lines := append([]string{""}, wrap(head, columns)...)
	if st.Broadcast.Recipients <= few {
		var parts []string
		for _, r := range rows {
			if r.count > 0 {
				parts = append(parts, r.label+" "+thousands(r.count))
			}
		}
		text := fmt.Sprintf(w.recipientsAre, total, strings.Join(parts, " + "))
		return append(append(lines, hang("  ", text, columns)...), hang("  ", ledger, columns)...)
	}
	widest := cells(w.recipients)
	for _, r := range rows {
		widest = max(widest, cells(r.label))
	}
	for _, r := range append(rows, row{w.recipients, st.Broadcast.Recipients, check}) {
		if r.count == 0 {
			r.note = ""
		}
		count := padLeft(thousands(r.count), max(6, len(total)))
		for _, line := range hang("  "+pad(r.label, widest)+" "+count+"   ", r.note, columns) {
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return append(lines, hang("  ", ledger, columns)...)
}

// row is one line of the outcome.
type row struct {
	label string
	count int64
	note  string
}

// rows are the counts by outcome and their sum. Those who had no turn are among
// them only if there are any.
func (w words) rows(st broadcast.Status) (rows []row, sum int64) {
	n := st.Counts
	rows = []row{
		{w.delivered, n.Delivered, w.deliveredNote},
		{w.accepted, n.Accepted, w.acceptedNote},
		{w.blocked, n.Blocked, w.blockedNote},
		{w.failed, n.Failed, w.failedNote},
		{w.uncertain, n.Uncertain, w.uncertainNote},
	}
	if left := st.Remaining(); left > 0 {
		rows = append(rows, row{w.unsent, left, w.unsentNote})
	}
	for _, r := range rows {
		sum += r.count
	}
	return rows, sum
}
