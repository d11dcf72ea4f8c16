package models_test

import (
	"sync"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

var consoleNow = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func addLink(t *testing.T, s *models.Store, hash, openID string) {
	t.Helper()
	err := s.AddConsoleLink(t.Context(), models.ConsoleLink{Hash: hash, OpenID: openID, ExpiresAt: models.At(consoleNow.Add(time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
}

func enter(t *testing.T, s *models.Store, link, cookie string) (*models.ConsoleSession, bool) {
	t.Helper()
	session := &models.ConsoleSession{Hash: cookie, StartedAt: models.At(consoleNow), ExpiresAt: models.At(consoleNow.Add(time.Hour))}
	entered, err := s.EnterConsole(t.Context(), link, session)
	if err != nil {
		t.Error(err)
	}
	return session, entered
}

func TestOneEntersByALink(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		addLink(t, s, "link", "oAnna")
		addLink(t, s, "link", "oBen") // the first counts
		var all sync.WaitGroup
		var mu sync.Mutex
		var in []*models.ConsoleSession
		for _, cookie := range []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"} {
			all.Go(func() {
				if session, entered := enter(t, s, "link", cookie); entered {
					mu.Lock()
					defer mu.Unlock()
					in = append(in, session)
				}
			})
		}
		all.Wait()
		if len(in) != 1 || in[0].OpenID != "oAnna" || in[0].ID == 0 {
			t.Fatalf("entered: %+v", in)
		}
		found, err := s.ConsoleSessionOf(t.Context(), in[0].Hash, consoleNow.Add(time.Hour-time.Second))
		if err != nil || found == nil || found.OpenID != "oAnna" {
			t.Errorf("the session is %+v, %v", found, err)
		}
		for hash, at := range map[string]time.Time{in[0].Hash: consoleNow.Add(time.Hour), "other": consoleNow} {
			if found, err := s.ConsoleSessionOf(t.Context(), hash, at); found != nil || err != nil {
				t.Errorf("%s at %v: %+v, %v", hash, at, found, err)
			}
		}
		if _, entered := enter(t, s, "nothing", "c9"); entered {
			t.Error("somebody entered without a link")
		}
	})
}

// What an admin holds ends with the role, at once, and that of others does not.
func TestTheConsoleEndsWithTheRole(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		for _, openID := range []string{"oAnna", "oanna"} {
			if _, err := s.SetAdmin(ctx, models.Admin{OpenID: openID, Role: models.Sender}); err != nil {
				t.Fatal(err)
			}
			addLink(t, s, "used "+openID, openID)
			addLink(t, s, "link "+openID, openID)
			enter(t, s, "used "+openID, "cookie "+openID)
			if err := s.PrepareConfirm(ctx, &models.ConsoleConfirm{OpenID: openID, CodeHash: "code", ExpiresAt: models.At(consoleNow.Add(time.Hour))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.RemoveAdmin(ctx, "oAnna"); err != nil {
			t.Fatal(err)
		}
		people, err := s.ConsolePeople(ctx)
		if err != nil || len(people) != 1 || people[0] != "oanna" {
			t.Errorf("in the console are %q, %v", people, err)
		}
		for openID, want := range map[string]bool{"oAnna": false, "oanna": true} {
			session, err := s.ConsoleSessionOf(ctx, "cookie "+openID, consoleNow)
			if (session != nil) != want || err != nil {
				t.Errorf("%s: %+v, %v", openID, session, err)
			}
			if _, entered := enter(t, s, "link "+openID, "more "+openID); entered != want {
				t.Errorf("%s entered: %v", openID, entered)
			}
			_, taken, err := s.TakeConfirm(ctx, openID, "code", "m:"+openID, consoleNow, 5)
			if (taken == models.ConfirmOK) != want || err != nil {
				t.Errorf("%s confirmed: %s, %v", openID, taken, err)
			}
		}
	})
}

func TestACodeIsTakenByOneMessage(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		prepare := func(code, command string) {
			t.Helper()
			c := &models.ConsoleConfirm{OpenID: "oAnna", CodeHash: code, Command: command, ExpiresAt: models.At(consoleNow.Add(time.Minute))}
			if err := s.PrepareConfirm(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		take := func(code, key string, at time.Time, want models.ConfirmTaken, command string) {
			t.Helper()
			c, taken, err := s.TakeConfirm(ctx, "oAnna", code, key, at, 3)
			if err != nil || taken != want || command != "" && (c == nil || c.Command != command) {
				t.Errorf("%s by %s: %+v, %s, %v; want %s", code, key, c, taken, err, want)
			}
		}
		later := consoleNow.Add(time.Hour)
		take("1", "m:0", consoleNow, models.ConfirmNone, "")
		prepare("1", "a")
		prepare("2", "b 中文")
		take("1", "m:1", consoleNow, models.ConfirmWrong, "")
		take("2", "m:2", later, models.ConfirmExpired, "")
		take("2", "m:3", consoleNow, models.ConfirmOK, "b 中文")
		take("2", "m:3", later, models.ConfirmOK, "b 中文") // delivered again
		take("2", "m:4", consoleNow, models.ConfirmUsed, "b 中文")
		prepare("3", "c")
		take("2", "m:5", consoleNow, models.ConfirmUsed, "b 中文") // and no try at the new one
		take("9", "m:3", consoleNow, models.ConfirmOK, "b 中文")   // it is the message that counts
		take("9", "m:6", consoleNow, models.ConfirmWrong, "")
		take("9", "m:7", consoleNow, models.ConfirmWrong, "")
		take("9", "m:8", consoleNow, models.ConfirmVoid, "")
		take("3", "m:9", consoleNow, models.ConfirmNone, "")
		prepare("4", "d")
		var all sync.WaitGroup
		var mu sync.Mutex
		took := map[models.ConfirmTaken]int{}
		for _, key := range []string{"n:1", "n:2", "n:3", "n:4", "n:5", "n:6"} {
			all.Go(func() {
				_, taken, err := s.TakeConfirm(ctx, "oAnna", "4", key, consoleNow, 3)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				took[taken]++
			})
		}
		all.Wait()
		if took[models.ConfirmOK] != 1 || took[models.ConfirmUsed] != 5 {
			t.Errorf("at the same moment: %v", took)
		}
	})
}

func TestWhatExpiredIsTidied(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx := t.Context()
		addLink(t, s, "old", "oAnna")
		enter(t, s, "old", "cookie")
		for hours, want := range []int{1, 0} { // the session lasts longer than the link
			if err := s.TidyConsole(ctx, consoleNow.Add(time.Duration(hours)*2*time.Hour+30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if people, err := s.ConsolePeople(ctx); err != nil || len(people) != want {
				t.Errorf("in the console are %q, %v", people, err)
			}
		}
		if _, entered := enter(t, s, "old", "again"); entered {
			t.Error("a tidied link was used again")
		}
	})
}
