package chat

import (
	"regexp"
	"strings"
	"time"
)

const (
	// units are the numerals from 0 to 9 in their order.
	units = "零一二三四五六七八九"
	// below100 is a number of one or two digits, or a numeral below a hundred. `二三点`
	// (two or three o'clock) is none.
	below100 = `\d{1,2}|[一二三四五六七八九]?十[一二三四五六七八九]?|[零〇]?[一二两三四五六七八九]|[零〇]`
)

// oneForm has one form of each numeral.
var oneForm = strings.NewReplacer("〇", "零", "两", "二")

// timePart is one way to write a part of a time.
type timePart struct {
	re *regexp.Regexp
	// read takes what was found; it returns false if that does not go with what was
	// taken before. Nil for words that add nothing.
	read func(r *timeReading, m []string) bool
}

// part makes a timePart of a pattern, in which N is a number below a hundred.
func part(pattern string, read func(r *timeReading, m []string) bool) timePart {
	re := regexp.MustCompile("^(?:" + strings.ReplaceAll(pattern, "N", "("+below100+")") + ")")
	re.Longest()
	return timePart{re, read}
}

// timeParts are the parts of a time, in lower case and the usual width.
var timeParts = []timePart{
	// Words between the parts.
	part(`at|on|的`, nil),

	// Dates.
	part(`(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})`, readDay),
	part(`(\d{4}|[〇`+units+`]{4}) ?年 ?N ?月 ?N ?[日号]`, readDay),
	part(`(\d{1,2})[-/.](\d{1,2})`, readDayOfYear),
	part(`N ?月 ?N ?[日号]?`, readDayOfYear),
	part(`N ?[日号]`, func(r *timeReading, m []string) bool { return r.setDayOfMonth(number(m[1])) }),
	part(`(`+months+`)\.? ?(\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?`, func(r *timeReading, m []string) bool { return readMonth(r, m[3], m[1], m[2]) }),
	part(`(\d{1,2})(?:st|nd|rd|th)? (`+months+`)\.?(?:,? (\d{4}))?`, func(r *timeReading, m []string) bool { return readMonth(r, m[3], m[2], m[1]) }),
	part(`前天|前日`, func(r *timeReading, _ []string) bool { return r.inDays(-2) }), // for the refusal
	part(`昨天|昨日|yesterday`, func(r *timeReading, _ []string) bool { return r.inDays(-1) }),
	part(`今天|今日|today`, func(r *timeReading, _ []string) bool { return r.inDays(0) }),
	part(`明天|明日|tomorrow`, func(r *timeReading, _ []string) bool { return r.inDays(1) }),
	part(`后天|后日|(?:the )?day after tomorrow`, func(r *timeReading, _ []string) bool { return r.inDays(2) }),
	part(`大后天`, func(r *timeReading, _ []string) bool { return r.inDays(3) }),
	part(`(昨|今|明|后)(早上|早|晚上|晚)`, func(r *timeReading, m []string) bool {
		return r.inDays(map[string]int{"昨": -1, "今": 0, "明": 1, "后": 2}[m[1]]) && r.setPart(m[2])
	}),
	part(`tonight`, func(r *timeReading, m []string) bool { return r.inDays(0) && r.setPart(m[0]) }),
	part(`this (morning|afternoon|evening)`, func(r *timeReading, m []string) bool { return r.inDays(0) && r.setPart(m[1]) }),
	part(`(这|本|下下|下)?个?(?:周|星期|礼拜)([一二三四五六日天1-7])`, func(r *timeReading, m []string) bool {
		day := strings.Index("1一2二3三4四5五6六7日", m[2]) / len("1一")
		if m[2] == "天" {
			day = 6
		}
		return r.setWeekday(map[string]int{"": -1, "这": 0, "本": 0, "下": 1, "下下": 2}[m[1]], day)
	}),
	part(`(this |next )?(mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday)`, func(r *timeReading, m []string) bool {
		return r.setWeekday(map[string]int{"": -1, "this ": 0, "next ": 1}[m[1]], strings.Index("montuewedthufrisatsun", m[2][:3])/3)
	}),
	part(`N ?[天日](?:后|之后|以后)|in (\d{1,2}) days?`, func(r *timeReading, m []string) bool { return r.inDays(number(m[1] + m[2])) }),

	// Times of day.
	part(`(\d{1,2}):(\d{2})(?::(\d{2}))?`, func(r *timeReading, m []string) bool { return r.setClock(m[1], m[2], m[3]) }),
	part(`N ?[点时](?:钟|整)?`, func(r *timeReading, m []string) bool { return r.setClock(m[1], "", "") }),
	part(`N ?点 ?半`, func(r *timeReading, m []string) bool { return r.setClock(m[1], "30", "") }),
	part(`N ?点 ?([一三13]) ?刻`, func(r *timeReading, m []string) bool {
		return r.setClock(m[1], map[string]string{"一": "15", "1": "15", "三": "45", "3": "45"}[m[2]], "")
	}),
	part(`N ?[点时] ?[零〇]?N ?分?`, func(r *timeReading, m []string) bool { return r.setClock(m[1], m[2], "") }),
	part(`(\d{1,2})(?::(\d{2}))? ?([ap]\.?m\.?)`, func(r *timeReading, m []string) bool { return r.setClock(m[1], m[2], "") && r.setPart(m[3]) }),
	part(`(\d{1,2}) ?o['’]?clock`, func(r *timeReading, m []string) bool { return r.setClock(m[1], "", "") }),
	part(`noon|正午`, func(r *timeReading, _ []string) bool { return r.setClock("12", "", "") }),
	part(`(?:in the )?(morning|afternoon|evening)`, func(r *timeReading, m []string) bool { return r.setPart(m[1]) }),
	part(`(?:at )?(night)`, func(r *timeReading, m []string) bool { return r.setPart(m[1]) }),
	part(`凌晨|清晨|早晨|早上|早|上午|中午|下午|午后|傍晚|晚上|晚|夜里|深夜`, func(r *timeReading, m []string) bool { return r.setPart(m[0]) }),

	// Spans from now on.
	part(`in (\d{1,3}|an?) ?(hours?|hrs?|h|minutes?|mins?|m)`, func(r *timeReading, m []string) bool {
		return r.fromNow(span(strings.Replace(strings.TrimSuffix(m[1], "n"), "a", "1", 1), m[2], ""))
	}),
	part(`in half an hour|半个?(?:小时|钟头)(?:后|之后|以后)`, func(r *timeReading, _ []string) bool { return r.fromNow(30 * time.Minute) }),
	part(`(\d{3}|`+below100+`) ?个?(半)?(小时|钟头|分钟|分)(半)?(?:后|之后|以后)`, func(r *timeReading, m []string) bool {
		return r.fromNow(span(m[1], m[3], m[2]+m[4]))
	}),
	part(`N ?个?(?:小时|钟头) ?N ?(?:分钟|分)(?:后|之后|以后)`, func(r *timeReading, m []string) bool {
		return r.fromNow(span(m[1], "小时", "") + span(m[2], "分钟", ""))
	}),
}

// months are the names of the months, the first three letters of each in order.
const (
	months     = `jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?`
	monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"
)

// dayParts are the parts of the day, with the hours in which people say them.
var dayParts = map[string]dayPart{
	"凌晨": {0, 6}, "清晨": morning, "早晨": morning, "早上": morning, "早": morning, "上午": {0, 12},
	"中午": {11, 14}, "下午": afternoon, "午后": afternoon, "傍晚": {16, 20},
	"晚上": evening, "晚": evening, "夜里": evening, "深夜": evening,
	"morning": morning, "afternoon": afternoon, "evening": evening, "night": evening, "tonight": evening,
	"am": beforeNoon, "pm": {12, 23},
}

var (
	beforeNoon = dayPart{0, 11}
	morning    = dayPart{1, 11}
	afternoon  = dayPart{12, 23}
	evening    = dayPart{17, 23} // at 12 and 1 it is another day's, and nobody can tell which is meant
)

func readDay(r *timeReading, m []string) bool {
	return r.setDay(number(m[1]), number(m[2]), number(m[3]))
}

func readDayOfYear(r *timeReading, m []string) bool {
	return r.setDayOfYear(number(m[1]), number(m[2]))
}

func readMonth(r *timeReading, year, month, day string) bool {
	n := strings.Index(monthNames, month[:3])/3 + 1
	if year == "" {
		return r.setDayOfYear(n, number(day))
	}
	return r.setDay(number(year), n, number(day))
}

// span returns how long so many hours or minutes are, and half of one if half is set.
func span(n, unit, half string) time.Duration {
	one := time.Hour
	if unit[0] == 'm' || strings.HasPrefix(unit, "分") {
		one = time.Minute
	}
	d := time.Duration(number(n)) * one
	if half != "" {
		d += one / 2
	}
	return d
}
