package webhooks

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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
		"an error page": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError); writeFor(w, 1<<10) }, "status 500"},
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

// verification returns how the README has a receiver check a signature in a shell, with the
// headers in variables and the body in a file, byte for byte as it came.
func verification(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(readme), "```sh\n") {
		if block, _, _ := strings.Cut(part, "```"); strings.Contains(block, "WEBHOOK_SIGNATURE") {
			return block
		}
	}
	t.Fatal("the README does not tell how a signature is checked")
	return ""
}

func TestAReceiverVerifiesWithOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed (Debian: openssl)")
	}
	const body = `{"id":"e","broadcast":{"message":"通知 \u0026"}}`
	for _, tt := range []struct {
		timestamp, body string
		good            bool
	}{
		{"1700000000", body, true},
		{"1700000001", body, false},
		{"1700000000", body + " ", false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "body.json"), []byte(tt.body), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", verification(t))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, "WEBHOOK_TIMESTAMP="+tt.timestamp, "WEBHOOK_SIGNATURE="+sign(secret, "1700000000", body))
		if out, err := cmd.CombinedOutput(); (err == nil) != tt.good {
			t.Errorf("%+v: %v %s", tt, err, out)
		}
	}
}
