package handlers

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/models"
	"wechat-broadcast/web"
)

// beijing is the zone in which people read times. China has no summer time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// words says things in one language.
type words struct {
	language string
	Text     map[string]string `yaml:"text"`
	Causes   map[string]cause  `yaml:"causes"`
}

// cause is why a delivery failed, in words.
type cause struct {
	What string `yaml:"what"`
	Todo string `yaml:"todo"`
}

// otherLanguage is where the pages lead whoever cannot read this one.
var otherLanguage = map[string]string{"zh": "en", "en": "zh"}

func newWords(language string) (*words, error) {
	data, err := web.Locale(language)
	if err != nil {
		return nil, fmt.Errorf("read the words of pages: %w", err)
	}
	w := &words{language: language}
	if err := yaml.Unmarshal(data, w); err != nil {
		return nil, fmt.Errorf("read the words of pages in %s: %w", language, err)
	}
	return w, nil
}

// say returns a text with its blanks filled: names and their values in turn.
// Numbers get separators; fill in an id as a text.
func (w *words) say(key string, fill ...any) string {
	text, ok := w.Text[key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(fill); i += 2 {
		value := fmt.Sprint(fill[i+1])
		if n, ok := fill[i+1].(int64); ok {
			value = number(n)
		}
		text = strings.ReplaceAll(text, "{"+fmt.Sprint(fill[i])+"}", value)
	}
	return text
}

// has tells whether there is such a text.
func (w *words) has(key string) bool { _, ok := w.Text[key]; return ok }

// cause says why deliveries failed or are uncertain.
func (w *words) cause(state models.DeliveryState, code int, detail string) cause {
	name := "unfilled"
	switch {
	case state == models.Uncertain:
		name = "uncertain"
	case code != 0:
		if name = strconv.Itoa(code); w.Causes[name].What == "" {
			name = "unknown"
		}
	case strings.HasPrefix(detail, "failed"):
		if name = detail; w.Causes[name].What == "" {
			name = "receipt"
		}
	}
	return w.Causes[name]
}

// number writes n with separators.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// percent writes part of whole, without a sign and with at most one decimal.
// Only nothing is 0 and only everything is 100.
func percent(part, whole int64) string {
	switch {
	case whole <= 0 || part <= 0:
		return "0"
	case part >= whole:
		return "100"
	}
	p := math.Round(float64(part)/float64(whole)*1000) / 10
	return strconv.FormatFloat(min(max(p, 0.1), 99.9), 'f', -1, 64)
}

// span writes a duration in words, as exactly as one would say it.
func (w *words) span(d time.Duration) string {
	seconds := int64(max(d, 0).Round(time.Second) / time.Second)
	minutes := (seconds + 30) / 60
	switch {
	case seconds < 90:
		return w.say("span.seconds", "n", seconds)
	case minutes < 90:
		return w.say("span.minutes", "n", minutes)
	case minutes < 36*60:
		return w.say("span.hours", "n", minutes/60, "m", minutes%60)
	default:
		return w.say("span.days", "n", (minutes+12*60)/(24*60))
	}
}

// moment writes when something happened, in Beijing time.
func moment(t models.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(beijing).Format("2006-01-02 15:04:05")
}

func minute(t time.Time) string { return t.In(beijing).Format("01-02 15:04") }

func clock(t time.Time) string { return t.In(beijing).Format("15:04:05") }
