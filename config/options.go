package config

import (
	"strconv"
	"strings"
	"time"
)

// option is one setting: how it is named, read, checked and printed.
type option struct {
	name     string
	fallback string
	required bool
	secret   bool   // also read from the file that name_FILE names
	list     bool   // may be a list in the file
	hint     string // how to put a fault right
	// parse stores the trimmed, non-empty value. Its error says what is wrong
	// with it, and holds the value only if that is no secret.
	parse func(s *Settings, value string) error
	print func(s *Settings) string
}

// fileName returns the variable that names the file with a secret's value.
func (o option) fileName() string { return o.name + "_FILE" }

// options is every setting, in the order of the documentation.
var options = []option{
	{
		name: "LISTEN_ADDR", fallback: ":8080", hint: "give host:port or :port, such as :8080",
		parse: func(s *Settings, v string) error { return listenAddr(&s.ListenAddr, v) },
		print: func(s *Settings) string { return s.ListenAddr },
	},
	{
		name: "WECHAT_APP_ID", required: true, hint: "copy the AppID (wx…) from the platform's developer page",
		parse: func(s *Settings, v string) error { return visible(&s.AppID, v) },
		print: func(s *Settings) string { return s.AppID },
	},
	{
		name: "WECHAT_APP_SECRET", required: true, secret: true,
		hint:  "copy the AppSecret from the platform's developer page, or name a file with it in WECHAT_APP_SECRET_FILE",
		parse: func(s *Settings, v string) error { return visible(&s.AppSecret, v) },
		print: func(s *Settings) string { return s.AppSecret.String() },
	},
	{
		name: "WECHAT_TOKEN", required: true, secret: true,
		hint:  "give the token that is entered on the platform beside the callback URL, or name a file with it in WECHAT_TOKEN_FILE",
		parse: func(s *Settings, v string) error { return visible(&s.Token, v) },
		print: func(s *Settings) string { return s.Token.String() },
	},
	{
		name: "WECHAT_ENCODING_AES_KEY", secret: true,
		hint:  "copy the 43 characters of the EncodingAESKey from the platform, without an = at the end",
		parse: func(s *Settings, v string) error { return aesKey(&s.EncodingAESKey, v) },
		print: func(s *Settings) string { return s.EncodingAESKey.String() },
	},
	{
		name: "WECHAT_API_BASE_URL", fallback: "https://api.weixin.qq.com",
		hint:  "give an entry domain of the platform, such as https://api2.weixin.qq.com",
		parse: func(s *Settings, v string) error { return webURL(&s.APIBaseURL, v) },
		print: func(s *Settings) string { return s.APIBaseURL },
	},
	{
		name: "DATABASE_URL", fallback: "sqlite://data/broadcast.db", secret: true,
		hint: "give sqlite://path/of/file.db or mysql://user:password@host:3306/name, special characters in the password percent-encoded",
		parse: func(s *Settings, v string) (err error) {
			s.Database, err = ParseDatabaseURL(v)
			return err
		},
		print: func(s *Settings) string { return s.Database.String() },
	},
	{
		name: "REDIS_URL", secret: true, hint: "give redis://:password@host:6379/0, or rediss:// for TLS",
		parse: func(s *Settings, v string) error { return redisURL(&s.RedisURL, v) },
		print: func(s *Settings) string { return maskedURL(s.RedisURL) },
	},
	{
		name: "ADMIN_OPENIDS", list: true, hint: "give OpenIDs separated by commas, as the chat answers them to: openid",
		parse: func(s *Settings, v string) error { return openIDs(&s.AdminOpenIDs, v) },
		print: func(s *Settings) string { return s.AdminOpenIDs.String() },
	},
	{
		name: "MESSAGES_FILE", fallback: "messages.yaml",
		parse: func(s *Settings, v string) error { s.MessagesFile = v; return nil },
		print: func(s *Settings) string { return s.MessagesFile },
	},
	{
		name: "SEND_CONCURRENCY", fallback: "64", hint: "give a whole number from 1 to 10000, such as 64",
		parse: func(s *Settings, v string) error { return wholeNumber(&s.SendConcurrency, v, 1, 10_000) },
		print: func(s *Settings) string { return strconv.Itoa(s.SendConcurrency) },
	},
	{
		name: "SEND_RATE", fallback: "100", hint: "give sends a second as a whole number, such as 100, or 0 for no ceiling",
		parse: func(s *Settings, v string) error { return wholeNumber(&s.SendRate, v, 0, 1_000_000) },
		print: func(s *Settings) string { return strconv.Itoa(s.SendRate) },
	},
	{
		name: "UNDO_WINDOW", fallback: "10s", hint: "give a time from 0s to 24h with its unit, such as 10s or 1m30s",
		parse: func(s *Settings, v string) error { return duration(&s.UndoWindow, v, 0, 24*time.Hour) },
		print: func(s *Settings) string { return s.UndoWindow.String() },
	},
	{
		name: "QUOTA_RESET", fallback: "00:00", hint: "give the Beijing time at which the daily quota starts anew as HH:MM, such as 00:00",
		parse: func(s *Settings, v string) error { return timeOfDay(&s.QuotaReset, v) },
		print: func(s *Settings) string {
			return time.Time{}.Add(s.QuotaReset).Format(timeOfDayLayout)
		},
	},
	{
		name: "WELCOME", hint: `give a text of at most 2,047 bytes; \n begins a new line`,
		parse: func(s *Settings, v string) error { return welcome(&s.Welcome, v) },
		print: func(s *Settings) string { return strings.ReplaceAll(s.Welcome, "\n", `\n`) },
	},
	{
		name: "UNKNOWN_TEXT", fallback: "hint",
		hint:  "give hint, silent, customer_service, or the https:// URL of the server that the callback went to before (http:// for one on this machine)",
		parse: func(s *Settings, v string) error { return unknownText(&s.UnknownText, v) },
		print: func(s *Settings) string { return withoutQuery(s.UnknownText) },
	},
	{
		name: "LANGUAGE", fallback: "zh", hint: "give zh or en",
		parse: func(s *Settings, v string) error { return oneOf(&s.Language, v, "zh", "en") },
		print: func(s *Settings) string { return s.Language },
	},
	{
		name: "PUBLIC_URL", hint: "give the address at which phones reach this server, such as https://push.example.com",
		parse: func(s *Settings, v string) error { return webURL(&s.PublicURL, v) },
		print: func(s *Settings) string { return s.PublicURL },
	},
	{
		name: "LOG_LEVEL", fallback: "info", hint: "give debug, info, warn or error",
		parse: func(s *Settings, v string) error { return logLevel(&s.LogLevel, v) },
		print: func(s *Settings) string { return strings.ToLower(s.LogLevel.String()) },
	},
	{
		name: "LOG_FORMAT", fallback: "text", hint: "give text or json",
		parse: func(s *Settings, v string) error { return oneOf(&s.LogFormat, v, "text", "json") },
		print: func(s *Settings) string { return s.LogFormat },
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
