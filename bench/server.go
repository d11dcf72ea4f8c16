package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wechat-broadcast/models"
)

// server is the built program as an operator runs it: `serve`, with its settings in the
// environment, for one account in safe mode. Over all its starts it keeps its address, its
// folder and its log.
type server struct {
	*process
	binary, folder string
	settings       map[string]string
	db             *database
	admins         *visitors
	// url is where it listens, and store its database, both since the first start.
	url   string
	store *models.Store
}

// admin is the number of the person who asks for broadcasts.
const admin = 0

// newServer returns a server in a folder of its own that speaks with the platform's end, not
// started yet. More settings win over the usual ones: as fast as it goes, and at once.
func newServer(binary string, w *platformEnd, over wire, db *database, more map[string]string) (*server, error) {
	folder, err := os.MkdirTemp(filepath.Dir(w.roots), "serve")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	messages := filepath.Join(folder, "messages.yaml")
	if err := os.WriteFile(messages, []byte(messageFile), 0o600); err != nil {
		return nil, fmt.Errorf("write the messages: %w", err)
	}
	s := &server{binary: binary, folder: folder, db: db, admins: newVisitors(safeMode), settings: map[string]string{
		"HOME": folder, "SSL_CERT_FILE": w.roots, "LISTEN_ADDR": "127.0.0.1:0", "LANGUAGE": "en",
		"WECHAT_APP_ID": appID, "WECHAT_APP_SECRET": appSecret, "WECHAT_TOKEN": callbackToken, "WECHAT_ENCODING_AES_KEY": callbackKey,
		"WECHAT_API_BASE_URL": w.url(over), "DATABASE_URL": db.URL, "ADMIN_OPENIDS": openIDOf(admin), "MESSAGES_FILE": messages,
		"SEND_RATE": "0", "UNDO_WINDOW": "0s",
	}}
	maps.Copy(s.settings, more)
	return s, nil
}

// startWithin is how long a start may take: the first makes the tables.
const startWithin = time.Minute

// serving is what the log says of where the program listens.
var serving = regexp.MustCompile(`msg=serving address=(\S+)`)

// start starts the server and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	defer func() { _ = log.Close() }()                 // the child has its own
	cmd := exec.CommandContext(ctx, s.binary, "serve") //nolint:gosec // a file of ours
	cmd.Dir, cmd.Env = s.folder, []string{}
	for name, value := range s.settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = log // as a service's log goes: a pipe to here would cost both ends
	if s.process, err = begin("wechat-broadcast", cmd); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return errors.Join(err, s.told(), s.kill())
	}
	return nil
}

// await waits until the server is ready, and keeps where it is if this is its first start.
func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if s.url == "" {
		address, err := s.logged(ctx, serving, 1)
		if err != nil {
			return err
		}
		s.url, s.settings["LISTEN_ADDR"] = "http://"+address, address
	}
	if err := ready(ctx, s.url); err != nil || s.store != nil {
		return err
	}
	var err error
	s.store, err = models.Open(s.db.Driver, s.db.DSN, slog.New(slog.DiscardHandler))
	return err
}

// close ends the server, which was started, if it still runs, and removes its folder.
func (s *server) close() error {
	s.admins.client.CloseIdleConnections()
	return errors.Join(s.store.Close(), s.stop(), os.RemoveAll(s.folder))
}

func (s *server) logFile() string { return filepath.Join(s.folder, "log") }

// told is an error that has the end of the log.
func (s *server) told() error {
	said, err := os.ReadFile(s.logFile())
	if err != nil {
		return err
	}
	return fmt.Errorf("the log ends: %s", said[max(0, len(said)-2000):])
}

// logged waits until the log has something that matches so often, and returns the last group
// of that one.
func (s *server) logged(ctx context.Context, pattern *regexp.Regexp, times int) (string, error) {
	for tick := time.Tick(look); ; {
		text, err := os.ReadFile(s.logFile())
		if err != nil {
			return "", fmt.Errorf("read the log: %w", err)
		}
		if found := pattern.FindAllSubmatch(text, times); len(found) == times {
			return string(found[times-1][len(found[0])-1]), nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %s in the log: %w", pattern, ctx.Err())
		}
	}
}

// say has a person send the account a text, and returns the reply.
func (s *server) say(ctx context.Context, person int, text string) (string, error) {
	return s.admins.say(ctx, s.url+"/wechat", person, text)
}

// synced is what the log says at the end of a sync.
var synced = regexp.MustCompile(`msg="followers synced" total=(\d+)`)

// sync has the admin ask for the followers, and returns how many seconds it took until all
// are stored. It is the server's nth.
func (s *server) sync(ctx context.Context, followers, nth int) (float64, error) {
	began, err := s.askForSync(ctx)
	if err != nil {
		return 0, err
	}
	total, err := s.logged(ctx, synced, nth)
	took := time.Since(began).Seconds()
	if err == nil && total != strconv.Itoa(followers) {
		err = fmt.Errorf("the sync listed %s of %d", total, followers)
	}
	return took, err
}

// askForSync has the admin ask for a sync until one begins: the log tells of the end of one a
// moment before the next can be. It returns when that was asked for.
func (s *server) askForSync(ctx context.Context) (began time.Time, err error) {
	for tick := time.Tick(look); ; {
		began = time.Now()
		reply, err := s.say(ctx, admin, "sync")
		switch {
		case err != nil:
			return began, fmt.Errorf("ask for a sync: %w", err)
		case strings.Contains(reply, "Syncing"):
			return began, nil
		case !strings.Contains(reply, "synced already"):
			return began, fmt.Errorf("ask for a sync: %.300q", reply)
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return began, ctx.Err()
		}
	}
}

// ask has the admin ask for a broadcast to everyone, the account's first, and returns the reply.
func (s *server) ask(ctx context.Context) (string, error) {
	reply, err := s.say(ctx, admin, "broadcast all")
	if err != nil || !strings.Contains(reply, "Broadcast #1") {
		return "", errors.Join(fmt.Errorf("ask for a broadcast: %.300q", reply), err)
	}
	return reply, nil
}

// ended waits until a broadcast goes on no more by itself, and makes sure that it has reached
// everyone.
func (s *server) ended(ctx context.Context, id int64, followers int) error {
	for tick := time.Tick(5 * look); ; {
		b, err := s.store.FindBroadcast(ctx, id)
		if err != nil {
			return err
		}
		if b.State.Final() || b.State == models.Paused {
			return reachedAll(ctx, s.store, b, followers)
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cpu is how many seconds of CPU the running server has used so far.
func (s *server) cpu() (float64, error) { return cpuOf(s.cmd.Process.Pid) }

// peakMiB is the most memory that the running server has had resident.
func (s *server) peakMiB() (float64, error) { return memoryOf(s.cmd.Process.Pid, "VmHWM") }

// ready waits until a server says that it is.
func ready(ctx context.Context, url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for tick := time.Tick(look); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return errors.New("the program does not get ready")
		}
	}
}

// buildProgram builds the program as `make build` does.
func buildProgram(ctx context.Context, folder string) (string, error) {
	file := filepath.Join(folder, "wechat-broadcast")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "wechat-broadcast") //nolint:gosec // a file of ours
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return file, nil
}
