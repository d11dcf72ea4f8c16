package broadcast_test

import (
	"database/sql"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/simulator"
)

// eachDatabase runs f over a network and in real time, on each database.
func eachDatabase(t *testing.T, f func(t *testing.T, driver string)) {
	t.Helper()
	for _, driver := range []string{models.SQLite, models.MySQL} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			f(t, driver)
		})
	}
}

func TestEveryoneOnceOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{
			driver: driver, overHTTP: true, concurrency: 32,
			Options: simulator.Options{Followers: 400, Refusing: 10, Faults: simulator.Faults{
				BadGateway: .02, Cut: .02, CutAccepted: .03, HTML: .02, SystemErrorAccepted: .02,
				TokenRevoked: .005, Slow: .01, SlowFor: 200 * time.Millisecond,
			}},
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Failed != 10 || c.Tried() != 401 || c.Sending != 0 {
			t.Errorf("%+v", c)
		}
		// Those who left are left out the next time.
		second := a.ask("personal", models.AudienceAll)
		if b := a.reaches(second, models.Finished); b.Recipients != 391 {
			t.Errorf("%d recipients the second time", b.Recipients)
		}
	})
}

// A stop in the middle, a crash that left rows begun, and the way on from there.
func TestARestartOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{
			driver: driver, overHTTP: true,
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 20 * time.Millisecond}},
		})
		begun := a.people()[:10]
		id := crashed(a, begun, true)
		if err := a.store.SettleClaims(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		a.exec("UPDATE deliveries SET sent_at = sent_at - 600000 WHERE recipient_id = ?", a.recipient(begun[0]))
		stop := a.start()
		a.received(150)
		stop()
		if c := a.counts(id); c.Sending != 0 {
			t.Errorf("after the stop: %+v", c)
		}
		a.run(a.newEngine())
		a.reaches(id, models.Finished)
		a.audit(id)
		a.everyoneOnce()
		if c := a.counts(id); c.Uncertain != 1 || c.Accepted != 300 {
			t.Errorf("%+v", c)
		}
	})
}

// An errcode that no column holds is recorded as the nearest one, and keeps nobody
// else's outcome waiting.
func TestAStrangeErrcodeOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, Options: simulator.Options{Followers: 40}})
		person := a.people()[7]
		a.onSend(func(w http.ResponseWriter, openID string) bool {
			if openID != person {
				return false
			}
			_, _ = io.WriteString(w, `{"errcode":1099511627776,"errmsg":"`+strings.Repeat("错", 2000)+`"}`)
			return true
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		if d := a.deliveries(id)[person]; d.State != models.FailedFor || d.Code != math.MaxInt32 {
			t.Errorf("%+v", d)
		}
		if c := a.counts(id); c.Accepted != 40 || c.Failed != 1 {
			t.Errorf("%+v", c)
		}
	})
}

func TestMovesOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{
			driver: driver, overHTTP: true,
			Options: simulator.Options{Followers: 300, Faults: simulator.Faults{Latency: 20 * time.Millisecond, CutAccepted: .1}},
		})
		a.start()
		id := a.ask("", models.AudienceAll)
		a.received(50)
		a.pause(0)
		a.until("the last calls", func() bool { return !a.busy(id) })
		calls := a.calls()
		a.resume(0)
		a.until("the way on", func() bool { return a.calls() > calls+50 })
		a.cancel(0)
		a.until("nobody being in doubt", func() bool { return !a.busy(id) && a.counts(id).Sending == 0 })
		a.audit(id)
		if b, c := a.broadcast(id), a.counts(id); b.State != models.Cancelled || c.Tried() >= 301 {
			t.Errorf("%s, %+v", b.State, c)
		}
	})
}

// Whenever a pause comes, also in the middle of a claim, nobody whom no call was
// made for keeps a row.
func TestPausesLeaveNoClaimsOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, Options: simulator.Options{Followers: 1500}})
		a.start()
		id := a.ask("", models.AudienceAll)
		for n := int64(1); n <= 12; n++ {
			a.received(n * 100)
			a.pause(id)
			a.until("the last calls", func() bool { return !a.busy(id) })
			if c := a.counts(id); c.Sending != 0 {
				t.Fatalf("pause %d: %+v", n, c)
			}
			a.resume(id)
		}
		a.reaches(id, models.Finished)
		a.everyoneOnce()
	})
}

func TestReceiptsOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, Options: simulator.Options{Followers: 200}})
		// Early: the platform reports before it answers.
		a.start()
		id := a.ask("", models.AudienceAll)
		a.reaches(id, models.Finished)
		errs := make(chan error)
		for i, openID := range a.people() {
			go func() {
				got, _ := a.sim.Ledger(openID)
				status := "success"
				if i%10 == 0 {
					status = "failed:user block"
				}
				errs <- a.engine.Receipt(t.Context(), got[0].MsgID, status)
			}()
		}
		for range a.people() {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if c := a.counts(id); c.Blocked != 21 || c.Delivered != 180 {
			t.Errorf("%+v", c)
		}
	})
}

// The right to send is a lock of the server's: whoever loses the connection that
// holds it, as when the server restarts, stops and goes on when it is had again.
func TestALockThatIsLostOnMySQL(t *testing.T) {
	t.Parallel()
	a := newAccount(t, setup{
		driver: models.MySQL, overHTTP: true,
		Options: simulator.Options{Followers: 400, Faults: simulator.Faults{Latency: 100 * time.Millisecond}},
	})
	a.start()
	id := a.ask("", models.AudienceAll)
	a.received(50)
	var holder sql.NullInt64
	const name = "LEFT(CONCAT('wechat-broadcast ', 'send', ' ', SHA1(DATABASE())), 64)"
	if err := a.db.QueryRowContext(t.Context(), "SELECT IS_USED_LOCK("+name+")").Scan(&holder); err != nil || !holder.Valid {
		t.Fatalf("no lock is held: %v", err)
	}
	a.exec("KILL ?", holder.Int64)
	a.reaches(id, models.Finished)
	a.audit(id)
	a.everyoneOnce()
	var again sql.NullInt64
	if err := a.db.QueryRowContext(t.Context(), "SELECT IS_USED_LOCK("+name+")").Scan(&again); err != nil || !again.Valid || again == holder {
		t.Errorf("the lock is held by %v, before by %v: %v", again, holder, err)
	}
}
