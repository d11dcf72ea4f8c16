package wechat

import "time"

// refresh is the verdict on a stale token; it never leaves the package.
const refresh Verdict = "refresh"

// outcome is what one errcode of template/send means.
type outcome struct {
	verdict Verdict
	group   HaltGroup
	gone    bool          // the recipient no longer follows
	maybe   bool          // the message may have been sent all the same
	after   time.Duration // the least time to wait before the next attempt
	// source is where the meaning is known from: a page of the platform's
	// documents, a thread of its forum, another library, or "unconfirmed".
	source string
}

// outcomeOf looks a code up. One that is not known is Retry and surely not
// sent: the engine tries a few times, then fails the delivery with its code.
func outcomeOf(code int) outcome {
	if o, ok := outcomes[code]; ok {
		return o
	}
	return outcome{verdict: Retry}
}

// RefusesContent tells whether an errcode says that what is sent, and not whom
// it is sent to, is refused.
func RefusesContent(code int) bool { return outcomeOf(code).group == HaltContent }

// minuteQuota is how long a used-up minute quota lasts.
const minuteQuota = time.Minute

// outcomes is the table errcode -> verdict for template/send.
var outcomes = map[int]outcome{
	0: {verdict: Accepted, source: "template/send docs"},

	// The platform is busy.
	-1:        {verdict: Retry, maybe: true, source: "forum 000ca0754b8c687d802ef603956c00"}, // also its answer to bursts
	268487002: {verdict: Retry, maybe: true, source: "user/get docs"},
	45011:     {verdict: Slow, after: minuteQuota, source: "commErrCode docs"},
	45009:     {verdict: Hold, source: "API call limits docs"},

	// The token is stale; the client refreshes it and sends again.
	40001: {verdict: refresh, source: "commErrCode docs"},
	40014: {verdict: refresh, source: "WxJava"},
	41001: {verdict: refresh, source: "code list"},
	42001: {verdict: refresh, source: "code list"},

	// This recipient, for good.
	40003: {verdict: Refused, source: "WxJava#710"}, // seen for real followers too, so not gone
	43004: {verdict: Refused, gone: true, source: "Senparc#1611, WxJava"},
	43019: {verdict: Refused, source: "code list"}, // the account blacklisted the user
	43101: {verdict: Refused, source: "code list"}, // subscription messages only
	49003: {verdict: Refused, source: "MudWechat"}, // an OpenID of another account
	50005: {verdict: Refused, gone: true, source: "MudWechat"},

	// This recipient, for now.
	40241: {verdict: Later, after: time.Minute, source: "forum oCJUsw8Jav7Un46Mw2Z_nWanCfec"}, // duplicate in 60 seconds
	43117: {verdict: Later, source: "forum oCJUsw6XPYsZD0BG1y6LFRf5XidQ"},                     // too often to this person
	45015: {verdict: Later, source: "code list"},                                              // customer-service messages only
	45047: {verdict: Later, source: "MudWechat"},                                              // customer-service messages only
	48002: {verdict: Later, source: "WxJava"},                                                 // the follower closed "receive messages"

	// Perhaps this message, perhaps the moment: only a streak tells.
	40036: {verdict: Retry, group: HaltContent, source: "MudWechat"},
	40037: {verdict: Retry, group: HaltContent, source: "forum oCJUsw8UM-wAaWS_UpUzTwZE2sM8"}, // bursts of it with valid ids
	47003: {verdict: Refused, group: HaltContent, source: "forum 000248ab548310582150be66f6bc00"},
	50002: {verdict: Refused, group: HaltAccount, source: "forum 000c6e7e5088884d9f2be626a56400"}, // the user's account, or ours

	// The message or its template.
	40008: {verdict: Halt, group: HaltContent, source: "MudWechat"},
	40013: {verdict: Halt, group: HaltContent, source: "MudWechat"}, // a mini program that is not linked
	40039: {verdict: Halt, group: HaltContent, source: "MudWechat"},
	40165: {verdict: Halt, group: HaltContent, source: "code list"},
	40166: {verdict: Halt, group: HaltContent, source: "code list"},
	45012: {verdict: Halt, group: HaltContent, source: "code list"},
	45013: {verdict: Halt, group: HaltContent, source: "code list"},
	45014: {verdict: Halt, group: HaltContent, source: "code list"},
	45051: {verdict: Halt, group: HaltContent, source: "code list"},
	47001: {verdict: Halt, group: HaltContent, source: "code list"},

	// The account is at stake.
	40249: {verdict: Halt, group: HaltAccount, source: "forum oCJUswwuGAo1Uh4yHxYQBixWj8xQ"},
	43116: {verdict: Halt, group: HaltAccount, source: "forum 00000c156d86b07dc81140e276a400"},
	45102: {verdict: Halt, group: HaltAccount, source: "forum 0008a4b5da0988a21c80fd4626ac00"},
	45103: {verdict: Halt, group: HaltAccount, source: "forum 0008a4b5da0988a21c80fd4626ac00"},
	45109: {verdict: Halt, group: HaltAccount, source: "forum 0008a4b5da0988a21c80fd4626ac00"},
	48004: {verdict: Halt, group: HaltAccount, source: "commErrCode docs"},

	// Credentials, addresses, permissions.
	40002: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	40125: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	40164: {verdict: Halt, group: HaltCredentials, source: "forum 000e067cac4100bd739c10fe55b000"},
	40243: {verdict: Halt, group: HaltCredentials, source: "access token docs"},
	41002: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	41004: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	45035: {verdict: Halt, group: HaltCredentials, source: "code list"},
	48001: {verdict: Halt, group: HaltCredentials, source: "troubleshooting docs"},
	50001: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	50004: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	50007: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	61004: {verdict: Halt, group: HaltCredentials, source: "code list"},
	89503: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	89506: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},
	89507: {verdict: Halt, group: HaltCredentials, source: "MudWechat"},

	// Named somewhere, explained nowhere.
	40264: {verdict: Retry, source: "unconfirmed"},
	89501: {verdict: Retry, source: "unconfirmed"},
}
