package chat

import (
	"context"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/topics"
)

// stageTopics stands in for the topics' service: there are none.
type stageTopics struct{ *stage }

func (s stageTopics) List(context.Context) ([]models.Topic, error) { return nil, nil }

func (s stageTopics) All(context.Context) ([]topics.Counted, error) { return nil, s.err }

func (s stageTopics) Add(_ context.Context, name, description, by string) (*topics.Added, error) {
	s.record("add topic %s (%s) by %s", name, description, by)
	return &topics.Added{Topic: models.Topic{Name: name, Description: description}}, s.err
}

func (s stageTopics) Remove(_ context.Context, name string) (*models.Topic, models.TopicCounts, error) {
	s.record("remove topic %s", name)
	return &models.Topic{Name: name}, models.TopicCounts{}, s.err
}

func (s stageFollowers) SetTopics(context.Context, string, []int64, bool, followers.Said) (followers.Changed, error) {
	return followers.Changed{}, s.err
}

func (s stageFollowers) TopicsOf(context.Context, string) ([]models.Topic, bool, error) {
	return nil, false, s.err
}
