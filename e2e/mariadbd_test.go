package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mariaServer is a MariaDB server of the trial's own, over all its starts.
type mariaServer struct {
	t      *testing.T
	folder string
	port   string
	log    *os.File
	cmd    *exec.Cmd
	done   chan struct{}
}

// newMariaServer returns a server that runs, or skips the test where there is no
// MariaDB to run.
func newMariaServer(t *testing.T) *mariaServer {
	t.Helper()
	for _, name := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("skipped: %s is not installed (Debian: mariadb-server)", name)
		}
	}
	folder, err := os.MkdirTemp("", "mariadb-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	m := &mariaServer{t: t, folder: folder, port: freePort(t)}
	if m.log, err = os.Create(filepath.Join(folder, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.log.Close() })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "mariadb-install-db", "--no-defaults", "--user="+me.Username, "--datadir="+m.data(),
		"--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make a MariaDB: %v\n%s", err, out)
	}
	m.start("--user=" + me.Username)
	t.Cleanup(func() { m.stop(syscall.SIGKILL) })
	return m
}

func (m *mariaServer) data() string { return filepath.Join(m.folder, "data") }

// freePort is a port that was free a moment ago: the server cannot choose one.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start starts the server and waits until it takes connections.
func (m *mariaServer) start(args ...string) {
	m.t.Helper()
	if m.cmd != nil {
		args = m.cmd.Args[len(m.cmd.Args)-1:] // the user, as before
	}
	args = append([]string{
		"--no-defaults", "--datadir=" + m.data(), "--socket=" + filepath.Join(m.folder, "s"),
		"--pid-file=" + filepath.Join(m.folder, "pid"), "--bind-address=127.0.0.1", "--port=" + m.port,
		"--skip-name-resolve", "--innodb-buffer-pool-size=32M",
	}, args...)
	m.cmd = exec.CommandContext(m.t.Context(), "mariadbd", args...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatalf("start MariaDB: %v", err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait()
	}(m.cmd, m.done)
	eventually(m.t, patience, "MariaDB takes connections", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(m.t.Context(), "tcp", "127.0.0.1:"+m.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// stop ends the server: as a power cut does, or as its administrator.
func (m *mariaServer) stop(signal syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		m.t.Errorf("stop MariaDB: %v", err)
	}
	<-m.done
}

// database makes a database on the server.
func (m *mariaServer) database() database {
	m.t.Helper()
	server := openPool(m.t, database{driver: "mysql", dsn: "root@tcp(127.0.0.1:" + m.port + ")/"})
	if _, err := server.ExecContext(m.t.Context(), "CREATE DATABASE crash"); err != nil {
		m.t.Fatal(err)
	}
	return database{
		url: "mysql://root@127.0.0.1:" + m.port + "/crash", driver: "mysql",
		dsn: "root@tcp(127.0.0.1:" + m.port + ")/crash",
	}
}

// stopDatabase takes the database away in mid-broadcast, killed and told to
// stop in turns, with the program alive and dead.
func stopDatabase(t *testing.T, kills int) *crash {
	t.Helper()
	m := newMariaServer(t)
	db := m.database()
	c := newCrash(t, db, kills+2, 200, faulty, nil)
	for n := range kills + 2 {
		c.reach(n)
		dies := n >= 2 // the first two times the program lives on
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[n%2]
		m.stop(signal)
		pass(t, 500*time.Millisecond)
		if reply := c.platform.say(stranger, "openid"); reply != stranger {
			t.Errorf("with the database away, openid is answered %q", reply)
		}
		if dies {
			c.die()
		} else {
			pass(t, 2*time.Second)
		}
		m.start()
		c.count()
		if dies {
			c.start(t)
		}
	}
	c.end()
	return c
}
