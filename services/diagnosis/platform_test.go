package diagnosis_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/services/diagnosis"
	"wechat-broadcast/services/wechat"
)

// platform answers each path with a JSON text, and others with a token.
func platform(t *testing.T, answers map[string]string) *wechat.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := answers[r.URL.Path]
		if !found {
			answer = `{"access_token":"t0","expires_in":7200}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	client := wechat.New(wechat.Config{AppID: "wx1", AppSecret: "s3cret", BaseURL: server.URL})
	t.Cleanup(client.Close)
	return client
}

func refusal(code int, words string) string {
	return fmt.Sprintf(`{"errcode":%d,"errmsg":%q}`, code, words)
}

const (
	tokenPath     = "/cgi-bin/stable_token"
	templatesPath = "/cgi-bin/template/get_all_private_template"
	quotaPath     = "/cgi-bin/openapi/quota/get"

	quota = `{"errcode":0,"quota":{"daily_limit":100000,"used":1,"remain":99999}}`
	none  = `{"template_list":[]}`
)

func TestWhatWeChatSaysOfAnAccount(t *testing.T) {
	t.Parallel()
	untried := "not known before"
	tests := map[string]struct {
		answers map[string]string
		// what is said of each, with what to do about it behind " → "
		credentials, whitelist, permission [2]string
	}{
		"in order": {
			map[string]string{templatesPath: none, quotaPath: quota},
			[2]string{"WeChat accepts them"},
			[2]string{"accepts this server's address"},
			[2]string{"99,999 of 100,000"},
		},
		"an address that is not on the list": {
			map[string]string{tokenPath: refusal(40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist")},
			[2]string{untried, "IP whitelist"},
			[2]string{"203.0.113.7", "IP白名单"},
			[2]string{untried, "IP whitelist"},
		},
		"an address that nobody named": {
			map[string]string{tokenPath: refusal(40164, "not in whitelist")},
			[2]string{untried, "IP whitelist"},
			[2]string{"40164", "this server's public address"},
			[2]string{untried, "IP whitelist"},
		},
		"an address to be confirmed": {
			map[string]string{tokenPath: refusal(89503, "this ip 203.0.113.7 needs admin confirmation")},
			[2]string{untried, "IP whitelist"},
			[2]string{"89503", "confirm 203.0.113.7 in WeChat"},
			[2]string{untried, "IP whitelist"},
		},
		"a wrong secret": {
			map[string]string{tokenPath: refusal(40001, "invalid credential")},
			[2]string{"40001", "Compare the AppSecret"},
			[2]string{untried, "AppID and AppSecret"},
			[2]string{untried, "AppID and AppSecret"},
		},
		"a wrong id": {
			map[string]string{tokenPath: refusal(40013, "invalid appid")},
			[2]string{"40013", "Compare the AppID"},
			[2]string{untried, "AppID and AppSecret"},
			[2]string{untried, "AppID and AppSecret"},
		},
		"a frozen secret": {
			map[string]string{tokenPath: refusal(40243, "")},
			[2]string{"40243", "Unfreeze"},
			[2]string{untried},
			[2]string{untried},
		},
		"a frozen account": {
			map[string]string{tokenPath: refusal(50007, "")},
			[2]string{"50007", "站内信"},
			[2]string{untried},
			[2]string{untried},
		},
		"no permission": {
			map[string]string{templatesPath: refusal(48001, "api unauthorized")},
			[2]string{"accepts"},
			[2]string{"accepts"},
			[2]string{"48001", "认证服务号"},
		},
		"permission to list alone": {
			map[string]string{templatesPath: none, quotaPath: refusal(48001, "api unauthorized")},
			[2]string{"accepts"},
			[2]string{"accepts"},
			[2]string{"48001", "认证服务号"},
		},
		"an API that is banned": {
			map[string]string{templatesPath: refusal(48004, "api forbidden")},
			[2]string{"accepts"},
			[2]string{"accepts"},
			[2]string{"48004", "站内信"},
		},
		"no word of the quota": {
			map[string]string{templatesPath: none, quotaPath: `{"errcode":0,"quota":{}}`},
			[2]string{"accepts"},
			[2]string{"accepts"},
			[2]string{"may send"},
		},
		"another server": {
			map[string]string{tokenPath: "<html>"},
			[2]string{"could not be asked", "WECHAT_API_BASE_URL"},
			[2]string{untried},
			[2]string{untried},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newDoctor(t, nil, time.Now).Account(t.Context(), platform(t, tt.answers), "https://api.example.com")
			for _, p := range []struct {
				got  diagnosis.Point
				want [2]string
			}{{got.Credentials, tt.credentials}, {got.IPWhitelist, tt.whitelist}, {got.Permission, tt.permission}} {
				good := strings.Contains(p.got.Detail, "accepts") || strings.Contains(p.got.Detail, "may send")
				if p.got.OK != good || p.got.OK != (p.got.Fix == "") {
					t.Errorf("got %+v", p.got)
				}
				if !strings.Contains(p.got.Detail, p.want[0]) || !strings.Contains(p.got.Fix, p.want[1]) {
					t.Errorf("want %q, got %+v", p.want, p.got)
				}
				if strings.Contains(p.got.Detail+p.got.Fix, "s3cret") {
					t.Errorf("it has the secret: %+v", p.got)
				}
			}
		})
	}
}

func TestTheClockIsHeldAgainstWeChats(t *testing.T) {
	t.Parallel()
	for by, want := range map[time.Duration]string{
		0: "agrees", 20 * time.Second: "agrees", -20 * time.Second: "agrees",
		3 * time.Minute: "3 min ahead of", -8 * time.Hour: "behind",
	} {
		doctor := newDoctor(t, nil, func() time.Time { return time.Now().Add(by) })
		got := doctor.Clock(t.Context(), platform(t, nil), "")
		if !strings.Contains(got.Detail, want) || got.OK != (want == "agrees") || got.OK != (got.Fix == "") {
			t.Errorf("a clock that is %v ahead: %+v", by, got)
		}
	}
	away := wechat.New(wechat.Config{AppID: "wx1", AppSecret: "s", BaseURL: "http://127.0.0.1:1"})
	t.Cleanup(away.Close)
	if got := newDoctor(t, nil, time.Now).Clock(t.Context(), away, "http://127.0.0.1:1"); got.OK || !strings.Contains(got.Fix, "http://127.0.0.1:1") {
		t.Errorf("without a platform: %+v", got)
	}
}
