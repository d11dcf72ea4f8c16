package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

func TestCopiesAtTheSameTimeAreHandledOnce(t *testing.T) {
	t.Parallel()
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			a := newAccount(t, edit, func(c *setup) {
				c.text = func(context.Context, incoming) (outgoing, error) {
					time.Sleep(time.Second)
					return outgoing{text: fmt.Sprint("reply ", calls.Add(1))}, nil
				}
			})
			got := make([]string, 5)
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = a.reply(t, a.push(textMsg("broadcast all", 1))) })
			}
			wg.Wait()
			for _, reply := range got {
				if reply != "reply 1" {
					t.Errorf("%s: replies %q", mode, got)
				}
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%s: handled %d times", mode, n)
			}
		})
	}
}

func TestARedeliveredMessageGetsTheSameReply(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		var calls atomic.Int32
		count := func(c *setup) {
			c.text = func(context.Context, incoming) (outgoing, error) {
				return outgoing{text: fmt.Sprint("reply ", calls.Add(1))}, nil
			}
		}
		a := newAccount(t, count, stored(s))
		for range 3 {
			if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "reply 1" {
				t.Errorf("reply %q", got)
			}
		}
		// Another process on the same database, as after a restart.
		a = newAccount(t, count, stored(s))
		if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "reply 1" {
			t.Errorf("reply after a restart %q", got)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("handled %d times", n)
		}
		// The same MsgId from another sender is another message.
		other := strings.ReplaceAll(textMsg("broadcast all", 1), testSender, strings.ToLower(testSender))
		if rec := a.push(other); !strings.Contains(rec.Body.String(), "reply 2") {
			t.Errorf("somebody else was told %q", rec.Body)
		}
		// Without a MsgId, sender, time and text identify the message.
		for _, want := range []string{"reply 3", "reply 3"} {
			if got := a.reply(t, a.push(textMsg("broadcast all", 0))); got != want {
				t.Errorf("without MsgId: reply %q, want %q", got, want)
			}
		}
		if got := a.reply(t, a.push(textMsg("broadcast test", 0))); got != "reply 4" {
			t.Errorf("without MsgId, other words: reply %q", got)
		}
	})
}

// Two processes that handle a message at the same time send the same reply.
func TestTheReplyThatWasStoredFirstIsSent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, func(c *setup) {
		c.text = func(ctx context.Context, in incoming) (outgoing, error) {
			_, err := s.SaveReply(ctx, in.key, "the other's", testNow)
			return outgoing{text: "ours"}, err
		}
	}, stored(s))
	for range 2 {
		if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "the other's" {
			t.Errorf("reply %q", got)
		}
	}
}

// The second delivery is answered from memory.
func TestRepliesThatDependOnTheTextAloneNeedNoDatabase(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a := newAccount(t, stored(s), func(c *setup) {
		text := c.text
		c.remembers = func(text string) bool { return text != "openid" }
		c.text = func(ctx context.Context, in incoming) (outgoing, error) {
			r, err := text(ctx, in)
			r.remember = in.text != "openid"
			return r, err
		}
	})
	for range 2 {
		if got := a.reply(t, a.push(textMsg("openid", 1))); got != "re: openid" {
			t.Errorf("reply %q", got)
		}
	}
	if n := len(a.calls()); n != 1 {
		t.Errorf("handled %d times", n)
	}
	// Other texts need the database, which may have their reply.
	if got := a.reply(t, a.push(textMsg("broadcast all", 2))); got != testBusy {
		t.Errorf("without the database: reply %q", got)
	}
	if n := len(a.calls()); n != 1 {
		t.Errorf("handled %d times", n)
	}
}

// The same process does not handle the message again.
func TestAReplyThatCannotBeSavedIsStillSent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := newAccount(t, func(c *setup) {
		c.text = func(context.Context, incoming) (outgoing, error) {
			return outgoing{text: "done"}, s.Close()
		}
	}, stored(s))
	for range 2 {
		if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "done" {
			t.Errorf("reply %q", got)
		}
	}
	if !strings.Contains(a.log.String(), "reply not saved") {
		t.Errorf("not logged: %s", a.log)
	}
}

func TestATextThatFailedIsHandledAgain(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	a := newAccount(t, func(c *setup) {
		c.text = func(_ context.Context, in incoming) (outgoing, error) {
			if calls.Add(1) == 1 {
				return outgoing{}, errors.New("ask for broadcast by " + in.openID + ": database is away")
			}
			return outgoing{text: "done"}, nil
		}
	}, stored(newStore(t)))
	for _, want := range []string{testBusy, "done", "done"} {
		if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != want {
			t.Errorf("reply %q, want %q", got, want)
		}
	}
	if log := a.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "database is away") ||
		strings.Contains(log, testSender) {
		t.Errorf("log: %s", log)
	}
}

func TestAnEventThatFailedIsHandledAgain(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string]string{
		"subscribe": eventMsg("subscribe", ""), "unsubscribe": eventMsg("unsubscribe", ""), "receipt": receiptMsg,
	} {
		var calls atomic.Int32
		fail := func() error {
			if calls.Add(1) == 1 {
				return errors.New("database is away")
			}
			return nil
		}
		a := newAccount(t, func(c *setup) {
			c.subscribed = func(context.Context, string, time.Time, string) error { return fail() }
			c.unsubscribed = func(context.Context, string, time.Time) error { return fail() }
			c.receipt = func(context.Context, int64, string) error { return fail() }
		})
		want := int32(2) // an event that was handled is not handled again
		if name == "receipt" {
			want = 3
		}
		for i, status := range []int{500, 200, 200} {
			if rec := a.push(msg); rec.Code != status {
				t.Errorf("%s, delivery %d: %d, want %d", name, i+1, rec.Code, status)
			}
		}
		if got := calls.Load(); got != want {
			t.Errorf("%s: handled %d times, want %d", name, got, want)
		}
	}
}

func TestPanicIs500(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(c *setup) {
		c.text = func(_ context.Context, in incoming) (outgoing, error) {
			if in.text == "boom" {
				panic("nobody called " + in.openID)
			}
			return outgoing{text: "alive"}, nil
		}
		c.receipt = func(context.Context, int64, string) error { panic(http.ErrAbortHandler) }
	})
	for _, msg := range []string{textMsg("boom", 1), receiptMsg} {
		if rec := a.push(msg); rec.Code != http.StatusInternalServerError {
			t.Errorf("%d %q", rec.Code, rec.Body)
		}
	}
	log := a.log.String()
	if !strings.Contains(log, "TestPanicIs500") || strings.Contains(log, testSender) {
		t.Errorf("want the stack without the OpenID: %s", log)
	}
	if got := a.reply(t, a.push(textMsg("hi", 2))); got != "alive" {
		t.Errorf("afterwards: %q", got)
	}
}

// The platform hangs up after 5 s. A service that hangs must not delay the answer.
func TestEveryCallbackIsAnsweredWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		a := newAccount(t, func(c *setup) {
			c.text = func(context.Context, incoming) (outgoing, error) { <-hang; return outgoing{text: "late"}, nil }
			c.receipt = func(ctx context.Context, _ int64, _ string) error { <-ctx.Done(); return ctx.Err() }
			c.subscribed = func(context.Context, string, time.Time, string) error { <-hang; return nil }
		})
		for name, tt := range map[string]struct {
			msg    string
			status int
		}{
			"text": {textMsg("hi", 1), 200}, "receipt": {receiptMsg, 500}, "subscribe": {eventMsg("subscribe", ""), 500},
		} {
			start := time.Now()
			rec := a.push(tt.msg)
			if took := time.Since(start); took > 4600*time.Millisecond {
				t.Errorf("%s: took %v", name, took)
			}
			if rec.Code != tt.status {
				t.Errorf("%s: %d, want %d", name, rec.Code, tt.status)
			}
			if name == "text" && a.reply(t, rec) != testBusy {
				t.Errorf("%s: %q", name, rec.Body)
			}
		}
		close(hang)
		synctest.Wait()
		// The reply that came too late answers the next delivery.
		if got := a.reply(t, a.push(textMsg("hi", 1))); got != "late" {
			t.Errorf("redelivery: %q", got)
		}
	})
}

func TestCallbacksWaitForTheMigration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		msg   string
		after time.Duration // until it is ready
		took  time.Duration
		want  string // the answer
	}{
		{"a text", textMsg("stop", 1), 2 * time.Second, 2 * time.Second, "re: stop"},
		{"a receipt", receiptMsg, 2 * time.Second, 2 * time.Second, success},
		{"an event", eventMsg("subscribe", ""), 2 * time.Second, 2 * time.Second, success},
		{"a text that needs none", textMsg("openid", 1), time.Minute, 0, "re: openid"},
		{"an image", xmlMsg("image", ""), time.Minute, 0, testOnlyTexts},
		{"what is not acted on", eventMsg("debug_demo", ""), time.Minute, 0, success},
		{"too long", textMsg("stop", 1), time.Minute, readyWithin, testBusy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ready := make(chan struct{})
				migrated := func() error {
					select {
					case <-ready:
						return nil
					default:
						return errors.New("no such table")
					}
				}
				a := newAccount(t, func(c *setup) {
					c.Ready = ready
					c.remembers = func(text string) bool { return text != "openid" }
					c.Store = newStore(t)
					c.text = func(_ context.Context, in incoming) (outgoing, error) {
						if in.text == "openid" {
							return outgoing{text: "re: openid"}, nil
						}
						return outgoing{text: "re: " + in.text}, migrated()
					}
					c.receipt = func(context.Context, int64, string) error { return migrated() }
					c.subscribed = func(context.Context, string, time.Time, string) error { return migrated() }
				})
				began := time.Now()
				go func() { time.Sleep(tt.after); close(ready) }()
				rec := a.push(tt.msg)
				if took := time.Since(began); took < tt.took || took > tt.took+time.Second/2 {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), tt.want) {
					t.Errorf("answered %d %q, want %q", rec.Code, rec.Body, tt.want)
				}
				<-ready
			})
		})
	}
}

func TestTheWorkGoesOnWhenTheFirstCopyHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		a := newAccount(t, func(c *setup) {
			c.text = func(ctx context.Context, _ incoming) (outgoing, error) {
				calls.Add(1)
				select {
				case <-time.After(2 * time.Second):
					return outgoing{text: "done"}, nil
				case <-ctx.Done():
					return outgoing{}, ctx.Err()
				}
			}
		})
		ctx, hangUp := context.WithCancel(t.Context())
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/wechat?"+a.query(testNow).Encode(),
			strings.NewReader(textMsg("broadcast all", 1)))
		go a.ServeHTTP(httptest.NewRecorder(), req)
		time.Sleep(time.Second)
		hangUp()
		if got := a.reply(t, a.push(textMsg("broadcast all", 1))); got != "done" {
			t.Errorf("second copy: %q", got)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("handled %d times", n)
		}
	})
}

func TestLongReplyIsCutAndLogged(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(c *setup) {
		c.text = func(context.Context, incoming) (outgoing, error) {
			return outgoing{text: strings.Repeat("群", 2000)}, nil
		}
	})
	got := a.reply(t, a.push(textMsg("help", 1)))
	if len(got) > 2047 || !strings.HasSuffix(got, "群…") {
		t.Errorf("%d bytes, ends %q", len(got), got[len(got)-9:])
	}
	if !strings.Contains(a.log.String(), "reply cut") {
		t.Errorf("not logged: %s", a.log)
	}
}
