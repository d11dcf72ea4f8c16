package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// sample is what a piece of work took.
type sample struct {
	N int
	// Wall and CPU are in seconds; CPU is this process's, on all cores, in user
	// and kernel.
	Wall, CPU float64
}

func (s sample) perSecond() float64 { return float64(s.N) / s.Wall }

// micros is the CPU of one, in microseconds.
func (s sample) micros() float64 { return 1e6 * s.CPU / float64(s.N) }

type stopwatch struct {
	began time.Time
	cpu   float64
}

func start() stopwatch { return stopwatch{time.Now(), cpuSeconds()} }

func (w stopwatch) stop(n int) sample {
	return sample{N: n, Wall: time.Since(w.began).Seconds(), CPU: cpuSeconds() - w.cpu}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMiB is the most memory that this process has had resident.
func peakMiB() (float64, error) { return memoryOf(os.Getpid(), "VmHWM") }

// memoryOf is a figure of /proc/PID/status that is in kB, in MiB.
func memoryOf(pid int, name string) (float64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("read the memory: %w", err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			kib, err := strconv.ParseFloat(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 64)
			if err != nil {
				return 0, fmt.Errorf("read the memory: %w", err)
			}
			return kib / 1024, nil
		}
	}
	return 0, fmt.Errorf("read the memory: no %s", name)
}

// cpuOf is how many seconds of CPU a process has used so far: the sum of its threads, each in
// nanoseconds. /proc/PID/stat has hundredths of a second alone.
func cpuOf(pid int) (float64, error) {
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "schedstat"))
	if err == nil && len(threads) == 0 {
		err = os.ErrProcessDone
	}
	if err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	sum := 0.0
	for _, thread := range threads {
		raw, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended since
		}
		on, _, _ := bytes.Cut(raw, []byte(" "))
		ns, parseErr := strconv.ParseFloat(string(on), 64)
		if err := errors.Join(err, parseErr); err != nil {
			return 0, fmt.Errorf("read the CPU time: %w", err)
		}
		sum += ns / 1e9
	}
	return sum, nil
}

// series are the values of one figure, one for each round.
type series []float64

// median is the middle one, or the mean of the two in the middle.
func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// over divides round by round: the two of a round ran one after the other, so
// that a machine that grows slower or faster in between rounds leaves the ratio
// alone. A divisor of one value serves every round.
func (s series) over(by series) series {
	var out series
	for i, v := range s {
		switch {
		case len(by) == 1:
			out = append(out, v/by[0])
		case i < len(by):
			out = append(out, v/by[i])
		}
	}
	return out
}
