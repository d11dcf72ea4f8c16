package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

func sampleStatus(state models.BroadcastState, n models.Counts) broadcast.Status {
	return broadcast.Status{
		Broadcast: models.Broadcast{ID: 2, Name: "notice", Recipients: 1000, State: state, Audience: models.AudienceAll},
		Counts:    n,
	}
}

func wordsIn(t *testing.T, language string) words {
	t.Helper()
	all, err := newWords()
	if err != nil {
		t.Fatal(err)
	}
	return all[language]
}

func TestBar(t *testing.T) {
	t.Parallel()
	st := sampleStatus(models.Running, models.Counts{Delivered: 400, Accepted: 95, Failed: 5, Sending: 64})
	st.Rate = 249.7
	w := wordsIn(t, "en")
	want := "#2 ███████████████░░░░░░░░░░░░░░░  50% · 500/1,000 · 250 a second"
	if got := w.bar(st, 80); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, language := range []string{"zh", "en"} {
		for columns := 45; columns < 120; columns++ {
			if got := wordsIn(t, language).bar(st, columns); cells(got) >= columns {
				t.Errorf("%q does not fit %d columns", got, columns)
			}
		}
	}
	if got := w.bar(st, 30); got != "#2 50% · 500/1,000 · 250 a second" {
		t.Errorf("without room: %q", got)
	}
	st.Broadcast.State = models.Paused
	if got := w.bar(st, 80); !strings.HasSuffix(got, "· paused") {
		t.Errorf("paused: %q", got)
	}
}

func TestFoot(t *testing.T) {
	t.Parallel()
	now := time.Now()
	st := sampleStatus(models.Scheduled, models.Counts{})
	st.Broadcast.NotBefore = models.At(now.Add(1100 * time.Millisecond))
	if got := wordsIn(t, "en").foot(st, now, 80); got != "#2 starts in 2 s" {
		t.Errorf("got %q", got)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	st := sampleStatus(models.Finished, models.Counts{Delivered: 980, Blocked: 12, Failed: 8})
	want := []string{
		"",
		"Outcome of broadcast #2 · notice · finished",
		"  delivered     980   it reached the phone",
		"  accepted        0",
		"  blocked        12   the follower blocks the account",
		"  failed          8   the person has left the account",
		"  uncertain       0",
		"  recipients  1,000   = the sum",
		"  WeChat's own ledger (simulated): it reached 980 phones, each exactly once.",
	}
	if diff := cmp.Diff(want, wordsIn(t, "en").outcome(st, 980, 0, 80)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOutcomeThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	st := sampleStatus(models.Finished, models.Counts{Delivered: 1001})
	text := strings.Join(wordsIn(t, "en").outcome(st, 999, 2, 80), "\n")
	for _, part := range []string{"is not the sum!", "999 phones, 2 of them twice."} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestOutcomeOfPart(t *testing.T) {
	t.Parallel()
	st := sampleStatus(models.Cancelled, models.Counts{Delivered: 300, Failed: 1})
	text := strings.Join(wordsIn(t, "en").outcome(st, 300, 0, 80), "\n")
	for _, part := range []string{"· cancelled", "not sent      699", "= the sum"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	st.Broadcast.Recipients, st.Counts = 3, models.Counts{Delivered: 2, Accepted: 1}
	text = strings.Join(wordsIn(t, "zh").outcome(st, 3, 0, 80), "\n")
	if !strings.Contains(text, "收件人 3：已送达 2 + 已受理 1") {
		t.Errorf("a few:\n%s", text)
	}
}

func TestEveryStateHasItsWord(t *testing.T) {
	t.Parallel()
	states := []models.BroadcastState{
		models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed,
	}
	for _, language := range lang.Languages {
		for _, state := range states {
			if !wordsIn(t, language).Has("terminal.state." + string(state)) {
				t.Errorf("%s: no word for %s", language, state)
			}
		}
	}
}
