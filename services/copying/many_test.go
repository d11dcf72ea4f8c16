package copying_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/copying"
)

// TestCopyOfManyDeliveries measures a copy each way: COPY_DELIVERIES says of how many
// deliveries (make bench-copy: of a million). Its memory must not grow with them.
func TestCopyOfManyDeliveries(t *testing.T) {
	n, err := strconv.ParseInt(os.Getenv("COPY_DELIVERIES"), 10, 64)
	if err != nil {
		t.Skip("skipped: set COPY_DELIVERIES=1000000 to measure a copy of so many")
	}
	const maxHeap = 64 << 20
	for _, pair := range [][2]string{{models.SQLite, models.MySQL}, {models.MySQL, models.SQLite}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			from, to := empty(t, pair[0]), empty(t, pair[1])
			if err := from.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, table := range models.CopyTables {
				if table.Name == "recipients" || table.Name == "deliveries" {
					fillMany(t, from, table, n)
				}
			}
			debug.FreeOSMemory()
			var peak atomic.Uint64
			c := copier(from, to)
			c.Show = func(copying.Progress) {
				var m runtime.MemStats
				if runtime.ReadMemStats(&m); m.HeapAlloc > peak.Load() {
					peak.Store(m.HeapAlloc)
				}
			}
			began := time.Now()
			tables, err := run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range tables {
				if table.Rows > 0 {
					t.Logf("%s: %d rows, sum %016x in both", table.Name, table.Rows, table.Sum)
				}
			}
			t.Logf("%d recipients and deliveries in %.1f s; heap at most %.1f MiB", n, time.Since(began).Seconds(), float64(peak.Load())/(1<<20))
			if peak.Load() > maxHeap {
				t.Errorf("the heap grew to %d bytes", peak.Load())
			}
		})
	}
}

// fillMany puts n rows into a table.
func fillMany(t *testing.T, s *models.Store, table models.CopyTable, n int64) {
	t.Helper()
	columns, err := s.Columns(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for i := range n {
		row := make([]any, len(columns))
		for k, column := range columns {
			row[k] = value(table.Name, column, i+1)
		}
		if rows = append(rows, row); len(rows) == 5000 || i == n-1 {
			if err := s.AddRows(t.Context(), table, columns, rows); err != nil {
				t.Fatal(err)
			}
			rows = rows[:0]
		}
	}
}
