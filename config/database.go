package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The drivers that a DATABASE_URL can name.
const (
	SQLite = "sqlite"
	MySQL  = "mysql"
)

// A database that does not answer must not hold a callback for longer than
// the platform waits (5 s), nor a sender for ever.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 30 * time.Second
)

// mysqlOptions are the driver's options that an operator may set in the URL.
// The others decide what a query means (time zone, affected rows, collation):
// the program relies on its own choice there.
var mysqlOptions = []string{
	"allowCleartextPasswords", "allowNativePasswords", "compress", "interpolateParams",
	"maxAllowedPacket", "readTimeout", "serverPubKey", "timeout", "tls", "writeTimeout",
}

// Database says where the data is. It prints itself as a URL with the
// password masked.
type Database struct {
	Driver string // SQLite or MySQL
	// DSN is for the driver alone: a file's path for SQLite; for MySQL a
	// go-sql-driver data source name, which holds the password in the clear.
	DSN string
}

// ParseDatabaseURL reads sqlite://path (relative, or absolute with a third
// slash), mysql://user:password@host:3306/name and
// mysql://user:password@unix(/path/of.sock)/name. Special characters in user
// and password are percent-encoded; the port defaults to 3306. The error says
// what is wrong and never repeats the URL.
func ParseDatabaseURL(raw string) (Database, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return Database{}, wrong("no_scheme")
	}
	switch strings.ToLower(scheme) {
	case SQLite:
		return parseSQLite(rest)
	case MySQL:
		return parseMySQL(rest)
	default:
		return Database{}, wrong("database_scheme")
	}
}

func parseSQLite(path string) (Database, error) {
	switch {
	case path == "":
		return Database{}, wrong("no_file")
	case strings.Contains(path, ":memory:"):
		return Database{}, wrong("memory")
	case strings.HasPrefix(path, "file:"):
		return Database{}, wrong("plain_path")
	case strings.HasSuffix(path, "/"):
		return Database{}, wrong("folder")
	case strings.ContainsAny(path, "?#\x00"):
		return Database{}, wrong("path_options")
	}
	return Database{Driver: SQLite, DSN: path}, nil
}

func parseMySQL(rest string) (Database, error) {
	network, socket := "tcp", ""
	if before, after, found := strings.Cut(rest, "@unix("); found {
		path, tail, closed := strings.Cut(after, ")")
		if !closed || path == "" {
			return Database{}, wrong("unix")
		}
		network, socket = "unix", path
		rest = before + "@localhost" + tail
	}
	// An error of net/url repeats the URL and with it the password.
	u, err := url.Parse("mysql://" + rest)
	if err != nil {
		return Database{}, wrong("no_url")
	}
	address := socket
	if network == "tcp" {
		if u.Hostname() == "" {
			return Database{}, wrong("no_host")
		}
		port, err := portOr(u.Port(), "3306")
		if err != nil {
			return Database{}, err
		}
		address = net.JoinHostPort(u.Hostname(), port)
	}
	name := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Fragment != "":
		return Database{}, wrong("has_fragment")
	case u.User.Username() == "":
		return Database{}, wrong("no_user")
	case strings.Contains(u.User.Username(), ":"):
		return Database{}, wrong("user_colon")
	case name == "" || strings.Contains(name, "/"):
		return Database{}, wrong("no_database")
	}

	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.DBName = network, address, name
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.Collation = "utf8mb4_bin" // OpenIDs compare byte for byte, also between parameters
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	dsn, err := withOptions(cfg, u.RawQuery)
	if err != nil {
		return Database{}, err
	}
	return Database{Driver: MySQL, DSN: dsn}, nil
}

// withOptions returns the data source name of cfg with the operator's options
// over ours.
func withOptions(cfg *mysql.Config, query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", wrong("bad_options")
	}
	dsn := cfg.FormatDSN() // has our parameters, so that more can follow after &
	for name := range values {
		if !slices.Contains(mysqlOptions, name) {
			// What stands there may be the rest of a password that holds a ?.
			return "", wrong("unknown_option", "Allowed", mysqlOptions)
		}
		dsn += "&" + name + "=" + url.QueryEscape(values.Get(name))
		if _, err := mysql.ParseDSN(dsn); err != nil {
			return "", wrong("option", "Name", name)
		}
	}
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil || parsed.User != cfg.User || parsed.Passwd != cfg.Passwd ||
		parsed.Addr != cfg.Addr || parsed.DBName != cfg.DBName {
		return "", wrong("driver")
	}
	return parsed.FormatDSN(), nil
}

func portOr(port, fallback string) (string, error) {
	if port == "" {
		return fallback, nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", wrong("port")
	}
	return port, nil
}

// String returns the URL of the database without its password and options.
func (d Database) String() string {
	switch d.Driver {
	case SQLite:
		return "sqlite://" + d.DSN
	case MySQL:
		cfg, err := mysql.ParseDSN(d.DSN)
		if err != nil {
			return "mysql://" + mask
		}
		password := ""
		if cfg.Passwd != "" {
			password = ":" + mask
		}
		address := cfg.Addr
		if cfg.Net != "tcp" {
			address = cfg.Net + "(" + cfg.Addr + ")"
		}
		return "mysql://" + cfg.User + password + "@" + address + "/" + cfg.DBName
	default:
		return ""
	}
}

// Format writes the masked URL for every verb of fmt.
func (d Database) Format(f fmt.State, _ rune) { format(f, d) }

// MarshalText returns the masked URL, and never an error.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue returns the masked URL.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.String()) }
