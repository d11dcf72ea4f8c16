package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"wechat-broadcast/config"
)

// row is a line of the table: a figure, what it is held against, and the ratio
// that a goal is set for.
type row struct {
	What     string  `json:"what"`
	Value    series  `json:"value"`
	Unit     string  `json:"unit"`
	Baseline string  `json:"baseline,omitempty"`
	Base     series  `json:"base,omitempty"`
	Ratio    series  `json:"ratio,omitempty"`
	Goal     string  `json:"goal,omitempty"`
	Met      *bool   `json:"met,omitempty"`
	Median   float64 `json:"median"`
}

// goal is a bound on a median.
type goal struct {
	words string
	least float64
	most  float64
}

func atLeast(x float64) goal {
	return goal{words: fmt.Sprintf("≥ %g", x), least: x, most: math.Inf(1)}
}

func atMost(x float64) goal {
	return goal{words: fmt.Sprintf("≤ %g", x), least: math.Inf(-1), most: x}
}

var noGoal = goal{words: "reported"}

// against is a row whose goal is set for the ratio of a figure to a baseline.
func against(what string, value series, unit, baseline string, base series, g goal) row {
	r := row{What: what, Value: value, Unit: unit, Baseline: baseline, Base: base, Ratio: value.over(base)}
	return r.judged(g, r.Ratio)
}

// alone is a row whose goal, if any, is set for the figure itself.
func alone(what string, value series, unit string, g goal) row {
	return row{What: what, Value: value, Unit: unit}.judged(g, value)
}

func (r row) judged(g goal, s series) row {
	r.Goal, r.Median = g.words, r.Value.median()
	if g != noGoal && len(s) > 0 {
		m := s.median()
		r.Met = new(m >= g.least && m <= g.most)
	}
	return r
}

const (
	perSecond = "/s"
	micros    = "µs CPU"
	seconds   = "s"

	milliseconds = "ms"
	mebibytes    = "MiB"
)

// names of the databases as the table has them.
var databaseNames = map[string]string{config.SQLite: "SQLite", config.MySQL: "MariaDB"}

func (b *bench) rows() []row {
	switch {
	case b.Large != nil:
		return b.largeRows()
	case b.Flooded != nil:
		return b.floodedRows()
	case b.Audiences:
		return b.audienceRows()
	case b.Watched:
		return b.watchedRows()
	}
	r := b.results
	rows := b.sendRows()
	rows = append(rows, b.latentRows()...)
	rows = append(rows, b.watchedRows()...)
	for _, d := range b.dbs.drivers() {
		rows = append(rows, b.scaleRows(d)...)
	}
	rows = append(rows,
		against("openid answered in safe mode", r.Callback.Rate, perSecond, "bare Gin handler", r.Gin.Rate, atLeast(0.7)),
		against("the same", r.Callback.CPU, micros, "bare Gin handler", r.Gin.CPU, noGoal))
	for _, d := range b.dbs.drivers() {
		g := noGoal
		if d == config.MySQL {
			g = atLeast(0.5)
		}
		rows = append(rows, against("receipts committed, "+databaseNames[d], r.Receipts[d].Rate, perSecond,
			"multi-row UPDATE alone", r.Update[d].Rate, g))
	}
	return rows
}

// sendRows compare the sends without latency. Goals are set for what the platform speaks.
func (b *bench) sendRows() (rows []row) {
	least := map[string]float64{config.SQLite: 0.95, config.MySQL: 0.85}
	for _, over := range wires {
		r, goalOf := b.results.over(over), goalsOver(over)
		loop := "bare loop, " + string(over)
		rows = append(rows,
			alone(fmt.Sprintf("the platform's end alone, %s", over), r.Flood.Rate, perSecond, noGoal),
			alone("the same, of one core, for a send", r.Flood.CPU, micros, noGoal),
			alone("its cost for a send beside the program", r.PlatformCPU, micros, noGoal),
			alone(fmt.Sprintf("bare net/http loop, 64 in flight, %s", over), r.Bare.Rate, perSecond, noGoal),
			alone("the same", r.Bare.CPU, micros, noGoal))
		for _, d := range b.dbs.drivers() {
			s := r.Program[d]
			rows = append(rows,
				against(fmt.Sprintf("recorded sends, %s, %s", databaseNames[d], over), s.Rate, perSecond, loop, r.Bare.Rate, goalOf(atLeast(least[d]))),
				against("the same", s.CPU, micros, loop, r.Bare.CPU, goalOf(atMost(1.1))))
		}
		rows = append(rows, against("connections opened", r.Conns, "", "64 in flight", series{inFlight}, goalOf(atMost(1.1))))
	}
	return rows
}

// latentRows compare the sends at 50 ms.
func (b *bench) latentRows() (rows []row) {
	limit := series{latentInFlight / latency.Seconds()}
	for _, over := range wires {
		r, goalOf := b.results.over(over), goalsOver(over)
		rows = append(rows, alone(fmt.Sprintf("a call at 50 ms, held at the platform's end, %s", over), r.Held, milliseconds, noGoal),
			against(fmt.Sprintf("bare loop at 50 ms, 200 in flight, %s", over), r.LatentBare.Rate, perSecond, "the limit", limit, noGoal))
		for _, d := range b.dbs.drivers() {
			ours, sdk := r.LatentProgram[d], r.LatentSDK[d]
			rows = append(rows,
				against(fmt.Sprintf("recorded sends at 50 ms, %s, %s", databaseNames[d], over), ours.Rate, perSecond, "the limit", limit, goalOf(atLeast(0.98))),
				against("the same", ours.Rate, perSecond, "SDK and db.Create", sdk.Rate, goalOf(goal{words: "> 1", least: math.Nextafter(1, 2), most: math.Inf(1)})),
				against("the same", ours.CPU, micros, "SDK and db.Create", sdk.CPU, goalOf(atMost(0.5))))
		}
	}
	return rows
}

// goalsOver is for the rows of a wire: a goal for what the platform speaks, none for the other
// one, whose rows stand beside.
func goalsOver(over wire) func(goal) goal {
	if over == overTLS {
		return func(g goal) goal { return g }
	}
	return func(goal) goal { return noGoal }
}

// watchedRows compare a broadcast that is looked at with one that is not.
func (b *bench) watchedRows() (rows []row) {
	for _, d := range b.dbs.drivers() {
		none := b.results.Unwatched[d]
		for _, open := range []struct {
			what string
			*loopSeries
		}{{"progress pages", b.results.Watched[d]}, {"consoles", b.results.Consoles[d]}} {
			rows = append(rows,
				against(fmt.Sprintf("recorded sends at 20 ms, %d %s open, %s", b.Pages, open.what, databaseNames[d]),
					open.Rate, perSecond, "none open", none.Rate, atLeast(0.95)),
				against("the same", open.CPU, micros, "none open", none.CPU, noGoal))
		}
	}
	return rows
}

// scaleRows compare the numbers of recipients.
func (b *bench) scaleRows(driver string) []row {
	name, scale := databaseNames[driver], b.results.Scale[driver]
	sizes := slices.Sorted(maps.Keys(scale))
	smallest, largest := sizes[0], sizes[len(sizes)-1]
	before := sizes[max(0, len(sizes)-2)]
	big := scale[largest]
	rows := []row{
		against(fmt.Sprintf("sync of %s into an empty table, %s", grouped(largest), name), big.Sync, seconds, "fetch and decode", big.Fetch, atMost(3)),
		against("the same", big.Sync, seconds, "its INSERTs alone, in order", big.Insert, noGoal),
		against(fmt.Sprintf("sync of %s into a full one, %s", grouped(largest), name), big.Resync, seconds, "fetch and decode", big.Fetch, atMost(3)),
		alone(fmt.Sprintf("asking for a broadcast of %s, %s", grouped(largest), name), big.Asked, seconds, atMost(0.2)),
		alone("the first send after it", big.FirstSend, seconds, atMost(1)),
		against(fmt.Sprintf("peak memory at %s, %s", grouped(largest), name), big.PeakMiB, mebibytes,
			"at "+grouped(before), series{scale[before].PeakMiB.median()}, atMost(1.1)),
		alone("the same", big.PeakMiB, mebibytes, atMost(64)),
	}
	for _, n := range sizes[1:] {
		rows = append(rows, against(fmt.Sprintf("a send at %s, %s", grouped(n), name), scale[n].SendCPU, micros,
			"at "+grouped(smallest), series{scale[smallest].SendCPU.median()}, atMost(1.1)))
	}
	return rows
}

func write(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmedian\tspread\tbaseline\t\tratio\tspread\tgoal\t")
	for _, r := range rows {
		ratio, spread, base := "", "", ""
		if len(r.Ratio) > 0 {
			ratio, spread = digits(r.Ratio.median()), span(r.Ratio)
		}
		if len(r.Base) > 0 {
			base = digits(r.Base.median())
		}
		verdict := ""
		if r.Met != nil {
			verdict = " missed"
			if *r.Met {
				verdict = " met"
			}
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\t%s\t%s%s\t\n",
			r.What, digits(r.Value.median()), r.Unit, span(r.Value), r.Baseline, base, ratio, spread, r.Goal, verdict)
	}
	return t.Flush()
}

// span is the smallest and the largest of a series.
func span(s series) string {
	if len(s) < 2 {
		return ""
	}
	return digits(slices.Min(s)) + "–" + digits(slices.Max(s))
}

// digits writes about three significant digits.
func digits(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x >= 1000:
		return grouped(int(math.Round(x)))
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 0.1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.3f", x)
	}
}

// grouped writes a number with its thousands apart.
func grouped(n int) string { return humanize.Comma(int64(n)) }
