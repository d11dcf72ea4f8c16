package diagnosis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/services/diagnosis"
)

// callback answers as the program does that has a token.
func callback(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/wechat" || q.Get("signature") != util.Signature(token, q.Get("timestamp"), q.Get("nonce")) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(q.Get("echostr")))
	}
}

func answers(status int, location, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestThePublicURLIsHeldAgainstWhatAnswersThere(t *testing.T) {
	t.Parallel()
	alive := func(context.Context) error { return nil }
	dead := func(context.Context) error { return errors.New("connection refused") }
	const public = "https://push.example.com"
	tests := map[string]struct {
		url         string
		handler     http.HandlerFunc // nil for none
		dial        error
		alive       func(context.Context) error
		ok          bool
		detail, fix []string
	}{
		"this program":   {public, callback("token"), nil, alive, true, []string{"leads to this program"}, nil},
		"none":           {"", nil, nil, dead, true, []string{"PUBLIC_URL is not set"}, nil},
		"another token":  {public, callback("others"), nil, alive, false, []string{"HTTP 403", "another token"}, []string{"start the program again"}},
		"another server": {public, answers(http.StatusOK, "", "It works!"), nil, alive, false, []string{"HTTP 200", "not this program's"}, []string{"hand /wechat to LISTEN_ADDR"}},
		"no such page":   {public, answers(http.StatusNotFound, "", ""), nil, alive, false, []string{"HTTP 404"}, []string{"hand /wechat to LISTEN_ADDR"}},
		"a redirect": {
			public, answers(http.StatusMovedPermanently, "https://www.example.com/wechat", ""), nil, alive, false,
			[]string{"leads to https://www.example.com/wechat"},
			[]string{"the last address"},
		},
		"a proxy, and nothing runs": {public, answers(http.StatusBadGateway, "", ""), nil, dead, false, []string{"no program runs"}, []string{"Start the program"}},
		"a proxy that goes astray":  {public, answers(http.StatusBadGateway, "", ""), nil, alive, false, []string{"HTTP 502", "does not reach"}, []string{"Check the reverse proxy"}},
		"nothing at all":            {public, nil, errors.New("connection refused"), dead, false, []string{"no program runs"}, []string{"Start the program"}},
		"a closed port":             {public, nil, errors.New("connection refused"), alive, false, []string{"the connection is refused"}, []string{"the ports 80 and 443"}},
		"an unknown name":           {public, nil, &net.DNSError{Err: "no such host", Name: "push.example.com", IsNotFound: true}, alive, false, []string{"the host is not found"}, []string{"in the DNS"}},
		"a wrong certificate":       {"https://other.example.org", callback("token"), nil, alive, false, []string{"certificate"}, []string{"valid certificate"}},
		"http":                      {"http://push.example.com", nil, errors.New("connection refused"), alive, false, []string{"begins with http://", "refused"}, []string{"change PUBLIC_URL to https://", "ports 80 and 443"}},
		"loopback": {
			"https://127.0.0.1", nil, errors.New("connection refused"), dead, false,
			[]string{"127.0.0.1 is this machine", "no program runs"},
			[]string{"a public name", "Start the program"},
		},
		"a private network": {"https://192.168.1.7", nil, errors.New("connection refused"), alive, false, []string{"192.168.1.7 is"}, []string{"a public name"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{DisableKeepAlives: true}
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, tt.dial }
			if tt.handler != nil {
				server := httptest.NewUnstartedServer(tt.handler)
				server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
				server.StartTLS() // its certificate is for example.com
				t.Cleanup(server.Close)
				pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
				if tt.url == public {
					transport.TLSClientConfig.ServerName = "example.com"
				}
				transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
				}
			}
			doctor := newDoctor(t, transport, time.Now)
			got := doctor.PublicURL(t.Context(), diagnosis.Site{URL: tt.url, Path: "/wechat", Token: "token", Alive: tt.alive})
			if got.Name != diagnosis.PublicURL || got.OK != tt.ok || tt.ok && got.Fix != "" {
				t.Errorf("got %+v", got)
			}
			for _, part := range tt.detail {
				if !strings.Contains(got.Detail, part) {
					t.Errorf("no %q in the detail: %s", part, got.Detail)
				}
			}
			for _, part := range tt.fix {
				if !strings.Contains(got.Fix, part) {
					t.Errorf("no %q in the mend: %s", part, got.Fix)
				}
			}
		})
	}
}
