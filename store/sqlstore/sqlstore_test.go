package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
	"github.com/valetkey/valetkey/store/storetest"
)

func openSQLite(t testing.TB) *sqlstore.Store {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "test.db"))
}

func openFile(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	return migrated(t, emptySQLite(t, path))
}

// emptySQLite opens a store that has no tables yet.
func emptySQLite(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { db.Close() })
	return sqlstore.New(db, sqlstore.SQLite)
}

func migrated(t testing.TB, st *sqlstore.Store) *sqlstore.Store {
	t.Helper()
	if err := st.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}

// postgresDSN is where a PostgreSQL server for tests is, or the test is skipped.
func postgresDSN(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set to the URL of a PostgreSQL database that the tests may write to")
	}
	return dsn
}

var schemas atomic.Int64

func openPostgres(t testing.TB) *sqlstore.Store {
	t.Helper()
	return migrated(t, emptyPostgres(t))
}

// emptyPostgres opens a store in a schema of its own, which goes with the test
// and has no tables yet.
func emptyPostgres(t testing.TB, settings ...string) *sqlstore.Store {
	t.Helper()
	dsn := postgresDSN(t)
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("valetkey_test_%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		admin.Close()
	})
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	db, err := sql.Open("pgx", dsn+sep+strings.Join(append(settings, "search_path="+schema), "&"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { db.Close() })
	return sqlstore.New(db, sqlstore.PostgreSQL)
}

func TestStoreSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return openSQLite(t) })
}

// A host may give its pool one connection only.
func TestStoreSQLiteOneConnection(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		st := openSQLite(t)
		st.DB().Pool().SetMaxOpenConns(1)
		return st
	})
}

func TestStorePostgreSQL(t *testing.T) {
	t.Parallel()
	postgresDSN(t)
	storetest.Run(t, func(t *testing.T) store.Store { return openPostgres(t) })
}

// A connection pooler may hand each transaction to another connection, so that
// nothing can stay prepared: docs/postgresql.md names this setting.
func TestStorePostgreSQLUnprepared(t *testing.T) {
	t.Parallel()
	postgresDSN(t)
	if testing.Short() {
		t.Skip("the suite once more")
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		return migrated(t, emptyPostgres(t, "default_query_exec_mode=exec"))
	})
}

// Rows must outlive the process, and the settings that make sure of it are
// easily lost in a data source name.
func TestSQLiteDSN(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.db", "odd %41 #name?.db"} {
		path := filepath.Join(t.TempDir(), name)
		st := openFile(t, path)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("the database is not at its path: %v", err)
		}
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "trusted_schema": "0",
		} {
			var got string
			if err := st.DB().Pool().QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: got %s (error %v), want %s", pragma, got, err, want)
			}
		}
	}
}

func TestMigrateRefusesLooseForeignKeys(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = sqlstore.New(db, sqlstore.SQLite).Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "SQLiteDSN") {
		t.Errorf("got error %v, want one that names SQLiteDSN", err)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	st := sqlstore.New(db, sqlstore.SQLite)
	for _, want := range []string{"[0001_init 0002_openid 0003_add_changes 0004_add_upkeep]", "[]"} {
		got, err := st.Pending(t.Context())
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("got %v (error %v), want %s", got, err, want)
		}
		migrated(t, st)
	}
}

// A backup taken while others write is a whole database.
func TestBackup(t *testing.T) {
	t.Parallel()
	st := openSQLite(t)
	if err := st.CreateClient(t.Context(), client("c1")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := st.DB().Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := st.DB().Backup(t.Context(), path); err == nil {
		t.Error("a second backup has overwritten the first")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v (error %v), want 0600", info.Mode(), err)
	}
	if _, err := openFile(t, path).Client(t.Context(), "c1"); err != nil {
		t.Errorf("client in the backup: %v", err)
	}
}

// Ping must not say that all is well when nothing can be written.
func TestPingReadOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	openFile(t, path)
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path)+"&mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := sqlstore.New(db, sqlstore.SQLite).Ping(t.Context()); err == nil {
		t.Error("Ping of a read-only database: got no error")
	}
}

var testTime = time.Date(2026, 3, 29, 1, 59, 59, 0, time.UTC)
