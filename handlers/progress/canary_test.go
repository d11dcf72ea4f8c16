package progress

import (
	"strings"
	"testing"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// The page says how far the canary is, and how to go on after it.
func TestAPageTellsOfACanary(t *testing.T) {
	t.Parallel()
	b := models.Broadcast{
		ID: 7, Audience: models.AudienceAll, State: models.Running, Recipients: 5000, Canary: 50, CanarySegment: 3,
		StartedAt: models.At(testNow), Intercepted: -1,
	}
	admin, waits, goesOn := b, b, b
	admin.State, admin.Reason = models.Paused, models.ReasonAdmin
	waits.State, waits.Reason, waits.CanaryAt = models.Paused, models.ReasonCanary, models.At(testNow)
	goesOn.CanaryAt = models.At(testNow)
	unchosen := b
	unchosen.Canary, unchosen.CanarySegment = models.CanaryAsSet, 0
	for name, test := range map[string]struct {
		b    models.Broadcast
		want map[string][]string // what the page says, by language
		not  bool
	}{
		"running":         {b: b, want: map[string][]string{"en": {"12 of the 50 who are tried first; then it pauses"}, "zh": {"试发 12/50，之后暂停"}}},
		"not chosen yet":  {b: unchosen, want: map[string][]string{"en": {"some are tried first; then it pauses"}, "zh": {"先试发一部分人，之后暂停"}}},
		"paused by admin": {b: admin, want: map[string][]string{"en": {"12 of the 50 who are tried first"}, "zh": {"试发 12/50"}}},
		"tried": {b: waits, want: map[string][]string{
			"en": {"tried on 50 first; the others wait", "The first recipients were tried.", "“broadcast resume #7”"},
			"zh": {"已试发 50 人，其余的人在等待", "已先试发一部分人", "「继续 #7」"},
		}},
		"goes on": {b: goesOn, want: map[string][]string{"en": {"tried"}, "zh": {"试发"}}, not: true},
	} {
		for _, language := range lang.Languages {
			v := wordsIn(t, language).View(&Snapshot{at: testNow, Status: broadcast.Status{
				Broadcast: test.b, Counts: models.Counts{Accepted: 12, Sending: 3},
			}})
			text := v.Text["pace"] + "\n" + v.Text["reason"] + "\n" + v.Text["todo"]
			for _, want := range test.want[language] {
				if strings.Contains(text, want) == test.not {
					t.Errorf("%s, %s: %q in %q is %t", name, language, want, text, test.not)
				}
			}
		}
	}
}
