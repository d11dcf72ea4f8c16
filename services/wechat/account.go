package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"wechat-broadcast/cache"
)

const (
	followersPath = "/cgi-bin/user/get"
	notifyPath    = "/cgi-bin/message/custom/send"
	templatesPath = "/cgi-bin/template/get_all_private_template"
	quotaPath     = "/cgi-bin/openapi/quota/get"
	personPath    = "/cgi-bin/user/info"

	// pageSize is how many followers a full page has (WeChat: user/get docs).
	pageSize = 10_000
)

type (
	followersAnswer struct {
		reply
		Total *int `json:"total"`
		Count int  `json:"count"`
		Data  struct {
			OpenIDs []string `json:"openid"`
		} `json:"data"`
		NextOpenID string `json:"next_openid"`
	}
	templatesAnswer struct {
		reply
		List []Template `json:"template_list"`
	}
	personAnswer struct {
		reply
		Subscribe *int `json:"subscribe"`
	}
	quotaAnswer struct {
		reply
		Quota Quota `json:"quota"`
	}
)

// Without these fields an answer would look like an empty list, or like somebody
// who left.
func (a followersAnswer) complete() bool { return a.Total != nil }

func (a personAnswer) complete() bool { return a.Subscribe != nil }

// Followers returns the page of followers after next, which is empty for the
// first (WeChat: user/get docs; 500 calls a day). Transient faults are tried
// again a few times. The error wraps an *APIError if the platform refused.
func (c *Client) Followers(ctx context.Context, next string) (FollowerPage, error) {
	req := call{path: followersPath, limit: pageLimit, timeout: max(c.timeout, pageTimeout)}
	if next != "" {
		req.query = url.Values{"next_openid": {next}}
		req.openID = next
	}
	answer, err := ask[followersAnswer](ctx, c, req, transient)
	if err != nil {
		return FollowerPage{}, fmt.Errorf("list followers: %w", err)
	}
	ids := slices.DeleteFunc(answer.Data.OpenIDs, func(id string) bool { return id == "" })
	full := max(answer.Count, len(ids)) >= pageSize
	return FollowerPage{
		Total:   *answer.Total,
		OpenIDs: ids,
		Next:    answer.NextOpenID,
		// Never by the total, which moves while one pages. A cursor that
		// stays where it was would page for ever.
		Last: !full || len(ids) == 0 || answer.NextOpenID == "" || answer.NextOpenID == next,
	}, nil
}

// Follows asks whether a person follows the account (WeChat: user/info docs;
// 5,000,000 calls a day). Someone whom the platform does not know does not. The
// error wraps an *APIError if the platform refused for another reason.
func (c *Client) Follows(ctx context.Context, openID string) (bool, error) {
	req := call{path: personPath, query: url.Values{"openid": {openID}}, openID: openID}
	answer, err := ask[personAnswer](ctx, c, req, transient)
	var refused *APIError
	switch {
	case errors.As(err, &refused) && notAPerson(refused.Code):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask for a person: %w", err)
	}
	return *answer.Subscribe == 1, nil
}

// Notify sends a customer-service text message; it reaches only somebody who
// wrote to the account in the last 48 hours (WeChat: custom/send docs). It is
// tried again only when it was surely not sent. The error wraps an *APIError
// if the platform refused.
func (c *Client) Notify(ctx context.Context, openID, text string) error {
	body := encode(struct {
		ToUser  string            `json:"touser"`
		MsgType string            `json:"msgtype"`
		Text    map[string]string `json:"text"`
	}{openID, "text", map[string]string{"content": text}})
	req := call{path: notifyPath, body: body, openID: openID}
	if _, err := ask[reply](ctx, c, req, surelyNotDone); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// Templates returns the account's templates (WeChat:
// get_all_private_template docs). The error wraps an *APIError if the
// platform refused.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	answer, err := ask[templatesAnswer](ctx, c, call{path: templatesPath}, transient)
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	for i := range answer.List {
		answer.List[i].read()
	}
	return answer.List, nil
}

// templatesLast is how long a list of templates is kept at most.
const templatesLast = 10 * time.Minute

func (c *Client) newTemplateCache() *cache.Cache[struct{}, []Template] {
	return cache.New(1, cache.For[[]Template](templatesLast), func(ctx context.Context, _ struct{}) ([]Template, error) {
		return c.Templates(ctx)
	})
}

// KnownTemplates returns the account's templates as they were read less than age
// ago, 10 minutes at most, and when; 0 reads them anew. The platform counts the
// calls, so all who ask share one list. The errors are those of Templates, and that
// of ctx.
func (c *Client) KnownTemplates(ctx context.Context, age time.Duration) ([]Template, time.Time, error) {
	return c.templates.GetWithin(ctx, struct{}{}, age)
}

// Quota returns today's allowance of an API, named by its path from the
// leading slash (WeChat: openapi/quota/get docs). The platform's count may
// lag by a percent. The error wraps an *APIError if the platform refused.
func (c *Client) Quota(ctx context.Context, path string) (Quota, error) {
	req := call{path: quotaPath, body: encode(map[string]string{"cgi_path": path})}
	answer, err := ask[quotaAnswer](ctx, c, req, transient)
	if err != nil {
		return Quota{}, fmt.Errorf("get quota: %w", err)
	}
	if answer.Quota.Limit == 0 && answer.Quota.Remain == 0 {
		return Quota{}, errors.New("get quota: the platform does not tell it")
	}
	return answer.Quota, nil
}

// encode is JSON without HTML escapes, which followers would get to read.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // strings and booleans always encode
	return buf.Bytes()
}
