package wechat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

const (
	peoplePath = "/cgi-bin/user/info/batchget"
	// PeopleAtMost is how many people one call of People can ask for (WeChat:
	// user/info/batchget docs).
	PeopleAtMost = 100
	// peopleSplits is how often a call is split at most to find the OpenIDs that are
	// refused: a platform that refuses every OpenID is at fault itself.
	peopleSplits = 25
	// latestUnix is the last second that is taken for a moment: in the year 2100.
	latestUnix = 4_102_444_800
)

type (
	peopleAnswer struct {
		reply
		List []personDetails `json:"user_info_list"`
	}
	// personDetails is a person in an answer. The platform's pages give some of the
	// numbers as text.
	personDetails struct {
		Subscribe   number  `json:"subscribe"`
		OpenID      string  `json:"openid"`
		Subscribed  lenient `json:"subscribe_time"`
		Remark      text    `json:"remark"`
		Scene       text    `json:"subscribe_scene"`
		QRScene     text    `json:"qr_scene"`
		QRSceneText text    `json:"qr_scene_str"`
	}
)

// complete tells whether an answer is one: without a list it would pass for people
// who are not known.
func (a peopleAnswer) complete() bool {
	unclear := func(p personDetails) bool { return !p.Subscribe.set }
	return a.List != nil && !slices.ContainsFunc(a.List, unclear)
}

// People asks for at most PeopleAtMost people (WeChat: user/info/batchget docs;
// 5,000,000 calls a day for user/info). It leaves out the people whom the platform
// does not know. Transient faults are tried again a few times. The error
// wraps an *APIError if the platform refused.
func (c *Client) People(ctx context.Context, openIDs []string) ([]Person, error) {
	if len(openIDs) == 0 {
		return nil, nil
	}
	splits := 0
	people, err := c.people(ctx, openIDs, &splits)
	if err != nil {
		return nil, fmt.Errorf("ask for people: %w", err)
	}
	return people, nil
}

func (c *Client) people(ctx context.Context, openIDs []string, splits *int) ([]Person, error) {
	req := call{path: peoplePath, body: encode(map[string]any{"user_list": wanted(openIDs)})}
	answer, err := ask[peopleAnswer](ctx, c, req, transient)
	var refused *APIError
	switch {
	case errors.As(err, &refused) && notAPerson(refused.Code):
		// The platform refuses the whole call for one OpenID that it does not know.
		if len(openIDs) == 1 {
			return nil, nil
		}
		if *splits++; *splits > peopleSplits {
			return nil, err
		}
		half := len(openIDs) / 2
		first, err := c.people(ctx, openIDs[:half], splits)
		if err != nil {
			return nil, err
		}
		second, err := c.people(ctx, openIDs[half:], splits)
		return append(first, second...), err
	case err != nil:
		return nil, err
	}
	people := make([]Person, len(answer.List))
	for i, p := range answer.List {
		people[i] = p.person()
	}
	return people, nil
}

// notAPerson tells the codes for an OpenID that is none of the account's.
func notAPerson(code int) bool { return code == 40003 || code == 49003 }

func wanted(openIDs []string) []map[string]string {
	list := make([]map[string]string, len(openIDs))
	for i, openID := range openIDs {
		list[i] = map[string]string{"openid": openID, "lang": "zh_CN"}
	}
	return list
}

func (p personDetails) person() Person {
	person := Person{OpenID: p.OpenID, Follows: p.Subscribe.value == 1}
	if !person.Follows {
		return person
	}
	if s := p.Subscribed.value; 0 < s && s <= latestUnix {
		person.SubscribedAt = time.Unix(p.Subscribed.value, 0)
	}
	person.Remark, person.Scene = string(p.Remark), string(p.Scene)
	number, _ := strconv.ParseInt(string(p.QRScene), 10, 64)
	if qr := cmp.Or(string(p.QRSceneText), strconv.FormatInt(number, 10)); qr != "0" {
		person.Scene = "qrscene_" + qr
	}
	return person
}
