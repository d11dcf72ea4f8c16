package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"wechat-broadcast/handlers/chat"
	"wechat-broadcast/lang"
	"wechat-broadcast/models"
)

// topicsPage is what the template "console_topics" shows.
type topicsPage struct {
	Rows []topicRow
	// Changes says that the visitor may change topics.
	Changes          bool
	MaxName, MaxText int
	// Edit is the topic that the form begins with; empty for a new one.
	Edit topicRow
}

// topicRow is a topic in the table.
type topicRow struct {
	Name, Description, Joined, Reachable, Added string
}

// topics shows the topics that followers can join.
func (c *Console) topics(g *gin.Context, s *visit) {
	all, err := c.config.Topics.All(g.Request.Context())
	if err != nil {
		c.fail(g, s, err)
		return
	}
	page := topicsPage{
		Changes: s.Role.May(models.Editor), MaxName: models.MaxTopicName, MaxText: models.MaxTopicText,
	}
	for _, t := range all {
		row := topicRow{Name: t.Name, Description: t.Description, Added: lang.Minute(t.AddedAt.Time)}
		if t.Known {
			row.Joined, row.Reachable = s.words.Number(t.Joined), s.words.Number(t.TopicCounts.Reachable)
		}
		if row.Name == g.Query("edit") {
			page.Edit = row
		}
		page.Rows = append(page.Rows, row)
	}
	c.render(g, s, http.StatusOK, "console_topics", page)
}

// setTopic adds a topic, or gives one another description.
func (c *Console) setTopic(g *gin.Context, s *visit) {
	c.act(g, s, chat.Command{Name: chat.TopicsAdd, Arg: oneLine(g.PostForm("name")), Text: oneLine(g.PostForm("text"))}, "topics")
}

// removeTopic removes a topic.
func (c *Console) removeTopic(g *gin.Context, s *visit) {
	c.act(g, s, chat.Command{Name: chat.TopicsRemove, Arg: oneLine(g.PostForm("name"))}, "topics")
}
