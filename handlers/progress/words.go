package progress

import (
	"log/slog"
	"regexp"
	"strconv"
	"strings"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// Words says what stands on pages in one language.
type Words struct{ *lang.Locale }

// NewWords returns the words of a language: zh or en.
func NewWords(language string, log *slog.Logger) (*Words, error) {
	l, err := lang.New(language, log, lang.Platform, lang.Pages)
	if err != nil {
		return nil, err
	}
	return &Words{l}, nil
}

// Cause is why a delivery failed, in words.
type Cause struct{ What, Todo string }

// Cause says why a delivery failed, is uncertain or was skipped, and what to do.
func (w *Words) Cause(state models.DeliveryState, code int, detail string) Cause {
	name := "unfilled"
	switch {
	case state == models.Skipped:
		name = "skipped"
	case state == models.Uncertain:
		name = "uncertain"
	case code != 0:
		if name = strconv.Itoa(code); !w.Has("cause." + name + ".what") {
			name = "unknown"
		}
	case ofReceipt(detail):
		if name = detail; !w.Has("cause." + name + ".what") {
			name = "receipt"
		}
	}
	return Cause{w.Say("cause."+name+".what", lang.Vars{"IP": "", "Field": ""}), w.Say("cause." + name + ".todo")}
}

// ofReceipt tells whether a delivery's detail is the status of its receipt.
func ofReceipt(detail string) bool { return strings.HasPrefix(detail, "failed") }

// Noted is a delivery's detail, apart.
type Noted struct {
	Own    string // the program's, in the language of the words
	Answer string // what the platform said, in its own words, or why it did not answer
}

// ownDetails are the program's, with their sentences.
var ownDetails = []struct{ detail, id string }{
	{models.DetailUnrecorded, "own.unrecorded"},
	{models.DetailEnded, "own.ended"},
	{models.DetailNoAnswer, "own.no_answer"},
	{models.DetailWithdrawn, "own.withdrawn"},
	{models.DetailEarlier, "own.earlier"},
}

// unfilledField finds the field that could not be filled in.
var unfilledField = regexp.MustCompile(`\bfield ([^\s,:]+)`)

// Noted takes the detail of a delivery apart.
func (w *Words) Noted(state models.DeliveryState, code int, detail string) Noted {
	var n Noted
	for _, own := range ownDetails {
		if rest, found := strings.CutPrefix(detail, own.detail); found {
			n.Own, detail = w.Say(own.id), strings.TrimPrefix(rest, ": ")
			break
		}
	}
	switch {
	case state == models.Skipped: // the cause says it
	case code != 0, ofReceipt(detail):
		n.Answer = detail
	case state == models.FailedFor && n.Own == "":
		if field := unfilledField.FindStringSubmatch(detail); field != nil {
			n.Own = field[1]
		}
	default:
		n.Answer = w.Fault(detail)
	}
	return n
}
