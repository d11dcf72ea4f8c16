package report

import (
	"encoding/json"
	"testing"
	"time"

	"wechat-broadcast/models"
)

func TestTheJSONIsThatOfTheAPI(t *testing.T) {
	t.Parallel()
	at := func(clock string) models.Time {
		moment, err := time.Parse(time.RFC3339Nano, "2026-11-27T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return models.At(moment)
	}
	b := models.Broadcast{
		ID: 7, State: models.Running, Name: "notice", Audience: models.AudienceAll, Recipients: 1000,
		AskedAt: at("01:00:00.999"), NotBefore: at("01:00:10"), StartedAt: at("01:00:11"),
	}
	counts := models.Counts{Sending: 5, Accepted: 6, Delivered: 1, Blocked: 2, Failed: 3, Uncertain: 4, Skipped: 10}
	for name, tt := range map[string]struct {
		change func(b *models.Broadcast)
		counts models.Counts
		want   string
	}{
		"one that runs": {
			func(*models.Broadcast) {}, counts,
			`{"id":7,"state":"running","reason":"","message":"notice","audience":"all","recipients":1000,` +
				`"counts":{"accepted":6,"delivered":1,"blocked":2,"failed":3,"uncertain":4,"skipped":10,"waiting":974},` +
				`"asked_at":"2026-11-27T09:00:00.999+08:00","starts_at":"2026-11-27T09:00:11+08:00","finished_at":null}`,
		},
		"one that ended": {
			func(b *models.Broadcast) {
				b.State, b.Reason, b.FinishedAt, b.Recipients = models.Failed, models.ReasonContent, at("02:00:00"), 9
			},
			models.Counts{Failed: 3}, // the others are not tried any more
			`{"id":7,"state":"failed","reason":"content","message":"notice","audience":"all","recipients":9,` +
				`"counts":{"accepted":0,"delivered":0,"blocked":0,"failed":3,"uncertain":0,"skipped":0,"waiting":0},` +
				`"asked_at":"2026-11-27T09:00:00.999+08:00","starts_at":"2026-11-27T09:00:11+08:00","finished_at":"2026-11-27T10:00:00+08:00"}`,
		},
		"one that waits for approvals": {
			func(b *models.Broadcast) {
				b.State, b.StartedAt = models.Pending, models.Time{}
			},
			models.Counts{},
			`{"id":7,"state":"pending","reason":"","message":"notice","audience":"all","recipients":1000,` +
				`"counts":{"accepted":0,"delivered":0,"blocked":0,"failed":0,"uncertain":0,"skipped":0,"waiting":1000},` +
				`"asked_at":"2026-11-27T09:00:00.999+08:00","starts_at":null,"finished_at":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b
			tt.change(&b)
			got, err := json.Marshal(Of(b, tt.counts))
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s\nwant %s (%v)", got, tt.want, err)
			}
		})
	}
}

func TestAnAudienceIsWrittenAsTheChatReadsIt(t *testing.T) {
	t.Parallel()
	list := func(name string) models.Group { return models.Group{Kind: models.GroupList, Name: name} }
	topic := func(name string) models.Group { return models.Group{Kind: models.GroupTopic, Name: name} }
	for want, b := range map[string]models.Broadcast{
		"me":         {Audience: models.AudienceMe},
		"reached #7": {Audience: models.AudienceReached, OfID: 7},
		"retry #7":   {Audience: models.AudienceRetry, OfID: 7},
		"list 老读者":   {Audience: models.AudienceGroups, Target: models.Target{Groups: []models.Group{list("老读者")}}},
		`topic 周报,“读书 会” except list “at”`: {Audience: models.AudienceGroups, Target: models.Target{
			Groups: []models.Group{topic("周报"), topic("读书 会")}, Except: []models.Group{list("at")},
		}},
		`all except list “a,b”,“"5" ”,5" except topic “不含糖”`: {Audience: models.AudienceAll, Target: models.Target{
			Except: []models.Group{list("a,b"), list(`"5" `), list(`5"`), topic("不含糖")},
		}},
		"recipients": {Audience: models.AudienceGroups, Target: models.Target{Groups: []models.Group{list("")}}},
		"rest #8":    {Audience: models.AudienceRest, OfID: 8, Target: models.Target{Groups: []models.Group{list("")}}},
		"rest #3 except list a": {Audience: models.AudienceRest, OfID: 3, Target: models.Target{
			Groups: []models.Group{topic("周报")}, Except: []models.Group{list("a")},
		}},
	} {
		if got := Audience(b); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
