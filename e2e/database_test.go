package e2e

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/glebarez/go-sqlite" // the driver named sqlite
	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models/modelstest"
)

// database is a fresh one for a trial.
type database struct {
	// url is what DATABASE_URL says.
	url string
	// driver and dsn are for the trial's own look into it.
	driver, dsn string
}

// eachDatabase runs a trial on SQLite, and on MySQL if TEST_MYSQL_URL names a
// server.
func eachDatabase(t *testing.T, trial func(t *testing.T, db database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		trial(t, sqlite(t))
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		trial(t, onServer(t, modelstest.MigratedDSN(t)))
	})
}

func sqlite(t *testing.T) database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broadcast.db")
	return database{url: "sqlite://" + path, driver: "sqlite", dsn: "file:" + path + "?_pragma=busy_timeout(10000)"}
}

// mariadb is empty: the program makes its tables.
func mariadb(t *testing.T) database {
	t.Helper()
	return onServer(t, modelstest.MySQLDSN(t))
}

func onServer(t *testing.T, dsn string) database {
	t.Helper()
	conf, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u := url.URL{Scheme: "mysql", User: url.UserPassword(conf.User, conf.Passwd), Host: conf.Addr, Path: "/" + conf.DBName}
	return database{url: u.String(), driver: "mysql", dsn: dsn}
}

// through returns the database as it is reached by another address.
func (db database) through(addr string) string {
	u, err := url.Parse(db.url)
	if err != nil {
		return err.Error()
	}
	u.Host = addr
	return u.String()
}

// addr is the address of the database's server.
func (db database) addr(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(db.url)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// deliveries checks how many deliveries the first broadcast has in each state.
func (db database) deliveries(t *testing.T, want map[string]int64) {
	t.Helper()
	pool, err := sql.Open(db.driver, db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	rows, err := pool.QueryContext(t.Context(), "SELECT state, COUNT(*) FROM deliveries WHERE broadcast_id = 1 GROUP BY state")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	got := map[string]int64{}
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			t.Fatal(err)
		}
		got[strings.Clone(state)] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries by state (-want +got):\n%s", diff)
	}
}

// countsKept fails unless what is kept of the counts of all broadcasts is what their deliveries
// come to. All their batches must be done.
func countsKept(t *testing.T, pool *sql.DB) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), `SELECT broadcast_id, state, SUM(n) FROM (
			SELECT broadcast_id, state, COUNT(*) AS n FROM deliveries GROUP BY broadcast_id, state
			UNION ALL SELECT broadcast_id, state, -n FROM outcome_counts) x
		GROUP BY broadcast_id, state HAVING SUM(n) <> 0`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, lacking int64
		var state string
		if err := rows.Scan(&id, &state, &lacking); err != nil {
			t.Fatal(err)
		}
		t.Errorf("the kept counts of #%d lack %d that are %s", id, lacking, state)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
