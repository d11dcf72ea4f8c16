package main

import (
	"strings"
	"testing"
)

// Every kind of neighbour is measured, on a scale that says nothing: the account that is well
// sends to everyone once and answers, whatever the other one is like.
func TestMeasureNeighbours(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := measureNeighbours(t.Context(), built(t), []besideTask{{Rounds: 1, Recipients: 60, Rate: 50}}, &out); err != nil {
		t.Fatal(err)
	}
	for _, n := range neighbours() {
		if !strings.Contains(out.String(), "| "+n.name+" | ") {
			t.Errorf("nothing measured of one that %s:\n%s", n.name, &out)
		}
	}
}
