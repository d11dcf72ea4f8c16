package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/config"
	"wechat-broadcast/simulator"
)

const libraryApp, museumApp = "wxa000000000000001", "wxa000000000000002"

// logText is a log that can be read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newSimulator returns a platform for an account.
func newSimulator(t *testing.T, appID string) *simulator.Simulator {
	t.Helper()
	sim, err := simulator.New(simulator.Options{
		Followers: 20, Admin: []string{"oAdmin00000000000000000000A"}, AppID: appID,
		AppSecret: "0123456789abcdef0123456789abcdef", Token: "token",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	if err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return sim
}

// serveTwo serves the accounts library and museum until the test ends, and returns
// LISTEN_ADDR, METRICS_ADDR and the log.
func serveTwo(t *testing.T, library, museum *simulator.Simulator, museumDatabase string) (public, metrics string, log *logText) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	text := "language: en\nadmin_openids: [oAdmin00000000000000000000A]\nmetrics_addr: 127.0.0.1:1\naccounts:\n"
	for _, one := range []struct {
		name, app, database string
		sim                 *simulator.Simulator
	}{{"library", libraryApp, filepath.Join(folder, "library.db"), library}, {"museum", museumApp, museumDatabase, museum}} {
		text += "  " + one.name + ":\n    wechat_app_id: " + one.app + "\n    wechat_app_secret: 0123456789abcdef0123456789abcdef" +
			"\n    wechat_token: token" + "\n    wechat_api_base_url: " + one.sim.URL() + "\n    database_url: sqlite://" + one.database + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(path, true, func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	log = &logText{}
	p, err := newProcess(settings, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.reopenAfter = 50 * time.Millisecond
	var on listeners
	for _, l := range []*net.Listener{&on.public, &on.metrics} {
		if *l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx, on) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	public, metrics = "http://"+on.public.Addr().String(), "http://"+on.metrics.Addr().String()
	for name, sim := range map[string]*simulator.Simulator{"library": library, "museum": museum} {
		if err := sim.SetCallback(public + "/wechat/" + name); err != nil {
			t.Fatal(err)
		}
	}
	return public, metrics, log
}

// fetch returns what an address answers.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// becomes waits until an address answers with a status.
func becomes(t *testing.T, url string, status int) (body string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		var got int
		if got, body = fetch(t, url); got == status {
			return body
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-late:
			t.Fatalf("%s does not become %d: %d %s", url, status, got, body)
		}
	}
}

func TestAnAccountThatCantStartLeavesTheOtherAndComesBack(t *testing.T) {
	t.Parallel()
	library, museum := newSimulator(t, libraryApp), newSimulator(t, museumApp)
	broken := filepath.Join(t.TempDir(), "museum.db")
	if err := os.Mkdir(broken, 0o700); err != nil { // a folder is no database
		t.Fatal(err)
	}
	public, metrics, log := serveTwo(t, library, museum, broken)
	const admin = "oAdmin00000000000000000000A"

	becomes(t, metrics+"/readyz?account=library", 200)
	if body := becomes(t, metrics+"/readyz?account=museum", 503); !strings.Contains(body, `"start":"`) || !strings.Contains(body, "is a folder") {
		t.Errorf("/readyz says of the account that can't start: %s", body)
	}
	status, body := fetch(t, metrics+"/readyz")
	var all struct {
		Status   string
		Accounts map[string]struct{ Status string }
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != 200 || all.Accounts["library"].Status != "ok" || all.Accounts["museum"].Status != "unavailable" {
		t.Errorf("/readyz: %d %s %v", status, body, err)
	}
	for path, want := range map[string]int{"/readyz": 404, "/metrics": 404, "/wechat": 404, "/wechat/nobody": 404, "/wechat/museum": 503, "/wechat/library": 403, "/healthz": 200} {
		if got, _ := fetch(t, public+path); got != want {
			t.Errorf("%s answers %d, want %d", path, got, want)
		}
	}
	if got, _ := fetch(t, metrics+"/readyz?account=nobody"); got != 404 {
		t.Errorf("/readyz of an account that is not there: %d", got)
	}
	if _, figures := fetch(t, metrics+"/metrics"); !strings.Contains(figures, `readiness_check_ok{account="museum",check="start"} 0`) {
		t.Error("no metric says that an account is not served")
	}
	if reply, err := library.Say(t.Context(), admin, "stats"); err != nil || reply == "" {
		t.Errorf("the other account answers %q, %v", reply, err)
	}

	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	becomes(t, metrics+"/readyz?account=museum", 200)
	if reply, err := museum.Say(t.Context(), admin, "openid"); err != nil || reply != admin {
		t.Errorf("the account that came back answers %q, %v", reply, err)
	}
	_, figures := fetch(t, metrics+"/metrics")
	for _, name := range []string{"library", "museum"} {
		if !strings.Contains(figures, `broadcast_leads{account="`+name+`"}`) {
			t.Errorf("no metric has the label of %s", name)
		}
		if !strings.Contains(log.String(), "account="+name) {
			t.Errorf("no line of the log names %s", name)
		}
	}
}
