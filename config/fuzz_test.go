package config

import (
	"errors"
	"strings"
	"testing"
)

func FuzzLoad(f *testing.F) {
	f.Add(exampleConfig)
	f.Add("send: {rate: 7}\nadmin_openids: [a, b]")
	f.Add("wechat: &a {token: *a}")
	f.Add("database_url: mysql://u:p%40w@h/n?tls=true\nredis_url: redis://h/1")
	f.Add("? [a]\n: b\n<<: {x: y}")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := load(t, file, required())
		var faults Faults
		switch {
		case err == nil:
			_ = s.String()
		case !errors.As(err, &faults):
			t.Errorf("error %v is not Faults", err)
		case strings.Count(err.Error(), "\n") != len(faults)-1:
			t.Errorf("%d faults are not as many lines: %v", len(faults), err)
		}
	})
}

func FuzzParseDatabaseURL(f *testing.F) {
	f.Add("mysql://user:pass%2Fword@host:3306/name?tls=true&timeout=1s")
	f.Add("mysql://u:p@unix(/x.sock)/n")
	f.Add("sqlite:///x.db")
	f.Fuzz(func(t *testing.T, raw string) {
		db, err := ParseDatabaseURL(raw)
		if err == nil && (db.DSN == "" || db.String() == "mysql://"+mask) {
			t.Errorf("%q gives a database that cannot be read back: %q", raw, db.DSN)
		}
	})
}
