package models

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/width"
)

// GroupKind says what a group of people is.
type GroupKind string

// The kinds of groups.
const (
	GroupTopic GroupKind = "topic" // those who joined a topic
	GroupTag   GroupKind = "tag"   // those who have a tag on the platform
	GroupList  GroupKind = "list"  // those on a list
)

// Group is some people under a name.
type Group struct {
	Kind GroupKind `json:"kind"`
	Name string    `json:"name"`
	// ID is the number of a topic here, or of a tag on the platform; 0 for a list.
	ID int64 `json:"id,omitempty"`
	// Size is how many people were given one by one; 0 for others.
	Size int64 `json:"size,omitempty"`
	// Segment are the people: of a list as it was when the broadcast was asked for, of a
	// tag as it was pulled for the broadcast, 0 until it is. A topic has none: its people
	// come and go.
	Segment int64 `json:"segment,omitempty"`
}

// same tells whether two broadcasts that name these groups name the same one: a list may
// have been replaced, and its name be written in another case or width since. People who were
// given one by one have no name: shared tells of them.
func (g Group) same(o Group) bool {
	if g.Given() || o.Given() {
		return false
	}
	return g.Kind == o.Kind && (g.ID != 0 && g.ID == o.ID || strings.EqualFold(width.Fold.String(g.Name), width.Fold.String(o.Name)))
}

// Target is to whom a broadcast goes, beside its Audience.
type Target struct {
	// Groups are those for whom a broadcast to AudienceGroups is, all of one kind. One for
	// some recipients of an earlier broadcast has that one's.
	Groups []Group `json:"groups,omitempty"`
	// Except are those whom it leaves out.
	Except []Group `json:"except,omitempty"`
}

// None tells whether it says nothing.
func (t Target) None() bool { return len(t.Groups)+len(t.Except) == 0 }

// All returns the groups and those that are left out.
func (t Target) All() []Group { return append(t.Groups[:len(t.Groups):len(t.Groups)], t.Except...) }

// Value implements driver.Valuer.
func (t Target) Value() (driver.Value, error) {
	if t.None() {
		return "", nil
	}
	text, err := json.Marshal(t)
	return string(text), err
}

// Scan implements sql.Scanner.
func (t *Target) Scan(src any) error {
	text, err := textOf(src)
	if err != nil {
		return fmt.Errorf("scan target: %w", err)
	}
	*t = Target{}
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, t)
}

// GormDataType tells GORM that a Target is a text.
func (Target) GormDataType() string { return "text" }

// Segments returns the segments of a broadcast's groups of a kind.
func segmentsOf(groups []Group, kind GroupKind) (ids []int64) {
	for _, g := range groups {
		if g.Kind == kind && g.Segment != 0 {
			ids = append(ids, g.Segment)
		}
	}
	return ids
}

// condition is a condition on rows, with the parameters of its question marks.
type condition struct {
	sql  string
	args []any
}

// and adds a condition.
func (c *condition) and(sql string, args ...any) {
	c.sql += " AND " + sql
	c.args = append(c.args, args...)
}

// source is where the recipients of an audience are found. Its rows are joined with those
// of recipients, and key is the column with their numbers by which the database finds the
// next ones.
type source struct {
	from, key string
	// among says which rows of from it means, and where which of these are to be sent to as
	// things are now. A recipient whose send was begun is found by the first alone.
	among, where condition
}

// live is the condition on a row of recipients under which a broadcast may still go to a
// person who belongs to its audience: one who can be written to, and did not leave its
// topics since.
func (b *Broadcast) live() string {
	if stays := b.stays(); stays != "" {
		return reachable + " AND " + stays
	}
	return reachable
}

// stays is the condition on a row of recipients under which the person is in one of the
// broadcast's topics now; empty if it has none.
func (b *Broadcast) stays() string {
	topics := topicsOf(b.Target.Groups)
	if topics == "" {
		return ""
	}
	return "(SELECT MAX(l.joined) FROM memberships l WHERE l.topic_id IN (" + topics + ") AND l.recipient_id = recipients.id) = 1"
}

// liveMember is live for those who are found by a row m of memberships of one of the
// broadcast's topics. Of nearly all, that row tells.
func (b *Broadcast) liveMember() string {
	return reachable + " AND (m.joined = 1 OR " + b.stays() + ")"
}

// topicsOf lists the numbers of topics, for a statement.
func topicsOf(groups []Group) string {
	var ids []int64
	for _, g := range groups {
		if g.Kind == GroupTopic {
			ids = append(ids, g.ID)
		}
	}
	return string(appendInts(nil, ids...))
}

// outside is the condition on a row of recipients under which the person is not in a group:
// in a topic, as things were when the audience of b was frozen, or are now until it is. It
// asks for a value by its key: MySQL and MariaDB may turn a NOT EXISTS into a table of all
// who are in the group, anew for each page of the audience.
func (b *Broadcast) outside(g Group) condition {
	if g.Kind != GroupTopic {
		return outsideSegment(g.Segment)
	}
	joined := b.joinedThen("x")
	return condition{
		sql:  "COALESCE((SELECT " + joined.sql + " FROM memberships x WHERE x.topic_id = ? AND x.recipient_id = recipients.id), 0) = 0",
		args: append(slices.Clone(joined.args), g.ID),
	}
}

// outsideSegment is the condition on a row of recipients under which the person is not in a
// segment.
func outsideSegment(id int64) condition {
	return condition{sql: "(SELECT x.segment_id FROM members x WHERE x.segment_id = ? AND x.recipient_id = recipients.id) IS NULL", args: []any{id}}
}

// joinedThen is the value, of a row of memberships, that tells whether the person was in the
// topic when the audience of b was frozen: 1 or 0. Of those who changed their mind since, the last
// consent before tells.
func (b *Broadcast) joinedThen(table string) condition {
	if b.ThroughID == 0 {
		return condition{sql: table + ".joined"}
	}
	sql := "CASE WHEN t.consent_id <= ? THEN t.joined ELSE COALESCE((SELECT c.joined FROM consents c" +
		" WHERE c.topic_id = t.topic_id AND c.recipient_id = t.recipient_id AND c.id <= ? ORDER BY c.id DESC LIMIT 1), 0) END"
	return condition{sql: strings.ReplaceAll(sql, "t.", table+"."), args: []any{b.ThroughConsent, b.ThroughConsent}}
}

// sources returns where the recipients of a broadcast are found. Together they are its
// audience; who is in several belongs to the first.
func (s *Store) sources(b *Broadcast) []source {
	always := condition{sql: "1 = 1"}
	var all []source
	switch {
	case b.Audience == AudienceMe:
		// Whoever asks for it gets it, whatever else the row says.
		return []source{{"recipients", "recipients.id", always, condition{"recipients.openid = ?", []any{b.AskedBy}}}}
	case b.Audience == AudienceRetry || b.Audience == AudienceReached:
		of := condition{"o.broadcast_id = ?", []any{b.OfID}}
		all = []source{{s.joined("deliveries o", "o.recipient_id"), "o.recipient_id", of, b.earlier()}}
	case b.Audience == AudienceGroups || b.Audience == AudienceRest && len(b.Target.Groups) > 0:
		for _, g := range b.Target.Groups {
			all = append(all, s.group(b, g))
		}
	default:
		all = []source{{"recipients", "recipients.id", always, always}}
	}
	for i := range all {
		live := b.live()
		if strings.HasPrefix(all[i].from, "memberships m") {
			live = b.liveMember()
		}
		rules := b.rules(live)
		all[i].where.and(rules.sql, rules.args...)
		if b.CanarySegment != 0 { // they have batches of their own
			out := outsideSegment(b.CanarySegment)
			all[i].among.and(out.sql, out.args...)
		}
	}
	return all
}

// distinct returns the sources without those who are in an earlier one.
func (s *Store) distinct(b *Broadcast) []source {
	all := s.sources(b)
	for i := range all {
		for _, g := range b.Target.Groups[:min(i, len(b.Target.Groups))] {
			out := b.outside(g)
			all[i].where.and(out.sql, out.args...)
		}
	}
	return all
}

// rules is what must hold of a row of recipients in a source of an audience, where live or
// liveMember is the first part of it.
func (b *Broadcast) rules(live string) condition {
	c := condition{sql: live}
	if b.Audience == AudienceTest {
		c.and("recipients.tester = 1")
	}
	for _, g := range b.Target.Except {
		out := b.outside(g)
		c.and(out.sql, out.args...)
		if g.Kind == GroupTopic && b.Audience == AudienceRest && b.ThroughID != 0 {
			// Its audience was frozen with that of the earlier broadcast, but it may have been
			// asked for to leave out those who joined since.
			out = (&Broadcast{}).outside(g)
			c.and(out.sql, out.args...)
		}
	}
	if b.Audience == AudienceRest {
		untried := b.untried()
		c.and(untried.sql, untried.args...)
	}
	return c
}

// canary is where the recipients of a broadcast's canary, a segment, are found.
func (s *Store) canary(b *Broadcast, segment int64) source {
	src := s.segment(segment)
	src.where = condition{sql: b.live()}
	return src
}

// joined is a table joined with recipients by one of its columns, read first.
func (s *Store) joined(table, column string) string {
	join := " STRAIGHT_JOIN "
	if s.driver == SQLite {
		join = " CROSS JOIN "
	}
	return table + join + "recipients ON recipients.id = " + column
}

// group is where the people of a group are found.
func (s *Store) group(b *Broadcast, g Group) source {
	if g.Kind == GroupTopic {
		joined := b.joinedThen("m")
		return source{s.joined("memberships m", "m.recipient_id"), "m.recipient_id", condition{"m.topic_id = ?", []any{g.ID}}, condition{joined.sql + " = 1", joined.args}}
	}
	return s.segment(g.Segment)
}

// segment is where the people of a segment are found.
func (s *Store) segment(id int64) source {
	return source{s.joined("members m", "m.recipient_id"), "m.recipient_id", condition{"m.segment_id = ?", []any{id}}, condition{sql: "1 = 1"}}
}

// earlier is the condition on a row o of deliveries under which its recipient is one of
// those of an earlier broadcast for whom b is.
func (b *Broadcast) earlier() condition {
	if b.Audience == AudienceReached {
		// One that a crash left as sending may have been sent.
		return condition{sql: "o.state IN ('accepted', 'delivered', 'uncertain', 'sending')"}
	}
	// Whom an earlier retry of the same broadcast tried is that one's to retry.
	return condition{`o.state IN ('failed', 'uncertain')
		AND (SELECT COUNT(*) FROM broadcasts t JOIN deliveries n ON n.broadcast_id = t.id AND n.recipient_id = o.recipient_id
			WHERE t.of_id = ? AND t.audience = 'retry' AND t.id <> ?) = 0`, []any{b.OfID, b.ID}}
}

// untried is the condition on a row of recipients under which the person was in the
// audience of the broadcast that b is for the rest of, and was never tried. The highest
// recipient of that one, once fixed, is that of the rest, too: its ThroughID.
func (b *Broadcast) untried() condition {
	// Values again, as outside has them. What does not depend on the recipient is a subquery of
	// its own: the database finds it once, not once for each recipient.
	return condition{
		sql: `CASE (SELECT o.audience FROM broadcasts o WHERE o.id = ?) WHEN 'all' THEN 1 WHEN 'groups' THEN 1
		WHEN 'test' THEN recipients.tester
		WHEN 'me' THEN recipients.openid = (SELECT o.asked_by FROM broadcasts o WHERE o.id = ?)
		WHEN 'reached' THEN COALESCE((SELECT d.state IN ('accepted', 'delivered', 'uncertain', 'sending') FROM deliveries d
			WHERE d.broadcast_id = (SELECT o.of_id FROM broadcasts o WHERE o.id = ?) AND d.recipient_id = recipients.id), 0)
		ELSE 0 END = 1
	AND (SELECT d.recipient_id FROM deliveries d WHERE d.broadcast_id = ? AND d.recipient_id = recipients.id) IS NULL
	AND ((SELECT COUNT(*) FROM broadcasts t WHERE t.of_id = ? AND t.audience = 'rest' AND t.id <> ?) = 0
		OR (SELECT COUNT(*) FROM broadcasts t JOIN deliveries n ON n.broadcast_id = t.id AND n.recipient_id = recipients.id
			WHERE t.of_id = ? AND t.audience = 'rest' AND t.id <> ?) = 0)`,
		args: []any{b.OfID, b.OfID, b.OfID, b.OfID, b.OfID, b.ID, b.OfID, b.ID},
	}
}

// fieldsColumn is the column with the fields of a recipient, for ReadFields: those of the first
// of the broadcast's lists that the person is on, and then their own.
func (s *Store) fieldsColumn(b *Broadcast) string {
	listed := b.listedFields()
	switch {
	case listed == "":
		return ownFields
	case s.driver == SQLite:
		return "(" + listed + " || " + ownFields + ")"
	default:
		return "CONCAT(" + listed + ", " + ownFields + ")"
	}
}

// ownFields is the column with a person's own fields.
const ownFields = "recipients.fields"

// listedFields is the column with the fields of the first of the broadcast's lists that the
// person is on; empty without lists.
func (b *Broadcast) listedFields() string {
	lists := segmentsOf(b.Target.Groups, GroupList)
	if len(lists) == 0 {
		return ""
	}
	var c strings.Builder
	c.WriteString("COALESCE(")
	for _, id := range lists {
		fmt.Fprintf(&c, "(SELECT f.fields FROM members f WHERE f.segment_id = %d AND f.recipient_id = recipients.id), ", id)
	}
	return c.String() + "'')"
}
