package config

import (
	"strconv"
	"strings"
	"time"
)

// option is one setting: how it is named, read, checked and printed. How to put a
// fault right says the sentence hint.NAME.
type option struct {
	name     string
	fallback string
	required bool
	secret   bool // also read from the file that name_FILE names
	list     bool // may be a list in the file
	process  bool // is one for all accounts
	// parse stores the trimmed, non-empty value. Its error says what is wrong
	// with it, and holds the value only if that is no secret.
	parse func(s *values, value string) error
	print func(s *values) string
}

// values are where options are stored: what the process has, and what one account has.
type values struct {
	Process
	Account
}

// fileName returns the variable that names the file with a secret's value.
func (o option) fileName() string { return o.name + "_FILE" }

// options is every setting, in the order of the documentation.
var options = []option{
	{
		name: "LISTEN_ADDR", process: true, fallback: "127.0.0.1:8080",
		parse: func(s *values, v string) error { return listenAddr(&s.ListenAddr, v) },
		print: func(s *values) string { return s.ListenAddr },
	},
	{
		name: "METRICS_ADDR", process: true,
		parse: func(s *values, v string) error { return listenAddr(&s.MetricsAddr, v) },
		print: func(s *values) string { return s.MetricsAddr },
	},
	{
		name: "WECHAT_APP_ID", required: true,
		parse: func(s *values, v string) error { return visible(&s.AppID, v) },
		print: func(s *values) string { return s.AppID },
	},
	{
		name: "WECHAT_APP_SECRET", required: true, secret: true,
		parse: func(s *values, v string) error { return visible(&s.AppSecret, v) },
		print: func(s *values) string { return s.AppSecret.String() },
	},
	{
		name: "WECHAT_TOKEN", required: true, secret: true,
		parse: func(s *values, v string) error { return visible(&s.Token, v) },
		print: func(s *values) string { return s.Token.String() },
	},
	{
		name: "WECHAT_ENCODING_AES_KEY", secret: true,
		parse: func(s *values, v string) error { return aesKey(&s.EncodingAESKey, v) },
		print: func(s *values) string { return s.EncodingAESKey.String() },
	},
	{
		name: "WECHAT_API_BASE_URL", fallback: "https://api.weixin.qq.com",
		parse: func(s *values, v string) error { return webURL(&s.APIBaseURL, v) },
		print: func(s *values) string { return s.APIBaseURL },
	},
	{
		name: "DATABASE_URL", fallback: "sqlite://data/broadcast.db", secret: true,
		parse: func(s *values, v string) (err error) {
			s.Database, err = ParseDatabaseURL(v)
			return err
		},
		print: func(s *values) string { return s.Database.String() },
	},
	{
		name: "REDIS_URL", secret: true,
		parse: func(s *values, v string) error { return redisURL(&s.RedisURL, v) },
		print: func(s *values) string { return maskedURL(s.RedisURL) },
	},
	{
		name: "ADMIN_OPENIDS", list: true,
		parse: func(s *values, v string) error { return openIDs(&s.AdminOpenIDs, v) },
		print: func(s *values) string { return s.AdminOpenIDs.String() },
	},
	{
		name: "MESSAGES_FILE", fallback: "messages.yaml",
		parse: func(s *values, v string) error { s.MessagesFile = v; return nil },
		print: func(s *values) string { return s.MessagesFile },
	},
	{
		name: "SEND_CONCURRENCY", fallback: "64",
		parse: func(s *values, v string) error { return wholeNumber(&s.SendConcurrency, v, 1, 10_000) },
		print: func(s *values) string { return strconv.Itoa(s.SendConcurrency) },
	},
	{
		name: "SEND_RATE", fallback: "100",
		parse: func(s *values, v string) error { return wholeNumber(&s.SendRate, v, 0, 1_000_000) },
		print: func(s *values) string { return strconv.Itoa(s.SendRate) },
	},
	{
		name: "UNDO_WINDOW", fallback: "10s",
		parse: func(s *values, v string) error { return duration(&s.UndoWindow, v, 0, 24*time.Hour) },
		print: func(s *values) string { return s.UndoWindow.String() },
	},
	{
		name: "APPROVALS", fallback: "0",
		parse: func(s *values, v string) error { return wholeNumber(&s.Approvals, v, 0, 10) },
		print: func(s *values) string { return strconv.Itoa(s.Approvals) },
	},
	{
		name: "REQUIRE_TEST", fallback: "false",
		parse: func(s *values, v string) error {
			word := ""
			err := oneOf(&word, v, "true", "false")
			s.RequireTest = word == "true"
			return err
		},
		print: func(s *values) string { return strconv.FormatBool(s.RequireTest) },
	},
	{
		name: "QUOTA_RESET", fallback: "00:00",
		parse: func(s *values, v string) error { return timeOfDay(&s.QuotaReset, v) },
		print: func(s *values) string {
			return time.Time{}.Add(s.QuotaReset).Format(timeOfDayLayout)
		},
	},
	{
		name: "CANARY", fallback: "1%",
		parse: func(s *values, v string) error { return share(&s.Canary, v) },
		print: func(s *values) string { return s.Canary.String() },
	},
	{
		name:  "QUIET_HOURS",
		parse: func(s *values, v string) error { return hours(&s.QuietHours, v) },
		print: func(s *values) string { return s.QuietHours.String() },
	},
	{
		name:  "MAX_PER_FOLLOWER",
		parse: func(s *values, v string) error { return perTime(&s.MaxPerFollower, v) },
		print: func(s *values) string { return s.MaxPerFollower.String() },
	},
	{
		name:  "RETENTION",
		parse: func(s *values, v string) error { return retention(&s.Retention, v) },
		print: func(s *values) string { return daysText(s.Retention) },
	},
	{
		name:  "WELCOME",
		parse: func(s *values, v string) error { return welcome(&s.Welcome, v) },
		print: func(s *values) string { return strings.ReplaceAll(s.Welcome, "\n", `\n`) },
	},
	{
		name: "UNKNOWN_TEXT", fallback: "hint",
		parse: func(s *values, v string) error { return unknownText(&s.UnknownText, v) },
		print: func(s *values) string { return withoutQuery(s.UnknownText) },
	},
	{
		name:  "WEBHOOK_URL",
		parse: func(s *values, v string) error { return serverURL(&s.WebhookURL, v) },
		print: func(s *values) string { return withoutQuery(s.WebhookURL) },
	},
	{
		name: "WEBHOOK_SECRET", secret: true,
		parse: func(s *values, v string) error { return webhookSecret(&s.WebhookSecret, v) },
		print: func(s *values) string { return s.WebhookSecret.String() },
	},
	{
		name: "LANGUAGE", fallback: "zh",
		parse: func(s *values, v string) error { return oneOf(&s.Language, v, "zh", "en") },
		print: func(s *values) string { return s.Language },
	},
	{
		name:  "PUBLIC_URL",
		parse: func(s *values, v string) error { return webURL(&s.PublicURL, v) },
		print: func(s *values) string { return s.PublicURL },
	},
	{
		name: "LOG_LEVEL", process: true, fallback: "info",
		parse: func(s *values, v string) error { return logLevel(&s.LogLevel, v) },
		print: func(s *values) string { return strings.ToLower(s.LogLevel.String()) },
	},
	{
		name: "LOG_FORMAT", process: true, fallback: "text",
		parse: func(s *values, v string) error { return oneOf(&s.LogFormat, v, "text", "json") },
		print: func(s *values) string { return s.LogFormat },
	},
}

// optionNames returns every name that a setting may be given under.
func optionNames() []string {
	names := make([]string, 0, 2*len(options))
	for _, o := range options {
		names = append(names, o.name)
		if o.secret {
			names = append(names, o.fileName())
		}
	}
	return names
}
