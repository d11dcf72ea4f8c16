package progress

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
)

// wordsIn returns the words of pages in a language.
func wordsIn(t *testing.T, language string) *Words {
	t.Helper()
	w, err := NewWords(language, modelstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEveryCodeHasWords reads the platform's codes from the client's table.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../services/wechat/outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\t(-?\d+):\s+\{`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 50 {
		t.Fatalf("found %d codes only", len(codes))
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		unknown := w.Cause(models.FailedFor, 1, "") // the platform has no such code
		for _, match := range codes {
			code, err := strconv.Atoi(match[1])
			if err != nil {
				t.Fatal(err)
			}
			// The platform's documents do not explain it.
			unexplained := code == 40264 || code == 89501
			if known := w.Cause(models.FailedFor, code, "") != unknown; code != 0 && known == unexplained {
				t.Errorf("%s: code %d has words: %t", language, code, known)
			}
		}
	}
}

// TestEveryStateHasWords words every state with every reason.
func TestEveryStateHasWords(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$|\{\w+\}`)
	states := []models.BroadcastState{models.Scheduled, models.Running, models.Paused, models.Finished, models.Cancelled, models.Failed}
	reasons := []string{
		"", models.ReasonAdmin, models.ReasonQuota, models.ReasonAccount, models.ReasonCredentials,
		models.ReasonContent, models.ReasonMessage, models.ReasonStreak, models.ReasonSync, models.ReasonSyncQuota, models.ReasonNobody,
		models.ReasonGone, models.ReasonProfiles, models.ReasonInfoQuota, models.ReasonSyncShort, "unheard",
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for _, state := range states {
			for _, reason := range reasons {
				for _, started := range []time.Time{{}, testNow.Add(-30 * time.Hour)} {
					s := &Snapshot{at: testNow, from: started, to: testNow, chart: chart{Line: "M0 0", max: 3}}
					s.Broadcast = models.Broadcast{
						ID: 1, State: state, Reason: reason, Detail: "words", Audience: models.AudienceRetry, OfID: 3,
						StartedAt: models.At(started), ResumeAt: models.At(testNow), NotBefore: models.At(testNow.Add(time.Second)),
					}
					for name, text := range w.View(s).Text {
						if key.MatchString(text) {
							t.Errorf("%s, %s %s: %s is %q", language, state, reason, name, text)
						}
					}
				}
			}
		}
		source, err := os.ReadFile("../../web/templates/progress.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\.Say "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
			if !w.Has(match[1]) {
				t.Errorf("%s: the template says %s, which has no words", language, match[1])
			}
		}
	}
}

func TestAReasonSaysWhoseWordsItRepeats(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for _, b := range []models.Broadcast{
			{State: models.Failed, Reason: models.ReasonContent, Detail: "47003 argument invalid!"},
			{State: models.Paused, Reason: models.ReasonSync, Detail: "48001 api unauthorized"},
			{State: models.Failed, Reason: models.ReasonMessage, Detail: "thing1"},
			{State: models.Paused, Reason: models.ReasonSyncQuota},
			{State: models.Paused, Reason: models.ReasonMissed},
			{State: models.Failed, Reason: models.ReasonTemplate, Detail: "thing1"},
		} {
			said := ""
			switch {
			case b.Reason == models.ReasonMessage || b.Reason == models.ReasonTemplate:
				said = w.Say("reason.field", lang.Vars{"Field": b.Detail})
			case b.Detail != "":
				said = w.Say("reason.said", lang.Vars{"Detail": b.Detail})
			}
			text := map[string]string{}
			w.reason(text, b, testNow)
			if text["said"] != said || !w.Has("todo."+b.Reason) || text["todo"] != w.Say("todo."+b.Reason) {
				t.Errorf("%s, %s: %q", language, b.Reason, text)
			}
		}
	}
}

// Recipients who are put off, and a wait that WeChat asks for, stand beside the time
// left.
func TestAPageTellsWhatABroadcastWaitsFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		until  time.Time
		slowed bool
		zh, en string
	}{
		"put off":      {testNow.Add(time.Minute), false, "2 人暂缓：最近发得太频繁，{at} 再试", "2 put off, written to too often, tried again at {at}"},
		"put off, due": {testNow, false, "2 人暂缓：最近发得太频繁", "2 put off, written to too often"},
		"slowed":       {testNow, true, "微信要求放慢，最多等一分钟 · 2 人暂缓：最近发得太频繁", "WeChat asks to go slower: waiting for up to a minute · 2 put off, written to too often"},
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for name, test := range tests {
			s := &Snapshot{at: testNow}
			s.Broadcast = models.Broadcast{ID: 1, State: models.Running, PlannedAt: models.At(testNow), Recipients: 10}
			s.Counts, s.Again, s.Slowed = models.Counts{Accepted: 8, Sending: 2, Deferred: 2}, test.until, test.slowed
			want := strings.ReplaceAll(map[string]string{"zh": test.zh, "en": test.en}[language], "{at}", lang.Clock(test.until))
			if got := w.View(s).Text["pace"]; got != want {
				t.Errorf("%s, %s: %q, want %q", language, name, got, want)
			}
		}
	}
}

func TestAPageTellsWhyABroadcastStandsStill(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][3]string{
		"zh": {"4 分钟没有进展", "微信接口没有正常应答，恢复后自动继续。", "最近一次的应答：HTTP 502"},
		"en": {"no progress for 4 min", "WeChat's API gives no usable answer; it goes on by itself.", "The last answer: HTTP 502"},
	} {
		w := wordsIn(t, language)
		s := &Snapshot{at: testNow}
		s.Broadcast = models.Broadcast{ID: 1, State: models.Running, PlannedAt: models.At(testNow), Recipients: 10}
		s.Counts = models.Counts{Accepted: 8}
		s.Stall = &broadcast.Stall{Since: testNow.Add(-4 * time.Minute), Reason: broadcast.StallNoAnswer, Detail: "HTTP 502"}
		text := w.View(s).Text
		if got := [3]string{text["pace"], text["reason"], text["said"]}; got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
		for _, reason := range []string{
			broadcast.StallLimited, broadcast.StallBusy, broadcast.StallAway, broadcast.StallRedis, broadcast.StallDatabase, broadcast.StallDisk,
		} {
			if !w.Has("stall." + reason) {
				t.Errorf("%s has no words for %q", language, reason)
			}
		}
	}
}

func TestAMissingPermissionIsNotCalledAWrongSecret(t *testing.T) {
	t.Parallel()
	reasons := map[string]map[string]string{
		"en": {"permission": "The account may not use this API (WeChat error 48001).", "credentials": "IP is not on the whitelist (WeChat error 40164)."},
		"zh": {"permission": "账号没有这个接口的权限（微信错误码 48001）。", "credentials": "IP 不在白名单里（微信错误码 40164）。"},
	}
	for _, language := range lang.Languages {
		w := wordsIn(t, language)
		for detail, kind := range map[string]string{"48001 api unauthorized": "permission", "40164 invalid ip": "credentials"} {
			text := map[string]string{}
			w.reason(text, models.Broadcast{State: models.Paused, Reason: models.ReasonCredentials, Detail: detail}, testNow)
			want := map[string]string{
				"reason": reasons[language][kind], "said": w.Say("reason.said", lang.Vars{"Detail": detail}), "todo": w.Say("todo." + kind),
			}
			if diff := cmp.Diff(want, text); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", language, diff)
			}
			if !w.Has("todo." + kind) {
				t.Errorf("%s: no words for %s", language, kind)
			}
		}
	}
}

// What was approved and did not begin within an hour of its time is not resumed: it takes
// another time.
func TestThePageOfAnApprovalThatIsLate(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{"en": {"not approved by its time", "reschedule"}, "zh": {"没有等到同意", "改期"}} {
		w := wordsIn(t, language)
		b := models.Broadcast{State: models.Paused, Reason: models.ReasonMissed, Approvals: 1, NotBefore: models.At(testNow.Add(-2 * time.Hour))}
		text := map[string]string{}
		w.reason(text, b, testNow)
		if !strings.Contains(text["reason"], want[0]) || !strings.Contains(text["todo"], want[1]) || strings.Contains(text["todo"], "resume") {
			t.Errorf("%s: %q", language, text)
		}
		b.Reason = models.ReasonAdmin // paused until long after its time
		w.reason(text, b, testNow)
		if text["reason"] != w.Say("reason.admin_paused") || !strings.Contains(text["todo"], want[1]) || strings.Contains(text["todo"], "resume") {
			t.Errorf("%s, paused by an admin: %q", language, text)
		}
		b.NotBefore = models.At(testNow.Add(-time.Minute))
		if w.reason(text, b, testNow); text["todo"] != w.Say("todo.admin") {
			t.Errorf("%s, paused by an admin a minute ago: %q", language, text)
		}
	}
}
