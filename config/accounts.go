package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// maxAccountName is the longest name of an account, in bytes.
const maxAccountName = 40

// isAccountName tells whether a text can be an account's name: a-z, 0-9 and -.
func isAccountName(v string) bool {
	return v != "" && len(v) <= maxAccountName && !strings.ContainsFunc(v, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// account loads what belongs to one account, by a name if there are several.
func (l *loader) account(name string) Account {
	l.name, l.values = name, &values{}
	l.values.Name = name
	for _, o := range options {
		if !o.process {
			l.set(o)
		}
	}
	if token := l.values.Token.Reveal(); token != "" && !isPlatformToken(token) {
		l.warn("WECHAT_TOKEN: the platform accepts only tokens of 3 to 32 letters and digits")
	}
	l.checkRetention()
	l.checkWebhook()
	return l.values.Account
}

// under says where a setting of the account would stand; empty if there is only one.
func (l *loader) under() string {
	if l.name == "" {
		return ""
	}
	return "accounts: " + l.name
}

// fallback returns the default of a setting. Each named account has a database of its
// own.
func (l *loader) fallback(o option) string {
	if l.name != "" && o.name == "DATABASE_URL" {
		return "sqlite://data/{account}.db"
	}
	return o.fallback
}

// filled returns a value with the account's name in place of {account}, where the
// value is a URL.
func (l *loader) filled(o option, value string) string {
	if l.name == "" || !strings.HasSuffix(o.name, "_URL") {
		return value
	}
	return strings.ReplaceAll(value, "{account}", l.name)
}

// take adds the faults and warnings of an account. What is wrong with a default of all
// accounts is told once.
func (l *loader) take(faults []finding, warnings []string) {
	for _, f := range faults {
		told := slices.ContainsFunc(l.faults, func(g finding) bool {
			return f.key == g.key && f.origin == g.origin && f.problem.String() == g.problem.String()
		})
		if !told {
			l.faults = append(l.faults, f)
		}
	}
	for _, w := range warnings {
		if !slices.Contains(l.warnings, w) {
			l.warnings = append(l.warnings, w)
		}
	}
}

// compare refuses two accounts that share what must be one account's alone.
func (l *loader) compare(accounts []Account) {
	databases, apps := map[string]string{}, map[string]string{}
	for _, a := range accounts {
		if place := a.Database.place(); place != "" {
			if other, taken := databases[place]; taken {
				l.fault("DATABASE_URL", "accounts: "+a.Name, wrong("shared_database", "Other", other), hint("own_database"))
			}
			databases[place] = a.Name
		}
		if a.AppID == "" {
			continue
		}
		if other, taken := apps[a.AppID]; taken {
			l.fault("WECHAT_APP_ID", "accounts: "+a.Name, wrong("shared_account", "Other", other), hint("WECHAT_APP_ID"))
		}
		apps[a.AppID] = a.Name
	}
}

// place returns a text that is the same for two ways to write one database, as far as
// this can be known without opening it.
func (d Database) place() string {
	switch d.Driver {
	case SQLite:
		return "sqlite " + realPath(d.DSN)
	case MySQL:
		cfg, err := mysql.ParseDSN(d.DSN)
		if err != nil {
			return ""
		}
		host := strings.ToLower(cfg.Addr)
		for _, own := range []string{"127.0.0.1:", "[::1]:"} {
			if port, is := strings.CutPrefix(host, own); is {
				host = "localhost:" + port
			}
		}
		return "mysql " + host + " " + cfg.DBName
	}
	return ""
}

// realPath returns the absolute path of a file, with symlinks followed as far as the
// path exists.
func realPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for range 40 { // a link may lead to a file that does not exist yet
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	rest := ""
	for folder := path; ; {
		if found, err := filepath.EvalSymlinks(folder); err == nil {
			return filepath.Join(found, rest)
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return path
		}
		folder, rest = parent, filepath.Join(filepath.Base(folder), rest)
	}
}
