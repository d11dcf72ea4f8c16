package webtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestViolations opens a page that breaks rules, under a policy that forbids every script.
func TestViolations(t *testing.T) {
	b := New(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><input name="q"><img src="data:,"></main>`)
	}))
	t.Cleanup(s.Close)
	b.Open(s.URL)
	var found []string
	for _, v := range b.violations() {
		found = append(found, v.ID+" "+v.Nodes[0].Target)
	}
	for _, want := range []string{"label input", "image-alt img"} {
		if !slices.Contains(found, want) {
			t.Errorf("axe-core finds %v, without %s", found, want)
		}
	}
}
