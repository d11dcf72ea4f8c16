package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"wechat-broadcast/config"
)

// besideTask is how an account beside another one is measured.
type besideTask struct {
	Rounds     int // of each kind of neighbour
	Recipients int // that the account that is well sends to
	Rate       int // of its sends a second; 0 for as fast as it can
}

// besideTasks are those that are measured: at the default of SEND_RATE, and as fast as it goes.
var besideTasks = []besideTask{{Rounds: 3, Recipients: 500, Rate: 100}, {Rounds: 5, Recipients: 20_000}}

const (
	// visits is how many texts a second the other account gets in any case, and floods how
	// many when it is flooded.
	visits, floods = 20, 1000
	// probeEvery is how often the account that is well is asked while it sends.
	probeEvery = 10 * time.Millisecond
)

// neighbour is what the other account of a process is like.
type neighbour struct {
	name     string
	database func() (url string, end func(), err error) // nil for one that is well
	secret   bool                                       // the platform takes it
	rate     int                                        // texts a second that it gets
	forged   bool                                       // with signatures that are wrong
}

// token is what the texts to it are signed with.
func (n neighbour) token() string {
	if n.forged {
		return "another token"
	}
	return callbackToken
}

const quiet = "is well and quiet"

// neighbours are those that are measured, the one to compare with first.
func neighbours() []neighbour {
	return []neighbour{
		{name: quiet, secret: true, rate: visits},
		{name: "has a wrong secret", rate: visits},
		{name: "has a database that refuses connections", database: closedServer, secret: true, rate: visits},
		{name: "has a database that never answers", database: hungServer, secret: true, rate: visits},
		{name: "gets 1,000 forged callbacks a second", secret: true, rate: floods, forged: true},
		{name: "gets 1,000 texts a second", secret: true, rate: floods},
	}
}

// beside is what the account that is well did.
type beside struct {
	Rate    float64         // sends a second
	Answers []time.Duration // to texts, sorted
	Visits  int             // that the other account was sent
}

// answer is the answer time that a share of the texts had at most, in seconds.
func (b beside) answer(share float64) float64 {
	return b.Answers[int(share*float64(len(b.Answers)-1))].Seconds()
}

// measureNeighbours prints for each task how fast an account sends and answers beside another
// one in its process, in ratio to one that is well and quiet.
func measureNeighbours(ctx context.Context, binary string, tasks []besideTask, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &bench{binary: binary}
	if b.dbs, err = newDatabases(folder, ""); err != nil {
		return err
	}
	if b.platform, err = startPlatform(ctx, folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.platform.stop()) }()
	for _, task := range tasks {
		results := map[string][]beside{}
		for range task.Rounds {
			for _, n := range neighbours() {
				got, err := b.neighbour(ctx, n, task)
				if err != nil {
					return fmt.Errorf("an account beside one that %s: %w", n.name, err)
				}
				results[n.name] = append(results[n.name], got)
			}
		}
		pace := "as fast as it can"
		if task.Rate > 0 {
			pace = fmt.Sprintf("%d a second", task.Rate)
		}
		fmt.Fprintf(out, "\nAn account that sends to %d, %s; %s\n\n", task.Recipients, pace, load())
		tellNeighbours(results, out)
	}
	return nil
}

// tellNeighbours prints the medians, and the ratios of each round to the first neighbour.
func tellNeighbours(results map[string][]beside, out io.Writer) {
	fmt.Fprintln(out, "| the other account … | sends a second | ratio | answer, median | ratio | answer, 99% | texts to the other |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- |")
	figures := func(name string) (rate, median, late, visits series) {
		for _, r := range results[name] {
			rate, median = append(rate, r.Rate), append(median, 1000*r.answer(.5))
			late, visits = append(late, 1000*r.answer(.99)), append(visits, float64(r.Visits))
		}
		return rate, median, late, visits
	}
	rate, median, _, _ := figures(quiet)
	for _, n := range neighbours() {
		r, m, late, visits := figures(n.name)
		fmt.Fprintf(out, "| %s | %.0f | %s | %.1f ms | %s | %.1f ms | %.0f |\n",
			n.name, r.median(), ratios(r.over(rate)), m.median(), ratios(m.over(median)), late.median(), visits.median())
	}
}

// ratios is the median of ratios and how far they lie apart.
func ratios(s series) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.median(), slices.Min(s), slices.Max(s))
}

// freeAddress returns a loopback address with a port that is free now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// closedServer is a database server that refuses connections.
func closedServer() (string, func(), error) {
	address, err := freeAddress(context.Background())
	return "mysql://u:p@" + address + "/other", func() {}, err
}

// hungServer is one that takes connections and says nothing.
func hungServer() (string, func(), error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close() // all of them stay open until the end
		}
	}()
	return "mysql://u:p@" + listener.Addr().String() + "/other", func() { _ = listener.Close() }, nil
}

// refusingPlatform is the platform's end for a secret that is wrong.
func refusingPlatform() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"errcode":40125,"errmsg":"invalid appsecret rid: 65609427-54c9eae0-289148d7"}`)
	}))
}

// neighbour serves an account beside a neighbour, and has it send to everyone.
func (b *bench) neighbour(ctx context.Context, n neighbour, task besideTask) (got beside, err error) {
	if err := b.platform.set(ctx, task.Recipients, 0); err != nil {
		return got, err
	}
	well, err := b.dbs.fresh(ctx, config.SQLite)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, well.drop()) }()
	other := filepath.Join(filepath.Dir(well.DSN), "other.db") // dropped with the folder
	database := "sqlite://" + other
	if n.database != nil {
		url, end, err := n.database()
		if err != nil {
			return got, err
		}
		defer end()
		database = url
	}
	platform := b.platform.url(overHTTP)
	if !n.secret {
		refusing := refusingPlatform()
		defer refusing.Close()
		platform = refusing.URL
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return got, err
	}
	text := "listen_addr: " + address + "\nwechat_token: " + callbackToken + "\nwechat_app_secret: " + appSecret + "\n" +
		"admin_openids: [" + openIDOf(admin) + "]\nundo_window: 0s\nlanguage: en\nsend_rate: " + strconv.Itoa(task.Rate) + "\naccounts:\n" +
		"  well:\n    wechat_app_id: wx0000000000000001\n    wechat_api_base_url: " + b.platform.url(overHTTP) + "\n    database_url: " + well.URL + "\n" +
		"  other:\n    wechat_app_id: wx0000000000000002\n    wechat_api_base_url: " + platform + "\n    database_url: " + database + "\n"
	p, err := serveConfig(ctx, b.binary, filepath.Dir(well.DSN), text)
	if err != nil {
		return got, err
	}
	got, err = b.sendBeside(ctx, "http://"+address+"/wechat/", n, task.Recipients)
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(filepath.Dir(well.DSN), "log")) // it is told beside the fault
		err = fmt.Errorf("%w; the log ends: %s", err, said[max(0, len(said)-2000):])
	}
	return got, errors.Join(err, p.stop())
}

// serveConfig serves the accounts of a settings file in a folder, until its account "well" is
// ready.
func serveConfig(ctx context.Context, binary, folder, text string) (*process, error) {
	for name, content := range map[string]string{"config.yaml": text, "messages.yaml": messageFile} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("write the settings: %w", err)
		}
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, fmt.Errorf("write the log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Dir, cmd.Env, cmd.Stderr = folder, []string{"HOME=" + folder}, log
	return begin("wechat-broadcast", cmd)
}

// accountReady waits until an account is ready.
func accountReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			var answer struct{ Status string }
			err := json.NewDecoder(resp.Body).Decode(&answer)
			_ = resp.Body.Close()
			if err == nil && answer.Status == "ok" {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the account does not get ready")
		}
	}
}
