package chat

import (
	"embed"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"wechat-broadcast/models"
)

//go:embed locales/zh.yaml locales/en.yaml
var localeFiles embed.FS

// Languages are those that replies can be in; the first is the default.
var Languages = []string{"zh", "en"}

// maxArgument bounds what a single argument, such as the platform's words or
// what somebody typed, takes of a reply, in runes.
const maxArgument = 300

// beijing is the zone in which people read times; WeChat's quota days are its
// days as well. China has no daylight saving time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// vars fills a sentence. Whole numbers get separators (save ID and Code, which
// are names), durations and times become words; Count also picks the plural.
type vars map[string]any

// locale says sentences in one language.
type locale struct {
	language  string
	localizer *i18n.Localizer
	log       *slog.Logger
}

func newLocale(lang string, log *slog.Logger) (*locale, error) {
	bundle := i18n.NewBundle(language.Chinese)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	for _, l := range Languages {
		if _, err := bundle.LoadMessageFileFS(localeFiles, "locales/"+l+".yaml"); err != nil {
			return nil, fmt.Errorf("load sentences: %w", err)
		}
	}
	return &locale{language: lang, localizer: i18n.NewLocalizer(bundle, lang), log: log}, nil
}

// say returns the sentence of that id, filled with v.
func (l *locale) say(id string, v vars) string {
	data := make(map[string]any, len(v))
	for name, value := range v {
		data[name] = l.word(name, value)
	}
	lc := &i18n.LocalizeConfig{MessageID: id, TemplateData: data}
	if n, ok := v["Count"].(int64); ok {
		lc.PluralCount = n
	}
	text, err := l.localizer.Localize(lc)
	if err != nil {
		l.log.Error("a sentence is missing", "id", id, "error", err)
	}
	if text == "" {
		return id
	}
	return text
}

// has tells whether there is a sentence of that id.
func (l *locale) has(id string) bool {
	_, err := l.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any{}})
	return err == nil
}

// word returns a value as a person writes it.
func (l *locale) word(name string, value any) string {
	switch v := value.(type) {
	case string:
		return clip(v, maxArgument)
	case int:
		return l.integer(name, int64(v))
	case int64:
		return l.integer(name, v)
	case time.Duration:
		return l.span(v)
	case time.Time:
		return clock(v)
	case models.Time:
		return clock(v.Time)
	case []string:
		return clip(strings.Join(v, l.say("list_separator", nil)), maxArgument)
	case error:
		return clip(strings.Join(l.faults(v), "\n"), maxArgument)
	case nil:
		return ""
	default:
		return clip(fmt.Sprint(v), maxArgument)
	}
}

func (l *locale) integer(name string, n int64) string {
	if name == "ID" || name == "Code" {
		return strconv.FormatInt(n, 10)
	}
	return number(n)
}

// number writes n with separators from 10,000 on.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	if n > -10_000 && n < 10_000 {
		return s
	}
	digits := strings.TrimPrefix(s, "-")
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// percent writes part of whole with at most one decimal. Only nothing is 0% and
// only everything is 100%.
func percent(part, whole int64) string {
	switch {
	case whole <= 0 || part <= 0:
		return "0%"
	case part >= whole:
		return "100%"
	}
	p := math.Round(float64(part)/float64(whole)*1000) / 10
	p = min(max(p, 0.1), 99.9)
	return strconv.FormatFloat(p, 'f', -1, 64) + "%"
}

// span writes a duration in words, as exactly as one would say it.
func (l *locale) span(d time.Duration) string {
	seconds := int64(max(d, 0).Round(time.Second) / time.Second)
	minutes := (seconds + 30) / 60
	switch {
	case seconds < 90:
		return l.say("span.seconds", vars{"N": seconds})
	case minutes < 90:
		return l.say("span.minutes", vars{"N": minutes})
	case minutes < 36*60:
		return l.say("span.hours", vars{"N": minutes / 60, "Minutes": minutes % 60})
	default:
		return l.say("span.days", vars{"N": (minutes + 12*60) / (24 * 60)})
	}
}

// clock writes a moment in Beijing time, to the minute.
func clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(beijing).Format("01-02 15:04")
}

// clip cuts s to n runes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// openIDs finds what may be one among words.
var openIDs = regexp.MustCompile(`[A-Za-z0-9_-]{25,}`)

// quotable returns somebody's words as a reply may repeat them: OpenIDs are
// masked as in logs.
func quotable(words string) string {
	return openIDs.ReplaceAllStringFunc(words, models.MaskOpenID)
}
