package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/glebarez/sqlite"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

//go:embed migrations
var migrations embed.FS

// The database drivers.
const (
	SQLite = "sqlite"
	MySQL  = "mysql"
)

// maxRows is how many rows one statement writes at most: both databases limit
// the parameters of a statement (SQLite 32,766, MySQL 65,535).
const maxRows = 1000

// Store is the database.
type Store struct {
	// w writes and r reads. On SQLite w has a single connection, since there is
	// one writer at a time anyway and waiting in Go is fairer than its busy loop;
	// r has others, which WAL lets read meanwhile. On MySQL they are the same.
	w, r   *gorm.DB
	driver string
	file   *sqliteFile // nil on MySQL
	dsn    string      // MySQL's
	log    *slog.Logger
	// retired is done once the database was taken away from under the program.
	retired sync.Once
	// failures are the statements that the database failed.
	failures failures

	beat      beat
	hungAfter time.Duration
	// countWithin is how long all followers are counted before the last sync's number is taken.
	countWithin time.Duration
	webhooks    bool // moves leave webhooks
}

// Open returns a Store on the database: driver is SQLite with a file's path as
// dsn (it is made with its folder, for its owner alone), or MySQL with a DSN of
// go-sql-driver/mysql. A MySQL server that is away is no error: Ping and Migrate
// tell. What the operator must mend is an *Unusable.
func Open(driver, dsn string, log *slog.Logger) (*Store, error) {
	s := &Store{driver: driver, log: log, hungAfter: hungAfter, countWithin: countWithin}
	var err error
	switch driver {
	case SQLite:
		// Power loss must not forget that a send was begun.
		err = s.openSQLite(dsn, "journal_mode(WAL)", "synchronous(FULL)")
	case MySQL:
		s.dsn = dsn
		err = s.openMySQL()
	default:
		err = fmt.Errorf("unknown database driver %q", driver)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openSQLite opens a file, with pragmas for every connection.
func (s *Store) openSQLite(path string, pragmas ...string) error {
	var err error
	if s.file, err = openFile(path, s.log); err != nil {
		return err
	}
	options := url.Values{"_txlock": {"immediate"}, "_pragma": append(pragmas, "busy_timeout(10000)")}
	dsn := "file:" + (&url.URL{Path: s.file.path}).EscapedPath() + "?" + options.Encode()
	for _, db := range []**gorm.DB{&s.w, &s.r} {
		if *db, err = s.gorm(sqlite.Open(dsn)); err != nil {
			return errors.Join(fmt.Errorf("open the database: %w", err), s.Close())
		}
	}
	return errors.Join(setPool(s.w, 1, 0), setPool(s.r, 8, 0))
}

func (s *Store) openMySQL() error {
	conf, err := mysqldriver.ParseDSN(s.dsn)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	conf.InterpolateParams = true // one round trip for a statement, not two
	conf.Logger = driverLog{s.log}
	connector, err := mysqldriver.NewConnector(conf)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	db := sql.OpenDB(connector)
	// Without a look at the server's version, so that it may be away now.
	if s.w, err = s.gorm(mysql.New(mysql.Config{Conn: db, SkipInitializeWithVersion: true})); err != nil {
		return errors.Join(fmt.Errorf("open the database: %w", err), db.Close())
	}
	s.r = s.w
	// MySQL closes idle connections after hours, proxies sooner.
	return setPool(s.w, 24, 4*time.Minute)
}

func (s *Store) gorm(d gorm.Dialector) (*gorm.DB, error) {
	db, err := gorm.Open(d, &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger: logger.NewSlogLogger(s.log, logger.Config{
			SlowThreshold:             2 * time.Second,
			LogLevel:                  logger.Warn,
			IgnoreRecordNotFoundError: true,
			ParameterizedQueries:      true, // OpenIDs and contents stay out of the log
		}),
	})
	if err != nil {
		return nil, err
	}
	return db, s.failures.watch(db)
}

func setPool(db *gorm.DB, conns int, lifetime time.Duration) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxLifetime(lifetime)
	return nil
}

// The connections of all stores of a process together, and of one at most and at least.
// A MySQL server takes 151 by default. A store needs one for its lock and one for everything
// else: no statement waits for another one while it has a connection. With more than 60 stores
// the least is more than their share.
const (
	mysqlConns, mysqlConnsMost, mysqlConnsLeast        = 120, 24, 2
	sqliteReaders, sqliteReadersMost, sqliteReadsLeast = 64, 8, 2
	// idleConns outlast a pause in the work; each holds memory of its own.
	idleConns, idleFor = 2, time.Minute
)

// Limit bounds the connections of a store of which the process has so many.
func (s *Store) Limit(stores int) error {
	db, err := s.r.DB()
	if err != nil {
		return err
	}
	conns := min(max(sqliteReaders/stores, sqliteReadsLeast), sqliteReadersMost)
	if s.driver == MySQL {
		conns = min(max(mysqlConns/stores, mysqlConnsLeast), mysqlConnsMost)
	}
	db.SetMaxOpenConns(conns)
	if stores > 1 {
		db.SetMaxIdleConns(idleConns)
		db.SetConnMaxIdleTime(idleFor)
	}
	return nil
}

// driverLog is where the MySQL driver says that a connection broke: the statement
// fails as well, so it is for debugging only.
type driverLog struct{ log *slog.Logger }

func (l driverLog) Print(v ...any) { l.log.Debug("mysql driver", "message", fmt.Sprint(v...)) }

// Ping asks the database for a sign of life. A SQLite file that was deleted, moved
// or replaced is an *Unusable.
func (s *Store) Ping(ctx context.Context) error {
	db, err := s.r.DB()
	if err != nil {
		return err
	}
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return s.stillThere(ctx)
}

// Close closes every connection. A second call does nothing.
func (s *Store) Close() error {
	var errs []error
	for _, g := range []*gorm.DB{s.w, s.r} {
		if g == nil {
			continue
		}
		db, err := g.DB()
		if err == nil {
			err = db.Close()
		}
		errs = append(errs, err)
	}
	if s.file != nil {
		if err := s.file.file.Close(); !errors.Is(err, fs.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// versionsTable has the versions that the schema was brought to.
const versionsTable = "schema_versions"

// Migrate brings the schema up to date, each version once, under a lock where
// several processes may start at the same time. A database of a newer version is
// an *Unusable: nobody knows what this program would do to it. So is one that is a copy
// which has not ended, and one whose place another database took: that stays as it is, so
// that the version that it was left by can use it again.
func (s *Store) Migrate(ctx context.Context) error {
	names, err := s.tableNames(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(names, "facts") {
		if err := s.CheckPlace(ctx); err != nil {
			return err
		}
	}
	if err := s.MigrateSchema(ctx); err != nil {
		return err
	}
	return s.CheckPlace(ctx) // a copy into it may have begun meanwhile
}

// MigrateSchema is Migrate of a database whatever place it has.
func (s *Store) MigrateSchema(ctx context.Context) error {
	db, err := s.w.DB()
	if err != nil {
		return err
	}
	dialect := goose.DialectSQLite3
	if s.driver == MySQL {
		dialect = goose.DialectMySQL
	}
	files, err := fs.Sub(migrations, "migrations/"+s.driver)
	if err != nil {
		return err
	}
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := goose.NewProvider(dialect, db, files,
		goose.WithTableName(versionsTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	found, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the database's version: %w", err)
	}
	if found > known {
		return newerSchema(found, known)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if len(done) > 0 {
		// goose reads each file with a buffer of 4 MB and pools these. A pool gives up with the
		// second collection what is in it, and until then the heap may grow for it.
		runtime.GC()
		runtime.GC()
	}
	for _, m := range done {
		s.log.InfoContext(ctx, "database migrated", "version", m.Source.Version, "took", m.Duration)
	}
	return nil
}

// wrap returns err with what was being done when it happened, or nil for none.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// exists tells whether a query has a row, past GORM.
func exists(ctx context.Context, g *gorm.DB, query string, args ...any) (bool, error) {
	var one int
	err := g.Statement.ConnPool.QueryRowContext(ctx, query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// first returns the first row of a query, or nil if it has none.
func first[T any](q *gorm.DB) (*T, error) {
	var rows []T
	if err := q.Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// maxTries is how often a transaction that loses a deadlock is run.
const maxTries = 5

// inTx runs f in a transaction of the writer, again if it loses a deadlock: f
// must not keep anything from a run that failed.
func (s *Store) inTx(ctx context.Context, f func(tx *gorm.DB) error) error {
	for try := 1; ; try++ {
		err := s.w.WithContext(ctx).Transaction(f, &sql.TxOptions{Isolation: s.isolation()})
		if err == nil || try == maxTries || !isDeadlock(err) {
			return err
		}
	}
}

// isDeadlock tells whether MySQL rolled a statement back in favour of another
// (1213 deadlock, 1205 lock wait timeout).
func isDeadlock(err error) bool {
	var e *mysqldriver.MySQLError
	return errors.As(err, &e) && (e.Number == 1213 || e.Number == 1205)
}

// noSuchTable tells whether MySQL has no table of that name.
func noSuchTable(err error) bool {
	var e *mysqldriver.MySQLError
	return errors.As(err, &e) && e.Number == 1146
}

// DiskFull tells whether an error of the store says that the database's disk is
// full: MySQL's 1021 and 1114, SQLite's 13, or the system's own words.
func DiskFull(err error) bool {
	var e *mysqldriver.MySQLError
	if errors.As(err, &e) {
		return e.Number == 1021 || e.Number == 1114
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "disk is full") || strings.Contains(text, "no space left")
}

// isolation is READ COMMITTED on MySQL, where the default would show a
// transaction a past state and take locks on gaps; SQLite has one level.
func (s *Store) isolation() sql.IsolationLevel {
	if s.driver == MySQL {
		return sql.LevelReadCommitted
	}
	return sql.LevelDefault
}
