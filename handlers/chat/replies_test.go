package chat

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/notify"
	"wechat-broadcast/services/wechat"
)

func sample() models.Broadcast {
	return models.Broadcast{
		ID: 7, Name: "notice", Audience: models.AudienceAll, AskedBy: admin, State: models.Running, Recipients: 24_900,
		AskedAt: models.At(now.Add(-5 * time.Minute)), NotBefore: models.At(now.Add(-5*time.Minute + 10*time.Second)),
		StartedAt: models.At(now.Add(-4 * time.Minute)),
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, language, text string
		asked                func(*broadcast.Created)
		link                 string
		call                 string
		want                 string
	}{
		{
			name: "everyone", language: "en", text: "broadcast all notice", link: "https://example.com/b/x",
			call: "ask Message:notice Audience:all AskedBy:" + admin + " RequestKey:m:1",
			want: "Broadcast #7 · notice → 24,900 followers\nStarts in 10 s. To stop it: broadcast cancel #7\nProgress: https://example.com/b/x",
		},
		{
			name: "everyone, in Chinese", language: "zh", text: "群发全部 notice 再发",
			call: "ask Message:notice Audience:all AskedBy:" + admin + " RequestKey:m:1 Again:true",
			want: "群发 #7 · notice → 24,900 位关注者\n10 秒后开始。如需停止，请发送：取消 #7",
		},
		{
			name: "one follower", language: "en", text: "broadcast all",
			asked: func(a *broadcast.Created) { a.Recipients = 1; a.Broadcast.NotBefore = a.Broadcast.AskedAt },
			call:  "ask Audience:all AskedBy:" + admin + " RequestKey:m:1",
			want:  "Broadcast #7 · notice → 1 follower\nIt starts now. To stop it: broadcast cancel #7",
		},
		{
			name: "nobody pulled yet", language: "en", text: "broadcast all",
			asked: func(a *broadcast.Created) { a.Recipients, a.SyncFirst = 0, true },
			call:  "ask Audience:all AskedBy:" + admin + " RequestKey:m:1",
			want:  "Broadcast #7 · notice → every follower\nThere is no follower list yet, so it is synced first.\nStarts in 10 s. To stop it: broadcast cancel #7",
		},
		{
			name: "me", language: "en", text: "broadcast me",
			asked: func(a *broadcast.Created) { a.Broadcast.Audience = models.AudienceMe; a.Recipients = 1 },
			call:  "ask Audience:me AskedBy:" + admin + " RequestKey:m:1",
			want:  "Broadcast #7 · notice → you",
		},
		{
			name: "test list", language: "en", text: "broadcast test",
			asked: func(a *broadcast.Created) {
				a.Broadcast.Audience, a.Broadcast.NotBefore, a.Recipients = models.AudienceTest, models.Time{}, 3
			},
			call: "ask Audience:test AskedBy:" + admin + " RequestKey:m:1",
			want: "Broadcast #7 · notice → 3 on the test list\nIt starts now. To stop it: broadcast cancel #7",
		},
		{
			name: "warnings", language: "en", text: "broadcast me",
			asked: func(a *broadcast.Created) {
				a.Broadcast.Audience = models.AudienceMe
				a.Warnings = []check.Warning{
					{Code: check.WarnCut, Args: map[string]any{"Field": "thing1", "Value": "abc…"}},
					{Code: check.WarnQuota, Args: map[string]any{"Remain": int64(10_000), "Recipients": int64(24_900), "ResumeAt": time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)}},
				}
			},
			call: "ask Audience:me AskedBy:" + admin + " RequestKey:m:1",
			want: "Broadcast #7 · notice → you\nNote: “thing1” is too long for WeChat and goes out as “abc…”.\n" +
				"Note: today's quota has 10,000 sends left for 24,900 recipients. It will pause there and go on by itself at 11-25 00:00 (Beijing).",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			s.link = tt.link
			s.asked = &broadcast.Created{Broadcast: sample(), Recipients: 24_900}
			if tt.asked != nil {
				tt.asked(s.asked)
			}
			if got := s.ask(t, admin, tt.text); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			s.wantCalls(t, tt.call)
		})
	}
}

// WeChat's codes have sentences of ours. Its own words, which are English, are not told.
func TestOurReasonsAreInTheChatsLanguage(t *testing.T) {
	t.Parallel()
	tests := []struct{ reason, detail, en, zh string }{
		{models.ReasonMessage, "", "The message can't be filled in. Correct it and ask for a new broadcast.", "消息填不完整。请改好后重新群发。"},
		{models.ReasonMessage, "thing1", "The message can't be filled in (thing1). Correct it and ask for a new broadcast.", "消息填不完整（thing1）。请改好后重新群发。"},
		{models.ReasonSync, "", "The follower list could not be synced: WeChat gave no proper answer.", "关注者名单没有同步成功：微信没有正常应答。"},
		{models.ReasonSync, "48001 api unauthorized", "The follower list could not be synced: The account may not use this API (WeChat error 48001).", "关注者名单没有同步成功：账号没有这个接口的权限（微信错误码 48001）。"},
		{models.ReasonQuota, "45009 reach max api daily quota limit rid: 6", "Today's sends are used up (WeChat error 45009).", "今天的发送次数用完了（微信错误码 45009）。"},
		{models.ReasonQuota, "", "Today's sends are used up.", "今天的发送次数用完了。"},
		{
			models.ReasonCredentials, "40164 the address 1.2.3.4 is not on the account's IP whitelist: add it in the platform's console (invalid ip 1.2.3.4)",
			"IP 1.2.3.4 is not on the whitelist (WeChat error 40164). Check the AppID, the AppSecret and the IP whitelist.",
			"IP 1.2.3.4 不在白名单里（微信错误码 40164）。请检查 AppID、AppSecret 和 IP 白名单。",
		},
		{
			models.ReasonCredentials, "40001 invalid credential", "The AppSecret is wrong (WeChat error 40001). Check the AppID, the AppSecret and the IP whitelist.",
			"AppSecret 不对（微信错误码 40001）。请检查 AppID、AppSecret 和 IP 白名单。",
		},
		{
			models.ReasonContent, "47003 argument invalid! data.thing1.value rid: 6",
			"WeChat refuses the template or its data: The value of thing1 breaks the template's rules (WeChat error 47003). Correct the message and ask for a new broadcast.",
			"微信拒绝了模板或其内容：字段 thing1 的值不合模板的规则（微信错误码 47003）。请改好消息后重新群发。",
		},
		{models.ReasonStreak, "12345 something odd", "The same error came again and again: WeChat error 12345.", "同一个错误接连出现：微信错误码 12345。"},
		{models.ReasonStreak, "HTTP 502", "The same error came again and again: HTTP 502.", "同一个错误接连出现：HTTP 502。"},
		{models.ReasonStreak, "some words of a library", "The same error came again and again: some words of a library.", "同一个错误接连出现。"},
		{models.ReasonSyncQuota, "", "Today's calls for syncing the follower list are used up.", "今天同步关注者名单的次数用完了。"},
	}
	for _, language := range lang.Languages {
		s := newStage(t, language)
		for _, tt := range tests {
			want := map[string]string{"en": tt.en, "zh": tt.zh}[language]
			if got := s.reason(models.Broadcast{Reason: tt.reason, Detail: tt.detail}); got != want {
				t.Errorf("%s %q: %q, want %q", tt.reason, tt.detail, got, want)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	counts := models.Counts{Accepted: 1_340, Delivered: 11_000, Blocked: 60, Failed: 40, Uncertain: 10, Sending: 64}
	tests := []struct {
		name, language string
		change         func(*broadcast.Status)
		want           string
	}{
		{
			"running", "en", func(*broadcast.Status) {},
			"Broadcast #7 · notice · all followers\nRunning · 12,450 of 24,900 (50%)\n" +
				"delivered 11,000 · accepted 1,340 · blocked 60 · failed 40 · uncertain 10 · under way 64\n98 a second · about 2 min left\nProgress: https://example.com/b/x",
		},
		{
			"running", "zh", func(*broadcast.Status) {},
			"群发 #7 · notice · 全体关注者\n进行中 · 12,450 / 24,900（50%）\n" +
				"已送达 11,000 · 已受理 1,340 · 对方拒收 60 · 失败 40 · 不确定 10 · 发送中 64\n每秒 98 条 · 约剩 2 分钟\n进度：https://example.com/b/x",
		},
		{
			"some put off", "en", func(st *broadcast.Status) {
				st.Counts, st.Rate, st.Left = models.Counts{Accepted: 24_890, Sending: 10, Deferred: 8}, 4, 0
				st.Again = now.Add(time.Minute)
			},
			"Broadcast #7 · notice · all followers\nRunning · 24,890 of 24,900 (99.9%)\n" +
				"accepted 24,890 · put off 8 · under way 2\n4 a second\n" +
				"Put off: 8, written to too often lately. Tried again at 11-24 09:01 (Beijing).\nProgress: https://example.com/b/x",
		},
		{
			"some put off, due", "zh", func(st *broadcast.Status) {
				st.Counts, st.Rate, st.Left = models.Counts{Accepted: 24_898, Sending: 2, Deferred: 2}, 0, 0
				st.Again = now
			},
			"群发 #7 · notice · 全体关注者\n进行中 · 24,898 / 24,900（99.9%）\n" +
				"已受理 24,898 · 暂缓 2\n有 2 人暂缓发送：最近给他们发得太频繁。\n进度：https://example.com/b/x",
		},
		{
			"slowed", "en", func(st *broadcast.Status) {
				st.Counts, st.Rate, st.Left, st.Slowed = models.Counts{Accepted: 12_450}, 0, 0, true
			},
			"Broadcast #7 · notice · all followers\nRunning · 12,450 of 24,900 (50%)\naccepted 12,450\n" +
				"WeChat asks to go slower, so nothing is sent for up to a minute; then it goes on by itself.\nProgress: https://example.com/b/x",
		},
		{
			"no progress", "en", func(st *broadcast.Status) {
				st.Counts, st.Rate, st.Left = models.Counts{Accepted: 12_450}, 0, 0
				st.Stall = &broadcast.Stall{Since: now.Add(-4 * time.Minute), Reason: broadcast.StallNoAnswer, Detail: "HTTP 502"}
			},
			"Broadcast #7 · notice · all followers\nRunning · 12,450 of 24,900 (50%)\naccepted 12,450\n" +
				"No progress for 4 min: WeChat's API gives no usable answer (HTTP 502). It is tried again and again, and the broadcast goes on by itself.\n" +
				"Progress: https://example.com/b/x",
		},
		{
			"no progress, in Chinese", "zh", func(st *broadcast.Status) {
				st.Counts, st.Rate, st.Left = models.Counts{Accepted: 12_450}, 0, 0
				st.Stall = &broadcast.Stall{Since: now.Add(-4 * time.Minute), Reason: broadcast.StallDisk}
			},
			"群发 #7 · notice · 全体关注者\n进行中 · 12,450 / 24,900（50%）\n已受理 12,450\n" +
				"已有 4 分钟没有进展：数据库所在的磁盘满了。腾出空间后自动继续。\n进度：https://example.com/b/x",
		},
		{"waiting", "en", func(st *broadcast.Status) {
			st.Broadcast.State, st.Broadcast.NotBefore, st.Counts = models.Scheduled, models.At(now.Add(8*time.Second)), models.Counts{}
		}, "Broadcast #7 · notice · all followers\nWaiting · starts in 8 s; to stop it: broadcast cancel #7\nProgress: https://example.com/b/x"},
		{"planning", "en", func(st *broadcast.Status) {
			st.Broadcast.Recipients, st.Counts, st.Rate, st.Left = 0, models.Counts{}, 0, 0
		}, "Broadcast #7 · notice · all followers\nRunning · putting the list together\nProgress: https://example.com/b/x"},
		{"out of quota", "en", func(st *broadcast.Status) {
			b := &st.Broadcast
			b.State, b.Reason, b.ResumeAt = models.Paused, models.ReasonQuota, models.At(now.Add(15*time.Hour))
			st.Counts.Sending = 0
		}, "Broadcast #7 · notice · all followers\nPaused · 12,450 of 24,900 (50%)\n" +
			"delivered 11,000 · accepted 1,340 · blocked 60 · failed 40 · uncertain 10\nToday's sends are used up.\n" +
			"It goes on by itself at 11-25 00:00 (Beijing). Sooner: broadcast resume #7\nProgress: https://example.com/b/x"},
		{"account at stake", "zh", func(st *broadcast.Status) {
			b := &st.Broadcast
			b.State, b.Reason, b.Detail = models.Paused, models.ReasonAccount, "43116 banned"
			st.Counts = models.Counts{Accepted: 1}
		}, "群发 #7 · notice · 全体关注者\n已暂停 · 1 / 24,900（0.1%）\n已受理 1\n" +
			"微信限制了本账号或模板：模板被封禁（微信错误码 43116）。请先到 mp.weixin.qq.com 查看站内信，再决定是否继续。\n" +
			"要继续，请发送：继续 #7\n要取消，请发送：取消 #7\n进度：https://example.com/b/x"},
		{"finished", "en", func(st *broadcast.Status) {
			st.Broadcast.State, st.Broadcast.FinishedAt = models.Finished, models.At(now)
			st.Counts = models.Counts{Delivered: 24_900}
		}, "Broadcast #7 · notice · all followers\nFinished · 24,900 of 24,900 (100%)\ndelivered 24,900\nTook 4 min\nProgress: https://example.com/b/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.language, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.language)
			s.link = "https://example.com/b/x"
			s.status = broadcast.Status{Broadcast: sample(), Counts: counts, Rate: 97.6, Left: 127 * time.Second}
			tt.change(&s.status)
			// The line with the price has a test of its own (TestThePriceOfABroadcast).
			price := s.say("status.price", vars{"Left": int64(0), "OptedOut": int64(0)}) + "\n"
			if got := strings.Replace(s.ask(t, admin, "broadcast status #7"), price, "", 1); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			s.wantCalls(t, "status 7")
		})
	}
}

func TestPauseResumeAndCancel(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.status.Broadcast = sample()
	wantAll(t, s.ask(t, admin, "pause"), "#7 is paused", "broadcast resume #7", "broadcast cancel #7")
	wantAll(t, s.ask(t, admin, "继续 #7"), "#7 goes on")
	wantAll(t, s.ask(t, admin, "broadcast cancel ＃７"), "#7 is cancelled", "broadcast status #7")
	s.status.Broadcast.StartedAt = models.Time{}
	wantAll(t, s.ask(t, admin, "cancel"), "Nobody got it")
	s.wantCalls(t, "pause 0 by "+admin, "resume 7 by "+admin, "cancel 7 by "+admin, "cancel 0 by "+admin)
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, admin, "broadcast list"), "no broadcast yet")
	s.list = []broadcast.Status{
		{Broadcast: sample(), Counts: models.Counts{Accepted: 12_000, Failed: 5}},
		{Broadcast: models.Broadcast{ID: 6, Name: "other", Audience: models.AudienceTest, State: models.Cancelled, Recipients: 3, AskedAt: models.At(now)}},
	}
	wantAll(t, s.ask(t, admin, "群发记录"), "#7 notice · all followers · Running · 12,000 of 24,900 · 11-24 08:55",
		"#6 other · test list · Cancelled · 0 of 3 · 11-24 09:00")
	s.wantCalls(t, "list 10", "list 10")
}

// TestListLink checks that the link to the history is whole and at the end, however
// long the list is.
func TestListLink(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		s.history = "https://example.com/b/" + strings.Repeat("x", 60)
		for range 10 {
			b := sample()
			b.Name = strings.Repeat("通知", 20)
			s.list = append(s.list, broadcast.Status{Broadcast: b})
		}
		if got := s.ask(t, admin, "broadcast list"); !strings.HasSuffix(got, s.history) {
			t.Errorf("%s: the list ends without the link:\n%s", language, got)
		}
		s.list = nil
		if got := s.ask(t, admin, "broadcast list"); strings.Contains(got, s.history) {
			t.Errorf("%s: there is a link to an empty history:\n%s", language, got)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	got := s.ask(t, admin, "messages")
	wantAll(t, got, "2 messages:", "notice (default)", "thing1: 图书馆周三闭馆，请各位读者提前归还所借…", "time2: 2026年11月24日 09:00",
		"keyword3: "+admin, "→ https://example.com/notices/1", "birthday\ncan't be shown: ", "city")
	s.file.Set("messages:\n  notice: {}\n")
	wantAll(t, s.ask(t, admin, "消息"), "The message file has faults", "template_id")
}

func TestTesters(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, admin, "testers"), "empty", "testers add OPENID")
	twins := []string{"oAbcdefghijklmnop123", "oAbcdefghijk_mnop123"}
	s.testers = []models.Recipient{
		{OpenID: follower, Subscribed: true}, {OpenID: admin}, {OpenID: twins[0], Subscribed: true, OptedOut: true},
	}
	got := s.ask(t, admin, "测试名单")
	wantAll(t, got, "3 on the test list", "\n"+follower+"\n", admin+" · no longer follows", twins[0]+" · opted out")
	wantAll(t, s.ask(t, admin, "testers add "+follower), follower+" is on the test list now")
	wantAll(t, s.ask(t, admin, "testers remove "+follower), "is off the test list")
	for _, text := range []string{"testers remove oAbc…123", "testers remove oAbc...123", "测试名单删除oAbc……123"} {
		wantAll(t, s.ask(t, admin, text), twins[0]+" is off the test list")
	}
	s.wantCalls(t, "add "+follower, "remove "+follower, "remove "+twins[0], "remove "+twins[0], "remove "+twins[0])

	s.calls = nil
	wantAll(t, s.ask(t, admin, "testers remove oabc…123"), "is not on the test list")
	s.testers = append(s.testers, models.Recipient{OpenID: twins[1]})
	wantAll(t, s.ask(t, admin, "testers remove oAbc…123"), "More than one", twins[0], twins[1])
	s.wantCalls(t)
	s.changed = false
	wantAll(t, s.ask(t, admin, "testers add "+follower), "already")
	wantAll(t, s.ask(t, admin, "testers remove "+follower), "was not on")
}

func TestSync(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	wantAll(t, s.ask(t, admin, "sync"), "Syncing the follower list")
	s.wantCalls(t, "sync, confirmed: false")
	s.calls = nil
	s.syncEnded(t.Context(), followers.SyncResult{}, errors.New("dial: refused"))
	s.wantCalls(t, "notify "+admin+": "+s.SyncNotice(followers.SyncResult{}, errors.New("dial: refused")))
	for _, text := range []string{"sync confirm", "同步 确认", "同步确认"} {
		s.calls = nil
		s.ask(t, admin, text)
		s.wantCalls(t, "sync, confirmed: true")
	}
	s.err = models.NewError(models.Conflict, models.ErrSyncRunning)
	wantAll(t, s.ask(t, admin, "同步"), "being synced already")
	wantAll(t, s.SyncNotice(followers.SyncResult{}, s.err), "being synced already")

	got := s.SyncNotice(followers.SyncResult{Total: 24_900, Added: 100, Returned: 20, Left: 37, Resumed: true, Took: 7 * time.Second}, nil)
	wantAll(t, got, "24,900 (+120 −37) in 7 s", "went on where")
	wantAll(t, s.SyncNotice(followers.SyncResult{Suspicious: true, Total: 43, Known: 12_000, Announced: 50}, nil),
		"listed 43 followers; 12,000 were known", "counts 50", "nobody was marked as having left", "send “sync confirm”")
	if got := s.SyncNotice(followers.SyncResult{Suspicious: true, Known: 12_000}, nil); strings.Contains(got, "confirm") {
		t.Errorf("an empty list can't be confirmed:\n%s", got)
	}
	wantAll(t, s.SyncNotice(followers.SyncResult{}, errors.New("dial: refused")), "dial: refused", "try again: sync")
	quota := models.NewError(models.Unavailable, models.ErrSyncQuota, "At", now.Add(15*time.Hour))
	wantAll(t, s.SyncNotice(followers.SyncResult{}, quota), "It can go on at 11-25 00:00")
}

func TestStats(t *testing.T) {
	t.Parallel()
	s := newStage(t, "en")
	s.stats = followers.Stats{RecipientCounts: models.RecipientCounts{Followers: 24_900, OptedOut: 12, Testers: 3, Left: 310}}
	wantAll(t, s.ask(t, admin, "stats"), "Followers: 24,900", "Left: 310", "Opted out: 12", "Test list: 3", "Sent today: 24,800",
		"75,200 of 100,000", "Follower list synced: never yet. To sync it: sync")
	s.stats.LastSync = now
	s.quota = func(context.Context) (wechat.Quota, error) { return wechat.Quota{}, errors.New("away") }
	wantAll(t, s.ask(t, admin, "统计"), "WeChat doesn't say", "synced: 11-24 09:00")
}

// The reply waits for two seconds, and says that the quota is not known.
func TestStatsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "en")
		s.quota = func(ctx context.Context) (wechat.Quota, error) {
			<-ctx.Done()
			return wechat.Quota{}, ctx.Err()
		}
		begun := time.Now()
		wantAll(t, s.ask(t, admin, "stats"), "Sent today", "WeChat doesn't say")
		if took := time.Since(begun); took != quotaPatience {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNotice(t *testing.T) {
	t.Parallel()
	done := sample()
	done.State, done.FinishedAt = models.Finished, models.At(now)
	paused := sample()
	paused.State, paused.Reason, paused.ResumeAt = models.Paused, models.ReasonQuota, models.At(now.Add(15*time.Hour))
	failed := sample()
	failed.State, failed.Reason, failed.Detail = models.Failed, models.ReasonContent, "40037 invalid template_id"
	tests := []struct {
		name, language, kind string
		st                   broadcast.Status
		want                 string
	}{
		{
			"finished", "en", notify.Finished,
			broadcast.Status{Broadcast: done, Counts: models.Counts{Accepted: 4_800, Delivered: 20_000, Blocked: 60, Failed: 37, Uncertain: 3}},
			"Broadcast #7 · notice is finished after 4 min.\nWeChat took 24,860 of 24,900 (99.8%).\nDelivered: 20,000\n" +
				"Accepted, no receipt yet: 4,800. Later ones show in: broadcast status #7\nBlocked by the recipient: 60\nFailed: 37\nUncertain, may have arrived: 3",
		},
		{
			"finished", "zh", notify.Finished,
			broadcast.Status{Broadcast: done, Counts: models.Counts{Delivered: 24_900}},
			"群发 #7 · notice 已完成，用时 4 分钟。\n24,900 位收件人，微信受理 24,900（100%）。\n已送达：24,900",
		},
		{
			"out of quota", "en", notify.Paused,
			broadcast.Status{Broadcast: paused, Counts: models.Counts{Accepted: 10_000, Sending: 2}},
			"Broadcast #7 · notice is paused.\nToday's sends are used up.\nWeChat took 10,000 of 24,900 (40.2%).\nAccepted, no receipt yet: 10,000\n" +
				"Not settled yet: 2\nNot sent: 14,898\nIt goes on by itself at 11-25 00:00 (Beijing). Sooner: broadcast resume #7",
		},
		{
			"wrong template", "en", notify.Failed,
			broadcast.Status{Broadcast: failed},
			"Broadcast #7 · notice has stopped.\nWeChat refuses the template or its data: The template id is not valid (WeChat error 40037). Correct the message and ask for a new broadcast.\nNothing was sent.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.language, func(t *testing.T) {
			t.Parallel()
			if got := newStage(t, tt.language).Notice(tt.kind, tt.st); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
	wantAll(t, newStage(t, "en").Notice("news", broadcast.Status{Broadcast: done}), "Finished")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  *models.Error
		want []string
	}{
		{
			models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(12_345), "Name", "notice"),
			[]string{"“notice” went to everyone already (#12345)", "broadcast status #12345", "broadcast all notice again"},
		},
		{
			models.NewError(models.Invalid, models.ErrTemplateUnknown, "ID", "tpl", "Name", "notice"),
			[]string{"has no template tpl, so nothing is sent", "template_id of “notice”"},
		},
		{models.NewError(models.Unavailable, models.ErrNotKnownYet), []string{"not known yet", "Don't ask again", "“broadcast status”"}},
		{
			models.NewError(models.NotFound, models.ErrMessageUnknown, "Name", "notcie", "Known", []string{"notice", "other"}),
			[]string{"no message “notcie”", "notice, other"},
		},
		{
			models.NewError(models.Conflict, models.ErrWrongState, "ID", int64(7), "State", models.Finished, "Action", "pause"),
			[]string{"#7 is finished, so there is nothing to pause"},
		},
		{models.NewError(models.Conflict, models.ErrNothingTo, "Action", "cancel"), []string{"no broadcast to cancel"}},
		{
			models.NewError(models.Invalid, models.ErrTemplateField, "Name", "notice", "Missing", "thing1, time2", "Unknown", ""),
			[]string{"nothing is sent.\nThe message lacks: thing1, time2"},
		},
		{
			models.NewError(models.Invalid, models.ErrTemplateField, "Name", "notice", "Missing", "thing1", "Unknown", "thing9"),
			[]string{"lacks: thing1\nThe template doesn't have: thing9"},
		},
		{models.NewError(models.Unavailable, models.ErrPlatform, "Code", 0, "Reason", "timeout"), []string{"WeChat gave no proper answer: timeout."}},
		{models.NewError(models.Unavailable, models.ErrPlatform, "Code", 48001, "Reason", "api unauthorized"), []string{"The account may not use this API (WeChat error 48001).\nIt takes a verified service account"}},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "en")
			s.err = tt.err
			wantAll(t, s.ask(t, admin, "broadcast all"), tt.want...)
		})
	}
}

func TestAMissingPermissionIsNotCalledAWrongSecret(t *testing.T) {
	t.Parallel()
	words := map[string]struct{ permission, credentials string }{
		"en": {"verified service account (认证服务号)", "AppSecret"},
		"zh": {"已认证的服务号", "AppSecret"},
	}
	for language, w := range words {
		s := newStage(t, language)
		b := models.Broadcast{ID: 7, Audience: models.AudienceAll, State: models.Paused, Reason: models.ReasonCredentials, Detail: "48001 api unauthorized rid: 6"}
		s.status = broadcast.Status{Broadcast: b}
		for _, text := range []string{s.ask(t, admin, "broadcast status #7"), s.Notice(notify.Paused, s.status)} {
			wantAll(t, text, w.permission, "48001")
			if strings.Contains(text, w.credentials) {
				t.Errorf("%s: %s", language, text)
			}
		}
		s.status.Broadcast.Detail = "40164 invalid ip"
		text := s.ask(t, admin, "broadcast status #7")
		wantAll(t, text, w.credentials, "40164")
		if strings.Contains(text, w.permission) {
			t.Errorf("%s: %s", language, text)
		}
		s.err = models.NewError(models.Unavailable, models.ErrPlatform, "Code", 48001, "Reason", "api unauthorized")
		wantAll(t, s.ask(t, admin, "broadcast all"), "48001", w.permission)
		s.err = models.NewError(models.Unavailable, models.ErrPlatform, "Code", 40164, "Reason", "invalid ip")
		if text := s.ask(t, admin, "broadcast all"); strings.Contains(text, w.permission) {
			t.Errorf("%s: %s", language, text)
		}
	}
}

// A reply repeats the sender's words, but no OpenID.
func TestNoReplyRepeatsAnOpenID(t *testing.T) {
	t.Parallel()
	const openID = "oAbCdEfGhIjKlMnOpQrStUvWxYz1"
	for _, text := range []string{
		"broadcast all notice " + openID, "broadcast retry " + openID, "broadcast status " + openID, "testers ad " + openID,
		"testers add x y " + openID, "stop " + openID, "who " + openID, openID,
	} {
		got := newStage(t, "en").ask(t, admin, text)
		if strings.Contains(got, openID) {
			t.Errorf("%s: %s", text, got)
		}
	}
	s := newStage(t, "en")
	s.err = models.NewError(models.NotFound, models.ErrMessageUnknown, "Name", openID, "Known", []string{"notice"})
	wantAll(t, s.ask(t, admin, "broadcast all "+openID), "no message “oAbC…Yz1”")
	wantAll(t, s.ask(t, admin, "broadcast all notice agian"), "agian")
}
