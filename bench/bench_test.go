package main

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The test binary plays the roles too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "role" {
		main()
		return
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		panic(err)
	}
	build = sync.OnceValues(func() (string, error) { return buildProgram(context.Background(), folder) })
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// build builds the program, once for all tests.
var build func() (string, error)

func built(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// Everything is measured, on a scale that says nothing but takes seconds.
func TestMeasure(t *testing.T) {
	t.Parallel()
	checkMeasured(t, smokeSizes)
}

// The audiences reach whom they should, and the counts are what the platform's end saw.
func TestMeasureAudiences(t *testing.T) {
	t.Parallel()
	size := smokeSizes
	size.Audiences = true
	checkMeasured(t, size)
}

// measured measures on SQLite.
func measured(t *testing.T, size sizes) *bench {
	t.Helper()
	b := &bench{sizes: size, binary: built(t), progress: t.Output()}
	if err := b.measure(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return b
}

func checkMeasured(t *testing.T, size sizes) {
	t.Helper()
	for _, r := range measured(t, size).rows() {
		if len(r.Value) == 0 || r.Median <= 0 {
			t.Errorf("%s: nothing measured", r.What)
		}
		if r.Baseline != "" && len(r.Ratio) == 0 {
			t.Errorf("%s: no ratio to %s", r.What, r.Baseline)
		}
	}
}

func TestOpenIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i := range 10_000 {
		openID := appendOpenID(nil, i)
		if seen[string(openID)] || len(openID) != 28 {
			t.Fatalf("person %d has the OpenID %s", i, openID)
		}
		seen[string(openID)] = true
		if got := personOf(openID, 10_000); got != i {
			t.Fatalf("%s is person %d, want %d", openID, got, i)
		}
	}
	if got := personOf(appendOpenID(nil, 10_000), 10_000); got != -1 {
		t.Errorf("a stranger is person %d", got)
	}
}

func TestSeries(t *testing.T) {
	t.Parallel()
	if got := (series{5, 1, 3}).median(); got != 3 {
		t.Errorf("median %v, want 3", got)
	}
	if got := (series{4, 1, 3, 2}).median(); got != 2.5 {
		t.Errorf("median %v, want 2.5", got)
	}
	if diff := cmp.Diff(series{2, 3}, series{8, 9}.over(series{4, 3})); diff != "" {
		t.Errorf("round by round (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(series{2, 3}, series{8, 12}.over(series{4})); diff != "" {
		t.Errorf("against one value (-want +got):\n%s", diff)
	}
}
