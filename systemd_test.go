package main

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

func TestTellSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	for name, c := range map[string]struct{ socket, state, warning string }{
		"ready":              {socket: path, state: daemon.SdNotifyReady},
		"stopping":           {socket: path, state: daemon.SdNotifyStopping},
		"nobody asked":       {},
		"nobody listens now": {socket: path + "-gone", state: daemon.SdNotifyReady, warning: "can't tell systemd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", c.socket)
			var log bytes.Buffer
			tellSystemd(c.state, slog.New(slog.NewTextHandler(&log, nil)))
			if got := log.String(); c.warning == "" && got != "" || !bytes.Contains([]byte(got), []byte(c.warning)) {
				t.Errorf("the log says %q, want %q", got, c.warning)
			}
			if c.socket != path {
				return
			}
			if err := socket.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 100)
			n, err := socket.Read(buffer)
			if err != nil || string(buffer[:n]) != c.state {
				t.Errorf("systemd is told %q (%v), want %q", buffer[:n], err, c.state)
			}
		})
	}
}

// The program is ready once it serves, and says so as it stops.
func TestServeTellsSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s := newStagedAccount(t)
	buffer := make([]byte, 100)
	for _, want := range []string{daemon.SdNotifyReady, daemon.SdNotifyStopping} {
		n, err := socket.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Fatalf("systemd is told %q (%v), want %q", buffer[:n], err, want)
		}
		s.stop()
	}
}

// On a system without certificates, such as the container image, the program has Mozilla's.
func TestCertificatesWithoutASystem(t *testing.T) {
	if os.Getenv("WITHOUT_CERTIFICATES") != "" {
		pool, err := x509.SystemCertPool()
		if err != nil || pool.Equal(x509.NewCertPool()) {
			t.Fatalf("no certificate is trusted: %v", err)
		}
		return
	}
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "nothing")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "WITHOUT_CERTIFICATES=1", "SSL_CERT_FILE="+nowhere, "SSL_CERT_DIR="+nowhere)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
