package progress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/services/wechat"
)

// askedTemplates is a platform that answers as a function does.
type askedTemplates func() ([]wechat.Template, error)

func (f askedTemplates) KnownTemplates(context.Context, time.Duration) ([]wechat.Template, time.Time, error) {
	list, err := f()
	return list, time.Now(), err
}

// TestTitlesAway shows pages without a title when the platform does not answer,
// and does not ask again at once.
func TestTitlesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ts := newTitles(askedTemplates(func() ([]wechat.Template, error) {
			asked++
			switch asked {
			case 1, 3:
				return nil, errors.New("away")
			case 4:
				time.Sleep(titlesAsk)
			}
			return []wechat.Template{{ID: "T1", Title: fmt.Sprint("title ", asked)}}, nil
		}), slog.New(slog.DiscardHandler))
		want := func(title string) {
			t.Helper()
			begun := time.Now()
			if got := ts.find(t.Context(), "T1").Title; got != title {
				t.Errorf("the title is %q, want %q", got, title)
			}
			if time.Since(begun) > 0 {
				t.Errorf("a page waited for %v", time.Since(begun))
			}
			synctest.Wait()
		}
		for range 3 {
			want("")
		}
		time.Sleep(titlesRetry)
		want("title 2")
		want("title 2")
		for range 2 { // the platform is away, then slow
			time.Sleep(titlesLast)
			want("title 2")
			want("title 2")
		}
		time.Sleep(titlesAsk)
		synctest.Wait()
		want("title 4")
		if asked != 4 {
			t.Errorf("the platform was asked %d times", asked)
		}
	})
}
