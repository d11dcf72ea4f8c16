package wechat

import "time"

// Verdict is what one answer of the platform to a send means for the engine.
type Verdict string

// The verdicts of a send.
const (
	// Accepted: the platform took the message; a receipt will follow.
	Accepted Verdict = "accepted"
	// Refused: this recipient will never get this message.
	Refused Verdict = "refused"
	// Retry: the same recipient again after a back-off, a few times.
	Retry Verdict = "retry"
	// Later: this recipient was sent too much just now; once more, much later.
	Later Verdict = "later"
	// Slow: the whole account must send slower for a while; no attempt is spent.
	Slow Verdict = "slow"
	// Hold: the day's quota is used up; nothing goes out until it is reset.
	Hold Verdict = "hold"
	// Halt: nothing will work, or the account is at stake; stop and tell the operator.
	Halt Verdict = "halt"
	// Away: the platform was not reached; the message was surely not sent.
	Away Verdict = "away"
)

// HaltGroup says what is at fault when nothing can work.
type HaltGroup string

// The groups of causes. A Result other than Halt may carry one as well: then
// a single answer means little and a streak of them means that cause.
const (
	// HaltContent: the message or its template.
	HaltContent HaltGroup = "content"
	// HaltAccount: the platform acts against the account or the template.
	HaltAccount HaltGroup = "account"
	// HaltCredentials: AppID, AppSecret, IP whitelist or permissions.
	HaltCredentials HaltGroup = "credentials"
)

// Message is one template message to one recipient.
type Message struct {
	// ToUser is the recipient's OpenID.
	ToUser string
	// TemplateID is the template's id in this account.
	TemplateID string
	// URL is opened by a tap; empty for none.
	URL string
	// MiniProgram is opened by a tap in preference to URL; nil for none.
	MiniProgram *MiniProgram
	// ClientMsgID makes a repetition harmless: for ten minutes the platform
	// sends one message for the same OpenID and id. Empty for none.
	ClientMsgID string
	// Data holds the template's fields, in the order in which they are sent.
	Data []Field
}

// MiniProgram is a mini program's page, linked to the account.
type MiniProgram struct {
	AppID    string
	PagePath string
}

// Field is one value of a template message.
type Field struct {
	// Key is the parameter's name without ".DATA": thing1, time2, keyword3.
	Key string
	// Value is what the recipient reads.
	Value string
	// Color is #RRGGBB or empty; the platform ignores it on current templates.
	Color string
}

// Result is what came of one send.
type Result struct {
	// Verdict steers the engine.
	Verdict Verdict
	// MsgID is the platform's number of the message; the receipt carries it.
	// It is 0 unless Verdict is Accepted, and may be 0 even then.
	MsgID int64
	// Code is the platform's errcode; 0 when there was none.
	Code int
	// Detail is the platform's errmsg or our words for a fault: one line, at
	// most 200 runes, free of secrets.
	Detail string
	// MaybeSent: the message may have been accepted although no 0 came back.
	MaybeSent bool
	// Gone: the recipient no longer follows the account.
	Gone bool
	// Group says what is at fault, for Halt and for streaks.
	Group HaltGroup
	// RetryAfter is the least time to wait, 0 if the platform gives none.
	RetryAfter time.Duration
}

// FollowerPage is one page of followers.
type FollowerPage struct {
	// Total is the platform's count of all followers; it moves while paging.
	Total int
	// Count is the number of OpenIDs in this page.
	Count int
	// OpenIDs are this page's followers.
	OpenIDs []string
	// Next is where the next page starts.
	Next string
	// Last: no page follows.
	Last bool
}

// Person is what the platform tells of somebody (WeChat: user/info docs). Of who
// does not follow it tells nothing else.
type Person struct {
	OpenID  string
	Follows bool
	// SubscribedAt is when they last followed; zero if it does not say.
	SubscribedAt time.Time
	// Scene is how they came to follow: "qrscene_" and the scene of the QR code, as
	// in the subscribe event, or else the platform's name of the way
	// ("ADD_SCENE_SEARCH").
	Scene string
	// Remark is the name that the account gave them on the platform; usually none.
	Remark string
}

// Template is one of the account's templates.
type Template struct {
	ID      string `json:"template_id"`
	Title   string `json:"title"`
	Content string `json:"content"`
	// Keys are the parameters of Content in their order, each once.
	Keys []string `json:"-"`
}

// Quota is the day's allowance of one API path, in calls.
type Quota struct {
	Limit  int64 `json:"daily_limit"`
	Used   int64 `json:"used"`
	Remain int64 `json:"remain"`
}
