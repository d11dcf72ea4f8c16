package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wechat-broadcast/cache"
)

const (
	tagsPath        = "/cgi-bin/tags/get"
	taggedPath      = "/cgi-bin/user/tag/get"
	blacklistPath   = "/cgi-bin/tags/members/getblacklist"
	interceptedPath = "/wxa/sec/queryblocktmplmsg"
	// InterceptedAtMost is how many interceptions one page has at most (WeChat:
	// queryblocktmplmsg docs).
	InterceptedAtMost = 100
	// tagsLast is how long the list of tags is kept at most.
	tagsLast = 5 * time.Second
)

// The codes that matter to those who ask for groups of people (WeChat: global error codes
// docs).
const (
	// CodeBlacklisted refuses a send to somebody on the account's blacklist.
	CodeBlacklisted = 43019
	// CodeDailyQuota says that the day's calls of an API are used up.
	CodeDailyQuota = 45009
	// CodeInvalidOpenID and CodeInvalidTag are what an unknown tag is answered; the first is
	// also what a page after an unknown person is.
	CodeInvalidOpenID = 40003
	CodeInvalidTag    = 45159
)

type (
	// Tag is a tag that the account's operator gives followers.
	Tag struct {
		ID   int64
		Name string
		// Count is how many followers have it, by the platform's count.
		Count int64
	}
	// PeoplePage is one page of people.
	PeoplePage struct {
		// Total is how many there are on all pages; 0 if the platform does not tell.
		Total   int64
		OpenIDs []string
		Next    string // where the next page starts
		Last    bool   // no page follows
	}
	// Interception is a template message that the platform took and did not deliver.
	Interception struct {
		ID     int64
		OpenID string
		// SentAt is when the message was sent, in whole seconds.
		SentAt time.Time
	}
)

type (
	tagsAnswer struct {
		reply
		Tags []struct {
			ID    number  `json:"id"`
			Name  text    `json:"name"`
			Count lenient `json:"count"`
		} `json:"tags"`
	}
	// peoplePageAnswer is that of user/tag/get and of getblacklist. An empty page has no
	// data.
	peoplePageAnswer struct {
		reply
		Total lenient `json:"total"`
		Count number  `json:"count"`
		Data  struct {
			OpenIDs []string `json:"openid"`
		} `json:"data"`
		Next string `json:"next_openid"`
	}
	interceptedAnswer struct {
		reply
		Info interceptions `json:"msginfo"`
	}
	interception struct {
		ID     number  `json:"id"`
		OpenID string  `json:"openid"`
		SentAt lenient `json:"send_timestamp"`
	}
	// interceptions are an object by the platform's page, and were seen as an array (forum
	// 000ea4974b89c8846fd0921f261c00).
	interceptions struct {
		list []interception
		set  bool
	}
)

// Without these fields an answer would look like an empty list.
func (a tagsAnswer) complete() bool { return a.Tags != nil }

func (a peoplePageAnswer) complete() bool {
	return a.Count.set && (a.Count.value == 0 || len(a.Data.OpenIDs) > 0)
}
func (a interceptedAnswer) complete() bool { return a.Info.set }

// UnmarshalJSON reads an object, an array of them, or null for none.
func (i *interceptions) UnmarshalJSON(raw []byte) (err error) {
	*i = interceptions{set: true}
	switch {
	case string(raw) == "null":
	case raw[0] == '{':
		i.list = make([]interception, 1)
		if err = json.Unmarshal(raw, &i.list[0]); i.list[0].OpenID == "" { // an object without anything
			i.list = nil
		}
	default:
		err = json.Unmarshal(raw, &i.list)
	}
	return err
}

// Tags returns the account's tags (WeChat: tags/get docs). Transient faults are tried
// again a few times. The error wraps an *APIError if the platform refused.
func (c *Client) Tags(ctx context.Context) ([]Tag, error) {
	answer, err := ask[tagsAnswer](ctx, c, call{path: tagsPath}, transient)
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	list := make([]Tag, len(answer.Tags))
	for i, t := range answer.Tags {
		list[i] = Tag{ID: t.ID.value, Name: oneLine(string(t.Name)), Count: t.Count.value}
	}
	return list, nil
}

func (c *Client) newTagCache() *cache.Cache[struct{}, []Tag] {
	return cache.New(1, cache.For[[]Tag](tagsLast), func(ctx context.Context, _ struct{}) ([]Tag, error) {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		return c.Tags(ctx)
	})
}

// KnownTags returns the account's tags as they were read within the last seconds; all who
// ask share one list. The errors are those of Tags, and that of ctx.
func (c *Client) KnownTags(ctx context.Context) ([]Tag, error) {
	return c.tags.Get(ctx, struct{}{})
}

// Tagged returns the page of those with a tag after next, which is empty for the first
// (WeChat: user/tag/get docs, which promise no size of a page). Transient faults are tried
// again a few times. The error wraps an *APIError if the platform refused: with
// CodeInvalidTag or CodeInvalidOpenID if there is no such tag.
func (c *Client) Tagged(ctx context.Context, tag int64, next string) (PeoplePage, error) {
	body := encode(struct {
		TagID int64  `json:"tagid"`
		Next  string `json:"next_openid"`
	}{tag, next})
	page, err := c.peoplePage(ctx, call{path: taggedPath, body: body, openID: next})
	if err != nil {
		return page, fmt.Errorf("list those with tag %s: %w", strconv.FormatInt(tag, 10), err)
	}
	return page, nil
}

// Blacklist returns the page of the blacklist after next, which is empty for the first
// (WeChat: getblacklist docs; at most 1,000 a page). The errors are as those of Tagged.
func (c *Client) Blacklist(ctx context.Context, next string) (PeoplePage, error) {
	body := encode(map[string]string{"begin_openid": next})
	page, err := c.peoplePage(ctx, call{path: blacklistPath, body: body, openID: next})
	if err != nil {
		return page, fmt.Errorf("list the blacklist: %w", err)
	}
	return page, nil
}

func (c *Client) peoplePage(ctx context.Context, req call) (PeoplePage, error) {
	req.limit, req.timeout = pageLimit, max(c.timeout, pageTimeout)
	answer, err := ask[peoplePageAnswer](ctx, c, req, transient)
	if err != nil {
		return PeoplePage{}, err
	}
	ids := slices.DeleteFunc(answer.Data.OpenIDs, func(id string) bool { return id == "" })
	return PeoplePage{
		Total: answer.Total.value, OpenIDs: ids, Next: answer.Next,
		Last: answer.Count.value == 0 || len(ids) == 0 || answer.Next == "",
	}, nil
}

// Intercepted returns the page of a template's intercepted messages after the one with
// the largest id of the page before, 0 for the first (WeChat: queryblocktmplmsg docs).
// Transient faults are tried again a few times. The error wraps an *APIError if the
// platform refused.
func (c *Client) Intercepted(ctx context.Context, templateID string, largest int64) ([]Interception, error) {
	body := encode(struct {
		TemplateID string `json:"tmpl_msg_id"`
		Largest    int64  `json:"largest_id"`
		Limit      int    `json:"limit"`
	}{templateID, largest, InterceptedAtMost})
	answer, err := ask[interceptedAnswer](ctx, c, call{path: interceptedPath, body: body}, transient)
	if err != nil {
		return nil, fmt.Errorf("list intercepted messages: %w", err)
	}
	list := make([]Interception, len(answer.Info.list))
	for i, m := range answer.Info.list {
		list[i] = Interception{ID: m.ID.value, OpenID: m.OpenID, SentAt: moment(m.SentAt.value)}
	}
	return list, nil
}

// moment reads a timestamp, whose unit the page does not name: seconds, or milliseconds
// if it would be far in the future. One that is neither is the zero time.
func moment(stamp int64) time.Time {
	if stamp > latestUnix {
		stamp /= 1000
	}
	if stamp <= 0 || stamp > latestUnix {
		return time.Time{}
	}
	return time.Unix(stamp, 0)
}
