package e2e

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a child of the test: the program with a command line.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  *logFile
	// since is where in the log this process begins.
	since int64
	// done is closed once the process has ended.
	done chan struct{}
}

// logFile is what the processes of one name wrote, one start after the other.
type logFile struct {
	t    *testing.T
	path string
	file *os.File
}

// newLog returns an empty log. If the test fails, its end is shown.
func newLog(t *testing.T, name string) *logFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l := &logFile{t: t, path: path, file: file}
	t.Cleanup(func() {
		_ = file.Close()
		if t.Failed() {
			t.Logf("the end of %s.log:\n%s", name, l.tail(80))
		}
	})
	return l
}

// text returns what was written from an offset on.
func (l *logFile) text(from int64) string {
	file, err := os.Open(l.path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, from, 1<<40))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (l *logFile) size() int64 {
	info, err := l.file.Stat()
	if err != nil {
		l.t.Fatal(err)
	}
	return info.Size()
}

// tail returns the last lines, without the requests and commands that went well.
func (l *logFile) tail(most int) string {
	var lines []string
	for line := range strings.Lines(l.text(0)) {
		if !strings.Contains(line, "level=INFO msg=request") && !strings.Contains(line, "command=status") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// start runs the program until the test ends, with nothing of the test's
// environment, in a folder of its own.
func start(t *testing.T, log *logFile, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = filepath.Dir(log.path)
	cmd.Env = append([]string{"HOME=" + cmd.Dir}, env...)
	return launch(t, log, cmd)
}

// launch runs a command until the test ends.
func launch(t *testing.T, log *logFile, cmd *exec.Cmd) *process {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(log.path), ".log")
	p := &process{t: t, name: name, cmd: cmd, log: log, since: log.size(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log.file, log.file
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is asked of ProcessState
	}()
	t.Cleanup(p.kill)
	return p
}

// logged waits until the process wrote something that matches the pattern and
// returns its last group.
func (p *process) logged(pattern string) string {
	p.t.Helper()
	expr := regexp.MustCompile(pattern)
	var found []string
	eventually(p.t, patience, p.name+" writes "+pattern, func() bool {
		if p.ended() {
			found = expr.FindStringSubmatch(p.log.text(p.since))
			if found == nil {
				p.t.Fatalf("%s ended with code %d", p.name, p.cmd.ProcessState.ExitCode())
			}
			return true
		}
		found = expr.FindStringSubmatch(p.log.text(p.since))
		return found != nil
	})
	return found[len(found)-1]
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut does: without a word.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill %s: %v", p.name, err)
	}
	<-p.done
}

// terminate asks the process to end and returns its exit code and how long it
// took.
func (p *process) terminate() (code int, took time.Duration) {
	p.t.Helper()
	return p.signal(syscall.SIGTERM)
}

// signal sends signals that ask the process to end, and returns its exit code and
// how long it took.
func (p *process) signal(signals ...syscall.Signal) (code int, took time.Duration) {
	p.t.Helper()
	asked := time.Now()
	for _, s := range signals {
		if err := p.cmd.Process.Signal(s); err != nil {
			p.t.Fatalf("send %s the signal %s: %v", p.name, s, err)
		}
	}
	return p.wait(), time.Since(asked)
}

// wait waits for the process to end by itself and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-late.C:
		p.t.Fatalf("%s does not end", p.name)
		return -1
	}
}
