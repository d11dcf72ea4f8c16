package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
)

// What the program itself noted of a delivery is a cause, in the language of the
// reader. What WeChat said stays in its own words, in a column of its own.
func TestTheListTellsOurCausesInItsLanguage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		state  models.DeliveryState
		code   int
		detail string
		zh, en [2]string // cause, WeChat's words
	}{
		"a crash": {
			models.Uncertain, 0, models.DetailUnrecorded,
			[2]string{"结果未知（已开始发送，没来得及记录结果，再问微信已经太晚）", ""},
			[2]string{"The outcome was lost (it was begun and not recorded, and too late to ask again)", ""},
		},
		"a cancel": {
			models.Uncertain, 0, models.DetailEnded,
			[2]string{"结果未知（已开始发送，群发在得知结果之前就结束了）", ""},
			[2]string{"The outcome was lost (it was begun, and the broadcast ended before it was known what came of it)", ""},
		},
		"no answer": {
			models.Uncertain, 0, models.DetailNoAnswer + ": no answer in time",
			[2]string{"结果未知（在可以安全重试的时间内，微信一直没有应答）", "没有及时应答"},
			[2]string{"The outcome was lost (no answer came while it was safe to ask again)", "no answer in time"},
		},
		"refused after a call without an answer": {
			models.Uncertain, 43019, models.DetailEarlier + ": blacklisted",
			[2]string{"结果未知（之前一次没有应答的发送可能已被受理）", "blacklisted"},
			[2]string{"The outcome was lost (an earlier try without an answer may have been taken)", "blacklisted"},
		},
		"left before the next try": {
			models.FailedFor, 43117, models.DetailWithdrawn,
			[2]string{"最近给这个人发得太频繁（下次重试之前，对方已退订或取消关注）", ""},
			[2]string{"This person was written to too often (they opted out or left before the next try)", ""},
		},
		"not filled in": {
			models.FailedFor, 0, `message "notice", field thing1, .Remark: is blank`,
			[2]string{"消息填不完整（thing1）", ""},
			[2]string{"The message could not be filled in (thing1)", ""},
		},
		"a receipt": {
			models.FailedFor, 0, "failed: system failed",
			[2]string{"微信内部出错，没有送达", "failed: system failed"},
			[2]string{"WeChat failed to deliver it", "failed: system failed"},
		},
		"a code": {
			models.FailedFor, 43004, "require subscribe rid: 1",
			[2]string{"已取消关注", "require subscribe rid: 1"},
			[2]string{"No longer follows", "require subscribe rid: 1"},
		},
		"words of a library": {
			models.Uncertain, 0, models.DetailNoAnswer + ": gibberish",
			[2]string{"结果未知（在可以安全重试的时间内，微信一直没有应答）", ""},
			[2]string{"The outcome was lost (no answer came while it was safe to ask again)", "gibberish"},
		},
	}
	for name, test := range tests {
		for language, want := range map[string][2]string{"zh": test.zh, "en": test.en} {
			row := csvRow(wordsIn(t, language), models.Unreached{OpenID: "o", State: test.state, ErrCode: test.code, Detail: test.detail})
			if diff := cmp.Diff(want, [2]string{row[3], row[4]}); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, language, diff)
			}
		}
	}
}

// Who was skipped is in the list with the cause alone: nothing was sent, and WeChat said
// nothing.
func TestTheListTellsWhoWasSkipped(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"zh": "最近收到的群发已达上限", "en": "as many broadcasts lately as the cap allows"} {
		w := wordsIn(t, language)
		row := csvRow(w, models.Unreached{OpenID: "o", State: models.Skipped, Detail: models.DetailCap})
		if row[1] != w.Say("csv.skipped") || !strings.Contains(row[3], want) || row[4] != "" || row[6] != "–" {
			t.Errorf("%q", row)
		}
	}
}
