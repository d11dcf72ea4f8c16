package models_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// BenchmarkOneWrite records a broadcast to 100,000 in groups, and tells what that takes for
// a recipient: as the program does it, with a claim in the row of the batch (claims), and
// with a row for each that the outcome changes (rows), as it does under a cap. The CPU of a
// database server is told if TEST_MYSQL_PID names its process:
//
//	TEST_MYSQL_PID=$(pidof mariadbd) go test ./models -run '^$' -bench OneWrite -benchtime 1x
func BenchmarkOneWrite(b *testing.B) {
	for driver, open := range map[string]func(testing.TB) *models.Store{models.SQLite: modelstest.SQLite, models.MySQL: modelstest.MySQL} {
		for _, group := range []int{32, 100, 500} {
			for _, how := range []string{"rows", "claims"} {
				b.Run(fmt.Sprintf("%s/%d/%s", driver, group, how), func(b *testing.B) {
					s := open(b)
					for range b.N {
						oneWrite(b, s, group, how == "claims")
					}
				})
			}
		}
	}
}

func oneWrite(b *testing.B, s *models.Store, group int, claims bool) {
	b.Helper()
	const people, size = 100_000, 500
	ctx := b.Context()
	if err := models.FillRunning(ctx, s, people/size, size); err != nil {
		b.Fatal(err)
	}
	began, own, server := time.Now(), cpuOf(b, 0), cpuOf(b, serverPID(b))
	for seq := int64(1); seq <= people/size; seq++ {
		batch, err := s.LeaseBatch(ctx, 1, seq, "bench", time.Hour)
		if err != nil || batch == nil {
			b.Fatalf("leased %v, %v", batch, err)
		}
		var stored models.Claims
		for first := batch.AfterID; first < batch.ThroughID; first += int64(group) {
			var ids []int64
			for id := first + 1; id <= min(first+int64(group), batch.ThroughID); id++ {
				ids = append(ids, id)
			}
			now := time.Now()
			if claims {
				stored = append(stored, models.Claim{At: models.At(now), Recipients: ids})
				_, err = s.StoreClaims(ctx, *batch, stored)
			} else {
				err = s.ClaimRows(ctx, 1, ids, now)
			}
			if err != nil {
				b.Fatal(err)
			}
			if err := s.RecordOutcomes(ctx, outcomesOf(1, ids), now); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.FinishBatch(ctx, *batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/people, "wall-µs/recipient")
	b.ReportMetric((cpuOf(b, 0)-own)/people, "own-cpu-µs/recipient")
	if pid := serverPID(b); pid != 0 {
		b.ReportMetric((cpuOf(b, pid)-server)/people, "server-cpu-µs/recipient")
	}
}

func serverPID(b *testing.B) int {
	b.Helper()
	pid := os.Getenv("TEST_MYSQL_PID")
	if pid == "" || strings.Contains(b.Name(), models.SQLite) {
		return 0
	}
	n, err := strconv.Atoi(pid)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// cpuOf is the CPU time that a process has used, in microseconds: this one for 0.
func cpuOf(b *testing.B, pid int) float64 {
	b.Helper()
	if pid == 0 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e3
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	// The name stands in brackets and may have spaces. The times are in hundredths of a second.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	sum := 0.0
	for _, field := range fields[11:13] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n * 1e4
	}
	return sum
}
