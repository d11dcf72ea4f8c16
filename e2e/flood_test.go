package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	floodLasts = 2 * time.Second
	floodConns = 200
)

// statuses are how receipts report, and the state that each makes of a delivery.
var statuses = []struct{ status, state string }{
	{"success", "delivered"}, {"success", "delivered"}, {"success", "delivered"}, {"failed:user block", "blocked"}, {"failed: system failed", "failed"},
}

// Receipts that all come within two seconds while a broadcast runs are all
// counted, those that come again once, and each is answered in time.
func TestReceiptFlood(t *testing.T) {
	long(t)
	n, within := int64(2_000), 5*time.Second // what the platform waits
	if *kills > 0 || full() {
		n, within = 10_000, 2*time.Second
	}
	// One after the other, and alone: their speed is tried.
	t.Run("sqlite", func(t *testing.T) { tryFlood(t, sqlite(t), n, within) })
	t.Run("mysql", func(t *testing.T) { tryFlood(t, mariadb(t), n, within) })
}

func tryFlood(t *testing.T, db database, n int64, within time.Duration) {
	t.Helper()
	p := startPlatform(t, "--followers", itoa(n), "--receipt-lost", "1")
	s := startServer(t, p, db.url, settings{"SEND_CONCURRENCY": "64"})
	p.say(admin, "broadcast all personal")
	s.finishes()
	s.terminate()
	s.env["SEND_RATE"] = "500"
	p.ask(http.MethodPost, "/_sim/faults", map[string]any{"latency": "20ms"}, nil)
	s.start(t)
	calls := p.stats().Calls
	p.say(admin, "broadcast all notice")
	p.callsReach(calls + 100)

	requests, want := receiptsOf(t, db, s.url)
	slowest := flood(t, requests)
	if calls := p.stats().Calls; calls >= 2*n {
		t.Errorf("the broadcast was over before the receipts: %d calls", calls)
	}
	db.deliveries(t, want)
	if slowest > within {
		t.Errorf("the slowest receipt was answered after %s, want %s", slowest, within)
	}
	if *kills > 0 {
		_, _ = fmt.Fprintf(os.Stdout, "%d receipts within %s while a broadcast runs, on %s: %d counted, the slowest answer after %d ms\n",
			len(requests), floodLasts, db.driver, n, slowest.Milliseconds())
	}
	p.say(admin, "broadcast cancel #2")
}

// receiptsOf returns a receipt for each delivery of the first broadcast, every
// twentieth of them twice, and how many deliveries they leave in each state.
func receiptsOf(t *testing.T, db database, server string) (requests []*http.Request, want map[string]int64) {
	t.Helper()
	rows, err := openPool(t, db).QueryContext(t.Context(),
		"SELECT r.openid, d.msgid FROM deliveries d JOIN recipients r ON r.id = d.recipient_id WHERE d.broadcast_id = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	want = map[string]int64{}
	for rows.Next() {
		var openID string
		var msgID int64
		if err := rows.Scan(&openID, &msgID); err != nil {
			t.Fatal(err)
		}
		report := statuses[msgID%int64(len(statuses))]
		want[report.state]++
		copies := 1
		if msgID%20 == 0 {
			copies = 2
		}
		for range copies {
			body := fmt.Sprintf("<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
				"<CreateTime>%d</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"+
				"<MsgID>%d</MsgID><Status><![CDATA[%s]]></Status></xml>", openID, time.Now().Unix(), msgID, report.status)
			query := post{nonce: "n" + strconv.Itoa(len(requests)), query: url.Values{"openid": {openID}}}.signedQuery()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/wechat?"+query, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, req)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return requests, want
}

// flood makes the requests at an even pace and returns how long after its time
// the last to be answered was.
func flood(t *testing.T, requests []*http.Request) (slowest time.Duration) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: floodConns}
	defer transport.CloseIdleConnections()
	platform := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var next, longest atomic.Int64
	var conns sync.WaitGroup
	start := time.Now()
	for range floodConns {
		conns.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				due := start.Add(floodLasts * time.Duration(i) / time.Duration(len(requests)))
				pass(t, time.Until(due))
				resp, err := platform.Do(requests[i])
				if err != nil {
					t.Errorf("receipt: %v", err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || string(text) != "success" {
					t.Errorf("a receipt is answered %d %q, %v", resp.StatusCode, text, err)
				}
				for took := int64(time.Since(due)); ; {
					most := longest.Load()
					if took <= most || longest.CompareAndSwap(most, took) {
						break
					}
				}
			}
		})
	}
	conns.Wait()
	return time.Duration(longest.Load())
}
