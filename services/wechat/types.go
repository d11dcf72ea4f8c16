package wechat

import "time"

// Verdict is what one answer of the platform to a send means for the engine.
type Verdict string

// The verdicts of a send.
const (
	Accepted Verdict = "accepted" // the platform took the message; a receipt will follow
	Refused  Verdict = "refused"  // this recipient will never get this message
	Retry    Verdict = "retry"    // the same recipient again after a back-off, a few times
	Later    Verdict = "later"    // this recipient was sent too much just now; once more, much later
	Slow     Verdict = "slow"     // the whole account must send slower for a while; no attempt is spent
	Hold     Verdict = "hold"     // the day's quota is used up; nothing goes out until it is reset
	Halt     Verdict = "halt"     // nothing will work, or the account is at stake; stop and tell the operator
	Away     Verdict = "away"     // the platform was not reached; the message was surely not sent
)

// HaltGroup says what is at fault when nothing can work.
type HaltGroup string

// The groups of causes. A Result other than Halt may carry one as well: then
// a single answer means little and a streak of them means that cause.
const (
	HaltContent     HaltGroup = "content"     // the message or its template
	HaltAccount     HaltGroup = "account"     // the platform acts against the account or the template
	HaltCredentials HaltGroup = "credentials" // AppID, AppSecret, IP whitelist or permissions
)

// Message is one template message to one recipient.
type Message struct {
	ToUser      string // the recipient's OpenID
	TemplateID  string
	URL         string       // opened by a tap; empty for none
	MiniProgram *MiniProgram // opened by a tap in preference to URL; nil for none
	// ClientMsgID makes a repetition harmless: for ten minutes the platform
	// sends one message for the same OpenID and id. Empty for none.
	ClientMsgID string
	Data        []Field // in the order in which they are sent
}

// MiniProgram is a mini program's page, linked to the account.
type MiniProgram struct {
	AppID    string
	PagePath string
}

// Field is one value of a template message.
type Field struct {
	Key   string // the parameter's name without ".DATA": thing1, time2, keyword3
	Value string // what the recipient reads
	Color string // #RRGGBB or empty; the platform ignores it on current templates
}

// Result is what came of one send.
type Result struct {
	Verdict Verdict
	// MsgID is the platform's number of the message; the receipt carries it.
	// It is 0 unless Verdict is Accepted, and may be 0 even then.
	MsgID int64
	Code  int // the platform's errcode; 0 when there was none
	// Detail is the platform's errmsg or our words for a fault: one line, at
	// most 200 runes, free of secrets.
	Detail     string
	MaybeSent  bool          // the message may have been accepted although no 0 came back
	Gone       bool          // the recipient no longer follows the account
	Group      HaltGroup     // what is at fault, for Halt and for streaks
	RetryAfter time.Duration // the least time to wait, 0 if the platform gives none
}

// FollowerPage is one page of followers.
type FollowerPage struct {
	Total   int      // the platform's count of all followers; it moves while paging
	OpenIDs []string // this page's followers
	Next    string   // where the next page starts
	Last    bool     // no page follows
}

// Person is what the platform tells of somebody (WeChat: user/info docs). Of who
// does not follow it tells nothing else.
type Person struct {
	OpenID       string
	Follows      bool
	SubscribedAt time.Time // when they last followed; zero if it does not say
	// Scene is how they came to follow: "qrscene_" and the scene of the QR code, as
	// in the subscribe event, or else the platform's name of the way
	// ("ADD_SCENE_SEARCH").
	Scene  string
	Remark string // the name that the account gave them on the platform; usually none
}

// Quota is the day's allowance of one API path, in calls.
type Quota struct {
	Limit  int64 `json:"daily_limit"`
	Used   int64 `json:"used"`
	Remain int64 `json:"remain"`
}
