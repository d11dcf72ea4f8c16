package api

import (
	"net/http"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/topics"
)

// Recipient is what is known of a person.
type Recipient struct {
	OpenID       string     `json:"openid"`
	Name         string     `json:"name"` // that an admin gave them
	Subscribed   bool       `json:"subscribed"`
	OptedOut     bool       `json:"opted_out"`
	Blacklisted  bool       `json:"blacklisted"`
	Tester       bool       `json:"tester"`
	SubscribedAt *time.Time `json:"subscribed_at"`
	Topics       []string   `json:"topics"`
	// Next says whether the next broadcast to all would go to the person: "yes", or why not.
	Next string `json:"next"`
	// CappedUntil is until when the cap on messages per person has them skipped.
	CappedUntil *time.Time `json:"capped_until"`
	Sent        []Sent     `json:"sent"`
}

// Sent is what became of a broadcast for the person.
type Sent struct {
	Broadcast int64      `json:"broadcast"`
	Message   string     `json:"message"`
	State     string     `json:"state"`
	ErrCode   int        `json:"errcode"`
	Detail    string     `json:"detail"`
	SentAt    *time.Time `json:"sent_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

func (a *API) showRecipient(c *call) error {
	openID := c.Param("openid")
	if !models.ValidOpenID(openID) {
		return newFault(http.StatusNotFound, "no_openid", "Value", firstOf(openID))
	}
	k, err := a.Followers.Who(c.ctx, openID)
	switch unknown := newFault(http.StatusNotFound, "unknown_person", "OpenID", firstOf(openID)); {
	case models.KindOf(err) == models.NotFound, models.KindOf(err) == models.Conflict:
		return unknown
	case err != nil:
		return err
	case k.OpenID != openID: // a name, or an OpenID as logs show it
		return unknown
	case (k.ID == 0 || k.Stranger) && !k.Asked:
		return newFault(http.StatusServiceUnavailable, "unasked_person", "OpenID", openID).later(askAgain)
	case (k.ID == 0 || k.Stranger) && !k.Follows:
		return unknown
	}
	return answer(c.Context, recipient(k))
}

func recipient(k *followers.Known) Recipient {
	r := Recipient{
		OpenID: k.OpenID, Name: k.Name, Subscribed: k.Subscribed || k.Follows, OptedOut: k.OptedOut, Blacklisted: k.Blacklisted, Tester: k.Tester,
		SubscribedAt: stored(k.SubscribedAt), Topics: append([]string{}, topics.Names(k.Topics)...), Next: "yes",
		CappedUntil: moment(k.CappedUntil), Sent: []Sent{},
	}
	switch {
	case k.Follows: // WeChat says so, and the follower list does not have them yet
		r.Next = "not_synced"
	case !k.Subscribed:
		r.Next = "left"
	case k.OptedOut:
		r.Next = "opted_out"
	case k.Blacklisted:
		r.Next = "blacklisted"
	case !k.CappedUntil.IsZero():
		r.Next = "capped"
	}
	for _, s := range k.Sent {
		r.Sent = append(r.Sent, Sent{
			Broadcast: s.BroadcastID, Message: s.Name, State: string(s.State), ErrCode: s.ErrCode, Detail: s.Detail,
			SentAt: stored(s.SentAt), UpdatedAt: stored(s.UpdatedAt),
		})
	}
	return r
}
