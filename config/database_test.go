package config

import (
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
)

func TestParseDatabaseURLSQLite(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"sqlite://data/broadcast.db": "data/broadcast.db",
		"sqlite:///var/lib/b.db":     "/var/lib/b.db",
		"SQLite://b 中文.db":           "b 中文.db",
	} {
		got, err := ParseDatabaseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if diff := cmp.Diff(Database{Driver: SQLite, DSN: want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestParseDatabaseURLMySQL(t *testing.T) {
	t.Parallel()
	type result struct {
		User, Password, Net, Addr, Name string
		Dial, Read, Write               time.Duration
		TLS, Shown                      string
	}
	tests := []struct {
		raw  string
		want result
	}{
		{
			"mysql://user:password@host:3307/name",
			result{"user", "password", "tcp", "host:3307", "name", dialTimeout, ioTimeout, ioTimeout, "", "mysql://user:***@host:3307/name"},
		},
		{
			"mysql://u@db.example/n",
			result{"u", "", "tcp", "db.example:3306", "n", dialTimeout, ioTimeout, ioTimeout, "", "mysql://u@db.example:3306/n"},
		},
		{
			"mysql://u:p%40s%2Fs%3Aw%23%3F%25@h/n",
			result{"u", "p@s/s:w#?%", "tcp", "h:3306", "n", dialTimeout, ioTimeout, ioTimeout, "", "mysql://u:***@h:3306/n"},
		},
		{
			"mysql://u:p+w@[::1]:3306/n?timeout=1s&readTimeout=2s&writeTimeout=3s&tls=skip-verify",
			result{"u", "p+w", "tcp", "[::1]:3306", "n", time.Second, 2 * time.Second, 3 * time.Second, "skip-verify", "mysql://u:***@[::1]:3306/n"},
		},
		{
			"mysql://u:p@unix(/run/mysqld/mysqld.sock)/n",
			result{"u", "p", "unix", "/run/mysqld/mysqld.sock", "n", dialTimeout, ioTimeout, ioTimeout, "", "mysql://u:***@unix(/run/mysqld/mysqld.sock)/n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			db, err := ParseDatabaseURL(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := mysql.ParseDSN(db.DSN)
			if err != nil {
				t.Fatal(err)
			}
			got := result{
				cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName,
				cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout, cfg.TLSConfig, db.String(),
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !cfg.ParseTime || cfg.Loc != time.UTC || !strings.HasPrefix(cfg.Collation, "utf8mb4") ||
				cfg.Params["time_zone"] != "'+00:00'" || cfg.ClientFoundRows || cfg.MultiStatements {
				t.Errorf("the driver is not set up as the program relies on: %+v", cfg)
			}
		})
	}
}

func TestParseDatabaseURLRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "sqlite:", "sqlite://", "sqlite://:memory:", "sqlite://file::memory:", "sqlite://file:x.db", "sqlite://x.db?mode=ro",
		"sqlite://data/", "sqlite3://x.db",
		"mysql://", "mysql://hunter2", "mysql://u:hunter2@/n", "mysql://u:hunter2@h", "mysql://u:hunter2@h/", "mysql://u:hunter2@h/a/b",
		"mysql://:hunter2@h/n", "mysql://u:hunter2@h:0/n", "mysql://u:hunter2@h:70000/n", "mysql://u:hunter2@h:x/n",
		"mysql://u:hunter2#x@h/n", "mysql://u:x?hunter2@h/n", "mysql://u:x@y/z?hunter2@h/n", "mysql://u:hunter2%zz@h/n", "mysql://a%3Ab:hunter2@h/n",
		"mysql://u:hunter2@h/n?parseTime=false", "mysql://u:hunter2@h/n?loc=Local", "mysql://u:hunter2@h/n?tls=hunter2",
		"mysql://u:hunter2@h/n?timeout=hunter2", "mysql://u:hunter2@unix(/x/n", "mysql://u:hunter2@unix()/n",
	} {
		db, err := ParseDatabaseURL(raw)
		if err == nil {
			t.Errorf("%q accepted as %#v", raw, db.DSN)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats the password: %v", raw, err)
		}
	}
}
