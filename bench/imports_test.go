package main

import (
	"bytes"
	"strings"
	"testing"
)

// A whole import adds everyone whom the platform's end confirms.
func TestMeasureWholeImports(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := measureWholeImports(t.Context(), 5000, "", &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n| sqlite | ") {
		t.Error(out.String())
	}
}
