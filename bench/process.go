package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// roles are the parts that run as processes of their own, so that CPU and
// memory are those of the part alone. Each gets JSON on its standard input and
// puts its result on its standard output.
var roles = map[string]func(ctx context.Context, in *json.Decoder, out io.Writer) error{
	"platform": role(servePlatform),
	"flood":    role(flood),
	"bare":     role(bareLoop),
	"sdk":      role(sdkLoop),
	"profiled": role(onParts(profiled)),
	"viewers":  role(viewers),
	"fetch":    role(fetch),
	"inserts":  role(onParts(inserts)),
	"people":   role(onParts(people)),
	"read":     role(readPeople),
	"import":   role(importPeople),
	"audience": role(audience),
	"receipts": role(onParts(receiptRounds)),
	"gin":      role(serveBareGin),
	"callers":  role(callCallback),
	"stranger": role(forge),
}

// role adapts a function to the table.
func role[In, Out any](f func(ctx context.Context, in In, say func(line string)) (Out, error)) func(context.Context, *json.Decoder, io.Writer) error {
	return func(ctx context.Context, in *json.Decoder, out io.Writer) error {
		var arg In
		if err := in.Decode(&arg); err != nil {
			return fmt.Errorf("read the task: %w", err)
		}
		result, err := f(ctx, arg, func(line string) { fmt.Fprintln(out, line) })
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(result)
	}
}

// run runs a role to its end and returns its result.
func run[Out any](ctx context.Context, name string, in any, env ...string) (Out, error) {
	var out Out
	p, err := launch(ctx, name, in, env...)
	if err != nil {
		return out, err
	}
	return finish[Out](p)
}

// process is a role, or another program, that is running.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *bufio.Reader
	err  bytes.Buffer
}

// launch starts a role. env is added to the environment.
func launch(ctx context.Context, name string, in any, env ...string) (*process, error) {
	arg, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write the task: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the benchmark itself: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "role", name) //nolint:gosec // it is this very program
	cmd.Stdin, cmd.Env = bytes.NewReader(arg), append(cmd.Environ(), env...)
	return begin(name, cmd)
}

// begin starts a program whose standard output is read line by line.
func begin(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.out = bufio.NewReader(pipe)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

func (p *process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", p.wait()
	}
	return strings.TrimSpace(line), nil
}

// stop asks the process to end, unless it has, and waits until it has.
func (p *process) stop() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return p.wait()
}

// end asks a role to end, and returns its result.
func end[Out any](p *process) (Out, error) {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		var none Out
		return none, fmt.Errorf("end %s: %w", p.name, err)
	}
	return finish[Out](p)
}

// kill ends the process as a power cut does: without a word.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	_ = p.wait() // it says that it was killed
	return nil
}

func (p *process) wait() error {
	_, _ = io.Copy(io.Discard, p.out)
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("run %s: %w: %s", p.name, err, bytes.TrimSpace(p.err.Bytes()))
	}
	return nil
}

// finish reads the result of a role and waits for its end.
func finish[Out any](p *process) (Out, error) {
	var out Out
	decodeErr := json.NewDecoder(p.out).Decode(&out)
	if err := p.wait(); err != nil {
		return out, err
	}
	if decodeErr != nil {
		return out, fmt.Errorf("read the result of %s: %w", p.name, decodeErr)
	}
	return out, nil
}
