package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"wechat-broadcast/config"
)

// composed is the server's part of the files for compose.
type composed struct {
	Environment map[string]string
	Volumes     []string
	Ports       []string
}

// readCompose returns the server's part of files, of which a later one counts over those
// before.
func readCompose(t *testing.T, files ...string) composed {
	t.Helper()
	all := composed{Environment: map[string]string{}}
	for _, name := range files {
		var file struct{ Services map[string]composed }
		if err := yaml.Unmarshal([]byte(readFile(t, name)), &file); err != nil {
			t.Fatal(err)
		}
		part := file.Services["broadcast"]
		maps.Copy(all.Environment, part.Environment)
		all.Volumes = append(all.Volumes, part.Volumes...)
		all.Ports = append(all.Ports, part.Ports...)
	}
	return all
}

// compositions are the ways to run the server with compose.
var compositions = map[string][]string{
	"alone":    {"compose.yaml", "compose.override.yaml"},
	"replicas": {"compose.yaml", "deploy/compose.replicas.yaml"},
}

// settings returns the server's settings under compose.yaml and the variables of an
// .env file.
func (c composed) settings(t *testing.T, env map[string]string) *config.Settings {
	t.Helper()
	settings, err := config.Load("", false, func(name string) (string, bool) {
		text, set := c.Environment[name]
		return os.Expand(text, func(reference string) string { // NAME, NAME:-default or NAME:?
			name, otherwise, _ := strings.Cut(reference, ":")
			if value := env[name]; value != "" {
				return value
			}
			if strings.HasPrefix(otherwise, "?") {
				t.Errorf("compose.yaml asks for %s", name)
			}
			return strings.TrimPrefix(otherwise, "-")
		}), set
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestComposePassesEverySetting(t *testing.T) {
	t.Parallel()
	for name, files := range compositions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkComposePasses(t, readCompose(t, files...))
		})
	}
}

// checkComposePasses fails the test for each setting that a value in .env does not change.
func checkComposePasses(t *testing.T, compose composed) {
	t.Helper()
	needed := map[string]string{
		"WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "secret", "WECHAT_TOKEN": "token",
		"MYSQL_PASSWORD": "mysql", "REDIS_PASSWORD": "redis",
	}
	chosen := map[string]string{
		"WECHAT_APP_ID": "wx2", "WECHAT_APP_SECRET": "another", "WECHAT_TOKEN": "others",
		"WECHAT_ENCODING_AES_KEY": strings.Repeat("A", 43), "WECHAT_API_BASE_URL": "https://api2.weixin.qq.com",
		"ADMIN_OPENIDS": "oXXXXXXXXXXXXXXXXXXXXXXXXXXX", "SEND_CONCURRENCY": "7", "SEND_RATE": "8", "UNDO_WINDOW": "9s",
		"APPROVALS": "1", "REQUIRE_TEST": "true", "QUOTA_RESET": "01:00", "CANARY": "2%", "QUIET_HOURS": "22:00-08:00", "MAX_PER_FOLLOWER": "3/24h", "RETENTION": "90d",
		"WELCOME": "hello", "UNKNOWN_TEXT": "silent", "WEBHOOK_URL": "https://crm.example.com/", "WEBHOOK_SECRET": "0123456789abcdef", "LANGUAGE": "en", "PUBLIC_URL": "https://push.example.com", "LOG_LEVEL": "warn", "LOG_FORMAT": "text", "METRICS_ADDR": ":9091",
		"MYSQL_PASSWORD": "mysql2", "REDIS_PASSWORD": "redis2",
		"DATABASE_URL": "mysql://user:password@host/name", "REDIS_URL": "redis://host/1",
	}
	// compose.yaml sets these itself.
	fixed := []string{"LISTEN_ADDR", "MESSAGES_FILE"}

	before, after := compose.settings(t, needed), compose.settings(t, chosen)
	for i, pair := range before.Masked() {
		name, changed := pair[0], pair[1] != after.Masked()[i][1]
		if _, passed := compose.Environment[name]; !passed {
			t.Errorf("compose.yaml does not pass %s", name)
			continue
		}
		switch name { // masked
		case "WECHAT_APP_SECRET":
			changed = before.Accounts[0].AppSecret != after.Accounts[0].AppSecret
		case "WECHAT_TOKEN":
			changed = before.Accounts[0].Token != after.Accounts[0].Token
		case "DATABASE_URL":
			changed = before.Accounts[0].Database != after.Accounts[0].Database
		case "REDIS_URL":
			changed = before.Accounts[0].RedisURL != after.Accounts[0].RedisURL
		}
		if changed == slices.Contains(fixed, name) {
			t.Errorf("%s is %q, and with another value in .env %q", name, pair[1], after.Masked()[i][1])
		}
	}
	for name := range compose.Environment {
		if !slices.ContainsFunc(before.Masked(), func(pair [2]string) bool { return pair[0] == name }) {
			t.Errorf("compose.yaml passes %s, which is no setting", name)
		}
	}
	// A variable that is not in .env has the program's default.
	alone, err := config.Load("", false, func(name string) (string, bool) { v, ok := needed[name]; return v, ok }, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, pair := range alone.Masked() {
		decided := []string{"LISTEN_ADDR", "MESSAGES_FILE", "DATABASE_URL", "REDIS_URL", "LOG_FORMAT"}
		if got := before.Masked()[i][1]; got != pair[1] && !slices.Contains(decided, pair[0]) {
			t.Errorf("%s is %q where nothing is chosen, want %q", pair[0], got, pair[1])
		}
	}
}

// An editor that replaces a file leaves a mount of that file with the old content.
// So the folder must be mounted.
func TestContainersSeeAnEditedMessageFile(t *testing.T) {
	t.Parallel()
	compose := readCompose(t, "compose.yaml")
	file := path.Join("/home/nonroot", compose.Environment["MESSAGES_FILE"])
	docker := readFile(t, "Dockerfile")
	for name, mounts := range map[string][]string{
		"compose.yaml": compose.Volumes,
		"Dockerfile":   regexp.MustCompile(`\S+:/\S+`).FindAllString(docker, -1),
	} {
		if !slices.ContainsFunc(mounts, func(mount string) bool {
			parts := strings.Split(mount, ":")
			return len(parts) > 1 && parts[1] == path.Dir(file)
		}) {
			t.Errorf("%s mounts no folder for %s: %v", name, file, mounts)
		}
	}
	if !strings.Contains(docker, "MESSAGES_FILE="+compose.Environment["MESSAGES_FILE"]) {
		t.Error("the command in the Dockerfile does not name the file in the folder")
	}
	if readme := readFile(t, "compose.yaml"); !strings.Contains(readme, "cp config/messages.example.yaml "+compose.Environment["MESSAGES_FILE"]+" ") {
		t.Error("compose.yaml does not say how the folder is filled")
	}
}

// With the configuration of the READMEs and of compose.replicas.yaml nginx logs neither
// signatures nor links to pages.
func TestNginxLogsNoSignature(t *testing.T) {
	t.Parallel()
	nginx := os.Getenv("TEST_NGINX")
	if nginx == "" {
		t.Skip("skipped: set TEST_NGINX=/usr/sbin/nginx to try the configurations for it")
	}
	configs := map[string]string{"deploy/nginx.conf": balancerConfig(t)}
	for _, file := range readmes {
		snippet := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindStringSubmatch(readFile(t, file))
		if snippet == nil {
			t.Fatalf("%s has nothing for nginx", file)
		}
		configs[file] = "events {}\nhttp {\naccess_log access.log;\nserver { listen 80;\n" + snippet[1] + "} }\n"
	}
	for name, text := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, upstream := range []string{"127.0.0.1:1", hangUp(t)} { // no server, and one that hangs up
				logs := nginxLogs(t, nginx, strings.NewReplacer("127.0.0.1:8080", upstream, "broadcast:8080", upstream).Replace(text))
				if strings.Contains(logs, "5ec2e7") {
					t.Errorf("logged with the upstream at %s:\n%s", upstream, logs)
				}
				if name == "deploy/nginx.conf" && !strings.Contains(logs, " POST 502 "+upstream+" 502\n") {
					t.Errorf("nothing tells that %s does not answer:\n%s", upstream, logs)
				}
			}
			// Without the directive nginx logs them: the test's requests would show a leak.
			open := regexp.MustCompile(`error_log [^;]*;`).ReplaceAllString(text, "")
			if logs := nginxLogs(t, nginx, strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:1", "broadcast:8080", "127.0.0.1:1").Replace(open)); strings.Count(logs, "5ec2e7") < 2 {
				t.Errorf("nothing to keep out:\n%s", logs)
			}
		})
	}
}

// balancerConfig is deploy/nginx.conf without what needs the resolver of a
// container network, or an nginx newer than Debian's.
func balancerConfig(t *testing.T) string {
	t.Helper()
	text := readFile(t, "deploy/nginx.conf")
	return strings.Replace(regexp.MustCompile(`(?m)^ *resolver .*\n`).ReplaceAllString(text, ""), " resolve ", " ", 1)
}

// hangUp returns the address of a server that closes each connection without an
// answer.
func hangUp(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}

// nginxLogs runs nginx with a configuration and returns what it printed and logged.
// It requests the callback with a signature and with a body that is too large, a page, and
// what takes large bodies.
func nginxLogs(t *testing.T, nginx, text string) string {
	t.Helper()
	folder := t.TempDir()
	socket := filepath.Join(folder, "s")
	text = strings.Replace(text, "listen 80;", "listen unix:"+socket+";", 1)
	text = strings.Replace(text, "http {", "http {\nclient_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path c;\n", 1)
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte("daemon off;\nmaster_process off;\npid nginx.pid;\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	command := exec.CommandContext(t.Context(), nginx, "-p", folder+"/", "-c", file, "-e", filepath.Join(folder, "error.log"))
	command.Stdout, command.Stderr = &printed, &printed
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	ask := func(method, target string, body int) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://nginx"+target, strings.NewReader(strings.Repeat("x", body)))
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for _, err := ask(http.MethodGet, "/", 0); err != nil; _, err = ask(http.MethodGet, "/", 0) {
		select {
		case err := <-ended:
			t.Fatalf("nginx ends with %v:\n%s", err, &printed)
		case <-time.After(5 * time.Millisecond):
		}
	}
	signed := "/wechat?signature=5ec2e7&timestamp=1&nonce=2"
	for _, request := range []struct {
		method, target string
		body, want     int
	}{
		{http.MethodPost, signed, 10, http.StatusBadGateway},
		{http.MethodPost, signed, 2 << 20, http.StatusRequestEntityTooLarge},
		{http.MethodGet, "/b/5ec2e7", 0, http.StatusBadGateway},
		{http.MethodPost, "/console/5ec2e7", 32 << 20, http.StatusBadGateway}, // an upload
		{http.MethodPost, "/api/5ec2e7", 8 << 20, http.StatusBadGateway},
	} {
		if got, err := ask(request.method, request.target, request.body); got != request.want {
			t.Errorf("%s %s answers %d, %v; want %d", request.method, request.target, got, err, request.want)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("nginx ends with %v:\n%s", err, &printed)
	}
	logs := printed.String()
	for _, name := range []string{"error.log", "access.log"} {
		logged, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		logs += string(logged)
	}
	return logs
}
