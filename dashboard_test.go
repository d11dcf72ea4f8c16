package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is what a dashboard says of where its data come from.
type source struct{ Type, UID string }

// dashboard is the part of Grafana's dashboard model (schema 38, Grafana 10) that is checked.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource source
		}
	}
	Panels []panel
}

type panel struct {
	ID          int
	Title, Type string
	Datasource  source
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		RefID, Expr, LegendFormat string
		Datasource                source
	}
}

// overlaps tells whether two panels cover the same place.
func (p panel) overlaps(other panel) bool {
	a, b := p.GridPos, other.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// Grafana takes a dashboard with faults such as these, and shows panels that lie on each
// other, have no data or no unit. That each query has data is tried with a real Prometheus
// (e2e).
func TestDashboardIsWhole(t *testing.T) {
	t.Parallel()
	var d dashboard
	if err := json.Unmarshal([]byte(readFile(t, "deploy/grafana/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	// At most 40 characters; Grafana finds the dashboard again by it.
	if !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`).MatchString(d.UID) || d.Title == "" || d.SchemaVersion < 36 {
		t.Errorf("uid %q, title %q, schema %d", d.UID, d.Title, d.SchemaVersion)
	}
	chosen := "" // the reference to the data source that is chosen above the panels
	text := ""   // what may use the variables
	for _, v := range d.Templating.List {
		if v.Type == "datasource" && v.Query == "prometheus" {
			chosen = "${" + v.Name + "}"
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			text += target.Expr + "\n"
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "datasource" {
			checkSource(t, "the variable "+v.Name, v.Datasource, chosen)
			if !strings.Contains(text, "$"+v.Name) {
				t.Errorf("no query uses the variable %s", v.Name)
			}
		}
	}
	for i, p := range d.Panels {
		checkPanel(t, p, chosen)
		for _, other := range d.Panels[:i] {
			if p.ID == other.ID {
				t.Errorf("%s and %s have the number %d", other.Title, p.Title, p.ID)
			}
			if p.overlaps(other) {
				t.Errorf("%s lies on %s", p.Title, other.Title)
			}
		}
	}
	if len(d.Panels) < 15 {
		t.Errorf("%d panels", len(d.Panels))
	}
}

func checkSource(t *testing.T, of string, got source, chosen string) {
	t.Helper()
	if got != (source{"prometheus", chosen}) {
		t.Errorf("%s asks %v, not the chosen data source %q", of, got, chosen)
	}
}

var (
	aggregated = regexp.MustCompile(`\bby \(([^)]*)\)`)
	legendPart = regexp.MustCompile(`{{\s*(\w+)\s*}}`)
)

func checkPanel(t *testing.T, p panel, chosen string) {
	t.Helper()
	checkSource(t, p.Title, p.Datasource, chosen)
	if g := p.GridPos; g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
		t.Errorf("%s is outside of the 24 columns: %+v", p.Title, g)
	}
	if p.ID < 1 || p.Title == "" || len(p.Targets) == 0 {
		t.Errorf("panel %d, %q, lacks a number, a title or a query", p.ID, p.Title)
	}
	// Units by the names of Grafana's list of value formats.
	if unit := p.FieldConfig.Defaults.Unit; !slices.Contains([]string{"short", "none", "s", "ops", "percentunit", "bytes"}, unit) {
		t.Errorf("%s has the unit %q", p.Title, unit)
	}
	if !slices.Contains([]string{"stat", "table", "timeseries"}, p.Type) {
		t.Errorf("%s is a %q", p.Title, p.Type)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		checkSource(t, p.Title+" "+target.RefID, target.Datasource, chosen)
		if refs[target.RefID] || target.RefID == "" || target.Expr == "" {
			t.Errorf("%s has two queries %q, or an empty one", p.Title, target.RefID)
		}
		refs[target.RefID] = true
		by := aggregated.FindStringSubmatch(target.Expr)
		for _, label := range legendPart.FindAllStringSubmatch(target.LegendFormat, -1) {
			if by != nil && !slices.Contains(strings.Split(strings.ReplaceAll(by[1], " ", ""), ","), label[1]) {
				t.Errorf("%s names %s beside a line, which %s does not keep", p.Title, label[1], target.Expr)
			}
		}
	}
}
