package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/config"
)

// testApp returns the parts, wired on an empty database that is not migrated.
func testApp(t *testing.T) *app {
	t.Helper()
	variables := map[string]string{
		"WECHAT_APP_ID": "wxba5fad812f8e6fb9", "WECHAT_APP_SECRET": "secret", "WECHAT_TOKEN": "token", "LANGUAGE": "en",
		"WECHAT_API_BASE_URL": "http://127.0.0.1:1", "DATABASE_URL": "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "a.db")),
	}
	settings, err := config.Load("", false, func(name string) (string, bool) { v, ok := variables[name]; return v, ok }, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(settings, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// A text that comes while the first migration is under way is answered once it
// is over.
func TestTextDuringTheFirstMigration(t *testing.T) {
	t.Parallel()
	a := testApp(t)
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	q := url.Values{"timestamp": {ts}, "nonce": {"1"}, "signature": {util.Signature("token", ts, "1")}}
	body := "<xml><ToUserName>gh_7f083739789a</ToUserName><FromUserName>oia2TjuEGTNoeX76QEjQNrcURxG8</FromUserName>" +
		"<CreateTime>1395658920</CreateTime><MsgType>text</MsgType><Content>stop</Content><MsgId>1</MsgId></xml>"
	answered := make(chan string, 1)
	go func() {
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wechat?"+q.Encode(), strings.NewReader(body)))
		answered <- rec.Body.String()
	}()
	select {
	case reply := <-answered:
		t.Fatalf("answered before the migration: %s", reply)
	case <-time.After(300 * time.Millisecond):
	}
	for range 2 { // the demo prepares before it serves, which prepares as well
		if err := a.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if reply := <-answered; !strings.Contains(reply, "Done: you won") {
		t.Errorf("answered %s", reply)
	}
}
