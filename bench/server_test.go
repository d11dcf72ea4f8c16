package main

import (
	"errors"
	"testing"
	"time"
)

// A server that is killed in mid-broadcast and started again reaches everyone once, and is
// told of each message by its receipt, in safe mode, over TLS.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	const followers = 200
	folder := t.TempDir()
	dbs, err := newDatabases(folder, "")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{binary: built(t), dbs: dbs}
	if b.platform, err = startPlatform(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.platform.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.platform.set(t.Context(), followers, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	more := map[string]string{"SEND_CONCURRENCY": "4"}
	if err := b.onServer(t.Context(), "sqlite", overTLS, more, func(s *server) error { return killed(t, b, s, followers) }); err != nil {
		t.Fatal(err)
	}
}

// killed kills a server in mid-broadcast and follows it to the end.
func killed(t *testing.T, b *bench, s *server, followers int) error {
	t.Helper()
	if _, err := s.sync(t.Context(), followers, 1); err != nil {
		return err
	}
	if _, err := s.ask(t.Context()); err != nil {
		return err
	}
	sent := func() int64 {
		seen, err := b.platform.seen(t.Context())
		if err != nil {
			t.Error(err)
		}
		return seen.Sends
	}
	eventually(t, "the first messages", func() bool { return sent() >= 20 })
	if err := s.kill(); err != nil {
		return err
	}
	if err := b.platform.report(t.Context(), reportTask{URL: s.url + "/wechat", PerSecond: 1000, Envelope: safeMode}); err != nil {
		return err
	}
	before := sent()
	if before == int64(followers) {
		return errors.New("killed too late")
	}
	s.settings["SEND_CONCURRENCY"] = "64" // the rest may go faster
	if err := s.start(t.Context()); err != nil {
		return err
	}
	if err := s.ended(t.Context(), 1, followers); err != nil {
		return err
	}
	var seen platformStats
	eventually(t, "the receipts", func() bool {
		var err error
		if seen, err = b.platform.stats(t.Context(), followers); err != nil {
			t.Error(err)
		}
		return seen.Reports.Answered >= int64(followers)-before && seen.Reports.Waiting == 0
	})
	counts, err := s.store.CountDeliveries(t.Context(), 1)
	if r := seen.Reports; counts.Delivered != r.Answered || r.Lost != 0 || r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("%d are delivered, of %d at least, by %+v", counts.Delivered, int64(followers)-before, r)
	}
	return err
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	for tick := time.Tick(look); !holds() && !t.Failed(); {
		select {
		case <-tick:
		case <-late:
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}
