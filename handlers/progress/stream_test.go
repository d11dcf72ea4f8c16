package progress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// watcher is an open event stream under test.
type watcher struct {
	tb   testing.TB
	resp *http.Response
	in   *bufio.Scanner
}

// happened is one event.
type happened struct{ event, id, data string }

func open(tb testing.TB, url, lastEventID string) *watcher {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = resp.Body.Close() })
	return &watcher{tb: tb, resp: resp, in: bufio.NewScanner(resp.Body)}
}

// next reads an event. After the end of the stream it returns an empty one.
func (w *watcher) next() (e happened) {
	w.tb.Helper()
	for w.in.Scan() {
		name, value, _ := strings.Cut(w.in.Text(), ": ")
		switch name {
		case "event":
			e.event = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e != (happened{}) {
				return e
			}
		}
	}
	return happened{}
}

// state reads events until one with a state comes.
func (w *watcher) state() (string, View) {
	w.tb.Helper()
	for {
		e := w.next()
		if e == (happened{}) {
			w.tb.Fatal("the stream ended")
		}
		if e.event != "state" {
			continue
		}
		var v View
		if err := json.Unmarshal([]byte(e.data), &v); err != nil {
			w.tb.Fatalf("read %q: %v", e.data, err)
		}
		return e.id, v
	}
}

// until reads states until ok accepts one. A running broadcast has a new state each
// second.
func (w *watcher) until(ok func(v View) bool) View {
	w.tb.Helper()
	for begun := time.Now(); ; {
		_, v := w.state()
		if ok(v) {
			return v
		}
		if time.Since(begun) > patience {
			w.tb.Fatalf("a page still shows %+v", v)
		}
	}
}

// The stream outlasts the server's limits for requests.
func TestEventsFollowABroadcastToItsEnd(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.run()
	url, stop := g.serve(t)
	w := open(t, url+"?lang=zh", "")
	if got := w.resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") || w.resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("the stream's headers: %v", w.resp.Header)
	}
	_, v := w.state()
	if v.Percent != "40.2" || v.Text["count.delivered"] != "3,000" || v.Text["state"] != "进行中" || len(v.Failures) != 3 {
		t.Errorf("the first state: %+v", v)
	}
	if e := w.next(); e.event != "beat" || !strings.HasPrefix(e.data, "截至 ") {
		t.Errorf("after the first state came %+v", e)
	}
	steps := []func(){
		func() { g.status.Counts.Delivered += 500 },
		func() { g.status.Counts.Delivered, g.status.Broadcast.State = 9977, models.Finished },
	}
	var id string
	for i, want := range []string{"45.2", "100"} {
		g.change(steps[i])
		for v.Percent != want {
			before := v.Rank
			if id, v = w.state(); v.Rank < before {
				t.Fatalf("progress went back from %d to %d", before, v.Rank)
			}
		}
	}
	if v.State != "finished" {
		t.Errorf("at the end the state is %s", v.State)
	}
	// A page that returns with the last id has the state; another one gets it.
	if e := open(t, url, id).next(); e.event != "beat" {
		t.Errorf("who has the state gets %+v", e)
	}
	if e := open(t, url, "other-1").next(); e.event != "state" {
		t.Errorf("who comes from another process gets %+v", e)
	}
	begun := time.Now()
	if err := stop(); err != nil || time.Since(begun) > 3*time.Second {
		t.Errorf("stopping took %s: %v", time.Since(begun), err)
	}
}

// As many pages are open as are allowed. Each gets every change and the end.
func TestPagesOfABroadcastShareItsQueries(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.run()
	url, _ := g.serve(t)
	var watchers []*watcher
	for range 200 {
		watchers = append(watchers, open(t, url, ""))
	}
	for _, w := range watchers {
		w.state()
	}
	reads := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.reads
	}
	begun, before := time.Now(), reads()
	g.change(func() { g.status.Counts.Delivered++ })
	for _, w := range watchers {
		w.until(func(v View) bool { return v.Text["count.delivered"] == "3,001" })
	}
	if n, most := reads()-before, int(time.Since(begun)/pollEvery)+2; n > most {
		t.Errorf("%d queries, want %d at most", n, most)
	}
	g.change(func() { g.status.Counts.Delivered, g.status.Broadcast.State = 9977, models.Finished })
	for i, w := range watchers {
		v := w.until(func(v View) bool { return v.State == string(models.Finished) })
		if v.Percent != "100" {
			t.Fatalf("page %d ends with %+v", i, v)
		}
	}
	for _, w := range watchers {
		_ = w.resp.Body.Close()
	}
	f := g.feeds.feed(7)
	for polling := true; polling; {
		time.Sleep(20 * time.Millisecond)
		f.mu.Lock()
		polling = f.polling
		f.mu.Unlock()
		if time.Since(begun) > patience {
			t.Fatal("the database is asked although nobody watches")
		}
	}
}

func TestTooManyStreamsAreRefused(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.feeds.streams.Store(MaxStreams)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	if err := g.feeds.Stream(httptest.NewRecorder(), r, Watch{ID: 7, Language: "en", Until: testNow}); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many is answered %v", err)
	}
	if n := g.feeds.streams.Load(); n != MaxStreams {
		t.Errorf("%d streams are counted", n)
	}
}

// The database is away for a while, and then shows an older state.
func TestAFeedWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.change(func() { // a running one shows another time each second
		g.status.Broadcast.State, g.status.Broadcast.FinishedAt = models.Finished, models.At(testNow)
	})
	f := g.feeds.feed(7)
	refresh := func() (*Snapshot, error) {
		g.expire()
		return f.refresh(t.Context())
	}
	first, err := refresh()
	if err != nil {
		t.Fatal(err)
	}
	g.change(func() { g.status.Counts.Delivered -= 10 })
	if s, err := refresh(); err != nil || s != first {
		t.Errorf("an older state is shown: %+v, %v", s, err)
	}
	if _, live := f.current(); live {
		t.Error("an old state counts as live")
	}
	g.change(func() { g.err = errors.New("away") })
	if _, err := refresh(); err == nil {
		t.Error("nothing is said of a database that is away")
	}
	g.change(func() { g.err, g.status.Counts.Delivered = nil, g.status.Counts.Delivered+10 })
	if s, err := refresh(); err != nil || s.version != first.version {
		t.Errorf("the same state is version %d, was %d: %v", s.version, first.version, err)
	}
	if _, live := f.current(); !live {
		t.Error("the state is back and does not count as live")
	}
	g.change(func() { g.status.Counts.Delivered++ })
	if s, err := refresh(); err != nil || s.version != first.version+1 {
		t.Errorf("another state is version %d, after %d: %v", s.version, first.version, err)
	}
}

func TestNoMoveOfADeliveryLowersTheRank(t *testing.T) {
	t.Parallel()
	one := map[models.DeliveryState]models.Counts{
		models.Sending: {Sending: 1}, models.Accepted: {Accepted: 1}, models.Delivered: {Delivered: 1},
		models.Blocked: {Blocked: 1}, models.FailedFor: {Failed: 1}, models.Uncertain: {Uncertain: 1},
	}
	final := []models.DeliveryState{models.Delivered, models.Blocked, models.FailedFor, models.Uncertain}
	for _, to := range append(final, models.Accepted) {
		if rank(one[models.Sending]) >= rank(one[to]) {
			t.Errorf("from sending to %s the rank does not grow", to)
		}
	}
	for _, to := range final {
		if rank(one[models.Accepted]) >= rank(one[to]) {
			t.Errorf("from accepted to %s the rank does not grow", to)
		}
	}
}

func TestUnusedFeedsAreDropped(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	first := g.feeds.feed(7)
	_, end := g.feeds.feed(8).watch()
	g.change(func() { g.now = g.now.Add(feedsLast + time.Second) })
	if g.feeds.feed(9); g.feeds.feeds[7] != nil || g.feeds.feeds[8] == nil {
		t.Errorf("kept: %v", g.feeds.feeds)
	}
	end()
	if g.feeds.feed(7) == first {
		t.Error("a feed came back")
	}
}

// The engine of this process does not know it.
func TestTheSpeedOfAnotherProcessIsMeasured(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.change(func() { g.status.Rate, g.status.Left = 0, 0 })
	f := g.feeds.feed(7)
	for range 20 {
		if _, err := f.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.change(func() { g.now, g.status.Counts.Accepted = g.now.Add(time.Second), g.status.Counts.Accepted+50 })
	}
	s, err := f.refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.rate < 49 || s.rate > 51 || s.left < 90*time.Second || s.left > 110*time.Second {
		t.Errorf("the speed is %.1f, %s left", s.rate, s.left)
	}
}

// A page that may not be told any more loses its stream with the next beat.
func TestAStreamEndsWithTheRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		words, err := NewWords("en", modelstest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		p := &Feeds{words: map[string]*Words{"en": words}, config: Config{Now: time.Now}, ctx: t.Context()}
		rec := httptest.NewRecorder()
		asked := 0
		s := &stream{
			w: rec, control: http.NewResponseController(rec), feeds: p, feed: &feed{last: &Snapshot{at: time.Now(), version: 1}},
			Watch: Watch{Language: "en", Until: time.Now().Add(time.Hour), May: func(context.Context) bool { asked++; return asked < 3 }},
		}
		begun := time.Now()
		s.run(t.Context(), nil)
		if lasted := time.Since(begun); lasted != 3*beatEvery || strings.Count(rec.Body.String(), "event: beat") != 3 {
			t.Errorf("it lasted %s, with\n%s", lasted, rec.Body)
		}
	})
}
