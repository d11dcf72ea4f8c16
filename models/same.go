package models

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
)

// refuseSame refuses what those for whom a broadcast is are being sent, or were within
// sameWithin. Topics, tags and lists are the same by their names, whoever is in them. People
// who were given one by one have no name, so that it is looked who they are:
//
//   - beside others who were given, a list or a tag, it counts who is in both and has the same
//     in each of the fields that the message can't be filled without, as far as both have it:
//     two orders of one reader are not the same content;
//   - beside a topic, it counts who is in it, or was when the other broadcast went there;
//   - everyone has all of them.
//
// Who could not be written to counts too: that may have changed.
func refuseSame(tx *gorm.DB, b *Broadcast, fills []string) error {
	since := b.AskedAt.Add(-sameWithin)
	k := kin{tx: tx, b: b, fills: fills, known: map[int64]*Broadcast{}}
	var recent []Broadcast
	err := tx.Omit("message").Where("digest = ? AND (finished_at = 0 OR finished_at > ?)", b.Digest, At(since)).Order("id DESC").Find(&recent).Error
	if err != nil {
		return err
	}
	for i := range recent {
		k.known[recent[i].ID] = &recent[i]
	}
	if err := k.findShared(recent); err != nil {
		return err
	}
	for _, old := range recent {
		met, err := k.meets(&old)
		if err != nil {
			return err
		}
		if !met {
			continue
		}
		repeats, err := repeated(tx, &old, since)
		if err != nil {
			return err
		}
		if repeats {
			return NewError(Conflict, ErrSameMessage, "ID", old.ID, "Name", old.Name)
		}
	}
	return nil
}

// kin are the broadcasts with the same content as a new one, b.
type kin struct {
	tx    *gorm.DB
	b     *Broadcast
	fills []string
	// known has them by their numbers; nil for one with other content.
	known map[int64]*Broadcast
	// segments and topics are those of their groups in which somebody is for whom b is too,
	// if either has people who were given.
	segments, topics map[int64]bool
}

// find returns a broadcast by its number, nil if it has other content.
func (k *kin) find(id int64) (*Broadcast, error) {
	if of, known := k.known[id]; known {
		return of, nil
	}
	of, err := first[Broadcast](k.tx.Omit("message").Where("id = ? AND digest = ?", id, k.b.Digest))
	if err == nil {
		k.known[id] = of
	}
	return of, err
}

// root returns the broadcast some of whose recipients another one is for, or the one itself;
// nil if it has other content.
func (k *kin) root(of *Broadcast) (*Broadcast, error) {
	var err error
	for of != nil && of.OfID != 0 && err == nil {
		of, err = k.find(of.OfID)
	}
	return of, err
}

// meets tells whether b would reach people whom an old broadcast may have reached.
func (k *kin) meets(old *Broadcast) (bool, error) {
	switch b := k.b; b.Audience {
	case AudienceRest: // nobody has an outcome of both
		if done, err := k.completes(old, b.OfID); done || err != nil {
			return false, err
		}
	case AudienceReached:
		if old.ID == b.OfID || old.Audience == AudienceReached && old.OfID == b.OfID {
			return true, nil
		}
	default:
	}
	root, err := k.root(old)
	return err == nil && k.overlaps(root), err
}

// completes tells whether a broadcast is the one of a number, or is for its rest, or
// retries one of these: whomever it reached, no rest of that one is for.
func (k *kin) completes(b *Broadcast, id int64) (bool, error) {
	for b != nil && b.ID != id {
		if b.Audience != AudienceRest && b.Audience != AudienceRetry {
			return false, nil
		}
		if b.OfID == id {
			return true, nil
		}
		var err error
		if b, err = k.find(b.OfID); err != nil {
			return false, err
		}
	}
	return b != nil, nil
}

// overlaps tells whether a broadcast that is for nobody's recipients went to everyone, or to
// a group for which b is; to everyone in a group counts for b if it is for everyone. Those
// with other content are nil; whom they were for may have been anybody.
func (k *kin) overlaps(root *Broadcast) bool {
	switch {
	case root == nil || root.Audience == AudienceAll:
		return true
	case root.Audience != AudienceGroups:
		return false
	case len(k.b.Target.Groups) == 0:
		return true
	}
	return slices.ContainsFunc(k.b.Target.Groups, func(g Group) bool {
		return slices.ContainsFunc(root.Target.Groups, func(o Group) bool { return g.same(o) || k.shared(g, o) })
	})
}

// shared tells whether somebody is in two groups of which one has people who were given. Who
// has a tag that was not pulled is not known, so that it may be anybody.
func (k *kin) shared(g, o Group) bool {
	switch {
	case !g.Given() && !o.Given():
		return false
	case o.Kind == GroupTopic:
		return k.topics[o.ID]
	case g.Kind != GroupTopic && g.Segment == 0 || o.Segment == 0:
		return true
	}
	return k.segments[o.Segment]
}

// findShared finds which groups of broadcasts have somebody for whom b is too, as far as
// people who were given are in one of the two.
func (k *kin) findShared(recent []Broadcast) error {
	k.segments, k.topics = map[int64]bool{}, map[int64]bool{}
	given, named, topics := map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	for i := range recent {
		root, err := k.root(&recent[i])
		if err != nil {
			return err
		}
		if root == nil {
			continue
		}
		for _, o := range root.Target.Groups {
			switch {
			case o.Given():
				given[o.Segment] = true
			case o.Kind == GroupTopic:
				topics[o.ID] = true
			case o.Segment != 0:
				named[o.Segment] = true
			}
		}
	}
	for _, g := range k.b.Target.Groups {
		var err error
		switch {
		case g.Given():
			for topic := range topics { // who left since was in it then
				if err == nil {
					err = k.meetTopic([]int64{g.Segment}, topic, "", func(int64) { k.topics[topic] = true })
				}
			}
			if err == nil {
				maps.Copy(named, given)
				err = k.meetSegments(g.Segment, slices.Sorted(maps.Keys(named)))
			}
		case g.Kind == GroupTopic:
			err = k.meetTopic(slices.Sorted(maps.Keys(given)), g.ID, " AND i.joined = 1", func(segment int64) { k.segments[segment] = true })
		case g.Segment != 0:
			err = k.meetSegments(g.Segment, slices.Sorted(maps.Keys(given)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// meetTopic hands those of some segments to found in which somebody is who has a row of a
// topic under a condition.
func (k *kin) meetTopic(segments []int64, topic int64, condition string, found func(segment int64)) error {
	for chunk := range slices.Chunk(segments, maxRows) {
		var ids []int64
		err := k.tx.Raw("SELECT DISTINCT o.segment_id FROM "+k.joined("memberships i")+" ON i.topic_id = ? AND i.recipient_id = o.recipient_id"+condition+
			" WHERE o.segment_id IN ("+string(appendInts(nil, chunk...))+")", topic).Scan(&ids).Error
		if err != nil {
			return fmt.Errorf("compare with a topic: %w", err)
		}
		for _, id := range ids {
			found(id)
		}
	}
	return nil
}

// joined is the members o of segments with another table, which is looked up for each.
func (k *kin) joined(other string) string {
	if k.tx.Name() == "mysql" {
		return "members o STRAIGHT_JOIN " + other
	}
	return "members o CROSS JOIN " + other
}

// meetSegments notes those of other segments in which somebody of one is, as refuseSame says.
// Of two segments the smaller one is gone through: no statement reads more people than are in
// the one and the other together, however large a list is.
func (k *kin) meetSegments(segment int64, others []int64) error {
	sizes := map[int64]int64{}
	for chunk := range slices.Chunk(append(others[:len(others):len(others)], segment), maxRows) {
		var rows []Segment
		if err := k.tx.Select("id, size").Where("id IN ?", chunk).Find(&rows).Error; err != nil {
			return err
		}
		for _, row := range rows {
			sizes[row.ID] = row.Size
		}
	}
	var small []int64
	for _, o := range others {
		if sizes[o] <= sizes[segment] {
			small = append(small, o)
			continue
		}
		if err := k.meet([]int64{segment}, o, func(int64) { k.segments[o] = true }); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(small, maxRows) {
		if err := k.meet(chunk, segment, func(o int64) { k.segments[o] = true }); err != nil {
			return err
		}
	}
	return nil
}

// meet hands those of some segments to found in which somebody is who is in another one too.
func (k *kin) meet(some []int64, other int64, found func(segment int64)) error {
	rows, err := k.tx.Statement.ConnPool.QueryContext(k.tx.Statement.Context, "SELECT o.segment_id, o.fields, i.fields FROM "+k.joined("members i")+
		" ON i.segment_id = ? AND i.recipient_id = o.recipient_id WHERE o.segment_id IN ("+string(appendInts(nil, some...))+")", other)
	if err != nil {
		return fmt.Errorf("compare segments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var segment int64
		var one, two string
		if err := rows.Scan(&segment, &one, &two); err != nil {
			return err
		}
		same, err := sameFields(one, two, k.fills)
		if err != nil {
			return err
		}
		if same {
			found(segment)
		}
	}
	return rows.Err()
}

// sameFields tells whether none of some fields differs, of which both have one.
func sameFields(one, two string, names []string) (bool, error) {
	if len(names) == 0 || one == two {
		return true, nil
	}
	a, err := ReadFields(one)
	if err != nil {
		return false, err
	}
	b, err := ReadFields(two)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(names, func(name string) bool { return a[name] != "" && b[name] != "" && a[name] != b[name] }), nil
}

// repeated tells whether somebody may be sent a broadcast still, or was since a
// moment.
func repeated(tx *gorm.DB, b *Broadcast, since time.Time) (bool, error) {
	switch {
	case !b.State.Final():
		return true, nil
	case !b.FinishedAt.IsZero() && !b.FinishedAt.After(since): // no send begins after it
		return false, nil
	case b.State == Finished:
		return true, nil
	}
	// It may have been paused for long before it was stopped.
	var sent []int64
	err := tx.Model(&Delivery{}).Where("broadcast_id = ? AND state <> ? AND sent_at > ?", b.ID, FailedFor, At(since)).
		Limit(1).Pluck("recipient_id", &sent).Error
	if err != nil || len(sent) > 0 {
		return len(sent) > 0, err
	}
	n, err := unrecorded(tx, b.ID) // of the last sends before it was stopped
	return n > 0, err
}
