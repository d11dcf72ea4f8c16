package progress

import (
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
)

func TestCurve(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return testNow.Add(time.Duration(s * float64(time.Second))) }
	c := newCurve(at(0), at(9), []models.Sends{{At: models.At(at(0)), N: 100}, {At: models.At(at(1)), N: 100}, {At: models.At(at(8)), N: 200}}, time.Second)
	for s, want := range map[float64]float64{-1: 0, 0.5: 50, 1: 100, 2: 200, 5: 200, 8.5: 300, 9: 400, 20: 400} {
		if got := c.at(at(s)); got != want {
			t.Errorf("at %.1f s there are %.0f, want %.0f", s, got, want)
		}
	}
	drawn := c.draw(at(0), at(9))
	if drawn.max != 200 || !strings.HasPrefix(drawn.Line, "M0.0 40.0L37.5 40.0L75.0 79.0") || !strings.HasSuffix(drawn.Line, "L300.0 1.0") {
		t.Errorf("drawn: %+v", drawn)
	}
	if empty := c.draw(at(3), at(3)); empty.Line != "" {
		t.Errorf("nothing is drawn as %+v", empty)
	}
	for i := range 3 * maxPoints {
		c.add(at(10+float64(i)), int64(400+i))
		c.add(at(9), 1) // a late, lower one changes nothing
	}
	if len(c.points) > maxPoints {
		t.Errorf("the curve has grown to %d points", len(c.points))
	}
	for i := 1; i < len(c.points); i++ {
		if c.points[i].n < c.points[i-1].n || !c.points[i].at.After(c.points[i-1].at) {
			t.Fatalf("the curve goes back at %d: %v", i, c.points[i-1:i+1])
		}
	}
	if rate := c.rate(at(10+3*maxPoints-1), rateOver); rate < 0.9 || rate > 1.1 {
		t.Errorf("the rate is %.2f, want 1", rate)
	}
}
