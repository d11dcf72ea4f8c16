package models_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestClaimsAreReadAsTheyWereStored(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]models.Claims{
		"none":  nil,
		"one":   {{At: models.At(t0), Recipients: []int64{7}}},
		"many":  {{At: models.At(t0), Recipients: []int64{1, 2, 3, 1 << 60}}, {At: models.At(t0.Add(time.Millisecond)), Recipients: []int64{9, 8}}},
		"empty": {{At: models.At(t0), Recipients: []int64{}}},
	} {
		stored, err := claims.Value()
		if err != nil {
			t.Fatal(err)
		}
		var got models.Claims
		if err := got.Scan(stored); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(claims, got); diff != "" {
			t.Errorf("%s, stored as %v (-want +got):\n%s", name, stored, diff)
		}
	}
	for _, bad := range []any{"[[]]", "[1]", "x", 7} {
		if err := new(models.Claims).Scan(bad); err == nil {
			t.Errorf("%v is read", bad)
		}
	}
}

// sentUntil leases a batch of ten people, claims six of them in two groups, and records
// that the first was accepted and the second put off.
func sentUntil(t *testing.T, s *models.Store) (ids []int64, batch models.Batch) {
	t.Helper()
	ctx := t.Context()
	ids = addRecipients(t, s, 10)
	addBatches(t, s, 2)
	batch = *lease(t, s, 1, "first", time.Minute)
	claims := models.Claims{{At: models.At(t0), Recipients: ids[:4]}}
	for range 2 {
		if held, err := s.StoreClaims(ctx, batch, claims); err != nil || !held {
			t.Fatalf("claimed: %t, %v", held, err)
		}
		claims = append(claims, models.Claim{At: models.At(t0.Add(time.Second)), Recipients: ids[4:6]})
	}
	err := s.RecordOutcomes(ctx, []models.Outcome{
		{BroadcastID: 1, RecipientID: ids[0], State: models.Accepted, MsgID: 1 << 50, Attempts: 1, SentAt: t0},
		{BroadcastID: 1, RecipientID: ids[1], State: models.Deferred, ErrCode: 43117, Attempts: 1, SentAt: t0},
	}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return ids, batch
}

// Whom a lease left begun is begun for the next one, since the moment of the claim, and
// nobody else is. An outcome that the first still records is taken.
func TestTheNextLeaseFindsWhoWasClaimed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids, first := sentUntil(t, s)
		counted := func(when string, sending int64) {
			t.Helper()
			c, err := s.CountDeliveries(ctx, 1)
			if err != nil || c.Sending != sending || c.Accepted != 1 || c.Deferred != 1 {
				t.Errorf("%s: %+v, %v; want %d that are sent to", when, c, err, sending)
			}
		}
		counted("while it is sent", 5)
		if err := s.LeaveBatch(ctx, first, 0); err != nil {
			t.Fatal(err)
		}
		second := lease(t, s, 1, "second", time.Minute)
		if second == nil || len(second.Claims) > 0 {
			t.Fatalf("leased anew: %+v", second)
		}
		counted("leased anew", 5)
		if held, err := s.StoreClaims(ctx, first, models.Claims{{At: models.At(t0), Recipients: ids[9:]}}); err != nil || held {
			t.Errorf("who lost the lease claims: %t, %v", held, err)
		}
		got := map[int64]models.DeliveryState{}
		for id, task := range left(t, s, &models.Broadcast{ID: 1}) {
			got[id] = task.State
			at := t0
			if id >= ids[4] {
				at = t0.Add(time.Second)
			}
			if task.State == models.Sending && !task.SentAt.Equal(at) {
				t.Errorf("%d was begun at %s, want %s", id, task.SentAt, at)
			}
		}
		want := map[int64]models.DeliveryState{ids[1]: models.Deferred, ids[6]: "", ids[7]: "", ids[8]: "", ids[9]: ""}
		for _, id := range ids[2:6] {
			want[id] = models.Sending
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		late := models.Outcome{BroadcastID: 1, RecipientID: ids[2], State: models.Accepted, MsgID: 1<<50 + 1, Attempts: 1, SentAt: t0}
		if err := s.RecordOutcomes(ctx, []models.Outcome{late}, t0); err != nil {
			t.Fatal(err)
		}
		if task, open := left(t, s, &models.Broadcast{ID: 1})[ids[2]]; open {
			t.Errorf("an outcome that came late was not taken: %+v", task)
		}
		if err := s.FinishBatch(ctx, *second); err != nil {
			t.Fatal(err)
		}
	})
}

// Of a lease that is over nothing is claimed, also if nobody else has the batch.
func TestNothingIsClaimedAfterTheLease(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ids := addRecipients(t, s, 2)
		addBatches(t, s, 1)
		batch := *lease(t, s, 1, "late", time.Millisecond)
		for leased := true; leased; {
			var err error
			if leased, err = s.Leased(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if held, err := s.StoreClaims(t.Context(), batch, models.Claims{{At: models.At(t0), Recipients: ids}}); err != nil || held {
			t.Errorf("claimed: %t, %v", held, err)
		}
	})
}

// Whoever was claimed before a broadcast ended early is uncertain, whoever was put off
// failed, and nobody else has a delivery.
func TestTheEndFindsWhoWasClaimed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		ids, _ := sentUntil(t, s)
		for range 2 { // it may be asked again
			if _, err := s.FinalizeEnded(ctx, 1, t0); err != nil {
				t.Fatal(err)
			}
			c, err := s.CountDeliveries(ctx, 1)
			if err != nil || c != (models.Counts{Accepted: 1, Failed: 1, Uncertain: 4}) {
				t.Errorf("%+v, %v", c, err)
			}
		}
		if d, err := s.DeliveryTo(ctx, 1, ids[6]); err != nil || d != nil {
			t.Errorf("who was not claimed has %+v, %v", d, err)
		}
	})
}

// A step back of the schema enters those whom a lease left begun, as the version before
// knows them, and a process of that version leases nothing after the step forward.
func TestClaimsBeforeAndAfterTheirVersion(t *testing.T) {
	t.Parallel()
	upgraded(t, 13, func(t *testing.T, db *sql.DB, migrate func() *models.Store) {
		ctx := t.Context()
		s := migrate()
		ids, _ := sentUntil(t, s)
		if _, err := db.ExecContext(ctx, "UPDATE batches SET lease_count = 1"); err == nil {
			t.Error("a process of the version before can lease a batch")
		}
		driver, dialect := models.SQLite, goose.DialectSQLite3
		if strings.HasSuffix(t.Name(), models.MySQL) {
			driver, dialect = models.MySQL, goose.DialectMySQL
		}
		back, err := goose.NewProvider(dialect, db, os.DirFS("migrations/"+driver),
			goose.WithTableName("schema_versions"), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := back.DownTo(context.WithoutCancel(ctx), 13); err != nil {
			t.Fatal(err)
		}
		got := map[int64]int64{}
		rows, err := db.QueryContext(ctx, "SELECT recipient_id, sent_at FROM deliveries WHERE state = 'sending'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, at int64
			if err := rows.Scan(&id, &at); err != nil {
				t.Fatal(err)
			}
			got[id] = at
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		at := t0.UnixMilli()
		if diff := cmp.Diff(map[int64]int64{ids[2]: at, ids[3]: at, ids[4]: at + 1000, ids[5]: at + 1000}, got); diff != "" {
			t.Errorf("begun (-want +got):\n%s", diff)
		}
	})
}
