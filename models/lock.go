package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("another process sends on this database")

// SendLock is the right to send on a database: one process at a time has it.
type SendLock struct {
	check   func(ctx context.Context) error
	release func() error
}

// Check fails if the lock may be lost.
func (l *SendLock) Check(ctx context.Context) error { return l.check(ctx) }

// Release gives the lock back.
func (l *SendLock) Release() error { return l.release() }

// TakeSendLock takes the lock of the database: a lock on a file beside the
// SQLite file, or MySQL's GET_LOCK on a connection of its own. Both end with the
// process, however it dies. It returns ErrLocked if another process has it.
func (s *Store) TakeSendLock(ctx context.Context) (*SendLock, error) {
	if s.driver == SQLite {
		return s.lockFile()
	}
	return s.lockName(ctx, "send", 0)
}

func (s *Store) lockFile() (*SendLock, error) {
	lock := flock.New(s.file + ".lock")
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if !ok {
		return nil, ErrLocked
	}
	return &SendLock{
		check:   func(context.Context) error { return nil },
		release: lock.Unlock,
	}, nil
}

// lockName takes a named lock of the MySQL server for this database, waiting up
// to wait for it.
func (s *Store) lockName(ctx context.Context, name string, wait time.Duration) (*SendLock, error) {
	pool, err := s.w.DB()
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	// The name is the server's, so it holds the database's; 64 characters at most.
	const key = "LEFT(CONCAT('wechat-broadcast ', ?, ' ', SHA1(DATABASE())), 64)"
	var got sql.NullInt64
	err = conn.QueryRowContext(ctx, "SELECT GET_LOCK("+key+", ?)", name, int(wait.Seconds())).Scan(&got)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the database: %w", err), conn.Close())
	}
	if got.Int64 != 1 {
		return nil, errors.Join(ErrLocked, conn.Close())
	}
	return &SendLock{
		check: func(ctx context.Context) error {
			var mine sql.NullBool
			err := conn.QueryRowContext(ctx, "SELECT IS_USED_LOCK("+key+") = CONNECTION_ID()", name).Scan(&mine)
			if err == nil && !mine.Bool {
				err = ErrLocked
			}
			if err != nil {
				return fmt.Errorf("check the lock: %w", err)
			}
			return nil
		},
		release: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_, err := conn.ExecContext(ctx, "SELECT RELEASE_LOCK("+key+")", name)
			return errors.Join(err, conn.Close())
		},
	}, nil
}

func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	if s.driver == SQLite {
		lock := flock.New(s.file + ".migrate.lock")
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
			return nil, fmt.Errorf("lock the migrations: %w", err)
		}
		return func() { _ = lock.Unlock() }, nil
	}
	lock, err := s.lockName(ctx, "migrate", time.Minute)
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Release() }, nil
}
