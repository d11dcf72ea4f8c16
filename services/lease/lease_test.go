package lease

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	times := Times{Lasts: 15 * time.Second, Renew: 5 * time.Second, Margin: 3 * time.Second}
	away := errors.New("the database is away")
	tests := map[string]struct {
		renew func(after time.Duration) (bool, error)
		want  error
		ends  time.Duration
	}{
		"renewed":   {func(time.Duration) (bool, error) { return true, nil }, nil, time.Minute},
		"another's": {func(after time.Duration) (bool, error) { return after < 10*time.Second, nil }, ErrTaken, 10 * time.Second},
		"away for a while": {func(after time.Duration) (bool, error) {
			return true, during(after, 5*time.Second, 11*time.Second, away)
		}, nil, time.Minute},
		"away for too long":   {func(after time.Duration) (bool, error) { return true, during(after, 10*time.Second, time.Hour, away) }, ErrExpired, 17 * time.Second},
		"away from the start": {func(time.Duration) (bool, error) { return false, away }, ErrExpired, 12 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				err := Keep(ctx, times, began, func(context.Context) (bool, error) { return tt.renew(time.Since(began)) })
				if took := time.Since(began); !errors.Is(err, tt.want) || took != tt.ends {
					t.Errorf("ended after %s with %v, want after %s with %v", took, err, tt.ends, tt.want)
				}
				if expired := errors.Is(err, ErrExpired); expired != errors.Is(err, away) {
					t.Errorf("the fault is not told: %v", err)
				}
			})
		})
	}
}

func during(after, from, to time.Duration, err error) error {
	if after < from || after >= to {
		return nil
	}
	return err
}
