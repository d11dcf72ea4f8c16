package chat

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

const (
	// longAgo parts a date without a year that is past from one that means the next
	// year: on 26 November 11-25 is past, and 01-05 is next January.
	longAgo = 183 * 24 * time.Hour
	// daysAgo does so for a day without a month.
	daysAgo = 15 * 24 * time.Hour
)

// when reads a time as people write it, in Chinese or English, in Beijing's zone. It
// returns a moment after now and at most a year later. Otherwise the error is a
// *models.Error that says what is wrong: words that mean nothing in a time are a fault,
// never left out.
func when(text string, now time.Time) (time.Time, error) {
	r, err := readTime(text, now)
	if err != nil {
		return time.Time{}, err
	}
	at, err := r.moment()
	switch {
	case err != nil:
		return time.Time{}, err
	case !at.After(now):
		return time.Time{}, models.NewError(models.Invalid, models.ErrTimePast, "Words", text, "Moment", at)
	case at.After(now.AddDate(1, 0, 0)):
		return time.Time{}, models.NewError(models.Invalid, models.ErrTimeFar, "Words", text, "Moment", at)
	}
	return at, nil
}

// looksLikeTime tells whether a text is nothing but a time, or a part of one.
func looksLikeTime(text string) bool {
	r, err := readTime(text, time.Time{})
	return err == nil && (r.date != nil || r.clock || !r.exact.IsZero())
}

// timeReading is what was read of a time so far.
type timeReading struct {
	text string
	now  time.Time // in Beijing
	// date returns the date, given the time of day; nil for none.
	date func(clock time.Duration) (time.Time, error)
	// hour, minute and second are the time of day as written, if clock is set; part is
	// the part of the day, which says which half of it the hour is in.
	clock                bool
	hour, minute, second int
	part                 *dayPart
	// exact is the moment of a span from now on, such as `in 2 hours`; zero for none.
	exact time.Time
}

// readTime reads the parts of a time in whatever order, each at most once.
func readTime(text string, now time.Time) (*timeReading, error) {
	r := &timeReading{text: text, now: now.In(zone.Beijing)}
	var bare strings.Builder
	for i, w := range words(text) {
		if i > 0 {
			bare.WriteByte(' ')
		}
		bare.WriteString(w.folded)
	}
	rest := strings.TrimRight(bare.String(), " .。!")
	for {
		rest = strings.TrimLeft(rest, " ,、")
		if rest == "" {
			return r, nil
		}
		after, ok := r.next(rest)
		if !ok {
			return nil, r.unclear()
		}
		rest = after
	}
}

// next takes the part that a text begins with, and returns what follows. Of several
// that fit, the longest is meant: `11月27日` is not `11月27`.
func (r *timeReading) next(text string) (rest string, ok bool) {
	var best *timePart
	var found []string
	for i := range timeParts {
		m := timeParts[i].re.FindStringSubmatch(text)
		if m != nil && (best == nil || len(m[0]) > len(found[0])) && endsThere(m[0], text[len(m[0]):]) {
			best, found = &timeParts[i], m
		}
	}
	if best == nil || best.read != nil && !best.read(r, found) {
		return "", false
	}
	return text[len(found[0]):], true
}

// endsThere tells whether a word or a number ends where it was cut.
func endsThere(part, rest string) bool {
	last, _ := utf8.DecodeLastRuneInString(part)
	first, _ := utf8.DecodeRuneInString(rest)
	switch {
	case rest == "":
		return true
	case unicode.IsDigit(last):
		return !unicode.IsDigit(first) && !strings.ContainsRune(":/.-", first) && (first > unicode.MaxASCII || !unicode.IsLetter(first))
	case last <= unicode.MaxASCII && unicode.IsLetter(last):
		return first > unicode.MaxASCII || !unicode.IsLetter(first)
	}
	return true
}

// moment puts the parts together.
func (r *timeReading) moment() (time.Time, error) {
	switch {
	case !r.exact.IsZero():
		if r.date != nil || r.clock || r.part != nil {
			return time.Time{}, r.unclear()
		}
		return r.exact, nil
	case !r.clock && r.date == nil && r.part == nil:
		return time.Time{}, r.unclear()
	case !r.clock:
		return time.Time{}, models.NewError(models.Invalid, models.ErrTimeOfDay, "Words", r.text)
	}
	hour := r.hour
	if r.part != nil {
		var ok bool
		if hour, ok = r.part.hour(hour); !ok {
			return time.Time{}, r.none()
		}
	}
	if hour > 23 || r.minute > 59 || r.second > 59 {
		return time.Time{}, r.none()
	}
	clock := time.Duration(hour)*time.Hour + time.Duration(r.minute)*time.Minute + time.Duration(r.second)*time.Second
	if r.date != nil {
		return r.date(clock)
	}
	at := zone.Midnight(r.now, 0).Add(clock)
	if !at.After(r.now) {
		at = zone.Midnight(r.now, 1).Add(clock)
	}
	return at, nil
}

func (r *timeReading) unclear() error {
	return models.NewError(models.Invalid, models.ErrTimeUnclear, "Words", r.text)
}

// none says that there is no such date or time of day.
func (r *timeReading) none() error {
	return models.NewError(models.Invalid, models.ErrTimeNone, "Words", r.text)
}

// setDate takes a date, if there is none yet.
func (r *timeReading) setDate(date func(clock time.Duration) (time.Time, error)) bool {
	if r.date != nil {
		return false
	}
	r.date = date
	return true
}

// inDays is the date so many days from today.
func (r *timeReading) inDays(n int) bool {
	return r.setDate(func(clock time.Duration) (time.Time, error) { return zone.Midnight(r.now, n).Add(clock), nil })
}

// setDay takes a date with its year.
func (r *timeReading) setDay(year, month, day int) bool {
	return r.setDate(func(clock time.Duration) (time.Time, error) {
		at, ok := dateOf(year, month, day, clock)
		if !ok {
			return time.Time{}, r.none()
		}
		return at, nil
	})
}

// setDayOfYear takes a date without a year: it is this year's, unless that is past for
// so long that only next year's can be meant.
func (r *timeReading) setDayOfYear(month, day int) bool {
	return r.setDate(func(clock time.Duration) (time.Time, error) {
		at, ok := dateOf(r.now.Year(), month, day, clock)
		if !ok || r.now.Sub(at) > longAgo {
			if next, exists := dateOf(r.now.Year()+1, month, day, clock); exists {
				return next, nil
			}
		}
		if !ok {
			return time.Time{}, r.none()
		}
		return at, nil
	})
}

// setDayOfMonth takes a day alone: it is this month's, unless that is past for so long
// that only next month's can be meant.
func (r *timeReading) setDayOfMonth(day int) bool {
	return r.setDate(func(clock time.Duration) (time.Time, error) {
		at, ok := dateOf(r.now.Year(), int(r.now.Month()), day, clock)
		if !ok || r.now.Sub(at) > daysAgo {
			month := time.Date(r.now.Year(), r.now.Month()+1, 1, 0, 0, 0, 0, zone.Beijing)
			if next, exists := dateOf(month.Year(), int(month.Month()), day, clock); exists {
				return next, nil
			}
		}
		if !ok {
			return time.Time{}, r.none()
		}
		return at, nil
	})
}

// setWeekday takes a weekday, from Monday, 0, to Sunday, 6: of a week so many weeks from
// this one, or the next such day for weeks less than 0.
func (r *timeReading) setWeekday(weeks, day int) bool {
	return r.setDate(func(clock time.Duration) (time.Time, error) {
		today := (int(r.now.Weekday()) + 6) % 7 // weeks begin on Monday
		if weeks >= 0 {
			return zone.Midnight(r.now, 7*weeks+day-today).Add(clock), nil
		}
		at := zone.Midnight(r.now, (day-today+7)%7).Add(clock)
		if !at.After(r.now) {
			at = at.AddDate(0, 0, 7)
		}
		return at, nil
	})
}

// dateOf returns a time of day on a date, and whether there is that date.
func dateOf(year, month, day int, clock time.Duration) (at time.Time, ok bool) {
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone.Beijing)
	return midnight.Add(clock), year > 0 && int(midnight.Month()) == month && midnight.Day() == day
}

// setClock takes a time of day, if there is none yet. A text that is empty is 0.
func (r *timeReading) setClock(hour, minute, second string) bool {
	if r.clock {
		return false
	}
	r.clock, r.hour, r.minute, r.second = true, number(hour), number(minute), number(second)
	return true
}

// setPart takes a part of the day, if there is none yet.
func (r *timeReading) setPart(name string) bool {
	part, ok := dayParts[strings.ReplaceAll(name, ".", "")]
	if !ok || r.part != nil {
		return false
	}
	r.part = &part
	return true
}

// fromNow takes a span from now on, if there is none yet. What is shown of the moment
// has no seconds, so it has none.
func (r *timeReading) fromNow(span time.Duration) bool {
	if !r.exact.IsZero() {
		return false
	}
	r.exact = r.now.Add(span).Truncate(time.Minute)
	return true
}

// dayPart is a part of the day: the hours that are in it.
type dayPart struct{ from, to int }

// hour returns which hour of the day is meant by one as written; ok is false if the
// part of the day has no such hour.
func (p dayPart) hour(written int) (hour int, ok bool) {
	if p == beforeNoon && written == 12 { // 12 am is midnight
		return 0, true
	}
	for _, hour := range []int{written, written + 12} {
		if hour >= p.from && hour <= p.to && (hour == written || written > 0 && written < 12) {
			return hour, true
		}
	}
	return 0, false
}

// number reads digits or Chinese numerals below a hundred, or a year digit by digit; 0
// for none.
func number(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	before, after, tens := strings.Cut(oneForm.Replace(s), "十")
	n := 0
	for _, r := range before {
		n = 10*n + strings.IndexRune(units, r)/len("一")
	}
	if !tens {
		return n
	}
	return 10*max(n, 1) + number(after)
}
