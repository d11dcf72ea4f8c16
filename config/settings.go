package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Settings is what the operator chose, checked. It prints itself with every
// secret masked and OpenIDs shortened, whatever it is printed with.
type Settings struct {
	ListenAddr string // LISTEN_ADDR, host:port

	AppID          string // WECHAT_APP_ID
	AppSecret      Secret // WECHAT_APP_SECRET
	Token          Secret // WECHAT_TOKEN, signs the callbacks
	EncodingAESKey Secret // WECHAT_ENCODING_AES_KEY, 43 characters; empty outside safe mode
	APIBaseURL     string // WECHAT_API_BASE_URL, without a slash at its end

	Database Database // DATABASE_URL
	RedisURL Secret   // REDIS_URL; empty when one process does all the work

	AdminOpenIDs []string // ADMIN_OPENIDS, in the order given, each once
	MessagesFile string   // MESSAGES_FILE, a path

	SendConcurrency int           // SEND_CONCURRENCY, sends in flight in this process
	SendRate        int           // SEND_RATE, sends a second for the account; 0 is no ceiling
	UndoWindow      time.Duration // UNDO_WINDOW, the wait before a broadcast to all
	QuotaReset      time.Duration // QUOTA_RESET, after midnight Beijing time

	Language  string     // LANGUAGE, "zh" or "en"
	PublicURL string     // PUBLIC_URL, without a slash at its end; empty for no links
	LogLevel  slog.Level // LOG_LEVEL
	LogFormat string     // LOG_FORMAT, "text" or "json"

	// Warnings are what is likely to be a mistake and does not stop a start, one line
	// each: a variable that looks like a mistyped setting, say.
	Warnings []string
}

// Masked returns every setting as its variable and a value fit to be printed,
// in the order of the documentation. A setting that is not set has "".
func (s Settings) Masked() [][2]string {
	pairs := make([][2]string, 0, len(options))
	for _, o := range options {
		pairs = append(pairs, [2]string{o.name, o.print(&s)})
	}
	return pairs
}

// String returns the masked settings in one line.
func (s Settings) String() string {
	var b strings.Builder
	for i, pair := range s.Masked() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%q", pair[0], pair[1])
	}
	return b.String()
}

// Format writes the masked settings for every verb of fmt.
func (s Settings) Format(f fmt.State, _ rune) {
	// fmt keeps no error of a Formatter: there is nobody to hand it to.
	_, _ = io.WriteString(f, s.String())
}

// MarshalJSON returns the masked settings as one object.
func (s Settings) MarshalJSON() ([]byte, error) {
	object := make(map[string]string, len(options))
	for _, pair := range s.Masked() {
		object[pair[0]] = pair[1]
	}
	return json.Marshal(object)
}

// LogValue returns the masked settings as a group.
func (s Settings) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(options))
	for _, pair := range s.Masked() {
		attrs = append(attrs, slog.String(pair[0], pair[1]))
	}
	return slog.GroupValue(attrs...)
}
