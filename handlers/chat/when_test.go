package chat

import (
	"errors"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

// thursday is 15:00 in Beijing on Thursday, 26 November 2026.
var thursday = time.Date(2026, 11, 26, 15, 0, 0, 0, zone.Beijing)

func TestWhen(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{ // the moment, or the code of the fault
		// Those of the contract.
		{"2026-11-27 09:00", "2026-11-27 09:00"},
		{"11-27 09:00", "2026-11-27 09:00"},
		{"09:00", "2026-11-27 09:00"},
		{"16:00", "2026-11-26 16:00"},
		{"tomorrow 09:00", "2026-11-27 09:00"},
		{"friday 18:30", "2026-11-27 18:30"},
		{"明天 9:00", "2026-11-27 09:00"},
		{"周五 18:30", "2026-11-27 18:30"},
		{"11月27日 9点半", "2026-11-27 09:30"},

		// Dates.
		{"今天 18:00", "2026-11-26 18:00"},
		{"today 18:00", "2026-11-26 18:00"},
		{"后天 9点", "2026-11-28 09:00"},
		{"大后天9点", "2026-11-29 09:00"},
		{"day after tomorrow at 9:00", "2026-11-28 09:00"},
		{"3天后 9:00", "2026-11-29 09:00"},
		{"三天后9点", "2026-11-29 09:00"},
		{"in 3 days at 9:00", "2026-11-29 09:00"},
		{"2026年11月27日 9:00", "2026-11-27 09:00"},
		{"二〇二六年十一月二十七号上午九点", "2026-11-27 09:00"},
		{"2026/11/27 9:00", "2026-11-27 09:00"},
		{"2026.11.27 9:00", "2026-11-27 09:00"},
		{"11/27 9:00", "2026-11-27 09:00"},
		{"11月27 9点", "2026-11-27 09:00"},
		{"27号 9点", "2026-11-27 09:00"},
		{"1号 9点", "2026-12-01 09:00"},
		{"nov 27 09:00", "2026-11-27 09:00"},
		{"November 27th, 2026 at 9am", "2026-11-27 09:00"},
		{"27 Nov 9:00", "2026-11-27 09:00"},
		{"01-05 09:00", "2027-01-05 09:00"},
		{"11-26 15:01", "2026-11-26 15:01"},
		{"2027-11-26 15:00", "2027-11-26 15:00"},

		// Weekdays.
		{"thursday 15:30", "2026-11-26 15:30"},
		{"thursday 15:00", "2026-12-03 15:00"},
		{"周四 15:30", "2026-11-26 15:30"},
		{"星期四 14:59", "2026-12-03 14:59"},
		{"Fri 18:30", "2026-11-27 18:30"},
		{"18:30 on friday", "2026-11-27 18:30"},
		{"星期五 18:30", "2026-11-27 18:30"},
		{"礼拜五18:30", "2026-11-27 18:30"},
		{"周五九点", "2026-11-27 09:00"},
		{"周五十点", "2026-11-27 10:00"},
		{"周日 9:00", "2026-11-29 09:00"},
		{"周天 9:00", "2026-11-29 09:00"},
		{"周一 9:00", "2026-11-30 09:00"},
		{"这周六 9:00", "2026-11-28 09:00"},
		{"下周一 9:00", "2026-11-30 09:00"},
		{"下周五 18:30", "2026-12-04 18:30"},
		{"下个星期天 9:00", "2026-12-06 09:00"},
		{"下下周一 9:00", "2026-12-07 09:00"},
		{"this saturday 9:00", "2026-11-28 09:00"},
		{"next friday 18:30", "2026-12-04 18:30"},

		// Times of day.
		{"明天9点", "2026-11-27 09:00"},
		{"明天9时30分", "2026-11-27 09:30"},
		{"9点15分", "2026-11-27 09:15"},
		{"9点零5分", "2026-11-27 09:05"},
		{"9点一刻", "2026-11-27 09:15"},
		{"九点三刻", "2026-11-27 09:45"},
		{"明天9点钟", "2026-11-27 09:00"},
		{"九点", "2026-11-27 09:00"},
		{"十点半", "2026-11-27 10:30"},
		{"二十二点", "2026-11-26 22:00"},
		{"下午3点", "2026-11-27 15:00"},
		{"下午三点半", "2026-11-26 15:30"},
		{"下午15:30", "2026-11-26 15:30"},
		{"明天上午9点", "2026-11-27 09:00"},
		{"明天 上午 9:00", "2026-11-27 09:00"},
		{"明天早上8点", "2026-11-27 08:00"},
		{"明早8点", "2026-11-27 08:00"},
		{"晚上8点半", "2026-11-26 20:30"},
		{"今晚八点", "2026-11-26 20:00"},
		{"tonight at 8", "time_unclear"},
		{"tonight at 8:00", "2026-11-26 20:00"},
		{"中午12点", "2026-11-27 12:00"},
		{"明天中午一点", "2026-11-27 13:00"},
		{"明天正午", "2026-11-27 12:00"},
		{"凌晨2点", "2026-11-27 02:00"},
		{"明天0点", "2026-11-27 00:00"},
		{"9am", "2026-11-27 09:00"},
		{"9 a.m. tomorrow", "2026-11-27 09:00"},
		{"6:30 pm", "2026-11-26 18:30"},
		{"12am", "2026-11-27 00:00"},
		{"12pm", "2026-11-27 12:00"},
		{"tomorrow at 9 o'clock in the morning", "2026-11-27 09:00"},
		{"tomorrow evening at 8:15", "2026-11-27 20:15"},
		{"tomorrow 09:00:30", "2026-11-27 09:00:30"},

		// Spans from now on.
		{"in 2 hours", "2026-11-26 17:00"},
		{"in an hour", "2026-11-26 16:00"},
		{"in half an hour", "2026-11-26 15:30"},
		{"in 90 minutes", "2026-11-26 16:30"},
		{"2小时后", "2026-11-26 17:00"},
		{"两个小时以后", "2026-11-26 17:00"},
		{"2个半小时后", "2026-11-26 17:30"},
		{"半小时后", "2026-11-26 15:30"},
		{"30分钟后", "2026-11-26 15:30"},
		{"1小时20分钟后", "2026-11-26 16:20"},

		// Width, case and space.
		{"２０２６－１１－２７　０９：００", "2026-11-27 09:00"},
		{"  TOMORROW   09:00 ", "2026-11-27 09:00"},
		{"明天，9：00。", "2026-11-27 09:00"},
		{"11 月 27 日 9 点 半", "2026-11-27 09:30"},

		// No time.
		{"tomorow 9:00", models.ErrTimeUnclear},
		{"明天9点钟吧", models.ErrTimeUnclear},
		{"soon", models.ErrTimeUnclear},
		{"", models.ErrTimeUnclear},
		{"at", models.ErrTimeUnclear},
		{"9", models.ErrTimeUnclear},
		{"tomorrow 9", models.ErrTimeUnclear},
		{"明天二三点", models.ErrTimeUnclear},
		{"9:00-10:00", models.ErrTimeUnclear},
		{"9:00 10:00", models.ErrTimeUnclear},
		{"明天后天9点", models.ErrTimeUnclear},
		{"明天 2小时后", models.ErrTimeUnclear},
		{"上午下午9点", models.ErrTimeUnclear},
		{"11-27-2026 9:00", models.ErrTimeUnclear},
		{"fridays 9:00", models.ErrTimeUnclear},
		{"now", models.ErrTimeUnclear},
		{"9:5", models.ErrTimeUnclear},

		// A date without a time of day.
		{"明天", models.ErrTimeOfDay},
		{"friday", models.ErrTimeOfDay},
		{"2026-11-27", models.ErrTimeOfDay},
		{"明天下午", models.ErrTimeOfDay},
		{"11-25", models.ErrTimeOfDay},

		// What the calendar and the clock do not have.
		{"24:00", models.ErrTimeNone},
		{"明天 25:00", models.ErrTimeNone},
		{"9:75", models.ErrTimeNone},
		{"2月30日 9:00", models.ErrTimeNone},
		{"11-31 09:00", models.ErrTimeNone},
		{"2027-02-29 09:00", models.ErrTimeNone},
		{"13-01 09:00", models.ErrTimeNone},
		{"上午15点", models.ErrTimeNone},
		{"晚上12点", models.ErrTimeNone},
		{"13:00 am", models.ErrTimeNone},

		// Past, and too far.
		{"11-25 09:00", models.ErrTimePast},
		{"昨天 9:00", models.ErrTimePast},
		{"昨晚8点", models.ErrTimePast},
		{"前天下午3点", models.ErrTimePast},
		{"yesterday 09:00", models.ErrTimePast},
		{"11-26 15:00", models.ErrTimePast},
		{"11月20号 9点", models.ErrTimePast},
		{"25号9点", models.ErrTimePast},
		{"今天 14:59", models.ErrTimePast},
		{"本周一 9:00", models.ErrTimePast},
		{"2025-11-27 09:00", models.ErrTimePast},
		{"0分钟后", models.ErrTimePast},
		{"2027-11-26 15:01", models.ErrTimeFar},
		{"2030年1月1日 9点", models.ErrTimeFar},
	}
	for _, tt := range tests {
		got, err := when(tt.text, thursday.UTC())
		text := got.In(zone.Beijing).Format("2006-01-02 15:04:05")
		if e := new(models.Error); errors.As(err, &e) {
			text = e.Code
		}
		if text != tt.want && text != tt.want+":00" {
			t.Errorf("%q is %s, want %s", tt.text, text, tt.want)
		}
	}
}

// In a year's last days the next year's dates are meant, in its first days its own.
func TestWhenAtTheTurnOfTheYear(t *testing.T) {
	t.Parallel()
	tests := []struct{ now, text, want string }{
		{"2026-12-31 23:30", "09:00", "2027-01-01 09:00"},
		{"2026-12-31 23:30", "明天 0:15", "2027-01-01 00:15"},
		{"2026-12-31 23:30", "1月1日 0点", "2027-01-01 00:00"},
		{"2026-12-31 23:30", "12月30日 9点", models.ErrTimePast},
		{"2027-12-20 10:00", "2-29 9:00", "2028-02-29 09:00"},
		{"2027-01-01 08:00", "06-30 09:00", "2027-06-30 09:00"},
		{"2026-12-31 10:00", "周四 11:00", "2026-12-31 11:00"},
		{"2026-12-31 10:00", "周五 11:00", "2027-01-01 11:00"},
		{"2026-11-29 10:00", "下周一 9:00", "2026-11-30 09:00"}, // a Sunday ends its week
		{"2026-11-30 10:00", "下周一 9:00", "2026-12-07 09:00"},
		{"2026-11-30 10:00", "31号 9:00", "2026-12-31 09:00"},
	}
	for _, tt := range tests {
		now, err := time.ParseInLocation("2006-01-02 15:04", tt.now, zone.Beijing)
		if err != nil {
			t.Fatal(err)
		}
		at, err := when(tt.text, now)
		got := at.In(zone.Beijing).Format("2006-01-02 15:04")
		if e := new(models.Error); errors.As(err, &e) {
			got = e.Code
		}
		if got != tt.want {
			t.Errorf("%q at %s is %s, want %s", tt.text, tt.now, got, tt.want)
		}
	}
}

func FuzzWhen(f *testing.F) {
	for _, text := range []string{
		"2026-11-27 09:00", "明天 9点半", "下下周日 晚上十一点三刻", "in 2 hours", "nov 27th, 2026 at 9:05:07 pm", "二〇二六年二月三十日",
		"12am", "两个半小时后", "今晚", "99:99", "next sunday noon", "\xff\xfe 9点", "１０／３１ ９：００",
	} {
		f.Add(text, int64(1_795_676_400))
	}
	f.Fuzz(func(t *testing.T, text string, second int64) {
		now := time.Unix(second%(1<<33), 0)
		at, err := when(text, now)
		var e *models.Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Args["Words"] != text):
			t.Errorf("%q: %v", text, err)
		case err == nil && (!at.After(now) || at.After(now.AddDate(1, 0, 0))):
			t.Errorf("%q at %s is %s", text, now, at)
		}
	})
}
