package diagnosis_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/services/diagnosis"
)

// newDoctor returns a Doctor that speaks English.
func newDoctor(t *testing.T, transport http.RoundTripper, now func() time.Time) *diagnosis.Doctor {
	t.Helper()
	words, err := lang.New("en", slog.New(slog.NewTextHandler(t.Output(), nil)), lang.Terminal, lang.Platform)
	if err != nil {
		t.Fatal(err)
	}
	return &diagnosis.Doctor{Words: words, Transport: transport, Now: now}
}
