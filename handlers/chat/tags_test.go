package chat

import (
	"context"
	"strings"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/wechat"
)

// Tags are those of a test that sets them, by its stage.
func (s stageEngine) Tags(context.Context) ([]wechat.Tag, error) { return stageTags, s.err }

func (s stageEngine) Target(context.Context, broadcast.Request) (models.Target, error) {
	return models.Target{}, s.err
}

// stageTags are the account's tags.
var stageTags = []wechat.Tag{
	{ID: 2, Name: "星标组", Count: 0}, {ID: 100, Name: "老 读者", Count: 12_345}, {ID: 101, Name: "vip", Count: 1},
}

func TestTagsAreListed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ language, text, want string }{
		{"zh", "标签", "公众号的标签，共 3 个。要发给其中一个，请发送：群发标签 “老 读者”\n星标组 · 0 人\n老 读者 · 12,345 人\nvip · 1 人"},
		{"en", "tags", "The account's tags: 3. To send to one: broadcast tag “老 读者”\n星标组 · 0 followers\n老 读者 · 12,345 followers\nvip · 1 follower"},
	} {
		s := newStage(t, c.language)
		if got := s.ask(t, admin, c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.language, got, c.want)
		}
		s.err = models.NewError(models.Unavailable, models.ErrTagsUnchecked, "Code", 45009, "Reason", "reach max api daily quota limit")
		if got := s.ask(t, admin, c.text); !strings.Contains(got, "45009") {
			t.Errorf("%s: %q", c.language, got)
		}
	}
}

// The reply says whose count its number is, if it is not ours: WeChat's while the tag is not
// pulled, or that of the last sync if to count the followers took too long.
func TestTheReplySaysWhoseCountANumberIs(t *testing.T) {
	t.Parallel()
	tag := models.Target{Groups: []models.Group{{Kind: models.GroupTag, Name: "读者", ID: 100}}}
	for _, test := range []struct {
		line  string
		asked broadcast.Created
		wants map[string]string
	}{
		{
			"broadcast tag 读者",
			broadcast.Created{Announced: true, Broadcast: models.Broadcast{Audience: models.AudienceGroups, Target: tag}},
			map[string]string{"zh": "人数是微信统计的", "en": "WeChat's own count"},
		},
		{
			"broadcast all",
			broadcast.Created{Listed: true, Broadcast: models.Broadcast{Audience: models.AudienceAll}},
			map[string]string{"zh": "上次同步时的关注人数", "en": "so many followed at the last sync"},
		},
	} {
		for language, want := range test.wants {
			for _, ours := range []bool{false, true} {
				s, asked := newStage(t, language), test.asked
				asked.Recipients, asked.Broadcast.ID, asked.Broadcast.Name, asked.Broadcast.State = 12_345, 7, "notice", models.Scheduled
				if ours {
					asked.Announced, asked.Listed = false, false
				}
				s.asked = &asked
				got := s.ask(t, admin, test.line)
				if strings.Contains(got, want) == ours || !strings.Contains(got, "12,345") {
					t.Errorf("%s, %s, ours %v: %q", test.line, language, ours, got)
				}
			}
		}
	}
}

func TestWhyATagsBroadcastIsPaused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ reason, detail, zh, en string }{
		{models.ReasonTags, "员工", "标签「员工」在公众平台上已经不存在了", "has no tag 员工 any more"},
		{models.ReasonTags, "2026", "标签「2026」在公众平台上已经不存在了", "has no tag 2026 any more"},
		{models.ReasonTags, "45011 api minute-quota reach limit", "标签没有读取成功：", "A tag could not be pulled: "},
		{models.ReasonTags, "", "标签没有读取成功。", "A tag could not be pulled."},
		{models.ReasonTagsQuota, "", "今天读取标签的次数用完了。", "Today's calls for pulling tags are used up."},
	} {
		for language, want := range map[string]string{"zh": c.zh, "en": c.en} {
			s := newStage(t, language)
			st := broadcast.Status{Broadcast: models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Paused, Reason: c.reason, Detail: c.detail}}
			if got := s.Notice(notify.Paused, st); !strings.Contains(got, want) {
				t.Errorf("%s: %q lacks %q", language, got, want)
			}
		}
	}
}

// What the platform kept back is told, unless it is nothing or not known.
func TestWhatWasInterceptedIsTold(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"zh": "拦截", "en": "ntercepted"} {
		for _, n := range []int64{-1, 0, 1234} {
			s := newStage(t, language)
			st := broadcast.Status{
				Broadcast: models.Broadcast{ID: 7, Name: "notice", Audience: models.AudienceAll, State: models.Finished, Recipients: 5000, Intercepted: n},
				Counts:    models.Counts{Accepted: 5000},
			}
			for _, text := range []string{s.Notice(notify.Finished, st), s.statusText(st)} {
				if strings.Contains(text, want) != (n > 0) || n > 0 && !strings.Contains(text, "1,234") {
					t.Errorf("%s, %d: %q", language, n, text)
				}
			}
		}
	}
}

func TestTheBlacklistIsTold(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][]string{
		"zh": {"黑名单：3", "在公众号的黑名单里", "不会收到下一次群发"}, "en": {"Blacklisted: 3", "On the account's blacklist", "Would not get the next broadcast"},
	} {
		s := newStage(t, language)
		if got := s.ask(t, admin, "stats"); strings.Contains(got, want[0]) {
			t.Errorf("%q", got)
		}
		s.stats = followers.Stats{RecipientCounts: models.RecipientCounts{Followers: 10, Blacklisted: 3}}
		if got := s.ask(t, admin, "stats"); !strings.Contains(got, want[0]) {
			t.Errorf("%q", got)
		}
		k := &followers.Known{Recipient: models.Recipient{ID: 1, OpenID: follower, Subscribed: true, Blacklisted: true}}
		if got := s.next(k); !strings.Contains(got, want[2]) {
			t.Errorf("%q", got)
		}
	}
}
