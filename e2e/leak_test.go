package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

// leakyToken is what the echoing platform gives as access token; it looks like
// the simulator's.
const leakyToken = "86_ThisAccessTokenMustNotBeSeenAnywhere0123456789"

// patterns are what looks like a secret, whatever its value.
var patterns = map[string]*regexp.Regexp{
	"an access token": regexp.MustCompile(`86_[A-Za-z0-9_-]{20}|access_token=[^*]`),
	"a signature":     regexp.MustCompile(`\b[0-9a-f]{40}\b|signature=[^*]`),
}

// leaks gathers everything that the program says to anyone, and looks through it.
type leaks struct {
	t  *testing.T
	mu sync.Mutex
	// said is what was said, by where.
	said map[string]*strings.Builder
	// openIDs are those of everybody.
	openIDs []string
}

func newLeaks(t *testing.T) *leaks {
	t.Helper()
	return &leaks{t: t, said: map[string]*strings.Builder{}, openIDs: []string{admin, stranger}}
}

// hears notes what was said somewhere.
func (l *leaks) hears(where, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said[where] == nil {
		l.said[where] = &strings.Builder{}
	}
	_, _ = l.said[where].WriteString(text + "\n")
}

// knows notes the OpenIDs of everyone who ever followed.
func (l *leaks) knows(p *platform) {
	l.t.Helper()
	var list []simulator.Count
	p.ask(http.MethodGet, "/_sim/received?min=0", nil, &list)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, who := range list {
		l.openIDs = append(l.openIDs, who.OpenID)
	}
}

// shown is the line of a message's card that has its reader's OpenID, as the message
// personal is written.
var shown = regexp.MustCompile(`(?m)^订单号: .*$`)

// asks has somebody write to the account and notes the replies: what in them is not the
// sender's own OpenID, nor the one that they wrote, nor what a message says.
func (l *leaks) asks(p *platform, from string, texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		own := []string{from, "-"}
		for _, word := range strings.Fields(text) {
			if len(word) > 20 {
				own = append(own, word, "-")
			}
		}
		l.hears("replies", shown.ReplaceAllString(strings.NewReplacer(own...).Replace(p.say(from, text)), ""))
	}
}

// looks notes what the pages of a server say, its log and the admin's notices.
func (l *leaks) looks(s *server) {
	l.t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/wechat", "/b/" + leakyToken, "/nowhere?access_token=" + leakyToken} {
		_, body := s.get(path)
		l.hears(path, body)
	}
	for _, n := range s.platform.notices() {
		l.hears("notices", n.Text)
	}
	l.hears("log", s.log.text(0))
}

// check fails the test if anything that was said holds what it must not.
func (l *leaks) check() {
	l.t.Helper()
	log := ""
	if said := l.said["log"]; said != nil {
		log = said.String()
	}
	if !strings.Contains(log, "level=DEBUG") || !strings.Contains(log, "oAdm…") {
		l.t.Error("the log is not that of a run at debug level with people in it")
	}
	values := map[string]string{
		"the AppSecret": appSecret, "a wrong AppSecret": secretOne, "the callback's token": token, "the AES key": aesKey,
		"the database's password": databasePassword,
	}
	for where, said := range l.said {
		text := said.String()
		show := func(what string, at int) {
			l.t.Errorf("%s has %s: …%s…", where, what, text[max(0, at-200):min(len(text), at+100)])
		}
		for what, value := range values {
			if i := strings.Index(text, value); i >= 0 {
				show(what, i)
			}
		}
		for what, pattern := range patterns {
			if found := pattern.FindStringIndex(text); found != nil {
				show(what, found[0])
			}
		}
		for _, openID := range l.openIDs {
			if i := strings.Index(text, openID); i >= 0 {
				show("the OpenID "+openID, i)
			}
		}
	}
}

// At debug level, and whatever fails, nothing that the program says holds a
// secret, a token, a signature or a whole OpenID. Only whoever asks for their own
// gets it: by openid, and in the preview of a message that shows it.
func TestNoLeaks(t *testing.T) {
	t.Parallel()
	long(t)
	l := newLeaks(t)
	debug := settings{
		"LOG_LEVEL": "debug", "WECHAT_ENCODING_AES_KEY": aesKey, "PUBLIC_URL": "https://broadcast.example.com",
		"SEND_CONCURRENCY": "32",
	}
	flags := []string{"--followers", "400", "--refusing", "10", "--blocking", "10", "--left", "5", "--aes-key", aesKey, "--receipt-delay-max", "500ms"}
	t.Cleanup(l.check)
	apart := func(name string, path func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path(t)
		})
	}
	apart("faults", func(t *testing.T) { leakFaults(t, l, flags, debug) })
	apart("no token", func(t *testing.T) { leakNoToken(t, l, flags, debug) })
	apart("strangers", func(t *testing.T) { leakStrangers(t, l, flags, debug) })
	apart("an echo", func(t *testing.T) { leakEcho(t, l, flags, debug) })
	apart("no database", func(t *testing.T) {
		nobody := newProxy(t, "127.0.0.1:1")
		p := startPlatform(t, flags...)
		s := newServer(t, p, "mysql://broadcast:"+databasePassword+"@"+nobody.addr+"/broadcast", debug)
		s.start(t)
		l.asks(p, admin, "broadcast all", "testers add "+stranger, "sync", "stats")
		s.logged(`level=WARN msg="[^"]*database`)
		l.looks(s)
	})
	apart("the database goes", func(t *testing.T) {
		db := mariadb(t)
		p := startPlatform(t, append(slices.Clip(flags), "--latency", "20ms")...)
		between := newProxy(t, db.addr(t))
		between.open()
		s := startServer(t, p, db.through(between.addr), debug.with(settings{"SEND_CONCURRENCY": "4"}))
		l.asks(p, admin, "broadcast all personal")
		p.callsReach(100)
		between.refuse()
		pass(t, 2*time.Second)
		l.asks(p, admin, "broadcast status", "testers add "+stranger)
		between.open()
		s.finishes()
		l.looks(s)
	})
	apart("wrong settings", func(t *testing.T) {
		s := newServer(t, startPlatform(t), "oracle://x:"+databasePassword+"@y/z", debug.with(settings{
			"WECHAT_ENCODING_AES_KEY": aesKey + "=", "WECHAT_APP_SECRET": " " + appSecret + "\n", "WECHAT_TOKEN": token + "!", "SEND_RATE": "x",
			"ADMIN_OPENIDS": admin + "," + stranger + "!",
		}))
		s.process = start(t, s.log, s.env.environ())
		if code := s.wait(); code != 2 {
			t.Errorf("ended with code %d, want 2", code)
		}
		l.hears("log", s.log.text(0))
	})
}

// leakFaults sends a broadcast through every fault of the platform.
func leakFaults(t *testing.T, l *leaks, flags []string, more settings) {
	p := startPlatform(t, append(slices.Clip(flags),
		"--fault-cut", "0.05", "--fault-cut-accepted", "0.05", "--fault-system-error", "0.05", "--fault-system-error-accepted", "0.05",
		"--fault-bad-gateway", "0.05", "--fault-html", "0.05", "--fault-empty", "0.05", "--fault-text-code", "0.05",
		"--fault-token-revoked", "0.02", "--fault-token-expired", "0.02", "--fault-slow", "0.02", "--fault-slow-for", "200ms",
		"--fault-code", "40003=0.02", "--fault-code", "43019=0.02", "--fault-code", "47003=0.02", "--fault-everywhere",
		"--receipt-early", "0.1", "--receipt-repeat", "0.1", "--receipt-system-failed", "0.1")...)
	l.knows(p)
	between := newProxy(t, host(p.url))
	between.open()
	s := startServer(t, p, sqlite(t).url, more.with(settings{"WECHAT_API_BASE_URL": "http://" + between.addr}))
	l.asks(p, admin, "sync", "stats", "broadcast all personal")
	p.callsReach(50)
	between.refuse()
	pass(t, time.Second)
	s.kill()
	s.start(t)
	pass(t, time.Second)
	between.open()
	pass(t, 3*time.Second)
	// Whoever met one fault after the other waits twice as long before each try.
	p.ask(http.MethodPost, "/_sim/faults", map[string]any{
		"cut": 0, "cut_accepted": 0, "system_error": 0, "system_error_accepted": 0, "bad_gateway": 0, "html": 0, "empty": 0, "text_code": 0,
		"token_revoked": 0, "token_expired": 0, "slow": 0, "codes": map[string]float64{},
	}, nil)
	seldom(t, patience, "the broadcast ends", func() bool {
		return !strings.Contains(p.say(admin, "broadcast status #1"), "Running")
	})
	l.asks(p, admin, "broadcast status", "broadcast list", "broadcast retry #1", "broadcast pause", "broadcast cancel")
	l.looks(s)
	if code, _ := s.terminate(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
	l.hears("log", s.log.text(0))
}

// with returns the settings with some changed.
func (env settings) with(more settings) settings {
	all := maps.Clone(env)
	maps.Copy(all, more)
	return all
}

// leakNoToken has the platform refuse to give a token.
func leakNoToken(t *testing.T, l *leaks, flags []string, more settings) {
	p := startPlatform(t, append(slices.Clip(flags), "--fault-refuse-ip")...)
	s := startServer(t, p, sqlite(t).url, more)
	l.asks(p, admin, "broadcast all personal", "sync", "stats", "broadcast status")
	l.looks(s)
	restart(s, secretOne)
	l.asks(p, admin, "broadcast me", "broadcast all notice", "broadcast status", "broadcast resume")
	p.ask(http.MethodPost, "/_sim/faults", map[string]any{"refuse_ip": false}, nil)
	s.becomes(1, "Paused")
	l.looks(s)
}

// leakStrangers has all sorts of people say all sorts of things.
func leakStrangers(t *testing.T, l *leaks, flags []string, more settings) {
	p := startPlatform(t, flags...)
	s := startServer(t, p, sqlite(t).url, more)
	if reply := p.say(stranger, "openid"); reply != stranger {
		t.Errorf("openid is answered %q", reply)
	}
	for _, from := range []string{admin, stranger} {
		l.asks(p, from, "help", "stop", "start", "testers add "+stranger, "testers", "testers remove "+stranger, "testers add "+stranger+"!",
			"testers add", "who "+stranger, "broadcast test "+stranger, "broadcast retry "+stranger, "broadcast all notice "+stranger,
			stranger, "openidd "+stranger, appSecret[:8])
	}
	p.ask(http.MethodPost, "/_sim/unfollow", map[string]string{"openid": stranger}, nil)
	p.ask(http.MethodPost, "/_sim/follow", map[string]string{"openid": stranger}, nil)

	text := message(textFields)
	sealed := "<xml><ToUserName>gh</ToUserName><Encrypt>AAAA</Encrypt></xml>"
	now := time.Now()
	stamp := strconv.FormatInt(now.Unix(), 10)
	right := signature(token, stamp, "n1", "AAAA")
	for name, r := range map[string]post{
		"plain":              {body: strings.NewReader(text)},
		"sealed, not signed": {body: strings.NewReader(sealed), query: url.Values{"encrypt_type": {"aes"}}},
		"signed wrong":       {body: strings.NewReader(sealed), query: url.Values{"encrypt_type": {"aes"}, "msg_signature": {strings.Repeat("0", 40)}}},
		"sealed with noise":  {body: strings.NewReader(sealed), query: url.Values{"encrypt_type": {"aes"}, "msg_signature": {right}}},
		"stale":              {body: strings.NewReader(sealed), at: now.Add(-time.Hour)},
		"another's openid":   {body: strings.NewReader(text), query: url.Values{"openid": {admin}}},
		"no XML":             {body: strings.NewReader(admin)},
		"8 MiB":              {body: strings.NewReader(strings.Repeat(admin, 300_000))},
	} {
		if r.at.IsZero() {
			r.at, r.nonce = now, "n1"
		}
		status, answer := r.send(t, s, http.MethodPost)
		if status < 400 {
			t.Errorf("%s: status %d", name, status)
		}
		l.hears("refusals", answer)
		r.body = http.NoBody
		_, answer = r.send(t, s, http.MethodGet)
		l.hears("refusals", answer)
	}
	l.looks(s)
}

// leakEcho runs against a platform that refuses everything and repeats what it
// was sent, the access token and the secret among it.
func leakEcho(t *testing.T, l *leaks, flags []string, more settings) {
	p := startPlatform(t, flags...)
	s := newServer(t, p, sqlite(t).url, more)
	s.start(t)
	s.logged(`sending for this database`)
	l.asks(p, admin, "sync")
	eventually(t, patience, "the followers are pulled", func() bool { return len(p.notices()) > 0 })
	s.terminate()
	for _, code := range []int{40013, 47003, 48001, 40249, -1} {
		var known sync.Map // answers are as HTML every other time
		echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			_, seen := known.LoadOrStore(r.URL.Path, true)
			echoed := r.URL.String() + " " + string(body) + " " + appSecret
			switch {
			case strings.HasSuffix(r.URL.Path, "token") && seen && code != 48001:
				_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":7200}`, leakyToken)
			case !seen:
				w.WriteHeader(http.StatusBadGateway)
				_, _ = io.WriteString(w, "<html>"+echoed)
			default:
				text, err := json.Marshal(echoed)
				if err != nil {
					return
				}
				_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":%s}`, code, text)
			}
		}))
		path := s.env["MESSAGES_FILE"]
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(messagesFile, "09:00", fmt.Sprintf("09:%02d", code&31))), 0o600); err != nil {
			t.Fatal(err)
		}
		s.env["WECHAT_API_BASE_URL"] = echo.URL
		s.start(t)
		s.logged(`sending for this database`)
		l.asks(p, admin, "broadcast all personal", "sync", "stats", "testers add "+stranger)
		pass(t, 1500*time.Millisecond)
		l.asks(p, admin, "broadcast status", "broadcast list", "broadcast cancel")
		l.looks(s)
		s.terminate()
		echo.Close()
	}
	l.hears("log", s.log.text(0))
}
