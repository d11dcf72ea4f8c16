// Package report says where a broadcast stands to other programs: the HTTP API answers
// with it, and webhooks carry it.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

// Broadcast is where a broadcast stands, as JSON. Times are RFC 3339 in Beijing time,
// and null where there is none.
type Broadcast struct {
	ID    int64                 `json:"id"`
	State models.BroadcastState `json:"state"`
	// Reason is why it is paused, cancelled or failed, or waits: a code such as "quota",
	// empty for none.
	Reason string `json:"reason"`
	// Message is the message's name.
	Message string `json:"message"`
	// Audience is to whom it goes, as the English chat command has it: "list 老读者".
	Audience   string `json:"audience"`
	Recipients int64  `json:"recipients"`
	Counts     Counts `json:"counts"`
	// AskedAt is when it was asked for, StartsAt when it started or is to start, and
	// FinishedAt when it ended, however it ended.
	AskedAt    *time.Time `json:"asked_at"`
	StartsAt   *time.Time `json:"starts_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Counts are the recipients of a broadcast by what became of them.
type Counts struct {
	Accepted  int64 `json:"accepted"`
	Delivered int64 `json:"delivered"`
	Blocked   int64 `json:"blocked"`
	Failed    int64 `json:"failed"`
	Uncertain int64 `json:"uncertain"`
	Skipped   int64 `json:"skipped"`
	// Waiting are those without an outcome, 0 once the broadcast has ended.
	Waiting int64 `json:"waiting"`
}

// Of returns where a broadcast stands with these counts.
func Of(b models.Broadcast, c models.Counts) Broadcast {
	r := Broadcast{
		ID: b.ID, State: b.State, Reason: b.Reason, Message: b.Name, Audience: Audience(b), Recipients: b.Recipients,
		Counts: Counts{
			Accepted: c.Accepted, Delivered: c.Delivered, Blocked: c.Blocked, Failed: c.Failed, Uncertain: c.Uncertain, Skipped: c.Skipped,
		},
		AskedAt: Moment(b.AskedAt.Time), FinishedAt: Moment(b.FinishedAt.Time),
	}
	if !b.State.Final() {
		r.Counts.Waiting = max(0, b.Recipients-(c.Known()-c.Sending))
	}
	switch {
	case !b.StartedAt.IsZero():
		r.StartsAt = Moment(b.StartedAt.Time)
	case b.State == models.Pending: // it starts when it is approved, and not before that
		r.StartsAt = Moment(b.PlannedStart.Time)
	case !b.State.Final():
		r.StartsAt = Moment(b.NotBefore.Time)
	}
	return r
}

// Moment returns a time as other programs are told it; nil for the zero time.
func Moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone.Beijing)
	return &t
}

// GivenAudience is the audience of a broadcast to people who were given one by one.
const GivenAudience = "recipients"

// Audience returns to whom a broadcast goes, as the English chat command has it. A retry,
// which has a command of its own, is "retry #7"; people given one by one are GivenAudience.
func Audience(b models.Broadcast) string {
	var words []string
	switch {
	case b.OfID == 0 && b.Target.Given(): // else they are those of an earlier one
		words = []string{GivenAudience}
	case b.Audience == models.AudienceGroups:
		words = groups(b.Target.Groups)
	case b.OfID != 0:
		words = []string{string(b.Audience), fmt.Sprintf("#%d", b.OfID)}
	default:
		words = []string{string(b.Audience)}
	}
	if len(b.Target.Except) > 0 {
		for _, part := range groups(b.Target.Except) {
			words = append(words, "except", part)
		}
	}
	return strings.Join(words, " ")
}

// Group returns the audience that is one group.
func Group(g models.Group) string { return groups([]models.Group{g})[0] }

// groups names groups, those of one kind together.
func groups(list []models.Group) []string {
	var parts []string
	for i := 0; i < len(list); {
		var names []string
		kind := list[i].Kind
		for ; i < len(list) && list[i].Kind == kind; i++ {
			names = append(names, name(list[i].Name))
		}
		parts = append(parts, string(kind)+" "+strings.Join(names, ","))
	}
	return parts
}

// commandWords are read as something else where a name may stand; the Chinese ones may
// have the next word glued to them.
var commandWords = []string{"at", "except", "定时", "不含"}

// name returns a group's name as a command reads it again: in quotation marks that are not
// in it, if it would be read otherwise without.
func name(of string) string {
	parted := strings.ContainsFunc(of, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(",，、､﹐﹑", r)
	})
	command := slices.ContainsFunc(commandWords, func(w string) bool {
		return strings.EqualFold(of, w) || w[0] >= utf8.RuneSelf && strings.HasPrefix(of, w)
	})
	if !parted && !command && !strings.HasPrefix(of, "“") && !strings.HasPrefix(of, "「") && !strings.HasPrefix(of, `"`) {
		return of
	}
	for _, marks := range [][2]string{{"“", "”"}, {"「", "」"}, {`"`, `"`}} {
		if !strings.Contains(of, marks[1]) {
			return marks[0] + of + marks[1]
		}
	}
	return of
}
