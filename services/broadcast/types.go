// Package broadcast is a broadcast's life: it takes the request, plans it into
// batches, has them sent, finishes it and says where it stands.
package broadcast

import (
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/check"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

// Request asks for a broadcast.
type Request struct {
	// Message is a message's name; empty for the default, or for that of the broadcast Of
	// if this one is for its rest.
	Message  string
	Audience models.Audience
	// Groups are those to whom it goes if the audience is AudienceGroups, and Except those
	// whom it leaves out, by kind and name.
	Groups, Except []models.Group
	// Recipients are the people to whom it goes, each once, if they are given one by one: then
	// there is no Audience, nor Groups or Of. Nil for others.
	Recipients []models.Addressee
	// Of is the broadcast whose rest, or whose reached or failed recipients, it is for; 0
	// for other audiences.
	Of int64
	// AskedBy is the OpenID of the admin, or what stands for a token of the HTTP API: that is
	// nobody's OpenID (models.ValidOpenID), the owners are told what became of it, and every
	// sender may approve it.
	AskedBy string
	// RequestKey names the chat message that asks, so that its redelivery gets
	// the same broadcast and not a second one.
	RequestKey string
	// At is when it is to start; zero for at once.
	At time.Time
	// Again allows the same message to the same people within 24 hours.
	Again bool
	// Approvals is how many admins must approve it at least, whatever the settings say and
	// whomever it goes to; 0 for no more than these say.
	Approvals int
	// Canary has a few tried first.
	Canary bool
	// AnyHour overrules the quiet hours.
	AnyHour bool
	// Fields are changes of the message for this broadcast alone.
	Fields []messages.Change
	// Digest is that of the content that the asker saw; empty for whatever it is now.
	Digest string
}

// Created is the answer to a Request.
type Created struct {
	Broadcast models.Broadcast
	// Recipients is how many it goes to as far as is known now; 0 with SyncFirst.
	Recipients int64
	// SyncFirst says that the followers are pulled before anything is sent.
	SyncFirst bool
	// Approvers are the OpenIDs of those who could approve it, if it waits for that, and
	// Names the names that admins gave to people, by OpenID.
	Approvers []string
	Names     map[string]string
	// Announced says that Recipients is the platform's count of those with the tags, since
	// these are not pulled yet.
	Announced bool
	// Listed says that Recipients is how many followers were listed at the last sync, since to
	// count them took too long.
	Listed bool
	// Quiet are the quiet hours, if they hold for such a broadcast.
	Quiet zone.Hours
	// Instead is the paused broadcast that was cancelled, as this one is for its rest; 0
	// for none.
	Instead int64
	check.Found
}

// Status is where a broadcast stands.
type Status struct {
	Broadcast models.Broadcast
	Counts    models.Counts
	// Price is how many left because of it so far; a List has none.
	Price models.Price
	// Failures are those of one that is paused after its canary, by cause.
	Failures []models.Failures
	// TakenOver is how many of those to whom it did not come were tried by later
	// broadcasts to its rest; a List has none.
	TakenOver int64
	// Approvers are the OpenIDs of those who may approve it, Approved those whose approvals
	// count now, and Message is what they approve, as it will look, with its template; a
	// List has none of them.
	Approvers, Approved []string
	// Names are those that admins gave to people, by OpenID.
	Names    map[string]string
	Message  wechat.Message
	Template wechat.Template
	// Rate is how many sends a second were made lately; 0 when it is not running.
	Rate float64
	// Left is the time that the rest should take, but for those who are put off; 0
	// if that is not known.
	Left time.Duration
	// Again is when the first of those who are put off is tried again; zero if it is
	// not running, or nobody is.
	Again time.Time
	// Slowed says that sends wait because the platform asks to go slower.
	Slowed bool
	// Warnings are what was found when it started at its planned time.
	Warnings []check.Warning
	// Stall says why it has not got on for minutes; nil if it does.
	Stall *Stall
}

// Remaining is how many recipients have no outcome yet.
func (s Status) Remaining() int64 {
	return max(0, s.Broadcast.Recipients-(s.Counts.Known()-s.Counts.Sending))
}
