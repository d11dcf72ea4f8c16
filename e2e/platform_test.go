package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"wechat-broadcast/simulator"
)

const (
	admin    = "oAdmin00000000000000000000A"
	stranger = "oStranger000000000000000000" // shaped like an OpenID, and on no list
)

// platform is the simulated platform, a process.
type platform struct {
	*process
	// url is where its API is.
	url string
}

// startPlatform runs a platform with these flags. Admins follow it.
func startPlatform(t *testing.T, flags ...string) *platform {
	t.Helper()
	args := append([]string{"simulator", "--addr", "127.0.0.1:0", "--admin", admin}, flags...)
	p := &platform{process: start(t, newLog(t, "simulator"), nil, args...)}
	p.url = p.logged(`simulating the platform at (\S+)`)
	return p
}

// client has no connections that outlive the process at their other end.
var client = &http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// try asks the control API; in and out may be nil.
func (p *platform) try(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var fault struct {
			Error string `json:"error"`
		}
		_ = json.NewDecoder(resp.Body).Decode(&fault)
		return fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, fault.Error)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (p *platform) ask(method, path string, in, out any) {
	p.t.Helper()
	if err := p.try(method, path, in, out); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) stats() simulator.Stats {
	p.t.Helper()
	var st simulator.Stats
	p.ask(http.MethodGet, "/_sim/stats", nil, &st)
	return st
}

// say has somebody write to the account and returns the reply.
func (p *platform) say(openID, text string) string {
	p.t.Helper()
	return p.deliver(openID, text, 1, 0)[0]
}

// deliver delivers one message in several copies at once and returns their
// replies. A msgID above 0 makes it the message that was delivered under it.
func (p *platform) deliver(openID, text string, copies int, msgID int64) []string {
	p.t.Helper()
	var said struct {
		Replies []string `json:"replies"`
	}
	p.ask(http.MethodPost, "/_sim/say", map[string]any{
		"openid": openID, "text": text, "copies": copies, "msgid": strconv.FormatInt(msgID, 10),
	}, &said)
	if len(said.Replies) != copies {
		p.t.Fatalf("%d replies to %d copies of %q", len(said.Replies), copies, text)
	}
	return said.Replies
}

// notices are the customer-service messages that the admin got.
func (p *platform) notices() []simulator.Notice {
	p.t.Helper()
	var list []simulator.Notice
	p.ask(http.MethodGet, "/_sim/notices?openid="+admin, nil, &list)
	return list
}

// received is who received at least so many messages, ten of them.
func (p *platform) received(atLeast int) []simulator.Count {
	p.t.Helper()
	var list []simulator.Count
	p.ask(http.MethodGet, fmt.Sprintf("/_sim/received?limit=10&min=%d", atLeast), nil, &list)
	return list
}

// missing is who should have received something and has not, ten of them.
func (p *platform) missing() []simulator.Count {
	p.t.Helper()
	var list []simulator.Count
	p.ask(http.MethodGet, "/_sim/missing?limit=10", nil, &list)
	return list
}

// messages are what one follower received.
func (p *platform) messages(openID string) []simulator.Message {
	p.t.Helper()
	var of struct {
		Messages []simulator.Message `json:"messages"`
	}
	p.ask(http.MethodGet, "/_sim/ledger?openid="+url.QueryEscape(openID), nil, &of)
	return of.Messages
}

// callsReach waits until so many sends were called for.
func (p *platform) callsReach(n int64) {
	p.t.Helper()
	eventually(p.t, patience, fmt.Sprintf("%d sends", n), func() bool { return p.stats().Calls >= n })
}

// waitsAfter lets so many sends in and keeps later ones waiting, so that what a
// test does next happens in mid-broadcast on the slowest machine too; 0 lets all go on.
func (p *platform) waitsAfter(n int64) {
	p.t.Helper()
	p.ask(http.MethodPost, "/_sim/faults", map[string]any{"wait_after": n}, nil)
}

// receiptsCome waits until the platform has reported everything that it has to.
func (p *platform) receiptsCome() simulator.ReceiptCounts {
	p.t.Helper()
	var r simulator.ReceiptCounts
	eventually(p.t, patience, "all receipts", func() bool {
		r = p.stats().Receipts
		return r.Pending == 0
	})
	return r
}

// reached checks the promise: so many received the message, each of them once.
func (p *platform) reached(want int64) {
	p.t.Helper()
	st := p.stats()
	if st.Reached != want || st.MoreThanOne != 0 || st.Twice != 0 {
		p.t.Errorf("reached %d, want %d; more than once %d, the same twice %d; missing: %v; more than once: %v",
			st.Reached, want, st.MoreThanOne, st.Twice, p.missing(), p.received(2))
	}
}
