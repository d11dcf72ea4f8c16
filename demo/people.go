package demo

import (
	"fmt"
	"strings"
	"time"

	"wechat-broadcast/zone"
)

const (
	// topicMost is how many followers are in the topic at most: each joins on their own.
	topicMost = 200
	// readersMost is how many followers without a name here are on the list.
	readersMost = 7
)

// Topic is what some of the followers have joined.
type Topic struct {
	Name, Description string
	// Scene is that of the QR code by which they joined.
	Scene string
	// OpenIDs are those who did.
	OpenIDs []string
}

// Topic returns the topic of the account.
func (d *Account) Topic() Topic {
	t := Topic{Name: d.words.terminal("topic.name"), Description: d.words.terminal("topic.text"), Scene: d.words.terminal("topic.scene")}
	for i := 0; i < d.platform.unnamed() && len(t.OpenIDs) < topicMost; i += 5 {
		t.OpenIDs = append(t.OpenIDs, d.platform.Follower(i))
	}
	return t
}

// List is a list of people with fields.
type List struct {
	Name string
	// CSV is the file, with a header.
	CSV string
}

// List returns the list of the account: readers with what they borrowed. One of
// them never followed.
func (d *Account) List() List {
	openIDs := []string{d.ids.lin, d.ids.wang, d.ids.zhao, d.ids.away}
	for i := 1; i <= min(readersMost, d.platform.unnamed()-1); i++ {
		openIDs = append(openIDs, d.platform.Follower(i))
	}
	names := strings.Fields(d.words.terminal("list.names"))
	books := strings.Split(d.words.terminal("list.books"), "|")
	lines := []string{d.words.terminal("list.head")}
	for i, openID := range openIDs {
		due := time.Now().In(zone.Beijing).AddDate(0, 0, 2+i%5).Format(d.words.terminal("list.date"))
		lines = append(lines, strings.Join([]string{openID, names[i%len(names)], books[i%len(books)], due}, ","))
	}
	return List{Name: d.words.terminal("list.name"), CSV: strings.Join(lines, "\n") + "\n"}
}

// unnamed is how many follow without a name here.
func (p *platform) unnamed() int { return p.options.Followers - len(p.options.Admin) }

// spreadTag gives a tag to a tenth of the followers.
func (p *platform) spreadTag(name string) error {
	id, err := p.CreateTag(name)
	if err == nil {
		err = p.SpreadTag(id, p.unnamed()/10)
	}
	if err != nil {
		return fmt.Errorf("tag followers of the demo: %w", err)
	}
	return nil
}

// scans tells whether a text is the word for scanning the account's QR code and the scene of
// that code.
func (d *Account) scans(text string) (scene string, ok bool) {
	word, scene, _ := strings.Cut(text, " ")
	scene = strings.TrimSpace(scene)
	return scene, scene != "" && d.isWord("scan", word)
}
