package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"wechat-broadcast/zone"
)

// Settings is what the operator chose, checked. It prints itself with every
// secret masked and OpenIDs shortened, whatever it is printed with. So do its parts.
type Settings struct {
	Process
	// Accounts is at least one, in the order of the file.
	Accounts []Account
	// Warnings are doubts that do not stop a start, one line each: a variable
	// that looks like a mistyped setting, say.
	Warnings []string
}

// Several tells whether the accounts have names: whether there is an accounts: in the
// file.
func (s Settings) Several() bool { return len(s.Accounts) > 0 && s.Accounts[0].Name != "" }

// Names returns the accounts' names, in the order of the file.
func (s Settings) Names() []string {
	names := make([]string, len(s.Accounts))
	for i, a := range s.Accounts {
		names[i] = a.Name
	}
	return names
}

// Process is what belongs to the process, whichever accounts it serves.
type Process struct {
	ListenAddr  string // LISTEN_ADDR, host:port
	MetricsAddr string // METRICS_ADDR, host:port; empty to serve metrics at ListenAddr

	LogLevel  slog.Level // LOG_LEVEL
	LogFormat string     // LOG_FORMAT, "text" or "json"
}

// Account is what belongs to one account of the platform.
type Account struct {
	// Name is what the file calls it under accounts:, and empty without that.
	Name string

	AppID          string // WECHAT_APP_ID
	AppSecret      Secret // WECHAT_APP_SECRET
	Token          Secret // WECHAT_TOKEN, signs the callbacks
	EncodingAESKey Secret // WECHAT_ENCODING_AES_KEY, 43 characters; empty outside safe mode
	APIBaseURL     string // WECHAT_API_BASE_URL, without a slash at its end

	Database Database // DATABASE_URL
	RedisURL Secret   // REDIS_URL; empty when one process does all the work

	AdminOpenIDs OpenIDs // ADMIN_OPENIDS, in the order given, each once
	MessagesFile string  // MESSAGES_FILE, a path

	SendConcurrency int           // SEND_CONCURRENCY, sends in flight in this process
	SendRate        int           // SEND_RATE, sends a second for the account; 0 is no ceiling
	UndoWindow      time.Duration // UNDO_WINDOW, the wait before a broadcast to all
	Approvals       int           // APPROVALS, the other admins who must approve a broadcast
	RequireTest     bool          // REQUIRE_TEST, refuses a broadcast whose content was not tested
	QuotaReset      time.Duration // QUOTA_RESET, after midnight Beijing time
	Canary          Share         // CANARY, how many recipients are tried first

	QuietHours     zone.Hours // QUIET_HOURS, in which nothing is sent but to an admin and testers
	MaxPerFollower PerTime    // MAX_PER_FOLLOWER, the broadcasts that a person gets at most

	Retention time.Duration // RETENTION, how long deliveries are kept after the end of a broadcast; 0 for ever

	Welcome     string // WELCOME, what a new follower is answered; empty for nothing
	UnknownText string // UNKNOWN_TEXT: "hint", "silent", "customer_service" or a URL

	WebhookURL    string // WEBHOOK_URL, to which events of broadcasts are posted; empty for none
	WebhookSecret Secret // WEBHOOK_SECRET, signs them; empty without a URL

	Language  string // LANGUAGE, "zh" or "en"
	PublicURL string // PUBLIC_URL, without a slash at its end; empty for no links
}

// Masked returns every setting of the process, and of the account if it has no name,
// as its variable and a value fit to be printed, in the order of the documentation. A
// setting that is not set has "".
func (s Settings) Masked() [][2]string {
	v := values{Process: s.Process}
	if len(s.Accounts) > 0 {
		v.Account = s.Accounts[0]
	}
	return masked(&v, func(o option) bool { return o.process || !s.Several() })
}

// Masked returns every setting of the account, as [Settings.Masked] does.
func (a Account) Masked() [][2]string {
	return masked(&values{Account: a}, func(o option) bool { return !o.process })
}

func masked(v *values, wanted func(option) bool) [][2]string {
	pairs := make([][2]string, 0, len(options))
	for _, o := range options {
		if wanted(o) {
			pairs = append(pairs, [2]string{o.name, o.print(v)})
		}
	}
	return pairs
}

// String returns the masked settings in one line.
func (s Settings) String() string { return s.LogValue().String() }

// Format writes the masked settings for every verb of fmt.
func (s Settings) Format(f fmt.State, _ rune) { format(f, s) }

// MarshalJSON returns the masked settings as one object.
func (s Settings) MarshalJSON() ([]byte, error) {
	object := make(map[string]any, len(options))
	for _, pair := range s.Masked() {
		object[pair[0]] = pair[1]
	}
	if s.Several() {
		accounts := make(map[string]Account, len(s.Accounts))
		for _, a := range s.Accounts {
			accounts[a.Name] = a
		}
		object["accounts"] = accounts
	}
	return json.Marshal(object)
}

// LogValue returns the masked settings as a group, with one for each named account.
func (s Settings) LogValue() slog.Value {
	attrs := attrsOf(s.Masked())
	if s.Several() {
		for _, a := range s.Accounts {
			attrs = append(attrs, slog.Attr{Key: a.Name, Value: a.LogValue()})
		}
	}
	return slog.GroupValue(attrs...)
}

// String returns the masked settings of the account in one line.
func (a Account) String() string { return a.LogValue().String() }

// Format writes the masked settings for every verb of fmt.
func (a Account) Format(f fmt.State, _ rune) { format(f, a) }

// MarshalJSON returns the masked settings as one object.
func (a Account) MarshalJSON() ([]byte, error) {
	object := make(map[string]string, len(options))
	for _, pair := range a.Masked() {
		object[pair[0]] = pair[1]
	}
	return json.Marshal(object)
}

// LogValue returns the masked settings as a group.
func (a Account) LogValue() slog.Value { return slog.GroupValue(attrsOf(a.Masked())...) }

func attrsOf(pairs [][2]string) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(pairs))
	for _, pair := range pairs {
		attrs = append(attrs, slog.String(pair[0], pair[1]))
	}
	return attrs
}
