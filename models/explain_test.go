package models_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Whatever is asked for each group, batch, page, callback or look at a broadcast
// finds its rows by an index: on a million recipients, a statement that reads
// them all would be felt.
func TestHotStatementsUseAnIndex(t *testing.T) {
	t.Parallel()
	const people, tried = 1000, 800
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, people)
		b := create(t, plain, newBroadcast("1", t0))
		other := create(t, plain, newBroadcast("2", t0))
		fillDeliveries(t, plain, b.ID, ids[:tried])
		fillDeliveries(t, plain, other.ID, ids)
		if err := plain.AddBatches(ctx, manyBatches(b.ID, 500)); err != nil {
			t.Fatal(err)
		}
		if err := models.FillInbound(ctx, plain, 500, t0); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.ApplyReceipts(ctx, receiptsOf(1<<50, 500), t0); err != nil {
			t.Fatal(err)
		}
		s, seen := recorded(t, plain)
		met := models.Batch{BroadcastID: b.ID, AfterID: ids[100], ThroughID: ids[150]}
		unmet := models.Batch{BroadcastID: b.ID, AfterID: ids[tried], ThroughID: ids[tried+50]}
		if _, err := plain.PlanDone(ctx, b.ID, t0); err != nil {
			t.Fatal(err)
		}
		rest, reached := newBroadcast("rest", t0), newBroadcast("reached", t0)
		rest.Audience, rest.OfID = models.AudienceRest, b.ID
		reached.Audience, reached.OfID = models.AudienceReached, b.ID
		ofRest := models.Batch{BroadcastID: 1 << 40, AfterID: ids[tried], ThroughID: ids[tried+50]}
		some := ids[tried : tried+20]
		openIDs := []string{modelstest.OpenID(1), modelstest.OpenID(2), modelstest.OpenID(people + 1)}
		err := plain.ChangeRecipient(ctx, openIDs[0], func(r *models.Recipient) { r.Subscribed = false }) // to come back
		if err != nil {
			t.Fatal(err)
		}
		state, err := plain.BeginSync(ctx, models.At(t0), false)
		if err != nil {
			t.Fatal(err)
		}
		begun := &models.Broadcast{ID: b.ID, StartedAt: models.At(t0)}
		claims := models.Claims{{At: models.At(t0), Recipients: some}}
		if err := plain.ClaimBatch(ctx, b.ID, 9, claims); err != nil {
			t.Fatal(err)
		}
		claimed := models.Batch{BroadcastID: b.ID, Seq: 9}
		steps := map[string]func() error{
			"read a batch":             func() error { _, err := s.Tasks(ctx, b, unmet); return err },
			"read a batch once more":   func() error { _, err := s.Tasks(ctx, b, met); return err },
			"record outcomes":          func() error { return s.RecordOutcomes(ctx, outcomesOf(b.ID, ids[:20]), t0) },
			"who can't be reached":     func() error { _, err := s.Unreachable(ctx, b, append(some[:15:15], 1<<40)); return err },
			"claim":                    func() error { _, err := s.StoreClaims(ctx, claimed, claims); return err },
			"settle claims":            func() error { return s.SettleClaims(ctx, b.ID) },
			"reachability":             func() error { _, err := s.Reachable(ctx, b, ids[5]); return err },
			"claim once more":          func() error { return s.ReclaimDeliveries(ctx, b.ID, some, t0) },
			"release":                  func() error { return s.ReleaseDeliveries(ctx, models.Batch{BroadcastID: b.ID, Seq: 7}, some) },
			"finish a batch":           func() error { return s.FinishBatch(ctx, models.Batch{BroadcastID: b.ID, Seq: 7}) },
			"next batches":             func() error { _, _, err := s.IdleBatches(ctx, b.ID, 8); return err },
			"last batch":               func() error { _, err := s.LastBatch(ctx, b.ID); return err },
			"audience":                 func() error { _, err := s.AudienceIDs(ctx, b, ids[100], 100); return err },
			"count of the audience":    func() error { _, err := s.CountAudience(ctx, b); return err },
			"sample of the audience":   func() error { _, err := s.SampleAudience(ctx, b, 20); return err },
			"audience of a rest":       func() error { _, err := s.AudienceIDs(ctx, rest, ids[100], 100); return err },
			"count of a rest":          func() error { _, err := s.CountAudience(ctx, rest); return err },
			"sample of a rest":         func() error { _, err := s.SampleAudience(ctx, rest, 20); return err },
			"read a batch of a rest":   func() error { _, err := s.Tasks(ctx, rest, ofRest); return err },
			"audience of a correction": func() error { _, err := s.AudienceIDs(ctx, reached, ids[100], 100); return err },
			"count of a correction":    func() error { _, err := s.CountAudience(ctx, reached); return err },
			"testers":                  func() error { _, err := s.Testers(ctx); return err },
			"counts of a broadcast":    func() error { _, err := s.CountDeliveries(ctx, b.ID); return err },
			"a broadcast":              func() error { _, err := s.FindBroadcast(ctx, b.ID); return err },
			"a request":                func() error { _, err := s.FindRequest(ctx, "1"); return err },
			"receipts":                 func() error { _, err := s.ApplyReceipts(ctx, receiptsOf(1<<40, 20), t0); return err },
			"receipts that were early": func() error { _, err := s.JoinReceipts(ctx, t0, 20, t0); return err },
			"a reply":                  func() error { _, _, err := s.FindReply(ctx, "fill:1"); return err },
			"kept notices":             func() error { _, err := s.KeptNotices(ctx, "oAdmin", "m:1", 20); return err },
			"a notice of a role":       func() error { _, err := s.RoleNoticeKept(ctx, "oAdmin", "m:1"); return err },
			"a notice handed over":     func() error { _, err := s.WasHandedOver(ctx, "oAdmin", b.ID, "x"); return err },
			"an admin's action": func() error {
				return s.AddAudit(ctx, models.Audit{Admin: "oAdmin", Action: "stats", MessageKey: "m:1"})
			},
			"a page of the audit":      func() error { _, err := s.AuditAfter(ctx, 7, 100); return err },
			"a person by OpenID":       func() error { _, err := s.FindRecipient(ctx, openIDs[1]); return err },
			"people with a name":       func() error { _, err := s.Named(ctx); return err },
			"what a person was sent":   func() error { _, _, err := s.SentTo(ctx, ids[5], 50, 10); return err },
			"the price of a broadcast": func() error { _, err := s.CountPrice(ctx, begun, t0.Add(time.Hour)); return err },
			"what people wrote": func() error {
				return s.StoreHeard(ctx, []models.Heard{{OpenID: openIDs[1], Text: "hello", At: t0}})
			},
			"a person": func() error {
				return s.ChangeRecipient(ctx, openIDs[0], func(r *models.Recipient) { r.OptedOut = !r.OptedOut })
			},
			"a page of followers": func() error {
				next := state
				next.Pages++
				var err error
				if state, err = s.StorePage(ctx, state, next, openIDs); err != nil {
					return err
				}
				state, _, err = s.MergeList(ctx, state, nil)
				return err
			},
			"who left": func() error {
				var err error
				state, err = s.MarkLeft(ctx, state, ids[:20])
				return err
			},
		}
		eachStatement(t, seen, steps, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
		})
		checkBadPlans(ctx, t, plain)
	})
}

// whole is how the two databases say that they mean to read all of a table, or
// of an index of it.
var whole = regexp.MustCompile(`detail=SCAN (\w+)( USING (?:COVERING )?INDEX recipients_(?:testers|name|blacklisted))?|table=(\w+) .*type=(?:ALL|index) .* rows=(\d+)`)

// readsAll tells whether a line of a plan is the reading of a whole table.
func readsAll(line string) bool {
	if strings.Contains(line, " AUTOMATIC ") || strings.Contains(line, "TEMP B-TREE FOR ORDER BY") {
		return true // SQLite makes an index for this statement alone, or sorts what it reads
	}
	if strings.HasSuffix(line, "(subscribed=?)") { // everyone who follows
		return true
	}
	m := whole.FindStringSubmatch(line)
	if m == nil || m[2] != "" { // those indexes have the testers, the named and the blacklisted people alone
		return false
	}
	switch table := m[1] + m[3]; table {
	case "broadcasts", "facts", "topics", "json_each": // they are few, or the statement's own list
		return false
	}
	rows, err := strconv.Atoi(m[4])
	return err != nil || rows > 100 // a LIMIT ends it sooner
}

// recorded has the database count what it holds, and returns a store of it whose statements
// are recorded.
func recorded(t *testing.T, plain *models.Store) (*models.Store, *models.Statements) {
	t.Helper()
	if err := models.Analyze(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	s, seen, err := models.Recorded(plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, seen
}

func checkPlan(ctx context.Context, t *testing.T, s *models.Store, name string, st models.Statement) {
	t.Helper()
	plain := strings.HasPrefix(st.Query, "INSERT") && !strings.Contains(st.Query, "SELECT")
	if plain { // MySQL calls it a reading of the whole table
		return
	}
	plan, err := models.Explain(ctx, s, st)
	if err != nil {
		t.Errorf("%s: %v\n%.200s", name, err, st.Query)
	}
	for _, line := range plan {
		if readsAll(line) {
			t.Errorf("%s reads all of it: %s\n%.300s", name, line, st.Query)
		}
	}
}

// eachStatement does each step and hands every statement that it brings to the database to
// check. A step that fails, or brings none, fails the test.
func eachStatement(t *testing.T, seen *models.Statements, steps map[string]func() error, check func(name string, st models.Statement)) {
	t.Helper()
	for name, do := range steps {
		seen.Take()
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		statements := seen.Take()
		if len(statements) == 0 {
			t.Errorf("%s: no statement was seen", name)
		}
		for _, st := range statements {
			check(name, st)
		}
	}
}

// checkBadPlans makes sure that the test would see a statement without an index.
func checkBadPlans(ctx context.Context, t *testing.T, s *models.Store) {
	t.Helper()
	for _, query := range []string{
		"SELECT COUNT(*) FROM recipients WHERE scene = 'x'",
		"UPDATE deliveries SET detail = 'x' WHERE errcode = 7",
		"SELECT r.id FROM recipients r LEFT JOIN deliveries d ON d.attempts = r.id WHERE r.id BETWEEN 1 AND 10",
	} {
		plan, err := models.Explain(ctx, s, models.Statement{Query: query})
		if err != nil || !slices.ContainsFunc(plan, readsAll) {
			t.Errorf("%s is not seen to read all of it: %q, %v", query, plan, err)
		}
	}
}

// fillDeliveries writes accepted deliveries, each with a msgid of its own.
func fillDeliveries(t *testing.T, s *models.Store, id int64, recipients []int64) {
	t.Helper()
	for len(recipients) > 0 {
		group := recipients[:min(500, len(recipients))]
		recipients = recipients[len(group):]
		if err := modelstest.Claim(t.Context(), s, id, group, t0); err != nil {
			t.Fatal(err)
		}
		if err := s.RecordOutcomes(t.Context(), outcomesOf(id, group), t0); err != nil {
			t.Fatal(err)
		}
	}
}

func outcomesOf(id int64, recipients []int64) []models.Outcome {
	var list []models.Outcome
	for _, r := range recipients {
		list = append(list, models.Outcome{
			BroadcastID: id, RecipientID: r, State: models.Accepted, MsgID: id<<40 + r, Attempts: 1, SentAt: t0,
		})
	}
	return list
}

func manyBatches(id int64, n int) []models.Batch {
	var list []models.Batch
	for i := range n {
		list = append(list, models.Batch{
			BroadcastID: id, Seq: int64(i) + 1, AfterID: int64(i) * 10, ThroughID: int64(i)*10 + 10, Size: 10, State: models.BatchTodo,
		})
	}
	return list
}

func receiptsOf(from int64, n int) []models.Receipt {
	var list []models.Receipt
	for i := range n {
		list = append(list, models.Receipt{MsgID: from + int64(i), State: models.Delivered, ReceivedAt: models.At(t0.Add(time.Second))})
	}
	return list
}
