// Bench measures what a broadcast costs beyond the calls themselves, against
// baselines of its own in the same run, and prints a table.
//
// The platform's end, each baseline and the program are processes of their own,
// so that CPU and memory are those of the one that is measured. A round runs
// them one after the other, and ratios are taken within a round: a machine that
// slows down between two rounds moves both sides.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := realMain(ctx, os.Args[1:], os.Getenv("TEST_MYSQL_URL")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func realMain(ctx context.Context, args []string, server string) (err error) {
	if len(args) == 2 && args[0] == "role" {
		play, ok := roles[args[1]]
		if !ok {
			return fmt.Errorf("no role %q", args[1])
		}
		return play(ctx, json.NewDecoder(os.Stdin), os.Stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "fewer and smaller rounds, without the 1,000,000 recipients")
	file := flags.String("json", "", "write every value to this file")
	profiles := flags.String("profiles", "", "write CPU and allocation profiles of a recorded broadcast over TLS to this folder")
	audiences := flags.Bool("audiences", false, "measure what topics, tags and lists cost, and nothing else")
	watched := flags.Bool("watched", false, "measure what open progress pages and consoles cost a broadcast, and nothing else")
	accounts := flags.Bool("accounts", false, "measure what 100 idle accounts cost in one process, and how fast one is beside a broken one, and nothing else")
	imports := flags.Bool("imports", false, "measure what it takes to read the files that people are imported from, and to import one, and nothing else")
	large := flags.Bool("scale", false, "measure ten million followers, killed twice, and nothing else")
	followers := flags.Int("followers", 0, "so many followers instead, with -scale")
	flooded := flags.Bool("flood", false, "measure a flood of receipts and forged callbacks beside a broadcast, and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *imports {
		n := 1_000_000
		if *quick {
			n = 100_000
		}
		return measureFiles(ctx, n, server, os.Stdout)
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	binary, err := buildProgram(ctx, folder)
	if err != nil {
		return err
	}
	if *accounts {
		if err := measureIdle(ctx, binary, server, os.Stdout); err != nil {
			return err
		}
		return measureNeighbours(ctx, binary, besideTasks, os.Stdout)
	}
	size := fullSizes
	if *quick {
		size = quickSizes
	}
	size.Audiences, size.Watched = *audiences, *watched
	if *large {
		size.Large = largeOf(*followers, *quick)
	}
	if *flooded {
		size.Flooded = floodedOf(*quick)
	}
	b := &bench{sizes: size, binary: binary, profiles: *profiles, progress: os.Stderr}
	return b.tell(ctx, server, *file)
}

// tell measures and prints what was. What takes long tells also what was measured before a fault.
func (b *bench) tell(ctx context.Context, server, file string) error {
	err := b.measure(ctx, server)
	if err != nil && b.Large == nil && b.Flooded == nil {
		return err
	}
	return errors.Join(err, report(b.rows(), server, file))
}

// report prints the table and writes its machine-readable copy.
func report(rows []row, server, file string) error {
	fmt.Printf("%s/%s, %d cores, %s, %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), load())
	if server == "" {
		fmt.Println("Without MySQL or MariaDB: set TEST_MYSQL_URL=mysql://user:password@host:3306/ for its rows.")
	}
	fmt.Println()
	if err := write(os.Stdout, rows); err != nil || file == "" {
		return err
	}
	raw, err := json.MarshalIndent(struct {
		At    time.Time `json:"at"`
		Go    string    `json:"go"`
		Cores int       `json:"cores"`
		Load  string    `json:"load"`
		Rows  []row     `json:"rows"`
	}{time.Now().UTC().Truncate(time.Second), runtime.Version(), runtime.NumCPU(), load(), rows}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644) //nolint:gosec // anyone may read it
}

// load says how busy the machine is.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	var one, five string
	if err == nil {
		_, err = fmt.Sscan(string(raw), &one, &five)
	}
	if err != nil {
		return "load unknown"
	}
	return fmt.Sprintf("load %s over the last minute, %s over five, the benchmark's own included", one, five)
}
