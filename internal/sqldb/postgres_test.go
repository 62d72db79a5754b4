package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/valetkey/valetkey/internal/sqldb"
)

var schemas atomic.Int64

// openPostgres returns a database with a table t of two numbers, in a schema
// that goes with the test.
func openPostgres(t *testing.T) *sqldb.DB {
	t.Helper()
	dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set to the URL of a PostgreSQL database that the tests may write to")
	}
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("valetkey_sqldb_%d_%d", os.Getpid(), schemas.Add(1))
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
	pool, err := sql.Open("pgx", dsn+sep+"search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	if _, err := pool.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	return sqldb.New(pool, sqldb.PostgreSQL)
}

// together runs two writes; each meets the other in the middle of its first try.
func together(t *testing.T, db *sqldb.DB, before string, updates [2][2]int) (tries int64) {
	t.Helper()
	var runs atomic.Int64
	var wg, middle sync.WaitGroup
	middle.Add(2)
	for _, ids := range updates {
		wg.Go(func() {
			mine := 0
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				runs.Add(1)
				mine++
				if _, err := tx.ExecContext(ctx, before); err != nil {
					return err
				}
				for step, id := range ids {
					if id == 0 { // it only looks
						if _, err := tx.ExecContext(ctx, "SELECT n FROM t"); err != nil {
							return err
						}
					} else if _, err := tx.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = $1", id); err != nil {
						return err
					}
					if mine == 1 && step == 0 {
						middle.Done()
						middle.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return runs.Load()
}

func sum(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.Pool().QueryRow("SELECT sum(n) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Two transactions that lock two rows in opposite order: the server ends one of
// them, and it is run again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	db := openPostgres(t)
	runs := together(t, db, "SELECT 1", [2][2]int{{1, 2}, {2, 1}})
	if n := sum(t, db); n != 4 || runs != 3 {
		t.Errorf("got %d updates in %d runs, want 4 in 3", n, runs)
	}
}

// Two transactions that saw the same snapshot change the same row.
func TestSerializationFailure(t *testing.T) {
	t.Parallel()
	db := openPostgres(t)
	runs := together(t, db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", [2][2]int{{0, 1}, {0, 1}})
	if n := sum(t, db); n != 2 || runs != 3 {
		t.Errorf("got %d updates in %d runs, want 2 in 3", n, runs)
	}
}

// A row that two insert at once, each after a look that found nothing.
func TestInsertedMeanwhile(t *testing.T) {
	t.Parallel()
	db := openPostgres(t)
	errTaken := errors.New("taken")
	var looked, done sync.WaitGroup
	looked.Add(2)
	errs := make([]error, 2)
	for i := range errs {
		done.Go(func() {
			first := true
			errs[i] = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				var taken bool
				if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM t WHERE id = 3)").Scan(&taken); err != nil {
					return err
				}
				if first {
					first = false
					looked.Done()
					looked.Wait()
				}
				if taken {
					return errTaken
				}
				_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (3, 0)")
				return err
			})
		})
	}
	done.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), errTaken) {
		t.Errorf("got %v, want one that wins and one that finds the row", errs)
	}
}

// The server ends every connection of the pool, as one does that is started anew.
// Nobody who looks up or writes afterwards is told.
func TestStaleConnections(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := openPostgres(t)
	const crowd = 8
	db.Pool().SetMaxOpenConns(crowd)
	db.Pool().SetMaxIdleConns(crowd)
	for what, use := range map[string]func() error{
		"look-up": func() error {
			var n int
			return db.Read(ctx).QueryRowContext(ctx, "SELECT n FROM t WHERE id = 1").Scan(&n)
		},
		"list": func() error {
			rows, err := db.Read(ctx).QueryContext(ctx, "SELECT n FROM t")
			if err != nil {
				return err
			}
			return rows.Close()
		},
		"write": func() error {
			return db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = 1")
				return err
			})
		},
	} {
		conns := make([]*sql.Conn, crowd)
		pids := make([]int, crowd)
		for i := range conns {
			var err error
			if conns[i], err = db.Pool().Conn(ctx); err != nil {
				t.Fatal(err)
			}
			if err := conns[i].QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pids[i]); err != nil {
				t.Fatal(err)
			}
		}
		for _, pid := range pids[1:] {
			if _, err := conns[0].ExecContext(ctx, "SELECT pg_terminate_backend($1, 5000)", pid); err != nil { // waits until it has gone
				t.Fatal(err)
			}
		}
		for _, conn := range conns {
			conn.Close()
		}
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				if err := use(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		wg.Wait()
	}
}
