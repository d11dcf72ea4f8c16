package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// alertRule is a rule of deploy/prometheus/rules.yaml.
type alertRule struct {
	Alert       string
	Labels      map[string]string
	Annotations map[string]string
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/prometheus/rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

// anchor is the name under which a page shows a heading (GitHub's rule).
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// Each alert leads to a page of the runbook that has its name, in both languages, and the
// runbook names no alert that does not exist.
func TestEachAlertHasItsPage(t *testing.T) {
	t.Parallel()
	rules := alertRules(t)
	if len(rules) < 15 {
		t.Fatalf("%d alerts", len(rules))
	}
	name := regexp.MustCompile("`(WechatBroadcast[A-Za-z]+)`")
	for annotation, path := range map[string]string{"runbook_url": "docs/runbook.md", "runbook_url_zh": "docs/runbook.zh-CN.md"} {
		named := map[string][]string{} // by anchor
		var all []string
		for _, page := range strings.Split(readFile(t, path), "\n## ")[1:] {
			heading, body, _ := strings.Cut(page, "\n")
			for _, m := range name.FindAllStringSubmatch(body, -1) {
				named[anchor(heading)] = append(named[anchor(heading)], m[1])
				all = append(all, m[1])
			}
		}
		for _, r := range rules {
			file, at, _ := strings.Cut(r.Annotations[annotation], "#")
			if file != path || !slices.Contains(named[at], r.Alert) {
				t.Errorf("%s: %s leads to %s, where it is not named", r.Alert, annotation, r.Annotations[annotation])
			}
			if r.Annotations["summary"] == "" || r.Annotations["summary_zh"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s lacks a summary or a severity", r.Alert)
			}
		}
		if len(all) != len(rules) {
			t.Errorf("%s names %d alerts, there are %d: %v", path, len(all), len(rules), all)
		}
	}
}

// promtool tries each alert on series for which it fires and on others for which it does not.
func TestAlertsFireAndKeepSilent(t *testing.T) {
	t.Parallel()
	prometheus := os.Getenv("TEST_PROMETHEUS")
	if prometheus == "" {
		t.Skip("skipped with Prometheus: set TEST_PROMETHEUS=/usr/bin/prometheus to run it")
	}
	tests := readFile(t, "deploy/prometheus/rules_test.yaml")
	for _, r := range alertRules(t) {
		for _, want := range []string{": one account'", ": what comes close'"} {
			if !strings.Contains(tests, "name: '"+strings.TrimPrefix(r.Alert, "WechatBroadcast")+want) {
				t.Errorf("no test of %s%s", r.Alert, want)
			}
		}
	}
	promtool := filepath.Join(filepath.Dir(prometheus), "promtool")
	for _, args := range [][]string{{"check", "rules", "deploy/prometheus/rules.yaml"}, {"test", "rules", "deploy/prometheus/rules_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
