package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind says what sort of fault an Error is, for whoever must react to it.
type Kind string

// The kinds. Whatever is not an Error is internal.
const (
	Invalid     Kind = "invalid"     // the request is wrong; the message says how to mend it
	NotFound    Kind = "not_found"   // it names something that is not there
	Conflict    Kind = "conflict"    // it does not fit the present state
	Unavailable Kind = "unavailable" // a part that it needs is away
)

// Error is a fault that a person is to read. Code names the sentence (the chat
// has it in each language) and Args fill it.
type Error struct {
	Kind Kind
	Code string
	Args map[string]any
	Err  error
}

// NewError returns an Error; args are alternating names and values.
func NewError(kind Kind, code string, args ...any) *Error {
	e := &Error{Kind: kind, Code: code, Args: map[string]any{}}
	for i := 0; i+1 < len(args); i += 2 {
		e.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	return e
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(e.Code, "_", " "))
	for _, k := range slices.Sorted(maps.Keys(e.Args)) {
		fmt.Fprintf(&b, " %s=%v", k, e.Args[k])
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap implements errors.Unwrap.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, or "" if it is not an Error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// The codes of the Errors that reach people.
const (
	ErrMessageUnknown   = "message_unknown"   // Name, Known: no such message in the message file
	ErrMessagesFile     = "messages_file"     // Reason: the message file cannot be used
	ErrContent          = "content"           // Name, Reason: the message cannot be filled
	ErrTemplateField    = "template_field"    // Name, Missing, Unknown: the fields in which template and data do not fit
	ErrSameMessage      = "same_message"      // ID, Name, Status: the same to everyone, not ended or within 24 hours
	ErrTemplateUnknown  = "template_unknown"  // Name, ID: the account has no such template
	ErrNotKnownYet      = "not_known_yet"     // the database may have stored the request; what became of it is told later
	ErrNoTesters        = "no_testers"        // the test list is empty
	ErrTestersFull      = "testers_full"      // Limit: as many people are on the test list as may be
	ErrTestersAway      = "testers_away"      // nobody on the test list follows and wants broadcasts
	ErrNoRecipients     = "no_recipients"     // nobody would get it
	ErrNoBroadcast      = "no_broadcast"      // there is none yet
	ErrBroadcastUnknown = "broadcast_unknown" // ID
	ErrHalted           = "halted"            // ID, Detail: the account is at stake and an admin has not said resume
	ErrRetryRunning     = "retry_running"     // ID, Retry: it is being retried already
	ErrNothingToRetry   = "nothing_to_retry"  // ID: nobody failed or is uncertain
	ErrRestRunning      = "rest_running"      // ID, Rest, State: another broadcast goes to the rest of it
	ErrNothingRest      = "nothing_rest"      // ID: all of its audience were tried
	ErrNobodyReached    = "nobody_reached"    // ID: nobody got it
	ErrWrongState       = "wrong_state"       // ID, State, Action: it cannot do that now
	ErrDeliveriesGone   = "deliveries_gone"   // ID, Gone, Moment: the deliveries that it would need of broadcast Gone were deleted
	ErrNothingTo        = "nothing_to"        // Action (pause|resume|cancel): no broadcast that it could be meant for
	ErrOpenIDInvalid    = "openid_invalid"    // OpenID: not the shape of one
	ErrTesterUnknown    = "tester_unknown"    // OpenID: not on the test list
	ErrSyncRunning      = "sync_running"      // a sync is under way
	ErrSyncQuota        = "sync_quota"        // the day's calls for pulling followers are used up
	ErrPlatform         = "platform"          // Code, Reason: the platform refused
)

// Those about who follows.
const (
	ErrTesterNotFollowing = "tester_not_following" // the person does not follow the account, or there is none
	ErrTesterUnchecked    = "tester_unchecked"     // Code, Reason: the platform can't be asked whether the person follows
	ErrSyncShort          = "sync_short"           // Listed, Before, Announced: the follower list is too short to be believed
)

// Those about groups of people.
const (
	ErrGroupUnknown   = "group_unknown"    // Kind, Name or Names, Known: there is no such topic, tag or list
	ErrNobodyInGroups = "nobody_in_groups" // nobody in the groups would get it
	ErrGroupChanged   = "group_changed"    // Name: the list was replaced at this moment
	ErrListsFull      = "lists_full"       // Limit: there are as many lists as may be
	ErrListUnknown    = "list_unknown"     // Name: there is no such list
	ErrListName       = "list_name"        // Name, Limit: a list can't be called that
	ErrFieldsLacking  = "fields_lacking"   // Name, Lacks, Known: somebody who would be sent to lacks fields that the message needs
	ErrTagsUnchecked  = "tags_unchecked"   // Code, Reason: the platform can't be asked for its tags
	ErrTagGone        = "tag_gone"         // Name: the platform has the tag no more
	ErrTagsQuota      = "tags_quota"       // the day's calls for pulling tags are used up
)

// Those about people who are given one by one. Index counts from 0.
const (
	ErrRecipientsCount  = "recipients_count"  // N, Limit: nobody, or too many
	ErrRecipientsBeside = "recipients_beside" // there is another audience beside them
	ErrRecipientOpenID  = "recipient_openid"  // Index, OpenID, Others: not the shape of one, and so many others, if any
	ErrRecipientTwice   = "recipient_twice"   // Index, First, OpenID: with other fields than before
	ErrRecipientField   = "recipient_field"   // Index, Field: {NAME} could not stand for it
	ErrRecipientValue   = "recipient_value"   // Index, Field, Limit: a value with too many characters, or one that is no text
	ErrRecipientFields  = "recipient_fields"  // N, Limit: more fields than there may be
)

// ErrNoSelf says that who asks is nobody who could get a message.
const ErrNoSelf = "no_self"

// Those about topics.
const (
	ErrTopicsFull = "topics_full" // Limit: there are as many as there may be
	ErrTopicBusy  = "topic_busy"  // Name, ID, State: a broadcast for it has not ended
)

// ErrCanaryAudience says that there is no canary of this audience.
const ErrCanaryAudience = "canary_audience"

// Those about approvals and tests.
const (
	ErrUntested     = "untested"      // Name: its content was not sent to the test list lately
	ErrOwnApproval  = "own_approval"  // ID, Action (approve|reject): who asked for it may not
	ErrApprovalLate = "approval_late" // ID: it was approved for a time that passed
	ErrNotPending   = "not_pending"   // ID, State, Action: it does not wait for approvals, or not any more
)

// Those about what words are answered.
const (
	ErrRepliesFull  = "replies_full"  // Limit: as many words have a reply as may
	ErrReplyUnknown = "reply_unknown" // the word has none
)

// Those about the time of a broadcast.
const (
	ErrBegun       = "begun"        // ID, State: it has begun, so its start can't be moved
	ErrTimeUnclear = "time_unclear" // Words: not a time
	ErrTimeOfDay   = "time_of_day"  // Words: a date without a time of day
	ErrTimeNone    = "time_none"    // Words: there is no such date or time of day
	ErrTimePast    = "time_past"    // Words, Moment: it is past
	ErrTimeFar     = "time_far"     // Words, Moment: it is more than a year away
)

// Those about admins, and about people as admins call them.
const (
	ErrRoleUnknown     = "role_unknown"     // Role: there is no such role
	ErrRoleOwner       = "role_owner"       // it can't be given
	ErrAdminIsOwner    = "admin_is_owner"   // OpenID: an owner by the settings
	ErrAdminUnknown    = "admin_unknown"    // no admin
	ErrPersonUnknown   = "person_unknown"   // nobody is called that
	ErrPersonAmbiguous = "person_ambiguous" // People: more than one is
	ErrNameTaken       = "name_taken"       // Name, OpenID: somebody else has the name
	ErrNameTooLong     = "name_too_long"    // Most: how many characters it may have
)

// Those about what is written of a message in the chat.
const (
	ErrMessageNotSaved    = "message_not_saved"   // Name, Reason: all that is wrong with it
	ErrFieldsRefused      = "fields_refused"      // Name, Reason: all that is wrong with the lines after a broadcast
	ErrMessageInFile      = "message_in_file"     // Name: it is one of the message file, so it can't be changed in the chat
	ErrMessageTwice       = "message_twice"       // Name: the message file has one of that name, and so has the database
	ErrNoMessages         = "no_messages"         // there is no message yet
	ErrNoDefaultMessage   = "no_default_message"  // Known: no name was given, and none is the default
	ErrMessagesFull       = "messages_full"       // Max: there are as many as there may be
	ErrTemplatesUnchecked = "templates_unchecked" // the platform can't be asked for the account's templates
	ErrFieldNamesUnknown  = "field_names_unknown" // Name, Known: fields by names that only the platform could tell, and it can't be asked
	ErrMessageBusy        = "message_busy"        // Name: others changed it at the same moment, several times
)

// Those about the console.
const (
	ErrNoPublicURL    = "no_public_url"   // the setting PUBLIC_URL is missing, so there can be no link
	ErrConsoleLink    = "console_link"    // the link was used, has expired or never was one
	ErrConfirmWrong   = "confirm_wrong"   // Left: not the code; it can be tried so often
	ErrConfirmVoid    = "confirm_void"    // too many wrong codes
	ErrConfirmNone    = "confirm_none"    // there is nothing to confirm
	ErrConfirmExpired = "confirm_expired" // it took too long
	ErrConfirmUsed    = "confirm_used"    // it was confirmed before
	ErrMessageChanged = "message_changed" // Name: it is not what was shown any more
	ErrNeedsConfirm   = "needs_confirm"   // by the console it takes the admin's word in the chat
	ErrRoleTooLow     = "role_too_low"    // it takes another role
	ErrNotByConsole   = "not_by_console"  // it can be done in the chat alone
	ErrFormFault      = "form_fault"      // what a form asks for is not whole
)
