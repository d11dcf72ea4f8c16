package main

import (
	"context"

	"wechat-broadcast/models"
)

// sharing counts the accounts whose databases are of the same kind as this one's.
func (p *process) sharing(driver string) (n int) {
	for _, s := range p.slots {
		if s.settings.Database.Driver == driver {
			n++
		}
	}
	return n
}

// warnOfConnections says in the log if the accounts together may open more connections to the
// database server of one of them than it takes, once for each server.
func (p *process) warnOfConnections(ctx context.Context, a *account) {
	server := models.ServerOf(a.settings.Database.Driver, a.settings.Database.DSN)
	if server == "" || p.alone() {
		return
	}
	each, taken, err := a.store.Connections(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "the database server does not say how many connections it takes", "err", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counted[server] {
		return
	}
	p.counted[server] = true
	accounts := 0
	for _, s := range p.slots {
		if models.ServerOf(s.settings.Database.Driver, s.settings.Database.DSN) == server {
			accounts++
		}
	}
	if most := accounts * each; most > taken {
		p.log.ErrorContext(ctx, "the accounts may need more connections than the database server takes: raise its max_connections, or serve fewer accounts from it",
			"server", server, "accounts", accounts, "connections", most, "taken", taken)
	}
}
