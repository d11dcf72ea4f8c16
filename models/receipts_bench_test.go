package models_test

import (
	"path/filepath"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// BenchmarkReceipts commits receipts in groups of 500, as a callback's wait for them is.
//
//	go test ./models -run '^$' -bench Receipts -benchtime 40x
func BenchmarkReceipts(b *testing.B) {
	for _, driver := range []string{models.SQLite, models.MySQL} {
		b.Run(driver, func(b *testing.B) {
			dsn := filepath.Join(b.TempDir(), "broadcast.db")
			if driver == models.MySQL {
				dsn = modelstest.MySQLDSN(b)
			}
			s, err := models.Open(driver, dsn, modelstest.Log(b))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				ids := make([]int64, 500)
				for j := range ids {
					ids[j] = int64(500*i + j + 1)
				}
				if err := modelstest.Claim(b.Context(), s, 1, ids, t0); err != nil {
					b.Fatal(err)
				}
				if err := s.RecordOutcomes(b.Context(), outcomesOf(1, ids), t0); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for i := range b.N {
				if early, err := s.ApplyReceipts(b.Context(), receiptsOf(1<<40+int64(500*i)+1, 500), t0); err != nil || early != 0 {
					b.Fatal(early, err)
				}
			}
		})
	}
}
