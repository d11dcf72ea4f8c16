package e2e

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// inTime is within what time after the answer to their word nobody who left is sent to any
// more: the two seconds that are promised, and the way of a call to the platform.
const inTime = 2*time.Second + 250*time.Millisecond

// consents replays the consents that are exported, in their order: the first n of them, or
// those until a moment.
func (c *changing) consents(rows [][]string, n int, until time.Time) map[string][3]bool {
	c.t.Helper()
	agree := map[string][3]bool{}
	for _, one := range c.people {
		agree[one.openID] = [3]bool{true}
	}
	for _, row := range rows[:n] {
		at, err := time.Parse(time.RFC3339, row[3])
		if err != nil {
			c.t.Fatal(err)
		}
		if at.After(until) {
			continue
		}
		state := agree[row[0]]
		switch row[1] {
		case "":
			state[0] = row[2] == "true"
		case topicNames[0]:
			state[1] = row[2] == "true"
		case topicNames[1]:
			state[2] = row[2] == "true"
		default:
			c.t.Fatalf("a consent to %q", row[1])
		}
		agree[row[0]] = state
	}
	return agree
}

// exported are the consents as the program exports them, without the header.
func (c *changing) exported() [][]string {
	c.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(c.command("export", "consents"))).ReadAll()
	if err != nil || len(rows) == 0 || strings.Join(rows[0], ",") != "openid,topic,joined,at,via,text" {
		c.t.Fatalf("the export is no list of consents: %v, %v", rows, err)
	}
	return rows[1:]
}

// judgeConsents holds what is exported against what everyone had agreed to at each moment
// that was kept.
func (c *changing) judgeConsents() {
	c.t.Helper()
	rows := c.exported()
	ways := map[string]int{}
	for _, row := range rows {
		ways[row[4]]++
	}
	if ways["text"] == 0 || ways["menu"] == 0 || ways["scan"] == 0 || len(ways) != 3 {
		c.t.Errorf("consents by way: %v", ways)
	}
	for i, m := range c.moods {
		replayed := c.consents(rows, len(rows), m.at)
		for openID, want := range m.agree {
			if got := replayed[openID]; got != want {
				c.t.Errorf("moment %d of %d, %s: %s agreed to %v by the consents, want %v",
					i+1, len(c.moods), m.at.Format(time.RFC3339Nano), openID, got, want)
			}
		}
	}
	c.t.Logf("%d consents, %d moments", len(rows), len(c.moods))
}

// fixed is what the database says of a broadcast.
type fixed struct {
	asked
	through         int64              // the highest number of somebody who was known when its audience was fixed
	agreed          map[string][3]bool // what everyone had agreed to then
	frozen, ended   time.Time          // a moment after it was fixed, and of its end
	states, details map[string]string  // of the deliveries, by OpenID
	// first is the broadcast for whose rest it is, whose audience it has; nil for none.
	first *fixed
}

// fixed reads a broadcast.
func (c *changing) fixed(b asked, rows [][]string) fixed {
	c.t.Helper()
	f := fixed{asked: b, states: map[string]string{}, details: map[string]string{}}
	var consent, finished, first int64
	err := c.pool.QueryRowContext(c.t.Context(), "SELECT through_id, through_consent, finished_at FROM broadcasts WHERE id = ?", b.id).
		Scan(&f.through, &consent, &finished)
	if err != nil {
		c.t.Fatal(err)
	}
	var n int
	if err := c.pool.QueryRowContext(c.t.Context(), "SELECT COUNT(*) FROM consents WHERE id <= ?", consent).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	f.agreed = c.consents(rows, n, time.Now())
	deliveries, err := c.pool.QueryContext(c.t.Context(), `SELECT r.openid, d.state, d.detail, d.errcode, d.sent_at FROM deliveries d
		JOIN recipients r ON r.id = d.recipient_id WHERE d.broadcast_id = ?`, b.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = deliveries.Close() }()
	for deliveries.Next() {
		var (
			openID, state, detail string
			code, at              int64
		)
		if err := deliveries.Scan(&openID, &state, &detail, &code, &at); err != nil {
			c.t.Fatal(err)
		}
		f.states[openID], f.details[openID] = state, fmt.Sprintf("%d %s", code, detail)
		if at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if err := deliveries.Err(); err != nil {
		c.t.Fatal(err)
	}
	f.frozen, f.ended = time.UnixMilli(first), time.UnixMilli(finished)
	if finished == 0 || first == 0 && b.of == 0 {
		c.t.Fatalf("#%d (%s) was sent to nobody, or did not end", b.id, b.line)
	}
	return f
}

// belonging says whether somebody is in an audience.
type belonging int

const (
	outside belonging = iota
	perhaps           // somebody changed that while it was fixed
	inside
)

// except is who is in one and not in the other.
func (b belonging) except(other belonging) belonging { return min(b, inside-other) }

// belongs tells whether a person whose number is id was in the audience when it was fixed.
func (f *fixed) belongs(one *person, id int64) belonging {
	if f.first != nil {
		if f.first.states[one.openID] != "" {
			return outside
		}
		return f.first.belongs(one, id)
	}
	listed := outside
	if _, yes := f.listed[one.openID]; yes {
		listed = inside
	}
	tagged := perhaps
	switch { // the platform lists only those who follow
	case one.steady(aboutTag, true, f.at, f.frozen) && one.steady(aboutFollowing, true, f.at, f.frozen):
		tagged = inside
	case one.steady(aboutTag, false, f.at, f.frozen):
		tagged = outside
	}
	in := inside
	switch {
	case id == 0 || id > f.through:
		return outside
	case f.tag:
		in = tagged
	case f.list:
		in = listed
	case len(f.topics) > 0:
		in = outside
		for _, topic := range f.topics {
			if f.agreed[one.openID][topic+1] {
				in = inside
			}
		}
	}
	if f.exceptTag {
		in = in.except(tagged)
	}
	if f.exceptListed {
		in = in.except(listed)
	}
	return in
}

// willing tells whether a person could be sent a broadcast all the time of it. Who is on
// the blacklist is asked of the platform now and then.
func (f *fixed) willing(one *person) bool {
	if !one.steady(aboutAll, true, f.at, f.ended) || !one.steady(aboutFollowing, true, f.at, f.ended) ||
		!one.steady(aboutBlacklist, true, time.Unix(0, 0), f.ended) {
		return false
	}
	for _, topic := range f.topics {
		if one.steady(topic, true, f.at, f.ended) {
			return true
		}
	}
	return len(f.topics) == 0
}

// left tells of what a person had left when the platform took a message for them; empty if
// of nothing that matters for the broadcast.
func (f *fixed) left(one *person, at time.Time) string {
	gone := func(about int) bool { return one.steady(about, false, at.Add(-inTime), at) }
	switch {
	case gone(aboutAll):
		return "all broadcasts"
	case gone(aboutFollowing):
		return "the account"
	case len(f.topics) == 0:
		return ""
	}
	for _, topic := range f.topics {
		if !gone(topic) {
			return ""
		}
	}
	return "its topics"
}

// judge holds what everyone received against what they wanted, and against what the
// program says of it.
func (c *changing) judge() {
	c.t.Helper()
	rows := c.exported()
	numbers := c.numbers()
	all := make([]fixed, 0, len(c.asked))
	for _, b := range c.asked {
		f := c.fixed(b, rows)
		if b.of != 0 {
			f.first = &all[b.of-1]
		}
		all = append(all, f)
		c.t.Logf("#%d %s: %d deliveries", f.id, f.line, len(f.states))
	}
	faults := 0
	for _, one := range c.people {
		got := c.got(one)
		for i := range all {
			if fault := c.fault(&all[i], one, numbers[one.openID], got[all[i].id]); fault != "" {
				faults++
				c.t.Errorf("#%d (%s) and %s: %s; asked for %s, fixed %s, ended %s; %q %q; %v", all[i].id, all[i].line, one.openID, fault,
					all[i].at.Format(clock), all[i].frozen.Format(clock), all[i].ended.Format(clock),
					all[i].states[one.openID], all[i].details[one.openID], one)
			}
			delete(got, all[i].id)
		}
		if len(got) > 0 {
			c.t.Errorf("%s received messages of no broadcast: %v", one.openID, got)
		}
	}
	if faults > 0 {
		c.t.Errorf("%d faults", faults)
	}
}

const clock = "15:04:05.000"

// numbers are those of the people in the database, by OpenID.
func (c *changing) numbers() map[string]int64 {
	c.t.Helper()
	rows, err := c.pool.QueryContext(c.t.Context(), "SELECT openid, id FROM recipients")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	numbers := map[string]int64{}
	for rows.Next() {
		var (
			openID string
			id     int64
		)
		if err := rows.Scan(&openID, &id); err != nil {
			c.t.Fatal(err)
		}
		numbers[openID] = id
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return numbers
}

// received is a message as its recipient got it.
type received struct {
	at time.Time
	// to and due are what it says of the recipient.
	to, due string
}

// ofBroadcast finds the number of a broadcast in the client_msg_id of its messages.
var ofBroadcast = regexp.MustCompile(`b(\d+)r\d+$`)

// got is what a person received, by the number of the broadcast.
func (c *changing) got(one *person) map[int64][]received {
	c.t.Helper()
	all := map[int64][]received{}
	for _, m := range c.platform.messages(one.openID) {
		found := ofBroadcast.FindStringSubmatch(m.ClientMsgID)
		if found == nil {
			c.t.Fatalf("a message without the number of its broadcast: %+v", m)
		}
		id, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		got := received{at: m.At, to: m.Content.Data["character_string1"].Value}
		if due, listed := m.Content.Data["thing1"]; listed {
			got.to, got.due = m.Content.Data["keyword3"].Value, due.Value
		}
		all[id] = append(all[id], got)
	}
	return all
}

// fault says what is wrong with what a person, whose number is id, received of a broadcast;
// empty if nothing is.
func (c *changing) fault(f *fixed, one *person, id int64, got []received) string {
	state := f.states[one.openID]
	switch {
	case len(got) > 1:
		return fmt.Sprintf("received it %d times", len(got))
	case state == "sending" || state == "later":
		return "has no outcome"
	case (len(got) > 0 || state != "") && f.belongs(one, id) == outside:
		return "was not in its audience"
	case len(got) == 0 && (state == "accepted" || state == "delivered"):
		return "is lost"
	case len(got) == 1 && (state == "" || state == "failed"):
		return "received it and is said not to have"
	case state == "" && !f.cancelled && f.belongs(one, id) == inside && f.willing(one):
		return "was left out"
	case state != "" && c.blacklistedBefore(one):
		return "was tried and was on the blacklist before the first broadcast"
	case len(got) == 0:
		return ""
	case got[0].to != one.openID:
		return "received what is for " + got[0].to
	case f.list && got[0].due != f.listed[one.openID]:
		return fmt.Sprintf("reads %q, the list had %q", got[0].due, f.listed[one.openID])
	}
	if what := f.left(one, got[0].at); what != "" {
		return "had left " + what + " when the platform took the message at " + got[0].at.Local().Format(clock)
	}
	return ""
}

// blacklistedBefore tells whether a person was put on the blacklist before the first
// broadcast, so that every broadcast knew it, and stayed there. Of who left in between the
// platform does not say it.
func (c *changing) blacklistedBefore(one *person) bool {
	return one.steady(aboutBlacklist, false, c.asked[0].at, time.Now()) && one.steady(aboutFollowing, true, c.asked[0].at, time.Now())
}
