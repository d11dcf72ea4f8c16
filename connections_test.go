package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"wechat-broadcast/config"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// More accounts than a database server has connections for are told at the start, with the
// numbers, and once; fewer are not.
func TestAccountsThatNeedTooManyConnectionsAreTold(t *testing.T) {
	t.Parallel()
	dsn := modelstest.MySQLDSN(t)
	serve := func(accounts int) (room int, log string) {
		settings := &config.Settings{}
		for i := range accounts {
			of := testSettings(t, map[string]string{"WECHAT_APP_ID": fmt.Sprintf("wx%016d", i)})
			of.Accounts[0].Database.Driver, of.Accounts[0].Database.DSN = models.MySQL, dsn
			of.Accounts[0].Name = fmt.Sprintf("a%d", i)
			settings.Accounts = append(settings.Accounts, of.Accounts[0])
		}
		text := &logText{}
		p, err := newProcess(settings, slog.New(slog.NewTextHandler(text, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.close() }()
		a, err := p.named("a0")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			p.warnOfConnections(t.Context(), a)
		}
		_, room, err = a.store.Connections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return room, text.String()
	}
	room, log := serve(2)
	if strings.Contains(log, "max_connections") {
		t.Errorf("two accounts are too many for %d connections: %s", room, log)
	}
	accounts := room/2 + 1
	_, log = serve(accounts)
	want := fmt.Sprintf("accounts=%d connections=%d taken=%d", accounts, 2*accounts, room)
	if strings.Count(log, "raise its max_connections") != 1 || !strings.Contains(log, want) {
		t.Errorf("%d accounts and %d connections, want once %q: %s", accounts, room, want, log)
	}
}
