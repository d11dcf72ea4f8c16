package wechat

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// tokenError is the platform's refusal to give a token that works. It tells
// the operator what to do where that is known.
type tokenError struct {
	api     *APIError
	verdict Verdict
	advice  string
	after   time.Duration
}

func (e *tokenError) Error() string {
	if e.advice == "" {
		return fmt.Sprintf("get access token: %v", e.api)
	}
	return fmt.Sprintf("get access token: %s (%v)", e.advice, e.api)
}

// Unwrap leads to the *APIError.
func (e *tokenError) Unwrap() error { return e.api }

// IsTokenError tells whether err is the platform's refusal to give a token that
// works, whatever it was for; its codes mean other things than a call's own.
func IsTokenError(err error) bool {
	var e *tokenError
	return errors.As(err, &e)
}

// result is what a send without a token comes to: surely not sent.
func (e *tokenError) result() Result {
	r := Result{Verdict: e.verdict, Code: e.api.Code, Detail: oneLine(e.api.Msg), RetryAfter: e.after}
	if e.advice != "" {
		r.Detail = oneLine(e.advice + " (" + e.api.Msg + ")")
	}
	if e.verdict == Halt {
		r.Group = HaltCredentials
	}
	return r
}

// tokenErrorOf reads the token API's refusal: its codes do not all mean what
// they mean for a send (WeChat: getStableAccessToken docs).
func tokenErrorOf(api *APIError) *tokenError {
	e := &tokenError{api: api, verdict: Retry}
	switch api.Code {
	case 45009:
		e.verdict, e.advice = Hold, "the day's quota of access tokens is used up"
	case 45011:
		e.verdict, e.after = Slow, minuteQuota
	default:
		if advice := tokenAdvice(api); advice != "" {
			e.verdict, e.advice = Halt, advice
		}
	}
	return e
}

// tokenAdvice says what is wrong with the credentials; empty for a code that
// is not about them.
func tokenAdvice(api *APIError) string {
	switch api.Code {
	case 40001, 40125:
		return "the AppSecret is wrong: compare it with the platform's console"
	case 40013:
		return "the AppID is wrong: compare it with the platform's console"
	case 41002:
		return "the AppID is missing from the settings"
	case 41004:
		return "the AppSecret is missing from the settings"
	case 40164:
		return callerIP(api.Msg) + " is not on the account's IP whitelist: add it in the platform's console"
	case 40243:
		return "the AppSecret is frozen: unfreeze it in the platform's console"
	case 89503:
		return callerIP(api.Msg) + " is new to the platform: an administrator of the account must confirm it"
	case 89506:
		return callerIP(api.Msg) + " was rejected by an administrator of the account: it can ask again after 24 hours"
	case 89507:
		return callerIP(api.Msg) + " was rejected by an administrator of the account: it can ask again after an hour"
	case 50004:
		return "the platform forbids this account to get access tokens"
	case 50007:
		return "the account is frozen"
	case 40002, 48001, 48004, 50001, 50002, 61004, 45035:
		return "the platform refuses this account or server"
	}
	return ""
}

var ipInMessage = regexp.MustCompile(`(?i)\bip[ :=]+([0-9a-f]*[.:][0-9a-f:.]*[0-9a-f])`)

// RefusedAddress returns this server's address as the platform names it when it gives no
// token to that address, and empty for any other error.
func RefusedAddress(err error) string {
	var e *tokenError
	if !errors.As(err, &e) {
		return ""
	}
	if m := ipInMessage.FindStringSubmatch(e.api.Msg); m != nil {
		return m[1]
	}
	return ""
}

// callerIP is the address that the platform saw, as named in its errmsg
// ("invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist").
func callerIP(msg string) string {
	if m := ipInMessage.FindStringSubmatch(msg); m != nil {
		return "the address " + m[1]
	}
	return "this server's address"
}
