package main

import (
	"errors"
	"os"
	"regexp"
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
func peakMiB() (float64, error) { return resident(os.Getpid(), "VmHWM") }

// resident returns how many MiB of a process are in memory, by the name that its status
// has for it (proc_pid_status(5)).
func resident(pid int, name string) (float64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, errors.New("the process has no " + name)
	}
	kib, err := strconv.Atoi(string(found[1]))
	return float64(kib) / 1024, err
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
