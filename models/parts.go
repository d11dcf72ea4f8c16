package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// Part is one group of a broadcast's audience, in numbers. Total is the sum of the others.
type Part struct {
	Group Group
	// Known is false for a tag that is not pulled yet: then all numbers are 0.
	Known bool
	Total int64
	// Away do not follow; Strangers of them were never known to.
	Away, Strangers       int64
	OptedOut, Blacklisted int64
	// Repeated are in an earlier group of the audience, and Excepted are left out.
	Repeated, Excepted int64
	// Left are those whom it is sent to.
	Left int64
}

// CountParts counts the groups of a broadcast's audience as they are now, each with one
// query. Each person of a group is counted for the first reason not to send.
func (s *Store) CountParts(ctx context.Context, b *Broadcast) ([]Part, error) {
	parts := make([]Part, len(b.Target.Groups))
	for i, g := range b.Target.Groups {
		parts[i].Group = g
		if parts[i].Known = g.Kind == GroupTopic || g.Segment != 0; !parts[i].Known {
			continue
		}
		if err := s.countPart(ctx, b, i, &parts[i]); err != nil {
			return nil, fmt.Errorf("count group: %w", err)
		}
	}
	return parts, nil
}

func (s *Store) countPart(ctx context.Context, b *Broadcast, i int, p *Part) error {
	src := s.group(b, p.Group)
	reason := condition{sql: "CASE WHEN recipients.subscribed = 0 AND recipients.stranger = 1 THEN 'strangers' WHEN recipients.subscribed = 0 THEN 'away'" +
		" WHEN recipients.opted_out = 1 THEN 'opted_out' WHEN recipients.blacklisted = 1 THEN 'blacklisted'"}
	when := func(groups []Group, then string) {
		for _, g := range groups {
			out := b.outside(g)
			reason.sql += " WHEN NOT (" + out.sql + ") THEN '" + then + "'"
			reason.args = append(reason.args, out.args...)
		}
	}
	when(b.Target.Groups[:i], "repeated")
	when(b.Target.Except, "excepted")
	var rows []struct {
		Reason string
		N      int64
	}
	err := src.query(s.r.WithContext(ctx), b.ThroughID).
		Select(reason.sql+" ELSE 'left' END AS reason, COUNT(*) AS n", reason.args...).Group("reason").Find(&rows).Error
	for _, row := range rows {
		p.Total += row.N
		switch row.Reason {
		case "strangers":
			p.Strangers = row.N
			p.Away += row.N
		case "away":
			p.Away += row.N
		case "opted_out":
			p.OptedOut = row.N
		case "blacklisted":
			p.Blacklisted = row.N
		case "repeated":
			p.Repeated = row.N
		case "excepted":
			p.Excepted = row.N
		default:
			p.Left = row.N
		}
	}
	return err
}

// Lack says who lacks a field among those to whom a broadcast goes.
type Lack struct {
	Field string
	Count int64
	// OpenIDs are some of them, masked.
	OpenIDs []string
}

// lackShown is how many of those who lack a field are named.
const lackShown = 3

// Lacking counts, for each of the fields, who lacks it of those to whom a broadcast goes as
// things are now, on its lists and of their own; with everyone, also of those on the lists who
// can't be written to. Fields that nobody lacks are left out.
func (s *Store) Lacking(ctx context.Context, b *Broadcast, fields []string, everyone bool) ([]Lack, error) {
	all := make([]Lack, len(fields))
	for i, name := range fields {
		all[i].Field = name
	}
	sources := s.distinct(b)
	columns := []string{ownFields}
	if listed := b.listedFields(); listed != "" {
		columns = append(columns, listed)
	}
	if everyone {
		sources = s.listed(b)
	} else if b.Audience == AudienceGroups && len(columns) > 1 {
		columns[1] = "m.fields" // of the list that is the source: it is the first that the person is on
	}
	for _, src := range sources {
		if err := s.countLacks(ctx, b, src, columns, all); err != nil {
			return nil, fmt.Errorf("count who lacks a field: %w", err)
		}
	}
	return slices.DeleteFunc(all, func(l Lack) bool { return l.Count == 0 }), nil
}

// countLacks adds who lacks fields of the people of a source.
func (s *Store) countLacks(ctx context.Context, b *Broadcast, src source, columns []string, all []Lack) error {
	counts := make([]int64, len(all))
	into := make([]any, len(all))
	var sums []string
	var args []any
	for i, l := range all {
		lacks := s.lackAll(columns, l.Field)
		sums, args, into[i] = append(sums, "COALESCE(SUM("+lacks.sql+"), 0)"), append(args, lacks.args...), &counts[i]
	}
	query := func() *gorm.DB { return src.query(s.r.WithContext(ctx), b.ThroughID) }
	if err := query().Select(strings.Join(sums, ", "), args...).Row().Scan(into...); err != nil {
		return err
	}
	for i := range all {
		l := &all[i]
		if l.Count += counts[i]; counts[i] == 0 || len(l.OpenIDs) == lackShown {
			continue
		}
		lacks := s.lackAll(columns, l.Field)
		var openIDs []string
		err := query().Where(lacks.sql, lacks.args...).Order(src.key).Limit(lackShown-len(l.OpenIDs)).Pluck("recipients.openid", &openIDs).Error
		if err != nil {
			return err
		}
		for _, openID := range openIDs {
			l.OpenIDs = append(l.OpenIDs, MaskOpenID(openID))
		}
	}
	return nil
}

// listed is where the people on the lists of a broadcast are found, whether they can be
// written to or not.
func (s *Store) listed(b *Broadcast) (all []source) {
	for _, id := range segmentsOf(b.Target.Groups, GroupList) {
		all = append(all, s.segment(id))
	}
	return all
}

// SampleListed returns up to n of the people on the lists of a broadcast, with the fields
// that fill its message, whether they can be written to or not.
func (s *Store) SampleListed(ctx context.Context, b *Broadcast, n int) (people []Recipient, err error) {
	for _, src := range s.listed(b) {
		var part []Recipient
		err := src.query(s.r.WithContext(ctx), 0).Select("recipients.*, " + s.fieldsColumn(b) + " AS fields").
			Order(src.key).Limit(n - len(people)).Find(&part).Error
		if err != nil {
			return nil, fmt.Errorf("sample lists: %w", err)
		}
		people = append(people, part...)
	}
	return people, nil
}

// lackAll is the condition that no column of fields has one of a name.
func (s *Store) lackAll(columns []string, name string) condition {
	all := condition{sql: "1 = 1"}
	for _, column := range columns {
		lacks := s.lack(column, name)
		all.and(lacks.sql, lacks.args...)
	}
	return all
}

// lack is the condition that a column of fields has none of a name, or an empty one. Fields
// are stored without spaces, and a value has no quotation mark without a backslash in front,
// so a name with its marks and a colon is found in no value. That is twice as fast as
// JSON_EXTRACT.
func (s *Store) lack(column, name string) condition {
	quoted, _ := json.Marshal(name) // a string always encodes
	if s.driver == MySQL {          // where upper and lower case would be the same
		column = "CAST(" + column + " AS BINARY)"
	}
	return condition{
		sql:  "(INSTR(" + column + ", ?) = 0 OR INSTR(" + column + ", ?) > 0)",
		args: []any{string(quoted) + `:"`, string(quoted) + `:""`},
	}
}

// FieldsOf returns the names of the fields that a broadcast's lists have, each once.
func (s *Store) FieldsOf(ctx context.Context, b *Broadcast) (names []string, err error) {
	for _, id := range segmentsOf(b.Target.Groups, GroupList) {
		seg, err := first[Segment](s.r.WithContext(ctx).Where("id = ?", id))
		if err != nil {
			return nil, fmt.Errorf("read fields: %w", err)
		}
		if seg == nil {
			continue
		}
		for _, name := range fieldNames(seg.Fields) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// CountReachable returns how many people of a segment can be written to.
func (s *Store) CountReachable(ctx context.Context, segment int64) (n int64, err error) {
	src := s.segment(segment)
	src.where = condition{sql: reachable}
	err = src.query(s.r.WithContext(ctx), 0).Count(&n).Error
	return n, wrap(err, "count members")
}
