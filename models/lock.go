package models

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("another process sends on this database")

const (
	// checkLockWithin is how long the database may take to say who has the lock:
	// without an answer the holder must give up before it is taken for hung.
	checkLockWithin = 5 * time.Second
	// hungAfter is how long the holder of MySQL's lock may give no sign of life.
	hungAfter = 8 * time.Second

	factBeat = "send_beat"
)

// SendLock is the right to send on a database: one process at a time has it.
type SendLock struct {
	// Check fails if the lock may be lost, and gives a sign of life to those who
	// wait for it: the holder must call it every few seconds.
	Check func(ctx context.Context) error
	// Release gives the lock back.
	Release func() error
}

// TakeSendLock takes the lock of the database: a lock on the SQLite file and on
// one beside it, or MySQL's GET_LOCK on a connection of its own. All end with the
// process, however it dies. It returns ErrLocked if another process has it.
//
// A machine that loses its power or its network leaves MySQL's connection open,
// for hours by default. Whoever calls this again and again, and sees no sign of
// life of the holder for 8 s, ends that connection.
//
// Nobody gets the lock of a database from which nothing may be sent, since it is a copy
// that has not ended or another took its place: that is an *Unusable.
func (s *Store) TakeSendLock(ctx context.Context) (*SendLock, error) {
	lock, err := s.TakeCopyLock(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.CheckPlace(ctx); err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return lock, nil
}

// TakeCopyLock is TakeSendLock of a database whatever place it has, for a copy.
func (s *Store) TakeCopyLock(ctx context.Context) (*SendLock, error) {
	if s.driver == SQLite {
		return s.lockFile(ctx)
	}
	lock, err := s.lockName(ctx, "send", 0)
	if errors.Is(err, ErrLocked) {
		if err := s.endHung(ctx); err != nil {
			s.log.WarnContext(ctx, "look after the process that sends", "err", err)
		}
	}
	if err != nil {
		return nil, err
	}
	check := lock.Check
	lock.Check = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, checkLockWithin)
		defer cancel()
		if err := check(ctx); err != nil {
			return err
		}
		if err := s.SetFact(ctx, factBeat, rand.Text()); !noSuchTable(err) {
			return err
		}
		return nil // a copy is about to make it: nobody can read a sign of life yet
	}
	return lock, nil
}

// beat is the last sign of life of the lock's holder that this process saw.
type beat struct {
	mu   sync.Mutex
	text string
	at   time.Time // when it was new
}

// endHung ends the connection of a holder that gives no sign of life.
func (s *Store) endHung(ctx context.Context) error {
	text, err := s.Fact(ctx, factBeat)
	if err != nil {
		return err
	}
	now := time.Now()
	s.beat.mu.Lock()
	defer s.beat.mu.Unlock()
	if s.beat.at.IsZero() || s.beat.text != text {
		s.beat.text, s.beat.at = text, now
	}
	if now.Sub(s.beat.at) < s.hungAfter {
		return nil
	}
	s.beat.at = time.Time{} // whoever has it next gets its time
	db, err := s.w.DB()
	if err != nil {
		return err
	}
	var holder sql.NullInt64
	if err := db.QueryRowContext(ctx, "SELECT IS_USED_LOCK("+lockKey+")", "send").Scan(&holder); err != nil || !holder.Valid {
		return err
	}
	s.log.WarnContext(ctx, "the process that sends gives no sign of life, ending its connection", "connection", holder.Int64)
	// A user may end its own connections without further rights.
	if _, err := db.ExecContext(ctx, "KILL CONNECTION "+strconv.FormatInt(holder.Int64, 10)); err != nil {
		return fmt.Errorf("end the connection of the lock's holder: %w", err)
	}
	return nil
}

// lockKey is the name of a lock. It is the server's, so it holds the database's;
// 64 characters at most.
const lockKey = "LEFT(CONCAT('wechat-broadcast ', ?, ' ', SHA1(DATABASE())), 64)"

// lockFile takes the lock file beside the database, which other versions of the
// program know, and then the lock of the database file itself. The second holds
// where the first does not: when the lock file is deleted, and its next holder
// locks another one.
func (s *Store) lockFile(ctx context.Context) (*SendLock, error) {
	if err := s.stillThere(ctx); err != nil {
		return nil, err
	}
	lock, err := s.newFlock(".lock")
	if err != nil {
		return nil, err
	}
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if !ok {
		return nil, ErrLocked
	}
	ok, err = s.file.take()
	if err == nil && !ok {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &SendLock{
		Check: func(ctx context.Context) error {
			if err := s.stillThere(ctx); err != nil {
				return err
			}
			if !s.file.leadsTo(lock.Path(), lock.Stat) {
				return fmt.Errorf("the lock file %s was deleted or replaced: it must stay while the program runs", lock.Path())
			}
			return nil
		},
		Release: func() error { return errors.Join(s.file.give(), lock.Unlock()) },
	}, nil
}

// newFlock returns the lock of a file beside the database, which is made if it is
// not there.
func (s *Store) newFlock(suffix string) (*flock.Flock, error) {
	path := s.file.path + suffix
	if err := makePrivate(path); err != nil {
		return nil, unusableFile(path, err)
	}
	return flock.New(path, flock.SetPermissions(0o600)), nil
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
	var got sql.NullInt64
	err = conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lockKey+", ?)", name, int(wait.Seconds())).Scan(&got)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the database: %w", err), conn.Close())
	}
	if got.Int64 != 1 {
		return nil, errors.Join(ErrLocked, conn.Close())
	}
	return &SendLock{
		Check: func(ctx context.Context) error {
			var mine sql.NullBool
			err := conn.QueryRowContext(ctx, "SELECT IS_USED_LOCK("+lockKey+") = CONNECTION_ID()", name).Scan(&mine)
			if err == nil && !mine.Bool {
				err = ErrLocked
			}
			if err != nil {
				return fmt.Errorf("check the lock: %w", err)
			}
			return nil
		},
		Release: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_, err := conn.ExecContext(ctx, "SELECT RELEASE_LOCK("+lockKey+")", name)
			return errors.Join(err, conn.Close())
		},
	}, nil
}

func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	if s.driver == SQLite {
		lock, err := s.newFlock(".migrate.lock")
		if err != nil {
			return nil, err
		}
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
