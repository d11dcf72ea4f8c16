package wechat

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

func TestThePlatformsClockIsReadWithoutAToken(t *testing.T) {
	t.Parallel()
	sim, c := rehearse(t, simulator.Options{})
	at, err := c.Clock(t.Context())
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("got %v, %v", at, err)
	}
	if got := sim.Stats().Tokens; got.Stable+got.Plain > 0 {
		t.Errorf("tokens were asked for: %+v", got)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	t.Cleanup(silent.Close)
	if at, err := newClient(t, silent.URL).Clock(t.Context()); err == nil {
		t.Errorf("without a date: %v", at)
	}
}
