package importing_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/importing"
	"wechat-broadcast/services/people"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/simulator"
)

// answering is a service whose platform calls answered before each of its answers about
// people arrives.
func answering(t *testing.T, store *models.Store, sim *simulator.Simulator, answered func()) *importing.Service {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		sim.ServeHTTP(answer, r)
		if strings.HasSuffix(r.URL.Path, "/user/info/batchget") {
			answered()
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
	}))
	t.Cleanup(server.Close)
	client := wechat.New(wechat.Config{AppID: "wxba5fad812f8e6fb9", AppSecret: "0123456789abcdef0123456789abcdef", BaseURL: server.URL, Log: modelstest.Log(t)})
	t.Cleanup(client.Close)
	return &importing.Service{Store: store, Platform: client, Now: time.Now, Log: modelstest.Log(t)}
}

func add(t *testing.T, s *importing.Service, text string) (importing.Counts, error) {
	t.Helper()
	looked, err := importing.Look(t.Context(), strings.NewReader(text), people.Options{}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return s.Add(t.Context(), strings.NewReader(text), people.Options{}, looked, false, func(int64) {})
}

// Who leaves after the platform's answer and before it is stored is no follower.
func TestWhoLeavesDuringAnImportIsNotAdded(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		ctx := t.Context()
		sim, err := simulator.New(simulator.Options{Followers: 20, AppID: "wxba5fad812f8e6fb9", AppSecret: "0123456789abcdef0123456789abcdef", Token: "token"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sim.Close() })
		leaver, other := sim.Follower(3), sim.Follower(4)
		events := followers.New(followers.Config{Store: store, Log: modelstest.Log(t)})
		t.Cleanup(events.Close)
		text := "openid,name\n" + leaver + ",林\n" + other + ",何\n"
		if err := events.Unsubscribed(ctx, sim.Follower(5), time.Now()); err != nil {
			t.Fatal(err)
		}
		s := answering(t, store, sim, func() {
			if err := events.Unsubscribed(ctx, leaver, time.Now().Truncate(time.Second)); err != nil {
				t.Error(err)
			}
		})
		if counts, err := add(t, s, text); err != nil || counts.Sum() != 2 {
			t.Fatalf("%+v, %v", counts, err)
		}
		page, err := store.FollowersAfter(ctx, 0, 10)
		if err != nil || len(page) != 2 { // nothing is kept of who left before the import
			t.Fatalf("%+v, %v", page, err)
		}
		for _, r := range page {
			if r.Subscribed != (r.OpenID == other) || r.OpenID == leaver && r.Fields != "" {
				t.Errorf("%+v", r)
			}
		}
		// A later word of the platform is newer than the event.
		back := answering(t, store, sim, func() {})
		back.Now = func() time.Time { return time.Now().Add(time.Minute) }
		if counts, err := add(t, back, text); err != nil || counts.New != 1 || counts.Known != 1 {
			t.Errorf("later: %+v, %v", counts, err)
		}
		if r, err := store.FindRecipient(ctx, leaver); err != nil || !r.Subscribed || r.Fields == "" {
			t.Errorf("later: %+v, %v", r, err)
		}
	})
}

// An answer that came before a break is not stored after it.
func TestAnImportThatStoodStillStoresNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		sim, err := simulator.New(simulator.Options{Followers: 20, AppID: "wxba5fad812f8e6fb9", AppSecret: "0123456789abcdef0123456789abcdef", Token: "token"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sim.Close() })
		s := answering(t, store, sim, func() {
			if err := store.SetFact(t.Context(), "import_open", "1 1"); err != nil { // it ended long ago
				t.Error(err)
			}
		})
		if counts, err := add(t, s, sim.Follower(1)); !errors.Is(err, models.ErrImportLapsed) || counts.New > 0 {
			t.Errorf("%+v, %v", counts, err)
		}
		if page, err := store.FollowersAfter(t.Context(), 0, 10); err != nil || len(page) > 0 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}
