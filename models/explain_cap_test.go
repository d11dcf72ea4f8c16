package models_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Claims under the cap find the earlier deliveries of a group by their key, and the
// broadcasts by when they ended.
func TestClaimsUnderTheCapUseAnIndex(t *testing.T) {
	t.Parallel()
	const people, earlier = 1000, 300
	modelstest.Each(t, func(t *testing.T, plain *models.Store) {
		ctx := t.Context()
		ids := addRecipients(t, plain, people)
		for i := range earlier { // all but the last ended long ago
			b := newBroadcast(modelstest.OpenID(i), t0)
			if i < earlier-3 {
				// As it is inserted: an index keeps what a row was before for a while.
				b.State, b.FinishedAt = models.Cancelled, models.At(t0.Add(-1000*time.Hour))
			}
			create(t, plain, b)
			if i >= earlier-3 {
				fillDeliveries(t, plain, b.ID, ids)
			}
		}
		now := create(t, plain, newBroadcast("now", t0))
		s, seen := recorded(t, plain)
		limit := models.Cap{Max: 3, Within: 24 * time.Hour}
		some := ids[:40]
		var apart []int64
		for i := 100; i < people; i += 50 {
			apart = append(apart, ids[i])
		}
		steps := map[string]func() error{
			"claim people in a row": func() error {
				_, _, err := s.ClaimUnderCap(ctx, now, models.ClaimUnasked, some, limit, t0.Add(time.Hour))
				return err
			},
			"claim people apart": func() error {
				_, _, err := s.ClaimUnderCap(ctx, now, models.ClaimKnown, apart, models.Cap{Max: 4, Within: limit.Within}, t0.Add(time.Hour))
				return err
			},
			"claim once more": func() error {
				_, _, err := s.ClaimUnderCap(ctx, now, models.ClaimAgain, apart, limit, t0.Add(time.Hour))
				return err
			},
			"a person at the cap": func() error { _, err := s.CappedUntil(ctx, ids[5], limit, t0); return err },
		}
		eachStatement(t, seen, steps, func(name string, st models.Statement) {
			checkPlan(ctx, t, plain, name, st)
			checkBroadcastsByIndex(t, plain, name, st)
		})
	})
}

// manyRows is how MySQL says how many rows of a table it means to read.
var manyRows = regexp.MustCompile(`table=(broadcasts|deliveries) .* key=(\S*) .* rows=(\d+)`)

// checkBroadcastsByIndex fails if a statement looks through all broadcasts, which
// elsewhere are few enough, or through all deliveries of one.
func checkBroadcastsByIndex(t *testing.T, s *models.Store, name string, st models.Statement) {
	t.Helper()
	plan, err := models.Explain(t.Context(), s, st)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, line := range plan {
		if m := whole.FindStringSubmatch(line); m != nil && (m[1] == "broadcasts" || m[3] == "broadcasts") {
			t.Errorf("%s looks through all broadcasts: %s", name, line)
		}
		if m := manyRows.FindStringSubmatch(line); m != nil && len(m[3]) > 2 && m[3] > "250" {
			t.Errorf("%s means to read %s rows of %s: %s", name, m[3], m[1], line)
		}
		if strings.Contains(line, "deliveries") && strings.HasSuffix(line, "(broadcast_id=?)") {
			t.Errorf("%s reads all deliveries of a broadcast: %s", name, line)
		}
	}
}
