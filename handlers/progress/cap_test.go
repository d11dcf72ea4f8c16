package progress

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// Those who were skipped are in the figures, in the bar and in the list; without a cap
// nothing is said of them.
func TestAPageTellsWhoWasSkipped(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"zh": "最近收到的群发已达上限", "en": "as many broadcasts lately as the cap allows"} {
		w := wordsIn(t, language)
		s := &Snapshot{at: testNow, failures: []models.Failures{{State: models.Skipped, N: 40}}}
		s.Broadcast = models.Broadcast{ID: 1, State: models.Finished, PlannedAt: models.At(testNow), Recipients: 100}
		s.Counts = models.Counts{Delivered: 60, Skipped: 40}
		v := w.View(s)
		if v.Text["count.skipped"] != "40" || v.Percent != "100" || v.Text["retry"] != "" || rank(s.Counts) != 200 {
			t.Errorf("%+v", v)
		}
		var width string
		for _, part := range v.Bar {
			if part.Kind == "skipped" {
				width = part.Width
			}
		}
		if width != "40.000" {
			t.Errorf("their part of the bar is %q: %+v", width, v.Bar)
		}
		if len(v.Failures) != 1 || !strings.Contains(v.Failures[0].What, want) || v.Failures[0].Count != "40" || v.Failures[0].Code != "" {
			t.Errorf("%+v", v.Failures)
		}
		s.Counts, s.failures = models.Counts{Delivered: 100}, nil
		if got := w.View(s).Text["count.skipped"]; got != "" {
			t.Errorf("nobody was skipped: %q", got)
		}
	}
}

// The page of a broadcast that waits for the end of the quiet hours says so.
func TestAPageTellsOfTheQuietHours(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for _, state := range []models.BroadcastState{models.Scheduled, models.Paused} {
			s := &Snapshot{at: testNow}
			s.Broadcast = models.Broadcast{ID: 1, State: state, Reason: models.ReasonQuiet, Recipients: 100, NotBefore: models.At(testNow.Add(1e12)), ResumeAt: models.At(testNow.Add(1e12))}
			if v := w.View(s); v.Text["reason"] != w.Say("reason.quiet") || v.Text["pace"] == "" {
				t.Errorf("%s, %s: %q", language, state, v.Text)
			}
		}
	}
}
