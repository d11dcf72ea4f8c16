package delivery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	const s = time.Second
	type res = wechat.Result
	call := func(r res) result { return result{answer: r} }
	taken := res{Verdict: wechat.Accepted, MsgID: 7}
	refused := res{Verdict: wechat.Refused, Code: 43019, Detail: "blacklisted"}
	invalid := res{Verdict: wechat.Refused, Code: 40003, Detail: "invalid openid"}
	noAnswer := res{Verdict: wechat.Retry, Detail: "HTTP 502", MaybeSent: true}
	odd := res{Verdict: wechat.Retry, Code: 40264, Detail: "odd"}
	often := res{Verdict: wechat.Later, Code: 43117, Detail: "too often"}
	halted := res{Verdict: wechat.Halt, Code: 47001, Detail: "bad JSON", Group: wechat.HaltContent}
	with := func(r res, change func(*res)) res { change(&r); return r }
	said := func(r res, detail string) res { r.Detail = detail; return r }
	recorded := func(state models.DeliveryState, r res) decision {
		return decision{action: record, state: state, answer: r}
	}
	left := decision{action: requeue, due: now.Add(s)}
	rests := func(d time.Duration) decision { return decision{action: retry, after: d} }
	deferred := func(r res) decision {
		return decision{action: putOff, state: models.Deferred, answer: r, due: now.Add(65 * s)}
	}
	tests := map[string]struct {
		attempt
		result
		want  decision
		calls int  // made after it
		maybe bool // whether it may have been sent after it
	}{
		"accepted":                        {attempt{}, call(taken), recorded(models.Accepted, taken), 1, false},
		"accepted at last":                {attempt{calls: 2, spent: 2, maybeSent: true}, call(taken), recorded(models.Accepted, taken), 3, true},
		"accepted while it stops":         {attempt{}, result{answer: taken, cut: true}, recorded(models.Accepted, taken), 1, false},
		"refused":                         {attempt{}, call(refused), recorded(models.FailedFor, refused), 1, false},
		"refused while it stops":          {attempt{}, result{answer: refused, cut: true}, recorded(models.FailedFor, refused), 1, false},
		"refused, perhaps sent before":    {attempt{calls: 1, maybeSent: true}, call(refused), recorded(models.Uncertain, said(refused, "an earlier call may have been taken: blacklisted")), 2, true},
		"an OpenID that may be valid":     {attempt{}, call(invalid), rests(500 * time.Millisecond), 1, false},
		"the same again":                  {attempt{calls: 1, spent: 1, questioned: true}, call(invalid), recorded(models.FailedFor, invalid), 2, false},
		"an OpenID of one who left":       {attempt{}, call(with(invalid, func(r *res) { r.Gone = true })), recorded(models.FailedFor, with(invalid, func(r *res) { r.Gone = true })), 1, false},
		"no usable answer":                {attempt{}, call(noAnswer), rests(500 * time.Millisecond), 1, true},
		"the fourth time":                 {attempt{calls: 3, spent: 3, maybeSent: true}, call(noAnswer), rests(4 * s), 4, true},
		"the fifth and last time":         {attempt{calls: 4, spent: 4, maybeSent: true}, call(noAnswer), recorded(models.Uncertain, noAnswer), 5, true},
		"surely not sent, the last time":  {attempt{calls: 4, spent: 4}, call(odd), recorded(models.FailedFor, odd), 5, false},
		"the platform asks for a rest":    {attempt{}, call(with(odd, func(r *res) { r.RetryAfter = 30 * s })), rests(30 * s), 1, false},
		"… for a longer one than is safe": {attempt{}, call(with(odd, func(r *res) { r.RetryAfter = time.Hour })), rests(2 * time.Minute), 1, false},
		"no usable answer for anybody":    {attempt{calls: 7, spent: 4, maybeSent: true}, result{answer: noAnswer, shut: true}, rests(0), 8, true},
		"a refusal while nothing passes":  {attempt{calls: 4, spent: 4}, result{answer: odd, shut: true}, recorded(models.FailedFor, odd), 5, false},
		"no answer while it stops":        {attempt{}, result{answer: noAnswer, cut: true}, left, 0, true},
		"too often":                       {attempt{}, call(often), deferred(often), 1, false},
		"too often in the last moment":    {attempt{}, result{answer: often, cut: true}, deferred(often), 1, false},
		"too often once more":             {attempt{calls: 1, deferred: true}, call(often), recorded(models.FailedFor, often), 2, false},
		"too often, perhaps sent before":  {attempt{calls: 1, maybeSent: true}, call(often), recorded(models.Uncertain, often), 2, true},
		"too fast":                        {attempt{}, call(res{Verdict: wechat.Slow, Code: 45011, RetryAfter: time.Minute}), rests(2 * s), 0, false},
		"too fast, nobody else could try": {attempt{alone: true}, call(res{Verdict: wechat.Slow, Code: 45011, RetryAfter: time.Minute}), rests(time.Minute), 0, false},
		"away":                            {attempt{calls: 3, spent: 3}, call(res{Verdict: wechat.Away}), rests(0), 3, false},
		"the day's quota is used up":      {attempt{}, call(res{Verdict: wechat.Hold, Code: 45009}), left, 0, false},
		"nothing can work":                {attempt{}, call(halted), left, 1, false},
		"… which failed the broadcast":    {attempt{}, result{answer: halted, fatal: 47001}, recorded(models.FailedFor, halted), 1, false},

		"too late to ask again": {
			attempt{calls: 2, maybeSent: true, last: noAnswer},
			result{event: expired},
			recorded(models.Uncertain, said(noAnswer, "no answer came while it was safe to ask again: HTTP 502")), 2, true,
		},
		"the claim is too old":     {attempt{}, result{event: expired}, left, 0, false},
		"left before any call":     {attempt{}, result{event: unreachable}, decision{action: withdraw}, 0, false},
		"left, the platform away":  {attempt{calls: 1, last: res{Verdict: wechat.Away}}, result{event: unreachable}, decision{action: withdraw}, 1, false},
		"left after a refusal":     {attempt{calls: 1, last: odd}, result{event: unreachable}, recorded(models.FailedFor, said(odd, "said stop or left before the next call")), 1, false},
		"left, perhaps sent":       {attempt{calls: 1, maybeSent: true, last: noAnswer}, result{event: unreachable}, recorded(models.Uncertain, said(noAnswer, "said stop or left before the next call")), 1, true},
		"left after a rest":        {attempt{calls: 1, deferred: true, code: 43117}, result{event: unreachable}, recorded(models.FailedFor, res{Code: 43117, Detail: "said stop or left before the next call"}), 1, false},
		"unfillable":               {attempt{}, result{event: unfillable, answer: res{Detail: "no value"}}, recorded(models.FailedFor, res{Detail: "no value"}), 0, false},
		"unfillable, perhaps sent": {attempt{calls: 1, maybeSent: true}, result{event: unfillable, answer: res{Detail: "no value"}}, recorded(models.Uncertain, res{Detail: "no value"}), 1, true},

		"the broadcast ends":                    {attempt{calls: 1, last: odd}, result{event: ended}, left, 1, false},
		"it failed for another reason":          {attempt{calls: 1, last: odd}, result{event: ended, fatal: 47001}, left, 1, false},
		"it failed for this one's reason":       {attempt{calls: 1, last: halted}, result{event: ended, fatal: 47001}, recorded(models.FailedFor, halted), 1, false},
		"it failed, and this one may have been": {attempt{calls: 2, maybeSent: true, last: halted}, result{event: ended, fatal: 47001}, left, 2, true},
		"it failed before this one's first":     {attempt{}, result{event: ended, fatal: 47001}, left, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, d := decide(test.attempt, test.result, now)
			if diff := cmp.Diff(test.want, d, cmp.AllowUnexported(decision{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if a.calls != test.calls || a.maybeSent != test.maybe {
				t.Errorf("%d calls, perhaps sent: %t; want %d, %t", a.calls, a.maybeSent, test.calls, test.maybe)
			}
		})
	}
}
