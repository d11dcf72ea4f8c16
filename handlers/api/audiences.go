package api

import (
	"context"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/report"
)

// Audience is to whom a broadcast can go.
type Audience struct {
	// Audience is how it is written in a request for a broadcast.
	Audience string `json:"audience"`
	// Size is how many would get it now: of a tag how many have it on the platform, as it is
	// pulled for each broadcast. Null if there was no time to count them.
	Size *int64 `json:"size"`
	// Description is that of a topic.
	Description string `json:"description"`
	// Fields are those that a list has of its people.
	Fields []string `json:"fields"`
}

// audienceList is a page of audiences.
type audienceList struct {
	List[Audience]

	// Warning says what is not in the list although it may be there; empty if all is.
	Warning string `json:"warning"`
}

// countTopicsWithin is how long an answer counts people.
const countTopicsWithin = 2 * time.Second

func (a *API) listAudiences(c *call) error {
	p, err := c.page(limitMost)
	if err != nil {
		return err
	}
	all, err := a.people(c.ctx)
	if err != nil {
		return err
	}
	topics, err := a.Topics.List(c.ctx)
	if err != nil {
		return err
	}
	counting, cancel := context.WithTimeout(c.ctx, countTopicsWithin)
	defer cancel()
	for _, t := range topics {
		n, err := a.Store.CountTopic(counting, t.ID)
		if err != nil && counting.Err() == nil {
			return err
		}
		one := group(models.GroupTopic, t.Name, n.Reachable, err == nil)
		one.Description = t.Description
		all = append(all, one)
	}
	tags, warning, err := a.tags(c.ctx)
	if err != nil {
		return err
	}
	all = append(all, tags...)
	lists, err := a.Lists.All(c.ctx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		one := group(models.GroupList, l.Name, l.Follow, l.Counted)
		one.Fields = append(one.Fields, l.FieldNames()...)
		all = append(all, one)
	}
	return answer(c.Context, audienceList{part(p, all), warning})
}

// people are the audiences that there always are.
func (a *API) people(ctx context.Context) ([]Audience, error) {
	var all []Audience
	for _, to := range []models.Audience{models.AudienceAll, models.AudienceTest} {
		n, err := a.Store.CountAudience(ctx, &models.Broadcast{Audience: to})
		if err != nil {
			return nil, err
		}
		all = append(all, Audience{Audience: string(to), Size: &n, Fields: []string{}})
	}
	return all, nil
}

// tags are those of the platform. While it can't be asked they are left out with a warning.
func (a *API) tags(ctx context.Context) (list []Audience, warning string, err error) {
	tags, err := a.Engine.Tags(ctx)
	if models.KindOf(err) != "" {
		warning, _ = a.Composer.ErrorText(err)
		return nil, warning, nil
	}
	for _, t := range tags {
		list = append(list, group(models.GroupTag, t.Name, t.Count, true))
	}
	return list, "", err
}

func group(kind models.GroupKind, name string, size int64, known bool) Audience {
	one := Audience{Audience: report.Group(models.Group{Kind: kind, Name: name}), Fields: []string{}}
	if known {
		one.Size = &size
	}
	return one
}
