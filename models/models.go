// Package models holds what is true and how it is stored: the GORM models, the
// versioned migrations and every query. It is the only package with SQL.
package models

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"time"
)

// Time is a moment as both databases store it: whole milliseconds since the
// Unix epoch in a BIGINT, so that it sorts and compares the same on each. The
// zero Time is stored as 0.
type Time struct{ time.Time }

// At converts t, cutting what is finer than a millisecond.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// Value implements driver.Valuer.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return int64(0), nil
	}
	return t.UnixMilli(), nil
}

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time{}
		if v != 0 {
			t.Time = time.UnixMilli(v).UTC()
		}
	default:
		return fmt.Errorf("scan time: unexpected %T", src)
	}
	return nil
}

// textOf returns the text of a column as its driver hands it over.
func textOf(src any) ([]byte, error) {
	switch v := src.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	default:
		return nil, fmt.Errorf("unexpected %T", src)
	}
}

// GormDataType tells GORM that a Time is an integer column.
func (Time) GormDataType() string { return "bigint" }

// Recipient is a person the account can write to: a follower, or someone who
// was one. A person who left keeps the row, so that the deliveries that name it
// stay true, but nothing that the platform told about them.
type Recipient struct {
	ID     int64  `gorm:"primaryKey"`
	OpenID string `gorm:"column:openid"`
	// Subscribed is false once the person unfollowed.
	Subscribed bool
	// OptedOut is true after `stop` and until `start`.
	OptedOut bool
	// Tester puts the person on the test list.
	Tester bool
	// Stranger is somebody on a list who was never known to follow.
	Stranger bool
	// Blacklisted is true while the platform lists the person on the account's blacklist:
	// it takes no message for them.
	Blacklisted bool
	// Name is the name that an admin gave the person; usually none.
	Name         string
	SubscribedAt Time
	// Scene is how the person came to follow: the subscribe event's EventKey, or
	// what user/info says of it.
	Scene string
	// Remark is the name that the account gave the person on the platform; usually
	// none.
	Remark string
	// ProfiledAt is when the platform was last asked for Remark, and for
	// SubscribedAt and Scene where no event told them; zero for never.
	ProfiledAt Time
	// Fields is a JSON object of further stored values that templates can use.
	Fields string
	// OptedOutAt is when the person last said stop, LeftAt when they last unfollowed, as
	// far as that was seen; zero for never.
	OptedOutAt, LeftAt Time
	// Heard is the last text that the person wrote to the account, cut to its column, and
	// HeardAt when that was; empty for none.
	Heard     string
	HeardAt   Time
	CreatedAt Time
	UpdatedAt Time
}

// Audience says to whom a broadcast goes.
type Audience string

// The audiences.
const (
	AudienceMe   Audience = "me"
	AudienceTest Audience = "test"
	AudienceAll  Audience = "all"
	// AudienceRetry are those of an earlier broadcast that failed or are uncertain.
	AudienceRetry Audience = "retry"
	// AudienceReached are those to whom an earlier broadcast was accepted or delivered, or
	// is uncertain.
	AudienceReached Audience = "reached"
	// AudienceRest are those of an earlier broadcast's audience who were never tried,
	// neither by it nor by another rest of it.
	AudienceRest Audience = "rest"
	// AudienceGroups are those in the groups of the Target.
	AudienceGroups Audience = "groups"
)

// trials are the audiences with which an admin tries a message.
var trials = []Audience{AudienceMe, AudienceTest}

// Trial tells whether a broadcast to the audience tries a message: it goes to the test
// list at most.
func (a Audience) Trial() bool { return slices.Contains(trials, a) }

// BroadcastState is where a broadcast stands.
type BroadcastState string

// The broadcast states. Pending waits for approvals, and then is scheduled. Scheduled
// moves to running when its time has come; running and paused move back and forth; the
// other three are final.
const (
	Pending   BroadcastState = "pending"
	Scheduled BroadcastState = "scheduled"
	Running   BroadcastState = "running"
	Paused    BroadcastState = "paused"
	Finished  BroadcastState = "finished"
	Cancelled BroadcastState = "cancelled"
	Failed    BroadcastState = "failed"
)

// Final tells whether nothing more will be sent in this state.
func (s BroadcastState) Final() bool {
	return s == Finished || s == Cancelled || s == Failed
}

// Broadcast is one message to one audience, fixed when it was asked for.
type Broadcast struct {
	ID int64 `gorm:"primaryKey"`
	// RequestKey is the platform's name of the chat message that asked for it
	// (unique), so that a redelivered message starts nothing twice.
	RequestKey string
	// Name is the message's name in the message file.
	Name string
	// Message is the definition as JSON, fixed when asked for.
	Message string
	// Digest tells equal definitions apart from different ones.
	Digest   string
	Audience Audience
	// OfID is the earlier broadcast some of whose recipients this one is for, by its
	// Audience; 0 if it is for others.
	OfID int64
	// Target says to whom it goes, beside Audience.
	Target Target
	// AskedBy is the OpenID of the admin who asked.
	AskedBy string
	// Salt makes the client_msg_ids of this broadcast unlike those of any other
	// database's broadcast with the same number.
	Salt  string
	State BroadcastState
	// Reason is why it is paused, cancelled or failed, or why it waits although nobody
	// planned its start so: one of the Reason… codes.
	Reason string
	// Detail is what the reason adds: the platform's code and words, or the name of
	// a field. Sentences of our own are in no row: the chat has them in its language.
	Detail string
	// Recipients is how many people it goes to; exact once planned.
	Recipients int64
	// AskedFor is how many they were when it was asked for, or when it was planned
	// if they were more then; 0 if that is not known.
	AskedFor int64
	// Listed says that Recipients is how many the platform listed at the last sync, since to
	// count all followers took too long. It is not stored.
	Listed bool `gorm:"-"`
	// ThroughID is the highest recipient of the frozen audience; 0 before planning.
	ThroughID int64
	// ThroughConsent is the last consent before the audience was frozen.
	ThroughConsent int64
	// Approvals is how many other admins must approve it, and PendingSince when it began to
	// wait for them; zero for never.
	Approvals    int
	PendingSince Time
	// AnyHour says that an admin overruled the quiet hours for it.
	AnyHour bool `gorm:"column:at_any_hour"`
	// Canary is how many recipients are tried first: 0 for no canary, CanaryAsSet if that is
	// decided when the audience is frozen. CanarySegment are these, once they are chosen, and
	// CanaryAt is when it paused after them.
	Canary, CanarySegment int64
	CanaryAt              Time
	// Intercepted is how many messages the platform says it intercepted; -1 if that is not
	// known.
	Intercepted int64
	// PlannedStart is the time that the admin set for its start; zero for none.
	PlannedStart Time
	// NotBefore is when it may start: not before the end of the undo window, nor before
	// PlannedStart.
	NotBefore Time
	// ResumeAt is when a pause ends by itself; zero for never.
	ResumeAt   Time
	AskedAt    Time
	StartedAt  Time
	PlannedAt  Time
	FinishedAt Time
	// NotifiedState is the last state that admins were told about, or whose notice is
	// kept; or that some of several admins are told of it.
	NotifiedState string
	// TalliedAt is when its counts were kept since its deliveries are deleted; zero for
	// never. Kept are its price, too, and Emptied says that all of them are deleted.
	TalliedAt                Time
	PriceLeft, PriceOptedOut int64
	Emptied                  bool
}

// Withdrawn is how many of the people asked for had opted out or left before their
// turn. It is known at the end.
func (b *Broadcast) Withdrawn() int64 {
	if b.State != Finished && b.Reason != ReasonNobody {
		return 0
	}
	return max(0, b.AskedFor-b.Recipients)
}

// StartsIn is how long it waits for its start, to the second: less than half a second is at
// once, 0. It is below 0 once the start has passed.
func (b *Broadcast) StartsIn(now time.Time) time.Duration {
	return b.NotBefore.Sub(now).Round(time.Second)
}

// Took is how long it has been or was under way; 0 if it never started.
func (b *Broadcast) Took(now time.Time) time.Duration {
	switch {
	case b.StartedAt.IsZero():
		return 0
	case b.FinishedAt.IsZero():
		return now.Sub(b.StartedAt.Time)
	default:
		return b.FinishedAt.Sub(b.StartedAt.Time)
	}
}

// The reasons for which a broadcast is paused, cancelled or failed.
const (
	ReasonAdmin       = "admin"       // an admin said so
	ReasonQuota       = "quota"       // the platform's daily quota is used up
	ReasonAccount     = "account"     // the account itself is at stake; Detail has the platform's words
	ReasonCredentials = "credentials" // wrong secret, IP not whitelisted and the like
	ReasonContent     = "content"     // the template or its data is refused
	ReasonStreak      = "streak"      // one error code again and again
	ReasonGone        = "gone"        // one recipient after the other is called gone; Detail has the platform's words
	ReasonProfiles    = "profiles"    // what the message says of each person can't be read; Detail has the platform's words
	ReasonInfoQuota   = "info_quota"  // the day's calls for reading it are used up
	ReasonMessage     = "message"     // it cannot be filled in; Detail names the field, if it is one
	ReasonSync        = "sync"        // the follower list could not be pulled; Detail has the platform's words, if any
	ReasonSyncQuota   = "sync_quota"  // the day's calls for pulling it are used up
	ReasonSyncShort   = "sync_short"  // the follower list is too short to be believed
	ReasonNobody      = "nobody"      // the audience turned out to be empty
	ReasonMissed      = "missed"      // no process ran at its planned start, nor within StartsWithin of it
	ReasonCanary      = "canary"      // the canary's recipients were tried; an admin must say whether it goes on
	ReasonQuiet       = "quiet"       // quiet hours; it goes on by itself
	ReasonTags        = "tags"        // a tag could not be pulled; Detail has the platform's words, or the tag's name if it is gone
	ReasonTagsQuota   = "tags_quota"  // the day's calls for pulling it are used up
	ReasonRejected    = "rejected"    // an admin rejected it; Detail has the OpenID and, after a space, why
	ReasonExpired     = "expired"     // nobody approved it in time
	ReasonRestored    = "restored"    // it is not known what was sent of it after a moment; see Broadcast.Gap
	ReasonTemplate    = "template"    // the account's template is gone, or changed; Detail names the fields that do not fit, if it changed
)

// BatchState is whether a batch's work is done.
type BatchState string

// The batch states.
const (
	BatchTodo BatchState = "todo"
	BatchDone BatchState = "done"
)

// Batch is a slice of a broadcast's audience: the recipients with
// AfterID < id <= ThroughID. The rows are the durable to-do list.
type Batch struct {
	BroadcastID int64 `gorm:"primaryKey"`
	Seq         int64 `gorm:"primaryKey"`
	AfterID     int64
	ThroughID   int64
	// Size is how many recipients it had when it was cut.
	Size  int64
	State BatchState
	// Owner names the lease under which a replica works on it, or worked on it
	// until it died; empty if none does.
	Owner string
	// LeaseUntil is when, by the database's clock, another may take it: the end
	// of the lease, or the moment for which its rest was left.
	LeaseUntil Time
	// LeaseCount counts those on it so far.
	LeaseCount int64 `gorm:"column:times_leased"`
	// SegmentID says that it holds only people of a segment, those of a canary; 0 for all
	// others of the audience.
	SegmentID int64
	// Claims are those of the lease, or of the last one if it did not end in order.
	Claims Claims
}

// DeliveryState is what became of one recipient of one broadcast.
type DeliveryState string

// The delivery states. Sending is a row that a claim left without an outcome: of a lease that
// ended, under a cap, or of somebody who had been put off. It may or may not have been sent; all others are
// final but for later, whose recipient the platform will not have written to so
// soon, and accepted, which a receipt turns into one of the three after it.
const (
	Sending   DeliveryState = "sending"
	Deferred  DeliveryState = "later"
	Accepted  DeliveryState = "accepted"
	Delivered DeliveryState = "delivered"
	Blocked   DeliveryState = "blocked"
	FailedFor DeliveryState = "failed"
	Uncertain DeliveryState = "uncertain"
	// Skipped is somebody who was not tried because of a rule; Detail names it.
	Skipped DeliveryState = "skipped"
)

// DetailCap is the Detail of a skipped delivery: the person got as many broadcasts lately
// as the cap on messages per person allows.
const DetailCap = "cap"

// Delivery is one recipient's part in a broadcast.
type Delivery struct {
	BroadcastID int64 `gorm:"primaryKey"`
	RecipientID int64 `gorm:"primaryKey"`
	State       DeliveryState
	// MsgID is the platform's number of the accepted message, 0 if there is none.
	MsgID int64 `gorm:"column:msgid"`
	// ErrCode is the platform's code of a refusal, or the last one seen.
	ErrCode int `gorm:"column:errcode"`
	// Detail is the platform's status of a failed receipt, or why it was not sent.
	Detail string
	// Attempts counts the calls made.
	Attempts int
	// SentAt is when the first call was about to be made; it never moves, since
	// the platform's ten minutes for a client_msg_id count from it.
	SentAt    Time
	UpdatedAt Time
}

// Receipt is a delivery report that came before its send was recorded.
type Receipt struct {
	MsgID      int64 `gorm:"column:msgid;primaryKey"`
	State      DeliveryState
	Detail     string
	ReceivedAt Time
}

// Inbound is a callback that was answered: its key and the reply it got, so
// that a redelivery gets the same.
type Inbound struct {
	MessageKey string `gorm:"primaryKey"`
	Reply      string
	ReceivedAt Time
}

// TableName implements GORM's Tabler: the word is uncountable.
func (Inbound) TableName() string { return "inbound" }
