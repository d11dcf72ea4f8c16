package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/config"
	"wechat-broadcast/models/modelstest"
)

// testSettings returns settings for a fresh, migrated database and a platform that can't be
// reached. more are further environment variables.
func testSettings(t *testing.T, more map[string]string) *config.Settings {
	t.Helper()
	variables := map[string]string{
		"WECHAT_APP_ID": "wxba5fad812f8e6fb9", "WECHAT_APP_SECRET": "secret", "WECHAT_TOKEN": "token", "LANGUAGE": "en",
		"WECHAT_API_BASE_URL": "http://127.0.0.1:1",
	}
	maps.Copy(variables, more)
	if variables["DATABASE_URL"] == "" {
		variables["DATABASE_URL"] = "sqlite://" + filepath.ToSlash(modelstest.SQLiteFile(t))
	}
	settings, err := config.Load("", false, func(name string) (string, bool) { v, ok := variables[name]; return v, ok }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// emptyDatabase is the DATABASE_URL of a database that is not there yet.
func emptyDatabase(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"DATABASE_URL": "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "a.db"))}
}

// testProcess returns a process that has not looked at its database.
func testProcess(t *testing.T, settings *config.Settings) *process {
	t.Helper()
	p, err := newProcess(settings, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestATextDuringTheMigrationIsAnsweredAfterIt(t *testing.T) {
	t.Parallel()
	// A callback waits for 4.5 s. On a busy machine the migration may take that long,
	// so another process runs it before, and this one only has to find that out.
	settings := testSettings(t, emptyDatabase(t))
	if err := testProcess(t, settings).only().prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := testProcess(t, settings)
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	q := url.Values{"timestamp": {ts}, "nonce": {"1"}, "signature": {util.Signature("token", ts, "1")}}
	body := "<xml><ToUserName>gh_7f083739789a</ToUserName><FromUserName>oia2TjuEGTNoeX76QEjQNrcURxG8</FromUserName>" +
		"<CreateTime>1395658920</CreateTime><MsgType>text</MsgType><Content>stop</Content><MsgId>1</MsgId></xml>"
	answered := make(chan string, 1)
	go func() {
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/wechat?"+q.Encode(), strings.NewReader(body)))
		answered <- rec.Body.String()
	}()
	select {
	case reply := <-answered:
		t.Fatalf("answered before the migration: %s", reply)
	case <-time.After(300 * time.Millisecond):
	}
	for range 2 { // the demo prepares before serve, which prepares again
		if err := p.only().prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if reply := <-answered; !strings.Contains(reply, "Done: you won") {
		t.Errorf("answered %s", reply)
	}
}

func TestReadinessNamesTheDatabaseOnce(t *testing.T) {
	t.Parallel()
	p := testProcess(t, testSettings(t, emptyDatabase(t)))
	failed := func() []string {
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		var answer struct{ Checks map[string]string }
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v", rec.Body, err)
		}
		delete(answer.Checks, "platform") // it can't be reached in this test
		return slices.Sorted(maps.Keys(answer.Checks))
	}
	if got := failed(); !slices.Equal(got, []string{"database"}) {
		t.Errorf("before the migration %q are not in order", got)
	}
	if err := p.only().prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := failed(); len(got) > 0 {
		t.Errorf("after the migration %q are not in order", got)
	}
	if err := p.only().store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(context.Context) error{"database": p.only().checkDatabase, "storage": p.only().checkStorage} {
		if err := check(t.Context()); (err != nil) != (name == "database") {
			t.Errorf("without the database the check %s says %v", name, err)
		}
	}
}

func TestTheStartWarnsOfAMessageFileThatCantBeUsed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		file  string
		warns int
	}{
		"missing": {filepath.Join(folder, "absent.yaml"), 0},
		"broken":  {write("broken.yaml", "messages: 5\nx: y\n"), 1},
		"fine":    {write("fine.yaml", "messages:\n  m:\n    template_id: t\n    data: {thing1: {value: a}}\n"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			stop()
			var out bytes.Buffer
			settings := testSettings(t, map[string]string{"MESSAGES_FILE": tt.file})
			if err := serve(ctx, settings, slog.New(slog.NewTextHandler(&out, nil)), listeners{public: listener}); err != nil {
				t.Errorf("the start ends: %v", err)
			}
			warns := 0
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "level=WARN") && strings.Contains(line, "MESSAGES_FILE") && strings.Contains(line, tt.file) {
					warns++
				}
			}
			if warns != tt.warns {
				t.Errorf("%d warnings, want %d:\n%s", warns, tt.warns, &out)
			}
		})
	}
}
