package diagnosis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/wechat"
)

// clockTolerance is how far this machine's clock may be from the platform's. A callback
// whose signature is five minutes off is refused; before that, messages that are planned
// come at a wrong time.
const clockTolerance = 30 * time.Second

// Account is what the platform says of an account.
type Account struct {
	Credentials, IPWhitelist, Permission Point
	// Templates are the account's; nil if they are not known.
	Templates []wechat.Template
}

// OK tells whether all of it is in order.
func (a Account) OK() bool { return a.Credentials.OK && a.IPWhitelist.OK && a.Permission.OK }

// Account asks the platform for a token, the account's templates and the quota of
// template messages. base is the platform's URL, to be named.
func (d *Doctor) Account(ctx context.Context, client *wechat.Client, base string) Account {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	var a Account
	_, err := client.Token(ctx)
	a.Credentials, a.IPWhitelist = d.token(err, base)
	if err != nil {
		before := Credentials
		var refused *wechat.APIError
		if errors.As(err, &refused) && addressFix(refused.Code) != "" {
			before = IPWhitelist
		}
		a.Permission = d.Untried(Permission, before)
		return a
	}
	a.Templates, a.Permission = d.permission(ctx, client, base)
	return a
}

// token reads what became of asking for a token.
func (d *Doctor) token(err error, base string) (credentials, whitelist Point) {
	if err == nil {
		return d.Good(Credentials, "check.credentials.fine"), d.Good(IPWhitelist, "check.whitelist.fine")
	}
	var refused *wechat.APIError
	if !errors.As(err, &refused) {
		return d.unanswered(Credentials, err, base), d.Untried(IPWhitelist, Credentials)
	}
	vars := lang.Vars{
		"What": d.Words.Refusal(lang.Refusal{Code: refused.Code, Words: refused.Msg, Token: true}),
		"IP":   wechat.RefusedAddress(err),
	}
	if fix := addressFix(refused.Code); fix != "" {
		return d.Untried(Credentials, IPWhitelist), d.Bad(IPWhitelist, "check.refused", fix, vars)
	}
	fix := "check.fix.token." + strconv.Itoa(refused.Code)
	if !d.Words.Has(fix) {
		fix = "check.fix.account"
	}
	return d.Bad(Credentials, "check.refused", fix, vars), d.Untried(IPWhitelist, Credentials)
}

// addressFix returns the mend of a code that is about this server's address; empty for
// any other (WeChat: getStableAccessToken docs).
func addressFix(code int) string {
	switch code {
	case 40164:
		return "check.fix.whitelist"
	case 89503, 89506, 89507:
		return "check.fix.confirm"
	}
	return ""
}

// unanswered is a point about which the platform could not be asked.
func (d *Doctor) unanswered(name string, err error, base string) Point {
	return d.Bad(name, "check.unanswered", "check.fix.reach", lang.Vars{"Reason": d.reason(err), "URL": base})
}

// permission tells whether the account may send template messages, without sending one:
// one that may not is refused its templates and its quota with 48001.
func (d *Doctor) permission(ctx context.Context, client *wechat.Client, base string) ([]wechat.Template, Point) {
	templates, _, err := client.KnownTemplates(ctx, 0)
	var quota wechat.Quota
	if err == nil {
		quota, err = client.Quota(ctx, wechat.TemplateMessages{}.QuotaPath())
		var refused *wechat.APIError
		if err != nil && !errors.As(err, &refused) { // the templates were told
			return templates, d.Good(Permission, "check.permission.unknown_quota")
		}
	}
	var refused *wechat.APIError
	switch {
	case err == nil:
		return templates, d.Good(Permission, "check.permission.fine", lang.Vars{"Remain": quota.Remain, "Limit": quota.Limit})
	case !errors.As(err, &refused):
		return nil, d.unanswered(Permission, err, base)
	}
	fix := "check.fix.permission." + strconv.Itoa(refused.Code)
	if !d.Words.Has(fix) {
		fix = "check.fix.account"
	}
	what := d.Words.Refusal(lang.Refusal{Code: refused.Code, Words: refused.Msg})
	return templates, d.Bad(Permission, "check.refused", fix, lang.Vars{"What": what})
}

// Clock holds this machine's clock against the platform's.
func (d *Doctor) Clock(ctx context.Context, client *wechat.Client, base string) Point {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := d.Now()
	theirs, err := client.Clock(ctx)
	if err != nil {
		return d.unanswered(Clock, err, base)
	}
	answered := d.Now()
	// The header names the second in which the answer was made.
	ahead := asked.Add(answered.Sub(asked) / 2).Sub(theirs.Add(500 * time.Millisecond))
	tolerance := clockTolerance + answered.Sub(asked)/2
	switch {
	case ahead > tolerance:
		return d.Bad(Clock, "check.clock.ahead", "check.fix.clock", lang.Vars{"By": ahead})
	case ahead < -tolerance:
		return d.Bad(Clock, "check.clock.behind", "check.fix.clock", lang.Vars{"By": -ahead})
	}
	return d.Good(Clock, "check.clock.fine")
}
