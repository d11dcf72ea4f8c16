package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/lists"
	filed "wechat-broadcast/services/people"
	"wechat-broadcast/services/topics"
)

// classes is in how many classes of the same size the people are: by the remainder of their
// number. A group is a set of them, so that the platform's end knows who is in it.
const classes = 20

type members [classes]bool

func membersOf(list ...int) (m members) {
	for _, class := range list {
		m[class] = true
	}
	return m
}

const (
	firstTag  = 100 // as the platform numbers the first that an account makes
	topicName = "lectures"
	vip       = "vip"
	branch    = "branch"
	due       = "due"
	late      = "late"
)

// tagNames are the tags, in the order of their numbers.
var tagNames = []string{vip, branch}

// groupOf returns who is in a group: 30% in the topic, 20% with each tag, 10% on each list.
func groupOf(name string) members {
	switch name {
	case topicName:
		return membersOf(0, 1, 2, 10, 11, 12)
	case vip:
		return membersOf(2, 3, 12, 13)
	case branch:
		return membersOf(3, 4, 13, 14)
	case due:
		return membersOf(1, 5)
	case late:
		return membersOf(5, 15)
	}
	return members{}
}

// sizeOf is how many of n people are in a group.
func sizeOf(m members, n int) int {
	size := 0
	for class, in := range m {
		if in {
			size += (n - class + classes - 1) / classes
		}
	}
	return size
}

// crowd is an audience that is measured.
type crowd struct {
	name           string
	audience       models.Audience
	groups, except []models.Group
	canary         bool
	message        string
}

const (
	crowdAll    = "all"
	crowdRest   = "the rest of a cancelled one"
	crowdCanary = "all, with a canary"
)

func named(kind models.GroupKind, names ...string) (groups []models.Group) {
	for _, name := range names {
		groups = append(groups, models.Group{Kind: kind, Name: name})
	}
	return groups
}

// crowds are all of them. Those with lists fill the message from these.
var crowds = []crowd{
	{name: crowdAll, audience: models.AudienceAll},
	{name: "a topic", audience: models.AudienceGroups, groups: named(models.GroupTopic, topicName)},
	{name: "a tag", audience: models.AudienceGroups, groups: named(models.GroupTag, vip)},
	{name: "a list with fields", audience: models.AudienceGroups, groups: named(models.GroupList, due), message: "due"},
	{
		name: "two tags except a topic", audience: models.AudienceGroups,
		groups: named(models.GroupTag, vip, branch), except: named(models.GroupTopic, topicName),
	},
	{
		name: "two lists except a topic", audience: models.AudienceGroups,
		groups: named(models.GroupList, due, late), except: named(models.GroupTopic, topicName), message: "due",
	},
	{name: crowdCanary, audience: models.AudienceAll, canary: true},
	{name: crowdRest, audience: models.AudienceRest},
}

// members returns who belongs to the crowd; of a rest, who belongs to it or got it before.
func (c crowd) members() (m members) {
	for class := range m {
		m[class] = len(c.groups) == 0
	}
	for _, g := range c.groups {
		for class, in := range groupOf(g.Name) {
			m[class] = m[class] || in
		}
	}
	for _, g := range c.except {
		for class, in := range groupOf(g.Name) {
			m[class] = m[class] && !in
		}
	}
	return m
}

// numbered is the text that the messages of lists have for a person.
func numbered(person int) string { return "第" + strconv.Itoa(person) + "号" }

// peopleResult is what the people cost who are there before the first broadcast.
type peopleResult struct {
	Import sample // of a list, with its file looked at before
}

// people pulls the followers, has some of them join the topic, and imports the lists.
func people(ctx context.Context, p *parts, task programTask) (res peopleResult, err error) {
	if err := p.sync(ctx, task.Followers); err != nil {
		return res, err
	}
	t, err := topics.New(topics.Config{Store: p.store, Now: time.Now}).Add(ctx, topicName, "", "bench")
	if err != nil {
		return res, err
	}
	if err := join(ctx, task, t.ID); err != nil {
		return res, err
	}
	service := &lists.Service{Store: p.store, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, name := range []string{late, due} {
		file := listFile(groupOf(name), task.Followers)
		watch := start()
		looked, err := service.Look(ctx, bytes.NewReader(file), filed.Options{}, func(int64) {})
		if err == nil {
			_, err = service.Make(ctx, models.List{Name: name, ChangedBy: "bench"}, bytes.NewReader(file), filed.Options{}, looked, func(int64) {})
		}
		if err != nil {
			return res, err
		}
		res.Import = watch.stop(sizeOf(groupOf(name), task.Followers))
	}
	return res, nil
}

// listFile is a list as a file.
func listFile(in members, n int) []byte {
	file := []byte("openid,no,note\n")
	for person := range n {
		if in[person%classes] {
			file = appendOpenID(file, person)
			file = fmt.Appendf(file, ",%d,馆藏图书\n", person)
		}
	}
	return file
}

// join has the people of the topic join it, past the program: it takes one at a time.
func join(ctx context.Context, task programTask, topic int64) error {
	db, err := openRaw(task)
	if err != nil {
		return err
	}
	defer db.Close()
	ids, err := inTopic(ctx, db, task.Followers)
	if err != nil {
		return err
	}
	consent := 0
	for group := range slices.Chunk(ids, insertGroup) {
		var said, in []any
		for _, id := range group {
			consent++
			said = append(said, consent, topic, id)
			in = append(in, topic, id, consent)
		}
		_, err := db.ExecContext(ctx, "INSERT INTO consents (id, topic_id, recipient_id, joined, at, via) VALUES "+
			places("(?, ?, ?, 1, 1, 'text')", len(group)), said...)
		if err == nil {
			_, err = db.ExecContext(ctx, "INSERT INTO memberships (topic_id, recipient_id, joined, consent_id) VALUES "+
				places("(?, ?, 1, ?)", len(group)), in...)
		}
		if err != nil {
			return fmt.Errorf("join the topic: %w", err)
		}
	}
	return nil
}

// inTopic returns the recipients who are in the topic.
func inTopic(ctx context.Context, db *sql.DB, followers int) (ids []int64, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, openid FROM recipients ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read recipients: %w", err)
	}
	defer rows.Close()
	in := groupOf(topicName)
	for rows.Next() {
		var id int64
		var openID sql.RawBytes
		if err := rows.Scan(&id, &openID); err != nil {
			return nil, fmt.Errorf("read recipients: %w", err)
		}
		if in[personOf(openID, followers)%classes] {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}
