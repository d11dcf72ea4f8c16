package models_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// apiRequest is a request of a token with a key and a body.
func apiRequest(token int64, key, body string, at time.Time) models.APIRequest {
	digits := func(c string) string { return strings.Repeat(c, 64) }
	return models.APIRequest{TokenID: token, KeyHash: digits(key), BodyDigest: digits(body), CreatedAt: models.At(at)}
}

// A request is found by its token and key for a day, with its answer once there is one; then
// the key is free.
func TestRequestsOfTheAPI(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		begin := func(r models.APIRequest, want *models.APIRequest) {
			t.Helper()
			before, err := s.BeginAPIRequest(ctx, r)
			if diff := cmp.Diff(want, before); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
		first := apiRequest(1, "a", "b", t0)
		begin(first, nil)
		begin(apiRequest(1, "a", "c", t0.Add(time.Hour)), &first)
		begin(apiRequest(2, "a", "b", t0), nil)
		begin(apiRequest(1, "f", "b", t0), nil)
		answered := first
		answered.Status, answered.Response = 201, `{"id":7,"message":"到期"}`
		later := answered
		later.Status, later.Response = 500, ""
		for _, r := range []models.APIRequest{answered, later} { // the first answer stays
			if err := s.AnswerAPIRequest(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		begin(first, &answered)
		for _, r := range []models.APIRequest{first, apiRequest(1, "f", "b", t0)} { // only one without an answer goes
			if err := s.DropAPIRequest(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		begin(apiRequest(1, "f", "e", t0), nil)
		begin(apiRequest(1, "a", "b", t0.Add(24*time.Hour-time.Millisecond)), &answered)
		anew := apiRequest(1, "a", "d", t0.Add(24*time.Hour))
		begin(anew, nil)
		if err := s.PurgeAPIRequests(ctx, t0.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		begin(anew, &anew)
		begin(apiRequest(2, "a", "e", t0), nil) // it was purged
	})
}

// Of two requests with one key at the same moment one is the first.
func TestTwoRequestsOfTheAPIAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		var at sync.WaitGroup
		var mu sync.Mutex
		first := 0
		for range 8 {
			at.Go(func() {
				before, err := s.BeginAPIRequest(t.Context(), apiRequest(1, "a", "b", t0))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if before == nil {
					first++
				}
			})
		}
		at.Wait()
		if first != 1 {
			t.Errorf("%d of 8 were the first", first)
		}
	})
}
