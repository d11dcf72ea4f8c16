package e2e

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	appID     = "wxd0a1b2c3d4e5f607"
	appSecret = "0123456789abcdef0123456789abcdef"
	token     = "simulator"
)

// messagesFile is what can be broadcast. In personal every follower reads their
// own OpenID, so that a mix-up shows.
const messagesFile = `
default: notice
messages:
  notice:
    template_id: ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY
    data:
      thing1: {value: "图书馆周三闭馆"}
      time2: {value: '{{.Now.Format "2006年1月2日 15:04"}}'}
      keyword3: {value: "请相互转告"}
  personal:
    template_id: Doclyl5uP7Aciu-qZ7mJNPtWkbkYnWBWVja26EGbNyk
    data:
      character_string1: {value: '{{.OpenID}}'}
      time4: {value: "2026-11-24 09:00"}
      amount5: {value: "¥1.00"}
`

// settings are environment variables.
type settings map[string]string

// server is the program as `wechat-broadcast` runs it, over all its starts.
type server struct {
	*process
	platform *platform
	env      settings
	log      *logFile
	// url is where it listens since its last start.
	url string
}

// newServer returns a server of that account, not started yet; more settings
// win over the usual ones.
func newServer(t *testing.T, p *platform, databaseURL string, more settings) *server {
	t.Helper()
	messages := filepath.Join(t.TempDir(), "messages.yaml")
	if err := os.WriteFile(messages, []byte(messagesFile), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{platform: p, log: newLog(t, "server"), env: settings{
		"WECHAT_APP_ID": appID, "WECHAT_APP_SECRET": appSecret, "WECHAT_TOKEN": token,
		"WECHAT_API_BASE_URL": p.url, "DATABASE_URL": databaseURL, "LISTEN_ADDR": "127.0.0.1:0",
		"ADMIN_OPENIDS": admin, "MESSAGES_FILE": messages, "LANGUAGE": "en",
		"SEND_CONCURRENCY": "16", "SEND_RATE": "0", "UNDO_WINDOW": "0s",
	}}
	maps.Copy(s.env, more)
	t.Cleanup(func() { s.checkLog(t) })
	return s
}

// startServer returns a server that runs and has its database.
func startServer(t *testing.T, p *platform, databaseURL string, more settings) *server {
	t.Helper()
	s := newServer(t, p, databaseURL, more)
	s.start(t)
	s.logged(`(sending for this database|standing by)`)
	return s
}

// start runs the server and makes it the one that the platform calls back.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.process = start(t, s.log, s.env.environ())
	s.url = "http://" + s.logged(`msg=serving address=(\S+)`)
	s.platform.ask(http.MethodPost, "/_sim/callback", map[string]string{"url": s.url + "/wechat"}, nil)
}

func (env settings) environ() []string {
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// never are what no log may hold: secrets, somebody's whole OpenID, what only a
// request's query has (masked it may), and panics.
var never = regexp.MustCompile(appSecret + "|" + admin + "|access_token=[^*]|signature=[^*]|panic")

// checkLog fails the test if the log tells what it must not, or of a panic.
func (s *server) checkLog(t *testing.T) {
	t.Helper()
	text := s.log.text(0)
	if found := never.FindStringIndex(text); found != nil {
		t.Errorf("the log has %q: …%s…", text[found[0]:found[1]], text[max(0, found[0]-200):min(len(text), found[1]+200)])
	}
}

// get asks the server for a page.
func (s *server) get(path string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(text)
}

// unready returns what /readyz says is not in order, by the check's name; nil
// if all is.
func (s *server) unready() map[string]string {
	s.t.Helper()
	status, body := s.get("/readyz")
	var answer struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.t.Fatalf("/readyz answers %q: %v", body, err)
	}
	if ready := status == http.StatusOK; ready != (answer.Status == "ok") || ready != (len(answer.Checks) == 0) {
		s.t.Errorf("/readyz answers %d with %s", status, body)
	}
	return answer.Checks
}

// finishes waits until the broadcast has ended well and returns the status.
func (s *server) finishes() string {
	s.t.Helper()
	var status string
	seldom(s.t, patience, "the broadcast finishes", func() bool {
		status = s.platform.say(admin, "broadcast status #1")
		for _, other := range []string{"Stopped", "Cancelled", "Paused", "no broadcast"} {
			if strings.Contains(status, other) {
				s.t.Fatalf("the broadcast does not finish:\n%s", status)
			}
		}
		return strings.Contains(status, "Finished")
	})
	return status
}

// closingNotice waits for what the admin is told at the end, and checks that it
// says that the platform took so many of the recipients.
func (s *server) closingNotice(taken, recipients int64) string {
	s.t.Helper()
	eventually(s.t, patience, "the closing notice", func() bool { return len(s.platform.notices()) > 0 })
	text := s.platform.notices()[0].Text
	if !strings.Contains(text, "Broadcast #1 ") || !strings.Contains(text, "finished") {
		s.t.Errorf("the notice is not of the broadcast's end:\n%s", text)
	}
	if got := counted(text, `took (\S+) of`); got != taken {
		s.t.Errorf("the notice says that %d were taken, want %d:\n%s", got, taken, text)
	}
	if got := counted(text, `took \S+ of (\S+)`); got != recipients {
		s.t.Errorf("the notice says that there were %d recipients, want %d:\n%s", got, recipients, text)
	}
	return text
}

// noMoreNotices checks that the admin is not told the same again.
func (s *server) noMoreNotices() {
	s.t.Helper()
	pass(s.t, tidied)
	if list := s.platform.notices(); len(list) != 1 {
		s.t.Errorf("the admin got %d notices: %v", len(list), list)
	}
}

// counted returns the number that a pattern finds, with or without separators;
// 0 if it finds none.
func counted(text, pattern string) int64 {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(found[1], ",", ""), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
