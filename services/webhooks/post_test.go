package webhooks

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models"
)

// postTo posts an event once to a URL over the network.
func postTo(t *testing.T, url string) error {
	t.Helper()
	s := &Sender{Config: Config{URL: url, Secret: secret, Version: "1", Now: time.Now}, client: newClient(url)}
	return s.post(t.Context(), models.Webhook{EventID: "e", Payload: "{}"})
}

func TestARedirectLeadsNowhere(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		if err := postTo(t, server.URL); err == nil {
			t.Errorf("%d counts as taken", status)
		}
		server.Close()
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d posts went where a redirect leads", n)
	}
}

// A name may lead to another machine one day, also that of this machine.
func TestPlainHTTPDoesNotLeaveTheMachine(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://192.0.2.1/", "http://[2001:db8::1]/", "http://0.0.0.0:9/"} {
		if err := postTo(t, url); err == nil || !strings.Contains(err.Error(), "this machine alone") {
			t.Errorf("%s: %v", url, err)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	local := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if err := postTo(t, local); err == nil || err.Error() != "status 404" {
		t.Errorf("%s: %v", local, err)
	}
}

func TestAnAnswerCountsByItsStatusAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   string // empty if it is taken
	}{
		"empty":         {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, ""},
		"endless":       {func(w http.ResponseWriter) { writeFor(w, 64<<20) }, ""},
		"an error page": {func(w http.ResponseWriter) { w.WriteHeader(500); writeFor(w, 1<<10) }, "status 500"},
		"no more":       {func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, errGone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.answer(w) }))
			defer server.Close()
			err := postTo(t, server.URL+"/?key=hidden")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// writeFor writes n bytes, or until the reader leaves.
func writeFor(w http.ResponseWriter, n int) {
	part := make([]byte, 32<<10)
	for range n / len(part) {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func TestAFaultDoesNotTellTheURL(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nobody listens there
	if err := postTo(t, server.URL+"/?key=hidden"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
}
