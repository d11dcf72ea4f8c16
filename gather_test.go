package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wechat-broadcast/config"
)

// silentServer returns the address of a server that takes connections and never says a word.
func silentServer(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

// severalOf returns a process with accounts of these databases, by name, none of which runs.
func severalOf(t *testing.T, databases map[string]string) *process {
	t.Helper()
	settings := &config.Settings{}
	for name, database := range databases {
		of := testSettings(t, map[string]string{"DATABASE_URL": database, "WECHAT_APP_ID": "wx00000000000000" + strconv.Itoa(10+len(settings.Accounts))})
		of.Accounts[0].Name = name
		settings.Accounts = append(settings.Accounts, of.Accounts[0])
	}
	p, err := newProcess(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() })
	for _, s := range p.slots {
		if _, err := s.open(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// scrape returns what /metrics and /readyz answer, and how long both take together.
func scrape(t *testing.T, p *process) (metrics, ready string, took time.Duration) {
	t.Helper()
	began := time.Now()
	answers := map[string]*httptest.ResponseRecorder{}
	for _, path := range []string{"/metrics", "/readyz"} {
		answers[path] = httptest.NewRecorder()
	}
	var asked sync.WaitGroup
	for path, rec := range answers {
		asked.Go(func() {
			p.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		})
	}
	asked.Wait()
	if code := answers["/metrics"].Code; code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", code, answers["/metrics"].Body)
	}
	return answers["/metrics"].Body.String(), answers["/readyz"].Body.String(), time.Since(began)
}

// Prometheus gives up after 10 s by default. Six accounts whose database hangs, each of which
// is given up after 3 s, must not take that long, nor hide the one that is well.
func TestAScrapeOutlastsAccountsWhoseDatabaseHangs(t *testing.T) {
	t.Parallel()
	hung := "mysql://u:p@" + silentServer(t) + "/"
	databases := map[string]string{"well": "sqlite://" + t.TempDir() + "/a.db"}
	for i := range 6 {
		databases["hung"+strconv.Itoa(i)] = hung + strconv.Itoa(i)
	}
	p := severalOf(t, databases)
	well, err := p.named("well")
	if err == nil {
		err = well.prepare(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	metrics, ready, took := scrape(t, p)
	if took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, part := range []string{
		`readiness_check_ok{account="well",check="database"} 1`, `broadcast_leads{account="well"} 0`,
		`readiness_check_ok{account="hung5",check="database"} 0`, "go_goroutines ",
	} {
		if !strings.Contains(metrics, part) {
			t.Errorf("/metrics has no %q", part)
		}
	}
	if !strings.Contains(ready, `"hung0":{"status":"unavailable"`) {
		t.Errorf("/readyz: %s", ready)
	}
}

// hangs is a metric that is not said until it is let.
type hangs struct {
	until <-chan struct{}
	asked chan struct{}
}

func (hangs) Describe(chan<- *prometheus.Desc) {}

func (h hangs) Collect(chan<- prometheus.Metric) {
	h.asked <- struct{}{}
	<-h.until
}

// An account that says nothing at all is left out and named, and is not asked again by each
// scrape as long as it says nothing.
func TestAScrapeLeavesOutAnAccountThatSaysNothing(t *testing.T) {
	t.Parallel()
	p := severalOf(t, map[string]string{"well": "sqlite://" + t.TempDir() + "/a.db", "hung": "sqlite://" + t.TempDir() + "/a.db"})
	hung, err := p.named("hung")
	if err != nil {
		t.Fatal(err)
	}
	let, asked := make(chan struct{}), make(chan struct{}, 10)
	hung.registry.MustRegister(hangs{let, asked})
	for range 2 {
		metrics, _, took := scrape(t, p)
		if took > gatherWithin+3*time.Second {
			t.Errorf("it took %s", took)
		}
		for part, want := range map[string]bool{
			`readiness_check_ok{account="hung",check="metrics"} 0`: true, `broadcast_leads{account="hung"} 0`: false,
			`broadcast_leads{account="well"} 0`: true, `account="well",check="metrics"`: false,
		} {
			if strings.Contains(metrics, part) != want {
				t.Errorf("%q in /metrics: %t", part, !want)
			}
		}
	}
	if len(asked) != 1 {
		t.Errorf("it was asked %d times, want once", len(asked))
	}
	close(let)
	if metrics, _, _ := scrape(t, p); !strings.Contains(metrics, `broadcast_leads{account="hung"} 0`) {
		t.Error("the metrics of an account that answers again are not shown")
	}
}
