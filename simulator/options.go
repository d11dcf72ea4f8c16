package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/alecthomas/kong"
)

// The styles, modes and answers that Options choose from.
const (
	// EndExtraPage ends the follower list as real accounts do: the last page still names its last OpenID as
	// next_openid, and one more call answers a count of 0 without data.
	EndExtraPage = "extra-page"
	// EndEmptyNext ends it as the docs allow: the last page's next_openid is empty.
	EndEmptyNext = "empty-next"

	ModePlain  = "plain"  // messages in clear text
	ModeCompat = "compat" // clear text and ciphertext side by side
	ModeSafe   = "safe"   // ciphertext only

	DuplicateSame  = "same"  // a repeated client_msg_id is answered with the first msgid
	DuplicateNew   = "new"   // … with 0 and a new msgid, though nothing is sent
	DuplicateError = "error" // … with an error code
)

// Options are the account, its followers, its limits and its troubles. The zero value is a sound account without
// followers; fields that are left zero get the value that the command line names as default, save Followers and Seed,
// which stay zero. Struct tags are those of github.com/alecthomas/kong, so that a command can embed Options.
type Options struct {
	AppID      string `help:"App id of the account." default:"wxd0a1b2c3d4e5f607"`
	AppSecret  string `help:"App secret of the account." default:"0123456789abcdef0123456789abcdef"`
	OriginalID string `help:"The account's own id, in which callbacks are addressed to it." default:"gh_7f083739789a"`

	Followers int      `help:"How many follow the account, admins included." default:"1000"`
	Admin     []string `help:"OpenIDs that follow the account whatever the seed; they come last in the list." placeholder:"OPENID"`
	Refusing  int      `help:"How many followers are listed although every send to them answers 43004."`
	Blocking  int      `help:"How many followers let a send be accepted and then be reported as 'failed:user block'."`
	Left      int      `help:"How many followers leave at the moment of the first send: 43004, and no longer listed."`

	EndOfList   string `help:"How the follower list ends: one empty extra page, or an empty next_openid." enum:"extra-page,empty-next" default:"extra-page"`
	PageOverlap int    `help:"How many followers of each page are repeated at the head of the next."`
	TotalDrift  int    `help:"By how much the list's total wavers, up or down, from page to page."`

	CallbackURL     string        `name:"callback" help:"Where messages and receipts are sent; none without it." placeholder:"URL"`
	Token           string        `help:"Callback token, with which the platform signs." default:"simulator"`
	EncodingAESKey  string        `name:"aes-key" help:"EncodingAESKey of 43 characters, for the modes compat and safe." placeholder:"KEY"`
	Mode            string        `help:"Message mode: plain, compat or safe. Without it, safe if there is an AES key, else plain." enum:",plain,compat,safe" default:""`
	CallbackTimeout time.Duration `help:"How long a callback may take before it counts as not answered." default:"5s"`
	CallbackRetry   time.Duration `help:"Pause before a callback that was not answered is sent again; three times in all." default:"5s"`
	ResignRetries   bool          `help:"Sign a callback that is sent again anew instead of repeating its first URL."`
	CallbackWorkers int           `help:"How many receipts are under way at once." default:"64"`

	TemplateIDs       []string      `name:"template" help:"Further template ids that exist, without typed fields." placeholder:"ID"`
	MiniPrograms      []string      `name:"mini-program" help:"App ids of the mini programs that are linked to the account; a message that leads to another is refused with 40013." default:"wx0123456789abcdef" placeholder:"APPID"`
	CutLongThings     bool          `help:"Cut a thing value above 20 characters instead of refusing it with 47003."`
	ClientMsgIDWindow time.Duration `name:"client-msg-id-window" help:"How long a client_msg_id is remembered for a follower." default:"10m"`
	DuplicateAnswer   string        `help:"Answer to a repeated client_msg_id: the same msgid, a new one, or an error." enum:"same,new,error" default:"same"`
	DuplicateCode     int           `help:"Error code of a repeated client_msg_id, with --duplicate-answer=error." default:"40241"`

	TokenTTL     time.Duration `name:"token-ttl" help:"How long an access token lives." default:"2h"`
	TokenOverlap time.Duration `help:"How long a replaced token still works; 0 is a twenty-fourth of its life (5 min of 2 h)."`

	Seed uint64 `help:"Seed of everything that is random: the same seed, the same OpenIDs and faults." default:"1"`

	Faults   Faults   `embed:""`
	Limits   Limits   `embed:""`
	Receipts Receipts `embed:""`

	// Templates that exist beside the built-in ones and those of TemplateIDs.
	Templates []Template `kong:"-"`
	// NoBuiltIn leaves out the built-in templates.
	NoBuiltIn bool `kong:"-"`
	// Now is the clock of tokens, quotas, windows and timestamps; time.Now if nil. Pauses use real timers.
	Now func() time.Time `kong:"-"`
	// Logger gets what goes wrong with callbacks; nothing is logged if nil.
	Logger *slog.Logger `kong:"-"`
	// OnMessage, if set, is called for every template message that is accepted, before the platform answers. Blocking
	// followers do not get to see it: its Receipt says so.
	OnMessage func(Message) `kong:"-"`
	// OnNotice, if set, is called for every customer-service message that a follower receives, and for the account's
	// reply to a follow event.
	OnNotice func(Notice) `kong:"-"`
}

// Faults are the platform's troubles on template/send. Rates are 0 to 1. They can be changed while it runs.
type Faults struct {
	Latency             time.Duration `name:"latency" json:"latency" help:"How long a template send takes; half of it passes before the message is accepted."`
	Slow                float64       `name:"fault-slow" json:"slow" help:"Rate of answers that come late by --fault-slow-for, the message accepted."`
	SlowFor             time.Duration `name:"fault-slow-for" json:"slow_for" help:"How late a slow answer comes." default:"3s"`
	SystemError         float64       `name:"fault-system-error" json:"system_error" help:"Rate of -1, nothing accepted."`
	SystemErrorAccepted float64       `name:"fault-system-error-accepted" json:"system_error_accepted" help:"Rate of -1 although the message was accepted."`
	BadGateway          float64       `name:"fault-bad-gateway" json:"bad_gateway" help:"Rate of HTTP 502 with an HTML page, nothing accepted."`
	Cut                 float64       `name:"fault-cut" json:"cut" help:"Rate of connections cut before anything is accepted."`
	CutAccepted         float64       `name:"fault-cut-accepted" json:"cut_accepted" help:"Rate of connections cut after the message was accepted."`
	HTML                float64       `name:"fault-html" json:"html" help:"Rate of HTTP 200 with an HTML page, the message accepted."`
	Empty               float64       `name:"fault-empty" json:"empty" help:"Rate of HTTP 200 with an empty body, the message accepted."`
	TextCode            float64       `name:"fault-text-code" json:"text_code" help:"Rate of answers whose errcode is a string, the message accepted."`
	TokenRevoked        float64       `name:"fault-token-revoked" json:"token_revoked" help:"Rate of calls before which the tokens are revoked (40001 until a new one is fetched)."`
	TokenExpired        float64       `name:"fault-token-expired" json:"token_expired" help:"Rate of calls before which the tokens expire (42001 until a new one is fetched)."`
	// WaitAfter lets a trial act at a moment that it names: so many sends are let in, those that come later wait until it is changed.
	WaitAfter int64           `name:"fault-wait-after" json:"wait_after" help:"Sends that are let in, later ones wait until this is changed; 0 for no waiting."`
	Codes     map[int]float64 `name:"fault-code" json:"codes" help:"Rate of refusals by errcode, such as 45011=0.02; repeatable." placeholder:"CODE=RATE"`
	// Everywhere lets Latency, Slow, SystemError, BadGateway and Cut strike the other APIs too.
	Everywhere bool `name:"fault-everywhere" json:"everywhere" help:"Faults that are not about a recipient strike the other APIs too."`
	RefuseIP   bool `name:"fault-refuse-ip" json:"refuse_ip" help:"The caller's IP is not on the whitelist (40164 from the token APIs)."`
}

// Limits are how many calls the account may make. They can be changed while it runs.
type Limits struct {
	SendDaily    int `name:"limit-send-daily" json:"send_daily" help:"Template sends a day (Beijing time), then 45009; 0 for no limit."`
	SendMinute   int `name:"limit-send-minute" json:"send_minute" help:"Template sends a minute, then 45011; 0 for no limit."`
	SendSecond   int `name:"limit-send-second" json:"send_second" help:"Template sends a second, then 45011; 0 for no limit."`
	UserGetDaily int `name:"limit-user-get-daily" json:"user_get_daily" help:"Pages of followers a day; below 0 for no limit." default:"500"`
	TaggedDaily  int `name:"limit-tagged-daily" json:"tagged_daily" help:"Pages of those with a tag a day; 0 for no limit, as none is published."`
	TokenDaily   int `name:"limit-token-daily" json:"token_daily" help:"Calls of /cgi-bin/token a day; below 0 for no limit." default:"2000"`
}

// Receipts are how the outcome of accepted sends is reported to the callback. They can be changed while it runs.
// Of two receipts, the later can come first: each is delayed by a time of its own between DelayMin and DelayMax. At the
// start, no delay at all means the defaults; a DelayMax of a nanosecond is as good as none.
type Receipts struct {
	DelayMin     time.Duration `name:"receipt-delay-min" json:"delay_min" help:"Shortest time from a send to its receipt." default:"200ms"`
	DelayMax     time.Duration `name:"receipt-delay-max" json:"delay_max" help:"Longest time from a send to its receipt." default:"2s"`
	Early        float64       `name:"receipt-early" json:"early" help:"Rate of receipts that come before the send is answered."`
	Repeat       float64       `name:"receipt-repeat" json:"repeat" help:"Rate of receipts that come twice."`
	Lost         float64       `name:"receipt-lost" json:"lost" help:"Rate of receipts that never come."`
	UserBlock    float64       `name:"receipt-user-block" json:"user_block" help:"Rate of 'failed:user block'."`
	SystemFailed float64       `name:"receipt-system-failed" json:"system_failed" help:"Rate of 'failed: system failed'."`
	FreqLimit    float64       `name:"receipt-freq-limit" json:"freq_limit" help:"Rate of 'failed:freq limit'."`
}

// Validate checks everything that can be wrong, and gives all faults at once.
func (o Options) Validate() error {
	var faults []error
	check := func(sound bool, format string, args ...any) {
		if !sound {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(o.Followers >= 0 && o.Followers <= 100_000_000, "followers must be 0 to 100,000,000, not %d", o.Followers)
	check(min(o.Refusing, o.Blocking, o.Left) >= 0 && o.Refusing+o.Blocking+o.Left <= max(0, o.Followers-len(o.Admin)),
		"refusing (%d), blocking (%d) and left (%d) must not be negative, nor more than the followers that are not admins",
		o.Refusing, o.Blocking, o.Left)
	for _, openID := range o.Admin {
		check(plain(openID), "an admin's OpenID must be of letters, digits, - and _, not %q", openID)
	}
	check(o.PageOverlap >= 0 && o.PageOverlap < pageSize, "page overlap must be 0 to %d, not %d", pageSize-1, o.PageOverlap)
	check(o.TotalDrift >= 0, "total drift must not be negative")
	check(oneOf(o.EndOfList, "", EndExtraPage, EndEmptyNext), "end of list must be %s or %s, not %q", EndExtraPage, EndEmptyNext, o.EndOfList)
	check(oneOf(o.DuplicateAnswer, "", DuplicateSame, DuplicateNew, DuplicateError),
		"duplicate answer must be %s, %s or %s, not %q", DuplicateSame, DuplicateNew, DuplicateError, o.DuplicateAnswer)
	check(oneOf(o.Mode, "", ModePlain, ModeCompat, ModeSafe), "mode must be %s, %s or %s, not %q", ModePlain, ModeCompat, ModeSafe, o.Mode)
	if o.EncodingAESKey != "" {
		if _, err := newSeal(o.EncodingAESKey, o.AppID); err != nil {
			faults = append(faults, err)
		}
	} else {
		check(!oneOf(o.Mode, ModeCompat, ModeSafe), "mode %s needs an AES key", o.Mode)
	}
	for name, d := range map[string]time.Duration{
		"callback timeout": o.CallbackTimeout, "callback retry": o.CallbackRetry,
		"client_msg_id window": o.ClientMsgIDWindow, "token TTL": o.TokenTTL, "token overlap": o.TokenOverlap,
	} {
		check(d >= 0, "%s must not be negative", name)
	}
	check(o.CallbackWorkers >= 0, "callback workers must not be negative")
	return errors.Join(append(faults, checkCallbackURL(o.CallbackURL), o.Faults.Validate(), o.Receipts.Validate())...)
}

// Validate checks that rates are 0 to 1 and times not negative.
func (f Faults) Validate() error {
	err := checkRates(map[string]float64{
		"slow": f.Slow, "system error": f.SystemError, "system error accepted": f.SystemErrorAccepted,
		"bad gateway": f.BadGateway, "cut": f.Cut, "cut accepted": f.CutAccepted, "html": f.HTML, "empty": f.Empty,
		"text code": f.TextCode, "token revoked": f.TokenRevoked, "token expired": f.TokenExpired,
	})
	for code, rate := range f.Codes {
		err = errors.Join(err, checkRates(map[string]float64{fmt.Sprint(code): rate}))
	}
	if f.Latency < 0 || f.SlowFor < 0 || f.WaitAfter < 0 {
		err = errors.Join(err, errors.New("latency, slow-for and wait-after must not be negative"))
	}
	return err
}

// Validate checks that rates are 0 to 1 and delays in order.
func (r Receipts) Validate() error {
	err := checkRates(map[string]float64{
		"early": r.Early, "repeat": r.Repeat, "lost": r.Lost,
		"user block": r.UserBlock, "system failed": r.SystemFailed, "freq limit": r.FreqLimit,
	})
	if r.DelayMin < 0 || r.DelayMax < 0 {
		err = errors.Join(err, errors.New("receipt delays must not be negative"))
	}
	return err
}

func checkRates(rates map[string]float64) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		if rate := rates[name]; !(rate >= 0 && rate <= 1) {
			faults = append(faults, fmt.Errorf("rate of %s must be 0 to 1, not %v", name, rate))
		}
	}
	return errors.Join(faults...)
}

func checkCallbackURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !oneOf(u.Scheme, "http", "https") {
		return errors.New("the callback must be an http or https URL")
	}
	return nil
}

func oneOf(value string, choices ...string) bool { return slices.Contains(choices, value) }

// withDefaults gives the fields that are zero the defaults of their tags.
func (o Options) withDefaults() Options {
	given := o
	if err := kong.ApplyDefaults(&o); err != nil {
		panic(err) // not reached: Validate has seen the options, and the tags are constants
	}
	o.Followers, o.Seed = given.Followers, given.Seed
	if given.Receipts.DelayMin != 0 || given.Receipts.DelayMax != 0 {
		o.Receipts = given.Receipts
	}
	if given.MiniPrograms != nil {
		o.MiniPrograms = given.MiniPrograms
	}
	o.TokenOverlap = cmp.Or(o.TokenOverlap, o.TokenTTL/24)
	if o.Mode == "" {
		o.Mode = ModePlain
		if o.EncodingAESKey != "" {
			o.Mode = ModeSafe
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
