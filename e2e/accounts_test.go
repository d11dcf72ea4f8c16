package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// accounts is one process that serves the accounts library and gym, over all its
// starts. Each has a simulated platform, followers and a message of its own.
type accounts struct {
	log  *logFile
	file string // the configuration
	of   map[string]*server
}

// accountSettings is what an account has of its own.
type accountSettings struct{ database, secret string }

// startAccounts runs the process. The platforms have so many followers each, none of
// whom follows both but the admin.
func startAccounts(t *testing.T, followers int64, each map[string]accountSettings) *accounts {
	t.Helper()
	folder := t.TempDir()
	a := &accounts{log: newLog(t, "server"), file: filepath.Join(folder, "config.yaml"), of: map[string]*server{}}
	text := "listen_addr: 127.0.0.1:0\nlanguage: en\nadmin_openids: [" + admin + "]\nwechat_token: " + token +
		"\nsend_concurrency: 8\nsend_rate: 0\nundo_window: 0s\npublic_url: https://broadcast.example.com\naccounts:\n"
	for i, name := range []string{"library", "gym"} {
		app := fmt.Sprintf("wxd0a1b2c3d4e5f61%d", i)
		p := startPlatform(t, "--followers", itoa(followers), "--latency", "20ms", "--app-id", app, "--seed", itoa(int64(i+1)))
		a.of[name] = &server{platform: p, log: a.log}
		messages := filepath.Join(folder, name+".yaml")
		of := strings.ReplaceAll(messagesFile, "personal", name+"-own")
		if err := os.WriteFile(messages, []byte(strings.ReplaceAll(of, "¥1.00", fmt.Sprintf("¥%d.00", i+1))), 0o600); err != nil {
			t.Fatal(err)
		}
		text += "  " + name + ":\n    wechat_app_id: " + app + "\n    wechat_app_secret: " + each[name].secret +
			"\n    wechat_api_base_url: " + p.url + "\n    database_url: " + each[name].database + "\n    messages_file: " + messages + "\n"
	}
	if err := os.WriteFile(a.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.of["library"].checkLog(t) })
	a.start(t)
	return a
}

// start runs the process and has the platforms call it back.
func (a *accounts) start(t *testing.T) {
	t.Helper()
	running := start(t, a.log, nil, "serve", "--config", a.file)
	url := "http://" + running.logged(`msg=serving address=(\S+)`)
	for name, s := range a.of {
		s.process, s.url = running, url
		s.platform.ask(http.MethodPost, "/_sim/callback", map[string]string{"url": url + "/wechat/" + name}, nil)
	}
}

// ready waits until an account is.
func (a *accounts) ready(t *testing.T, name string) {
	t.Helper()
	eventually(t, patience, name+" is ready", func() bool {
		status, _ := a.of[name].get("/readyz?account=" + name)
		return status == http.StatusOK
	})
}

// onlyOwn checks that no send of an account was for somebody who does not follow it,
// with a token of another, or with another's message.
func (a *accounts) onlyOwn(t *testing.T) {
	t.Helper()
	for name, amount := range map[string]string{"library": "¥1.00", "gym": "¥2.00"} {
		p := a.of[name].platform
		for _, code := range []string{"40001", "40003", "40014", "43004"} {
			if n := p.stats().Codes[code]; n != 0 {
				t.Errorf("%s: %d calls were answered with %s", name, n, code)
			}
		}
		for _, to := range append(p.received(1), p.received(2)...) {
			for _, m := range p.messages(to.OpenID) {
				if text := fmt.Sprint(m.Content); !strings.Contains(text, amount) || !strings.Contains(text, to.OpenID) {
					t.Errorf("%s: %s got %s", name, to.OpenID, text)
				}
			}
		}
	}
}

// Two accounts of one process that is killed in the middle of the broadcasts of both
// go on by themselves at each start. Each reaches everyone of its own once.
func TestTwoAccountsUnderKills(t *testing.T) {
	t.Parallel()
	long(t)
	for kind, fresh := range map[string]func(*testing.T) database{"sqlite": sqlite, "mysql": mariadb} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			const followers, kills = 1_200, 3
			a := startAccounts(t, followers, map[string]accountSettings{
				"library": {fresh(t).url, appSecret}, "gym": {fresh(t).url, appSecret},
			})
			links := map[string]string{}
			link := regexp.MustCompile(`https://broadcast\.example\.com(/b/[\w-]+)`)
			for name, s := range a.of {
				a.ready(t, name)
				s.platform.say(admin, "broadcast all "+name+"-own")
			}
			for kill := range int64(kills) {
				for _, s := range a.of {
					s.platform.callsReach((kill + 1) * followers / (kills + 2))
				}
				a.of["gym"].kill()
				for name, s := range a.of {
					if accepted := s.platform.stats().Accepted; accepted >= followers {
						t.Fatalf("kill %d came after the broadcast of %s", kill+1, name)
					}
				}
				a.start(t)
			}
			for name, s := range a.of {
				s.finishes()
				s.platform.reached(followers)
				s.closingNotice(followers, followers)
				found := link.FindStringSubmatch(s.platform.say(admin, "broadcast list"))
				if found == nil {
					t.Fatalf("%s: the list has no link", name)
				}
				links[name] = found[1]
			}
			a.onlyOwn(t)
			for name, other := range map[string]string{"library": "gym", "gym": "library"} {
				status, page := a.of[name].get(links[name])
				if status != http.StatusOK || !strings.Contains(page, name+"-own") || strings.Contains(page, other+"-own") {
					t.Errorf("the page of %s answers %d: %.500s", name, status, page)
				}
			}
		})
	}
}

// An account that can't be served leaves the other one's sends and answers alone, and
// /readyz tells what is wrong with it.
func TestOneOfTwoAccountsIsBroken(t *testing.T) {
	t.Parallel()
	long(t)
	garbage := filepath.Join(t.TempDir(), "gym.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		gym  accountSettings
		says string
	}{
		"broken database": {accountSettings{"sqlite://" + garbage, appSecret}, "not a database"},
		"wrong secret":    {accountSettings{sqlite(t).url, strings.Repeat("1", len(appSecret))}, "AppSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const followers = 300
			a := startAccounts(t, followers, map[string]accountSettings{"library": {sqlite(t).url, appSecret}, "gym": test.gym})
			a.ready(t, "library")
			library, gym := a.of["library"], a.of["gym"]
			library.platform.say(admin, "broadcast all library-own")
			library.finishes()
			library.platform.reached(followers)
			if calls := gym.platform.stats().Calls; calls != 0 {
				t.Errorf("the broken account sent %d", calls)
			}
			status, body := gym.get("/readyz?account=gym")
			if status != http.StatusServiceUnavailable || !strings.Contains(body, test.says) {
				t.Errorf("/readyz of the broken account: %d %s", status, body)
			}
			status, body = gym.get("/readyz")
			var all struct {
				Accounts map[string]struct{ Status string }
			}
			err := json.Unmarshal([]byte(body), &all)
			if err != nil || status != http.StatusOK || all.Accounts["library"].Status != "ok" || all.Accounts["gym"].Status == "ok" {
				t.Errorf("/readyz: %d %s %v", status, body, err)
			}
		})
	}
}
