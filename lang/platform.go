package lang

import (
	"regexp"
	"strconv"
	"strings"
)

// Refusal is the platform's refusal of a call.
type Refusal struct {
	Code int
	// Words are the platform's own, in English. Only they name the address or the
	// field that is refused.
	Words string
	// Token says that a token was refused, where some codes mean other things.
	Token bool
}

var (
	refusedIP    = regexp.MustCompile(`(?i)\b(?:ip|address)[ :=]+([0-9a-f]*[.:][0-9a-f:.]*[0-9a-f])`)
	refusedField = regexp.MustCompile(`\b([a-z_]+\d+)\.(?:value|DATA)\b`)
)

// Refusal says what a refusal means, with its code. Of a code without a sentence
// it says the code alone. The platform's words are not repeated.
func (l *Locale) Refusal(r Refusal) string {
	id := "cause." + strconv.Itoa(r.Code) + ".what"
	if ofToken := "cause.token_" + strconv.Itoa(r.Code) + ".what"; r.Token && l.Has(ofToken) {
		id = ofToken
	}
	what := l.SayIf(id, Vars{"IP": firstOf(refusedIP, r.Words), "Field": firstOf(refusedField, r.Words)})
	return l.Say("errcode", Vars{"What": what, "Code": r.Code})
}

func firstOf(pattern *regexp.Regexp, text string) string {
	if found := pattern.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// ParseRefusal reads a refusal from what is stored of it, which is its code and its
// words. ok is false for a text that begins with no code, such as "HTTP 502".
func ParseRefusal(stored string) (r Refusal, ok bool) {
	code, words, _ := strings.Cut(stored, " ")
	n, err := strconv.Atoi(code)
	return Refusal{Code: n, Words: words}, err == nil && n != 0
}

// faults are texts of calls without an answer, and the sentences that stand for them.
// The first that is part of a text decides.
var faults = []struct{ part, id string }{
	{"no answer in time", "unanswered.no_answer"},
	{"no connection in time", "unanswered.no_connection"},
	{"the connection was cut", "unanswered.cut"},
	{"not the platform's JSON", "unanswered.strange"},
	{"base URL is malformed", "unanswered.base_url"},
	{"list repeats itself", "unanswered.repeats"},
	{"connection refused", "unanswered.refused"},
	{"connection reset", "unanswered.cut"},
	{"no such host", "unanswered.no_host"},
	{"unreachable", "unanswered.unreachable"},
	{"x509", "unanswered.certificate"},
}

var httpStatus = regexp.MustCompile(`\bHTTP \d{3}\b`)

// Fault says why a call brought no answer of the platform, from what the program
// noted in English. What has no sentence is repeated in English alone; in another
// language it is "".
func (l *Locale) Fault(noted string) string {
	if status := httpStatus.FindString(noted); status != "" {
		return status
	}
	for _, f := range faults {
		if strings.Contains(noted, f.part) {
			return l.Say(f.id)
		}
	}
	if l.Language == "en" {
		return noted
	}
	return ""
}

// Answer says what is stored of a call that was refused or brought no answer.
func (l *Locale) Answer(stored string) string {
	if r, ok := ParseRefusal(stored); ok {
		return l.Refusal(r)
	}
	return l.Fault(stored)
}
