package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// TestOptionsOnTheCommandLine embeds Options as a command does.
func TestOptionsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	parse := func(args ...string) (Options, error) {
		var command struct {
			Options `embed:""`
		}
		parser, err := kong.New(&command)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(args)
		return command.Options, err
	}
	bare, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	// What the command line names as default is what a zero field means.
	got, want := bare.withDefaults(), Options{Followers: 1000, Seed: 1}.withDefaults()
	got.Now, want.Now, got.Logger, want.Logger = nil, nil, nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-zero +command line):\n%s", diff)
	}
	o, err := parse("--followers=25000", "--refusing=100", "--latency=5ms", "--fault-code=45011=0.02", "--fault-code=43117=0.01",
		"--fault-cut-accepted=0.02", "--limit-send-daily=100000", "--receipt-early=0.1", "--callback=http://127.0.0.1:8080/wechat",
		"--admin=oA,oB", "--template=T1", "--mode=plain", "--end-of-list=empty-next", "--token-ttl=30s")
	if err != nil {
		t.Fatal(err)
	}
	if o.Followers != 25000 || o.Refusing != 100 || o.Faults.Latency != 5*time.Millisecond || o.Faults.CutAccepted != 0.02 ||
		o.Limits.SendDaily != 100000 || o.Receipts.Early != 0.1 || len(o.Admin) != 2 || o.TokenTTL != 30*time.Second {
		t.Errorf("options: %+v", o)
	}
	if diff := cmp.Diff(map[int]float64{45011: 0.02, 43117: 0.01}, o.Faults.Codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	if _, err := parse("--mode=secret"); err == nil {
		t.Error("an unknown mode is taken")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"followers must be":          {Followers: -1},
		"refusing (5)":               {Followers: 4, Refusing: 5},
		"not negative":               {Left: -1},
		"an admin's OpenID":          {Admin: []string{"a b"}},
		"page overlap":               {PageOverlap: 10_000},
		"total drift":                {TotalDrift: -1},
		"end of list":                {EndOfList: "x"},
		"duplicate answer":           {DuplicateAnswer: "x"},
		"mode must be":               {Mode: "x"},
		"needs an AES key":           {Mode: ModeSafe},
		"43 characters":              {EncodingAESKey: "short"},
		"callback must be":           {CallbackURL: "x"},
		"token TTL must not":         {TokenTTL: -1},
		"callback workers":           {CallbackWorkers: -1},
		"rate of cut must":           {Faults: Faults{Cut: 1.5}},
		"rate of 45011 must":         {Faults: Faults{Codes: map[int]float64{45011: -1}}},
		"latency, slow-for and":      {Faults: Faults{Latency: -1}},
		"rate of lost must":          {Receipts: Receipts{Lost: 2}},
		"receipt delays":             {Receipts: Receipts{DelayMin: -1}},
		"rate of slow must be 0 to":  {Faults: Faults{Slow: 7}},
		"rate of early must be 0 to": {Receipts: Receipts{Early: -0.5}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "not ")) {
			t.Errorf("%s: %v", want, err)
		}
	}
	err := Options{Followers: -1, Mode: "x", Faults: Faults{Cut: 2}}.Validate()
	if lines := strings.Count(fmt.Sprint(err), "\n") + 1; lines != 3 {
		t.Errorf("three faults give %d lines: %v", lines, err)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 100, Refusing: 2})
	callback := newCallbackServer(t, func(_ int, w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.Query().Get("echostr"))
			return
		}
		if p := mustParse(t, string(body)); p.MsgType == "text" {
			_, _ = io.WriteString(w, textReply(s, p.FromUserName, p.Content+" "+fmt.Sprint(p.MsgId)))
		}
	})
	ask := func(method, path, body string) map[string]any {
		t.Helper()
		var got map[string]any
		mustCall(t, s, method, path, body, &got)
		return got
	}
	ask("POST", "/_sim/callback", `{"url":"`+callback.URL+`"}`)
	ask("POST", "/_sim/verify", "")
	if got := ask("POST", "/_sim/say", `{"openid":"`+s.Follower(0)+`","text":"hi <b>","copies":2,"msgid":"77"}`); got["reply"] != "hi <b> 77" || len(got["replies"].([]any)) != 2 || got["msgid"] != "77" {
		t.Errorf("say: %v", got)
	}
	ask("POST", "/_sim/follow", `{"openid":"oNew"}`)
	if got := ask("GET", "/_sim/stats", ""); got["followers"] != 101.0 || got["reachable"] != 99.0 {
		t.Errorf("after following: %v", got)
	}
	ask("POST", "/_sim/unfollow", `{"openid":"oNew"}`)
	if got := ask("GET", "/_sim/stats", ""); got["followers"] != 100.0 {
		t.Errorf("after leaving: %v", got["followers"])
	}

	token := mustToken(t, s)
	sent := send(t, s, token, message(s.Follower(7), "c1"))
	send(t, s, token, message(s.Follower(7), "c2"))
	send(t, s, token, message(s.Follower(8), "c3"))
	ledger := ask("GET", "/_sim/ledger?openid="+s.Follower(7), "")
	first := ledger["messages"].([]any)[0].(map[string]any)
	if ledger["tries"] != 2.0 || first["msgid"] != fmt.Sprint(sent.MsgID) || first["client_msg_id"] != "c1" || first["receipt"] != "success" {
		t.Errorf("ledger: %v", ledger)
	}
	if data := first["content"].(map[string]any)["data"].(map[string]any); data["thing1"].(map[string]any)["value"] != "图书馆周三闭馆" {
		t.Errorf("content: %v", data)
	}
	for path, want := range map[string]int{
		"/_sim/received": 2, "/_sim/received?min=2": 1, "/_sim/received?min=0": 101, "/_sim/received?min=0&max=0&limit=3": 3,
		"/_sim/missing": 96, "/_sim/missing?limit=5": 5, "/_sim/notices?openid=oX": 0,
	} {
		var list []json.RawMessage
		if mustCall(t, s, http.MethodGet, path, "", &list); len(list) != want {
			t.Errorf("%s lists %d, want %d", path, len(list), want)
		}
	}

	if got := ask("POST", "/_sim/faults", `{"codes":{"45011":1},"slow_for":"1.5s","latency":"1ms"}`); got["slow_for"] != "1.5s" || got["cut"] != 0.0 {
		t.Errorf("faults: %v", got)
	}
	if got := send(t, s, token, message(s.Follower(9), "")).Code; got != 45011 {
		t.Errorf("with the fault set: %d", got)
	}
	ask("POST", "/_sim/faults", `{"cut":0}`) // leaves the others
	if got := s.Faults(); got.Codes[45011] != 1 || got.SlowFor != 1500*time.Millisecond || got.Latency != time.Millisecond {
		t.Errorf("faults after naming another: %+v", got)
	}
	ask("POST", "/_sim/faults", `{"codes":{}}`)
	if got := send(t, s, token, message(s.Follower(9), "")).Code; got != 0 {
		t.Errorf("with the fault cleared: %d", got)
	}
	if got := ask("POST", "/_sim/receipts", `{"delay_min":"1ms","delay_max":"2ms","repeat":0.5}`); got["delay_max"] != "2ms" || got["repeat"] != 0.5 {
		t.Errorf("receipts: %v", got)
	}
	if got := ask("POST", "/_sim/limits", `{"send_daily":9}`); got["send_daily"] != 9.0 || got["user_get_daily"] != 500.0 {
		t.Errorf("limits: %v", got)
	}
	ask("POST", "/_sim/quota", `{"path":"/cgi-bin/message/template/send","used":9}`)
	if got := send(t, s, token, message(s.Follower(9), "")).Code; got != 45009 {
		t.Errorf("with the quota used: %d", got)
	}
	ask("POST", "/_sim/revoke-token", "")
	if got := tokenCode(t, s, token); got != 40001 {
		t.Errorf("after revoking: %d", got)
	}
	ask("POST", "/_sim/reset", "")
	if got := ask("GET", "/_sim/stats", ""); got["accepted"] != 0.0 {
		t.Errorf("after a reset: %v", got)
	}
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{})
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/_sim/nothing", "", 404},
		{"GET", "/_sim/faults/x", "", 404},
		{"POST", "/_sim/stats", "", 404},
		{"POST", "/_sim/faults", `{"cut":2}`, 400},
		{"POST", "/_sim/faults", `{"cuts":1}`, 400},
		{"POST", "/_sim/faults", `{"latency":"soon"}`, 400},
		{"POST", "/_sim/faults", `{`, 400},
		{"POST", "/_sim/receipts", `{"lost":-1}`, 400},
		{"POST", "/_sim/limits", `{"x":1}`, 400},
		{"POST", "/_sim/callback", `{"url":"nowhere"}`, 400},
		{"POST", "/_sim/quota", `{"path":"/x"}`, 400},
		{"POST", "/_sim/say", `{"openid":"oA","copies":100000}`, 400},
		{"POST", "/_sim/say", `{"openid":"","text":"hi"}`, 400},
		{"POST", "/_sim/follow", `{"openid":"<"}`, 400},
		{"POST", "/_sim/down", `{"for":"ever"}`, 400},
		{"GET", "/_sim/ledger?openid=oNobody", "", 400},
		{"GET", "/_sim/received?min=x", "", 400},
	} {
		status, text := call(t, s, tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(string(text), `{"error":"`) {
			t.Errorf("%s %s %s: status %d: %s", tt.method, tt.path, tt.body, status, text)
		}
	}
}
