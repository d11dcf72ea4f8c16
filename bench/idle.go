package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"wechat-broadcast/config"
)

const (
	manyAccounts = 100 // that one process serves here
	// startsAgain is how often it is started with the databases of before.
	startsAgain = 10
	// idleAfter is how long it does nothing before its memory is read.
	idleAfter = time.Minute
)

// idle is what a process costs whose accounts do nothing.
type idle struct {
	Ready       float64 // seconds from the start to all ready, with new databases
	ReadyAgain  series  // the same with those of before
	MiB         float64 // resident, after idleAfter
	MostMiB     float64 // the most that was resident until then
	CPU         float64 // seconds in each second of idleAfter
	Connections int     // to MySQL
}

// measureIdle prints what 100 idle accounts cost in one process beside one, on each database.
func measureIdle(ctx context.Context, binary, server string, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	dbs, err := newDatabases(folder, server)
	if err != nil {
		return err
	}
	// The platform's end gives tokens and knows no followers.
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"t","expires_in":7200,"total":0,"count":0,"next_openid":""}`)
	}))
	defer platform.Close()
	fmt.Fprintf(out, "ready: the median of %d starts. memory: after %.0f s.\n\n", startsAgain, idleAfter.Seconds())
	fmt.Fprintln(out, "| database | accounts | ready, new databases | ready | memory | at most | each beyond the first | CPU of one core | MySQL connections |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, driver := range dbs.drivers() {
		var alone idle
		for _, n := range []int{1, manyAccounts} {
			got, err := measureAccounts(ctx, dbs, driver, n, binary, platform.URL)
			if err != nil {
				return fmt.Errorf("%d accounts on %s: %w", n, driver, err)
			}
			each := ""
			if n == 1 {
				alone = got
			} else {
				each = fmt.Sprintf("%.2f MiB", (got.MiB-alone.MiB)/float64(n-1))
			}
			fmt.Fprintf(out, "| %s | %d | %.2f s | %.2f s | %.0f MiB | %.0f MiB | %s | %.1f%% | %d |\n",
				driver, n, got.Ready, got.ReadyAgain.median(), got.MiB, got.MostMiB, each, 100*got.CPU, got.Connections)
		}
	}
	return nil
}

// measureAccounts serves n accounts with new databases, and then again and again, and
// watches the last of these processes.
func measureAccounts(ctx context.Context, dbs *databases, driver string, n int, binary, platform string) (got idle, err error) {
	text := "listen_addr: 127.0.0.1:0\nwechat_token: token\nwechat_app_secret: 0123456789abcdef0123456789abcdef\nwechat_api_base_url: " + platform + "\naccounts:\n"
	var names []string // of the databases
	for i := range n {
		db, fault := dbs.fresh(ctx, driver)
		if fault != nil {
			return got, fault
		}
		defer func() { err = errors.Join(err, db.drop()) }()
		names = append(names, "'"+db.URL[strings.LastIndex(db.URL, "/")+1:]+"'")
		text += fmt.Sprintf("  a%d:\n    wechat_app_id: wx%016d\n    database_url: %s\n", i, i, db.URL)
	}
	file := filepath.Join(dbs.folder, fmt.Sprintf("accounts-%s-%d.yaml", driver, n))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return got, fmt.Errorf("write the settings: %w", err)
	}
	for again := range 1 + startsAgain {
		cmd := exec.CommandContext(ctx, binary, "serve", "--config", file) //nolint:gosec // a file of ours
		cmd.Dir, cmd.Env = dbs.folder, []string{"HOME=" + dbs.folder}
		began := time.Now()
		log, err := os.Create(file + ".log")
		if err != nil {
			return got, err
		}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return got, err
		}
		err = allReady(ctx, log.Name(), n)
		took := time.Since(began).Seconds()
		if again == 0 {
			got.Ready = took
		} else {
			got.ReadyAgain = append(got.ReadyAgain, took)
		}
		if again == startsAgain && err == nil {
			err = watchIdle(ctx, dbs, driver, names, cmd.Process.Pid, &got)
		}
		err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait(), log.Close())
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// watchIdle reads the memory, the CPU time and the connections of a process.
func watchIdle(ctx context.Context, dbs *databases, driver string, names []string, pid int, got *idle) (err error) {
	before, err := cpuOf(pid)
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := cpuOf(pid)
	if err != nil {
		return err
	}
	got.CPU = (after - before) / idleAfter.Seconds()
	if got.MiB, err = memoryOf(pid, "VmRSS"); err != nil {
		return err
	}
	if got.MostMiB, err = memoryOf(pid, "VmHWM"); err != nil || driver == config.SQLite {
		return err
	}
	return dbs.ask(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE db IN ("+strings.Join(names, ",")+")", &got.Connections)
}

// allReady waits until the process that writes a log says that all accounts are ready.
func allReady(ctx context.Context, log string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	address := regexp.MustCompile(`msg=serving address=(\S+)`)
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if found := address.FindSubmatch(text); found != nil && readyAt(ctx, string(found[1]), n) {
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not all are ready: %w; the log: %.2000s", ctx.Err(), text)
		}
	}
}

func readyAt(ctx context.Context, address string, n int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct {
		Status   string
		Accounts map[string]struct{ Status string }
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return false
	}
	ready := 0
	for _, of := range answer.Accounts {
		if of.Status == "ok" {
			ready++
		}
	}
	return ready == n
}

// ask asks the server for one value.
func (d *databases) ask(ctx context.Context, query string, into any) error {
	db, err := d.open()
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(ctx, query).Scan(into)
}
