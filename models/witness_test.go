package models_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wechat-broadcast/models"
)

// What is beside the database pauses only if it shows a later sign of life; without it, or
// if it can't be written, sending goes on.
func TestTheWitnessBesideADatabase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil    func(t *testing.T, witness string)
		restored bool
		warns    int
	}{
		"untouched":        {spoil: func(*testing.T, string) {}},
		"lost":             {spoil: func(t *testing.T, witness string) { t.Helper(); mustDo(t, os.Remove(witness)) }},
		"cut short":        {spoil: func(t *testing.T, witness string) { t.Helper(); mustDo(t, os.Truncate(witness, 0)) }},
		"no number":        {spoil: func(t *testing.T, witness string) { t.Helper(); writes(t, witness, "\x00\x00") }},
		"an earlier sign":  {spoil: func(t *testing.T, witness string) { t.Helper(); writes(t, witness, "1\n") }},
		"a later sign":     {spoil: func(t *testing.T, witness string) { t.Helper(); writes(t, witness, "9\n") }, restored: true},
		"can't be written": {spoil: folderInstead, warns: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "broadcast.db")
			var log bytes.Buffer
			s, err := models.Open(models.SQLite, path, slog.New(slog.NewTextHandler(&log, nil)))
			mustDo(t, err)
			t.Cleanup(func() { mustDo(t, s.Close()) })
			mustDo(t, s.Migrate(t.Context()))
			var own int64
			for range 2 {
				own, _, err = s.SignOfLife(t.Context(), own, true)
				mustDo(t, err)
			}
			info, err := os.Stat(path + ".alive")
			mustDo(t, err)
			if own != 2 || info.Mode() != 0o600 {
				t.Errorf("sign %d, mode %s", own, info.Mode())
			}
			test.spoil(t, path+".alive")
			number, gap, err := s.SignOfLife(t.Context(), 0, true) // of the next process
			mustDo(t, err)
			if number != 3 || (gap != nil) != test.restored || gap != nil && !gap.Restored {
				t.Errorf("sign %d, gap %+v", number, gap)
			}
			for want := int64(4); want < 7; want++ {
				number, gap, err = s.SignOfLife(t.Context(), number, true)
				mustDo(t, err)
				if number != want || gap != nil {
					t.Errorf("sign %d, want %d, gap %+v", number, want, gap)
				}
			}
			if n := strings.Count(log.String(), "can't be written"); n != test.warns {
				t.Errorf("%d warnings, want %d", n, test.warns)
			}
			if text, err := os.ReadFile(path + ".alive"); test.warns == 0 && (err != nil || string(text) != "00000000000000000006\n") {
				t.Errorf("%q in the witness (%v)", text, err)
			}
		})
	}
}

func folderInstead(t *testing.T, witness string) {
	t.Helper()
	mustDo(t, os.Remove(witness))
	mustDo(t, os.Mkdir(witness, 0o700))
}

func writes(t *testing.T, path, text string) {
	t.Helper()
	mustDo(t, os.WriteFile(path, []byte(text), 0o600))
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
