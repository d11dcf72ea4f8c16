package webtest

import (
	_ "embed" // the script that Accessible runs
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/runtime"
)

//go:embed axe/axe.min.js
var axeScript string

// axeRun runs the rules of WCAG 2.2 A and AA and the good practices, and returns what they
// find as JSON.
const axeRun = `axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
}).then((found) => JSON.stringify(found.violations.map((v) => ({
  id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => ({target: n.target.join(" "), html: n.html.slice(0, 200), why: n.failureSummary})),
}))))`

// violation is a rule that axe-core finds broken, and where.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		Target string `json:"target"`
		HTML   string `json:"html"`
		Why    string `json:"why"`
	} `json:"nodes"`
}

// Accessible checks that axe-core finds nothing wrong with the page, on a light phone and in
// a dark window. It is put into the page by the debugger, so the page's policy does not
// matter.
func (b *Browser) Accessible() {
	b.t.Helper()
	b.Phone(320, "light")
	b.axe("at 320 px, light")
	b.Window(1200, 900, "dark")
	b.axe("at 1200 px, dark")
}

// placesShown is at how many places a broken rule is shown.
const placesShown = 3

// axe fails the test for each rule that the page breaks, and shows where.
func (b *Browser) axe(where string) {
	b.t.Helper()
	for _, v := range b.violations() {
		lines := []string{fmt.Sprintf("%s axe-core finds %s (%s) at %d places: %s", where, v.ID, v.Impact, len(v.Nodes), v.Help)}
		for _, n := range v.Nodes[:min(len(v.Nodes), placesShown)] {
			lines = append(lines, "  "+n.Target+"  "+n.HTML, "  "+strings.ReplaceAll(n.Why, "\n", "\n  "))
		}
		b.t.Error(strings.Join(lines, "\n"))
	}
}

func (b *Browser) violations() []violation {
	b.t.Helper()
	yes := true
	evaluate := func(script string) *runtime.RemoteObject {
		r := Call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: script, AwaitPromise: &yes, ReturnByValue: &yes})
		if r.ExceptionDetails != nil {
			b.t.Fatalf("axe-core: %s %v", r.ExceptionDetails.Text, r.ExceptionDetails.Exception)
		}
		return r.Result
	}
	if !Eval[bool](b, `typeof axe === "object"`) {
		evaluate(axeScript + "; null")
	}
	var text string
	var found []violation
	if err := json.Unmarshal([]byte(evaluate(axeRun).Value), &text); err != nil {
		b.t.Fatal(fmt.Errorf("read what axe-core found: %w", err))
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(fmt.Errorf("read what axe-core found: %w", err))
	}
	return found
}
