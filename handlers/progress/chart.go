package progress

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"wechat-broadcast/models"
)

const (
	chartWidth, chartHeight = 300.0, 78.0 // units of the page's drawing, whose lines are 1 from its edges
	maxSteps                = 60          // of a chart
	maxPoints               = 2000        // of a curve, before it is thinned
)

// curve is how many sends a broadcast had by when: points in the order of time,
// whose numbers never fall.
type curve struct {
	points []point
}

type point struct {
	at time.Time
	n  int64
}

// newCurve returns the curve of a broadcast from start to end from its sends,
// counted by spans of that length.
func newCurve(start, end time.Time, sends []models.Sends, span time.Duration) curve {
	c := curve{points: []point{{at: start}}}
	total := int64(0)
	for _, s := range sends {
		// What came before in this span came before the span, too.
		c.add(s.At.Time, total)
		total += s.N
		through := s.At.Add(span)
		if through.After(end) {
			through = end
		}
		c.add(through, total)
	}
	return c
}

// add notes that there had been n sends at a moment, unless another point tells
// better.
func (c *curve) add(at time.Time, n int64) {
	if last := len(c.points) - 1; last >= 0 {
		n = max(n, c.points[last].n)
		if !at.After(c.points[last].at) {
			c.points[last].n = n
			return
		}
	}
	if len(c.points) >= maxPoints {
		kept := c.points[:0]
		for i, p := range c.points {
			if i%2 == 0 {
				kept = append(kept, p)
			}
		}
		c.points = kept
	}
	c.points = append(c.points, point{at, n})
}

// at returns how many sends there had been by a moment, as far as is known.
func (c *curve) at(t time.Time) float64 {
	if len(c.points) == 0 {
		return 0
	}
	i := sort.Search(len(c.points), func(i int) bool { return !c.points[i].at.Before(t) })
	switch i {
	case 0:
		return float64(c.points[0].n)
	case len(c.points):
		return float64(c.points[i-1].n)
	}
	a, b := c.points[i-1], c.points[i]
	share := float64(t.Sub(a.at)) / float64(b.at.Sub(a.at))
	return float64(a.n) + share*float64(b.n-a.n)
}

// rate returns the sends a second in the time before a moment.
func (c *curve) rate(now time.Time, over time.Duration) float64 {
	return (c.at(now) - c.at(now.Add(-over))) / over.Seconds()
}

// chart is the speed of a broadcast over time: two paths of an SVG that is 300
// wide, and the greatest speed in sends a second. Without sends it is empty.
type chart struct {
	Line string `json:"line"`
	Area string `json:"area"`
	max  float64
}

func (c *curve) draw(from, to time.Time) chart {
	length := to.Sub(from)
	if len(c.points) < 2 || length <= 0 || c.at(to) == 0 {
		return chart{}
	}
	steps := int(min(max(length/time.Second, 2), maxSteps))
	rates := make([]float64, steps)
	top := 0.0
	before := c.at(from)
	for i := range rates {
		now := c.at(from.Add(length * time.Duration(i+1) / time.Duration(steps)))
		rates[i] = (now - before) / (length.Seconds() / float64(steps))
		top, before = max(top, rates[i]), now
	}
	if top == 0 {
		return chart{}
	}
	var b strings.Builder
	for i, r := range rates {
		x := chartWidth * float64(i) / float64(steps-1)
		y := 1 + chartHeight*(1-r/top)
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	return chart{Line: b.String(), Area: b.String() + fmt.Sprintf("V%.0fH0Z", chartHeight+1), max: math.Max(top, 1)}
}
