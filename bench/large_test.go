package main

import (
	"testing"
	"time"
)

// A very large number of followers is measured, on a scale that says nothing but takes
// seconds: nobody is lost or reached twice, and the counts hold.
func TestMeasureLarge(t *testing.T) {
	t.Parallel()
	size := smokeSizes
	size.Large = &largeSizes{
		Followers: 400, Smaller: 100, Rounds: 1, Receipts: 40, InFlight: 8, Latency: 100 * time.Millisecond,
		Undo: 200 * time.Millisecond, AskEvery: 50 * time.Millisecond, Deleting: 10 * time.Second,
	}
	b := measured(t, size)
	r := b.results.Large["sqlite"]
	if len(r.Outage) != 2 || r.Receipts <= 0 || r.Deleted <= 0 || len(r.During.Page) == 0 || len(r.After.List) < leastAsks {
		t.Errorf("measured is %+v", r)
	}
	checkZeros(t, b, "reached twice, 400, SQLite", "lost")
}

// A flood is measured, and none of its receipts is lost.
func TestMeasureFlooded(t *testing.T) {
	t.Parallel()
	size := smokeSizes
	size.Flooded = &floodedSizes{Lasts: 2 * time.Second, Receipts: 100, Sends: 50, Forged: 100, AskEvery: 100 * time.Millisecond}
	b := measured(t, size)
	r := b.results.Flooded
	if len(r.Receipts) != 2 || r.Delivered <= 0 {
		t.Fatalf("measured is %+v", r)
	}
	if f := r.Receipts[1].Forged; f.Posted == 0 || f.Refused != f.Posted {
		t.Errorf("forged: %+v", f)
	}
	checkZeros(t, b, "receipts posted that the ledger has not")
}

// checkZeros makes sure that these rows are there and their figure is 0, and that all others
// have one.
func checkZeros(t *testing.T, b *bench, zeros ...string) {
	t.Helper()
	found := 0
	for _, r := range b.rows() {
		switch {
		case len(r.Value) == 0:
			t.Errorf("%s: nothing measured", r.What)
		case len(zeros) > found && r.What == zeros[found]:
			found++
			if r.Median != 0 {
				t.Errorf("%s: %v", r.What, r.Median)
			}
		}
	}
	if found < len(zeros) {
		t.Errorf("no row %q", zeros[found])
	}
}
