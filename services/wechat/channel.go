package wechat

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Channel is a way to write to a follower: how a message is encoded and where it
// is posted, what its error codes mean, how long it may be posted again, and the
// event that reports what became of it.
type Channel interface {
	// Send makes one attempt to send a message and says what came of it. A Result is
	// read by the channel's own rows of the error table.
	Send(ctx context.Context, m Message) Result
	// Probe makes a call that can reach nobody. A channel that is well refuses it.
	Probe(ctx context.Context) Result
	// Reads tells whether the platform answers a call that sends nothing.
	Reads(ctx context.Context) bool
	// RepeatFor is how long after its first call a message may be posted again
	// without being sent twice; 0 if it may not at all.
	RepeatFor() time.Duration
	// ReceiptEvent names the callback that reports what became of a message.
	ReceiptEvent() string
	// QuotaPath is the path by which the platform counts its calls.
	QuotaPath() string
}

// TemplateMessages is the channel of template messages (WeChat: template/send docs).
type TemplateMessages struct{ *Client }

var _ Channel = TemplateMessages{}

// repeatFor leaves a minute for clocks and slow answers: the platform knows a
// client_msg_id for ten (template/send docs).
const repeatFor = 9 * time.Minute

// Reads asks for the sends' quota, which costs no call of it.
func (c TemplateMessages) Reads(ctx context.Context) bool {
	_, err := c.Quota(ctx, c.QuotaPath())
	return err == nil || !Unanswered(err) && ctx.Err() == nil
}

// RepeatFor implements Channel.
func (TemplateMessages) RepeatFor() time.Duration { return repeatFor }

// ReceiptEvent implements Channel.
func (TemplateMessages) ReceiptEvent() string { return "TEMPLATESENDJOBFINISH" }

// QuotaPath implements Channel.
func (TemplateMessages) QuotaPath() string { return sendPath }

// codeBusy is the platform's "system busy".
const codeBusy = -1

// Unusable tells whether an answer says nothing of its message: it may have been
// taken.
func (r Result) Unusable() bool { return r.Verdict == Retry && (r.Code == 0 || r.Code == codeBusy) }

// Busy tells whether the platform said that it is busy.
func (r Result) Busy() bool { return r.Code == codeBusy }

// Words are the platform's code and words, as an admin reads them.
func (r Result) Words() string {
	if r.Code == 0 {
		return r.Detail
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Detail))
}
