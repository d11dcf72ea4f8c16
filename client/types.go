package client

import "time"

// BroadcastRequest asks for a broadcast, either to an Audience or to Recipients.
type BroadcastRequest struct {
	// Audience is such as "all", "test", "topic A,B except tag C", "list A" or "rest #7".
	Audience   string      `json:"audience,omitempty"`
	Recipients []Addressee `json:"recipients,omitempty"`
	// Message is a message's name; empty for the default one.
	Message string `json:"message,omitempty"`
	// Fields are changes for this broadcast alone, by the field's key or its name in the
	// template; "url" is the link.
	Fields map[string]string `json:"fields,omitempty"`
	// At is when it starts; nil for at once.
	At *time.Time `json:"at,omitempty"`
	// Again allows the same content within 24 hours, and Canary has a few tried first.
	Again  bool `json:"again,omitempty"`
	Canary bool `json:"canary,omitempty"`
}

// Addressee is a person who is given, with what fills the message for them.
type Addressee struct {
	OpenID string            `json:"openid"`
	Fields map[string]string `json:"fields,omitempty"`
}

// Broadcast is a broadcast as it stands.
type Broadcast struct {
	ID         int64      `json:"id"`
	State      string     `json:"state"`
	Reason     string     `json:"reason"`
	Message    string     `json:"message"`
	Audience   string     `json:"audience"`
	Recipients int64      `json:"recipients"`
	Counts     Counts     `json:"counts"`
	AskedAt    time.Time  `json:"asked_at"`
	StartsAt   *time.Time `json:"starts_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Counts is how many recipients have which outcome.
type Counts struct {
	Accepted  int64 `json:"accepted"`
	Delivered int64 `json:"delivered"`
	Blocked   int64 `json:"blocked"`
	Failed    int64 `json:"failed"`
	Uncertain int64 `json:"uncertain"`
	Skipped   int64 `json:"skipped"`
	Waiting   int64 `json:"waiting"`
}

// Delivery is what became of a broadcast for one person.
type Delivery struct {
	OpenID    string     `json:"openid"`
	State     string     `json:"state"`
	ErrCode   int        `json:"errcode"`
	MsgID     string     `json:"msgid"`
	Detail    string     `json:"detail"`
	Attempts  int        `json:"attempts"`
	SentAt    *time.Time `json:"sent_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

// Recipient is what is known of a person.
type Recipient struct {
	OpenID       string     `json:"openid"`
	Name         string     `json:"name"`
	Subscribed   bool       `json:"subscribed"`
	OptedOut     bool       `json:"opted_out"`
	Blacklisted  bool       `json:"blacklisted"`
	Tester       bool       `json:"tester"`
	SubscribedAt *time.Time `json:"subscribed_at"`
	Topics       []string   `json:"topics"`
	// Next is "yes" if the next broadcast to all would go to the person, else why not.
	Next        string     `json:"next"`
	CappedUntil *time.Time `json:"capped_until"`
	Sent        []Sent     `json:"sent"`
}

// Sent is what became of a broadcast for a Recipient.
type Sent struct {
	Broadcast int64      `json:"broadcast"`
	Message   string     `json:"message"`
	State     string     `json:"state"`
	ErrCode   int        `json:"errcode"`
	Detail    string     `json:"detail"`
	SentAt    *time.Time `json:"sent_at"`
	UpdatedAt *time.Time `json:"updated_at"`
}

// Message is a message that can be sent.
type Message struct {
	Name       string   `json:"name"`
	Default    bool     `json:"default"`
	TemplateID string   `json:"template_id"`
	URL        string   `json:"url"`
	Fields     []Field  `json:"fields"`
	Needs      []string `json:"needs"`
	Problem    string   `json:"problem"`
}

// Field is a field of a Message as it looks now.
type Field struct {
	Key   string `json:"key"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Audience is to whom a broadcast can go. Size is nil if it is not known.
type Audience struct {
	Audience    string   `json:"audience"`
	Size        *int64   `json:"size"`
	Description string   `json:"description"`
	Fields      []string `json:"fields"`
}
