package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// monitoring is a real Prometheus that scrapes the program each second.
type monitoring struct {
	t   *testing.T
	url string
}

// startPrometheus runs a Prometheus with the shipped rules, or skips the test.
func startPrometheus(t *testing.T, s *server) *monitoring {
	t.Helper()
	program := os.Getenv("TEST_PROMETHEUS")
	if program == "" {
		t.Skip("skipped with Prometheus: set TEST_PROMETHEUS=/usr/bin/prometheus to run it")
	}
	rules, err := filepath.Abs("../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	config := fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: wechat-broadcast
    static_configs: [{targets: [%q]}]
`, rules, host(s.url))
	file := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	launch(t, newLog(t, "prometheus"), exec.CommandContext(t.Context(), program, "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+addr))
	m := &monitoring{t: t, url: "http://" + addr}
	eventually(t, patience, "Prometheus scrapes the program", func() bool {
		n, err := m.query(`up{job="wechat-broadcast"} == 1`)
		return err == nil && n == 1
	})
	return m
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// get reads the data of an answer of Prometheus' API.
func (m *monitoring) get(path string, data any) error {
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, m.url+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return nil
}

// query returns how many series an expression has.
func (m *monitoring) query(expr string) (int, error) {
	var data struct{ Result []json.RawMessage }
	err := m.get("/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result), err
}

// has waits until each expression has data. One that Prometheus refuses fails the test.
func (m *monitoring) has(exprs ...string) {
	m.t.Helper()
	for _, expr := range exprs {
		late := time.Now().Add(patience / 2)
		for n := 0; n == 0; {
			var err error
			if n, err = m.query(expr); err != nil {
				m.t.Errorf("%s: %v", expr, err)
				break
			}
			if n == 0 && time.Now().After(late) {
				m.t.Errorf("no data for %s", expr)
				break
			}
			if n == 0 {
				pass(m.t, 300*time.Millisecond)
			}
		}
	}
}

// panelQueries are the queries of the dashboard, as Grafana asks them with all chosen.
func panelQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../deploy/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels     []struct{ Targets []struct{ Expr string } }
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	values := []string{"$__rate_interval", "10s"}
	for _, v := range dashboard.Templating.List {
		values = append(values, "$"+v.Name, ".*")
	}
	fill := strings.NewReplacer(values...)
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			expr := fill.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable that the dashboard does not have", target.Expr)
			}
			all = append(all, expr)
		}
	}
	return all
}

// ruleQueries are the expressions of the rules, and the series that each looks at.
func ruleQueries(t *testing.T) (exprs, series []string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	selector := regexp.MustCompile(`\b(?:up|(?:readiness|broadcast|callback|wechat|database|process)_\w+)\b(?:\{[^}]*\})?`)
	for _, r := range file.Groups[0].Rules {
		exprs = append(exprs, r.Expr)
		series = append(series, selector.FindAllString(r.Expr, -1)...)
	}
	return exprs, series
}

// During a broadcast with faults, a real Prometheus finds data for every query of the
// dashboard and every series of the rules; only of what is seen when something stands or
// was refused, data is not asked for.
func TestRulesAndDashboardOnARealPrometheus(t *testing.T) {
	t.Parallel()
	long(t)
	p := startPlatform(t, "--followers", "600", "--latency", "20ms", "--fault-system-error", "0.05", "--refusing", "20")
	s := startServer(t, p, sqlite(t).url, nil)
	m := startPrometheus(t, s)

	p.waitsAfter(300)
	p.say(admin, "broadcast all personal")
	p.callsReach(300)
	m.has(`broadcast_stopped or wechat_send_quota_remaining_messages`, `broadcast_progress_ratio`)
	p.say(admin, "broadcast pause")
	p.waitsAfter(0)
	m.has(`broadcast_stopped{reason="admin"}`, `rate(broadcast_receipts_total[30s]) > 0`)

	panels := panelQueries(t)
	exprs, series := ruleQueries(t)
	if len(panels) < 15 || len(series) < len(exprs) {
		t.Fatalf("%d queries of the dashboard, %d series of %d rules", len(panels), len(series), len(exprs))
	}
	// A broadcast that was paused has no progress, and none stands. Its progress was seen above.
	absent := regexp.MustCompile(`broadcast_stalled_seconds|broadcast_progress_ratio|check="(redis|start)"|outcome=~"(refused\|malformed|error\|busy)|reason[!=]~`)
	for _, expr := range append(panels, series...) {
		if !absent.MatchString(expr) {
			m.has(expr)
		} else if _, err := m.query(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	for _, expr := range exprs {
		if _, err := m.query(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	rulesWell(t, m, len(exprs))
}

// rulesWell checks that Prometheus evaluates each rule without an error, and that none
// of a program in order fires but those of the faults.
func rulesWell(t *testing.T, m *monitoring, want int) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	if err := m.get("/api/v1/rules", &data); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" || r.LastError != "" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
			if r.State == "firing" && r.Name != "WechatBroadcastRecipientsUncertain" && r.Name != "WechatBroadcastDiskNearlyFull" {
				t.Errorf("%s fires although nothing is wrong", r.Name)
			}
		}
	}
	if n != want {
		t.Errorf("Prometheus has %d rules, want %d", n, want)
	}
}
