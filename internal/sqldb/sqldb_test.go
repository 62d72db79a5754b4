package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func openPool(t testing.TB, path string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

// open returns a database with a table t of unique numbers, of which parent
// must be in p, checked only at commit.
func open(t testing.TB) *sqldb.DB {
	t.Helper()
	pool := openPool(t, filepath.Join(t.TempDir(), "test.db"))
	_, err := pool.Exec(`CREATE TABLE p (id INTEGER PRIMARY KEY);
		CREATE TABLE t (n INTEGER PRIMARY KEY, parent INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)`)
	if err != nil {
		t.Fatal(err)
	}
	return sqldb.New(pool, sqldb.SQLite)
}

func insert(n int) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (n) VALUES ($1)", n)
		return err
	}
}

func numbers(t testing.TB, db *sqldb.DB) string {
	t.Helper()
	var s sql.NullString
	err := db.Read(context.Background()).QueryRowContext(context.Background(), "SELECT group_concat(n, ' ' ORDER BY n) FROM t").Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s.String
}

var errFault = errors.New("a fault")

// crowd holds the writer with one function while the others queue, in order,
// and returns what each got. The others so share one transaction.
func crowd(t testing.TB, db *sqldb.DB, ctx context.Context, fns ...func(context.Context, *sql.Tx) error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Write(context.Background(), func(context.Context, *sql.Tx) error {
			close(held)
			<-release
			return nil
		})
	})
	<-held
	errs := make([]error, len(fns))
	for i, fn := range fns {
		queued := db.Waiting() + 1
		wg.Go(func() { errs[i] = db.Write(ctx, fn) })
		for db.Waiting() < queued {
			runtime.Gosched()
		}
	}
	close(release)
	wg.Wait()
	return errs
}

func TestGroupSharesOneTransaction(t *testing.T) {
	t.Parallel()
	db := open(t)
	seen := map[*sql.Tx]int{}
	var fns []func(context.Context, *sql.Tx) error
	for i := range 300 {
		fns = append(fns, func(ctx context.Context, tx *sql.Tx) error {
			seen[tx]++ // one runs at a time
			return insert(i)(ctx, tx)
		})
	}
	for i, err := range crowd(t, db, t.Context(), fns...) {
		if err != nil {
			t.Fatalf("caller %d: %v", i, err)
		}
	}
	if len(seen) != 2 {
		t.Errorf("300 callers took %d transactions, want 2: of 256 and of 44", len(seen))
	}
	for _, n := range seen {
		if n != 256 && n != 44 {
			t.Errorf("a transaction had %d members", n)
		}
	}
}

func TestMemberFailsAlone(t *testing.T) {
	t.Parallel()
	db := open(t)
	errs := crowd(t, db, t.Context(),
		insert(1),
		func(ctx context.Context, tx *sql.Tx) error { return errors.Join(insert(2)(ctx, tx), errFault) },
		insert(3),
		insert(3), // the statement itself fails
		func(ctx context.Context, tx *sql.Tx) error { insert(4)(ctx, tx); panic("out of cheese") },
		func(ctx context.Context, tx *sql.Tx) error { // a nested Write joins
			return db.Write(ctx, func(ctx context.Context, inner *sql.Tx) error {
				if inner != tx {
					return errors.New("a nested Write has another transaction")
				}
				return insert(5)(ctx, inner)
			})
		},
	)
	for i, want := range []string{"", "a fault", "", "UNIQUE", "out of cheese", ""} {
		if got := fmt.Sprint(errs[i]); want == "" && errs[i] != nil || !strings.Contains(got, want) {
			t.Errorf("caller %d: got error %q, want %q", i, got, want)
		}
	}
	if got, want := numbers(t, db), "1 3 5"; got != want {
		t.Errorf("got rows %q, want %q", got, want)
	}
}

func TestFailedCommitFailsAll(t *testing.T) {
	t.Parallel()
	db := open(t)
	orphan := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (n, parent) VALUES (2, 99)")
		return err
	}
	errs := crowd(t, db, t.Context(), insert(1), orphan, func(context.Context, *sql.Tx) error { return errFault }, insert(3))
	for i, err := range errs {
		switch {
		case i == 2 && !errors.Is(err, errFault):
			t.Errorf("the member that failed by itself: got %v, want its own error", err)
		case i != 2 && (err == nil || !strings.Contains(err.Error(), "commit")):
			t.Errorf("caller %d: got error %v, want that the commit failed", i, err)
		}
	}
	if err := db.Write(t.Context(), orphan); err == nil { // and so alone
		t.Error("a caller alone whose commit failed: got no error")
	}
	if err := db.Write(t.Context(), insert(4)); err != nil {
		t.Errorf("after a failed commit: %v", err)
	}
	if got := numbers(t, db); got != "4" {
		t.Errorf("got rows %q, want only 4", got)
	}
}

// A full disk makes SQLite undo the whole transaction behind our back. Nobody
// may be told that it worked then, not even who comes after.
func TestLostTransactionFailsAll(t *testing.T) {
	t.Parallel()
	db := open(t)
	errs := crowd(t, db, t.Context(), insert(1),
		func(ctx context.Context, tx *sql.Tx) error {
			tx.ExecContext(ctx, "INSERT OR ROLLBACK INTO t (n) VALUES (1)")
			return nil // it does not even notice
		}, insert(3))
	for _, err := range errs[:2] {
		if !errors.Is(err, oauth.TemporarilyUnavailable) {
			t.Errorf("got %v, want temporarily_unavailable", err)
		}
	}
	want := ""
	if errs[2] == nil {
		want = "3"
	}
	if got := numbers(t, db); got != want {
		t.Errorf("got rows %q, want %q", got, want)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	db := open(t)

	// In the queue: it never runs. The other two are not disturbed.
	gone, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	errs := crowd(t, db, t.Context(), insert(1), func(ctx context.Context, tx *sql.Tx) error { // runs first
		go func() { answer <- db.Write(gone, insert(2)) }()
		for db.Waiting() == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			return fmt.Errorf("queued and cancelled: got %v", err)
		}
		return nil
	}, insert(3))
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}

	// Running: it runs to its end, and its caller learns the truth.
	late, cancel := context.WithCancel(t.Context())
	err := db.Write(late, func(ctx context.Context, tx *sql.Tx) error {
		if err := insert(4)(ctx, tx); err != nil {
			return err
		}
		cancel()
		_, err := db.Read(ctx).ExecContext(late, "INSERT INTO t (n) VALUES (5)") // by the caller's own context, too
		return err
	})
	if err != nil {
		t.Errorf("running and cancelled: got %v, want its outcome", err)
	}
	if got, want := numbers(t, db), "1 3 4 5"; got != want {
		t.Errorf("got rows %q, want %q", got, want)
	}
}

// A test's FailNow inside a transaction ends the goroutine that leads.
func TestGoexit(t *testing.T) {
	t.Parallel()
	db := open(t)
	errs := crowd(t, db, t.Context(), insert(1), func(context.Context, *sql.Tx) error { runtime.Goexit(); return nil }, insert(3))
	if errs[0] == nil || errs[1] == nil {
		t.Errorf("got errors %v, want one for each of the first two", errs)
	}
	if errs[2] != nil { // it waited for the next leader
		t.Errorf("the member behind: %v", errs[2])
	}
	if got, want := numbers(t, db), "3"; got != want {
		t.Errorf("got rows %q, want %q", got, want)
	}
}

// The same while a group runs for the second time: who has succeeded in it so far
// is not told so.
func TestGoexitInASecondRun(t *testing.T) {
	t.Parallel()
	db := open(t)
	var runs int
	errs := crowd(t, db, t.Context(), insert(1),
		func(context.Context, *sql.Tx) error {
			if runs++; runs == 2 {
				runtime.Goexit()
			}
			return errFault
		}, insert(3))
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("got errors %v, want one for each of the first two", errs)
	}
	if got, want := numbers(t, db), "3"; got != want || runs != 2 {
		t.Errorf("got rows %q after %d runs, want %q after 2", got, runs, want)
	}
}

// Nothing runs when nobody writes.
func TestNoGoroutineStays(t *testing.T) {
	db := open(t)
	if err := db.Write(t.Context(), insert(0)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { db.Write(t.Context(), insert(i+1)) })
	}
	wg.Wait()
	for db.Leading() {
		runtime.Gosched()
	}
	stacks := make([]byte, 1<<20)
	if s := string(stacks[:runtime.Stack(stacks, true)]); strings.Contains(s, "sqldb.(*DB).lead") {
		t.Error("the leader is still there")
	}
}

func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	db := open(t)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 20 {
				n := i*100 + j
				if err := db.Write(t.Context(), insert(n)); err != nil {
					t.Error(err)
					return
				}
				var found bool
				err := db.Read(t.Context()).QueryRowContext(t.Context(), "SELECT EXISTS (SELECT 1 FROM t WHERE n = $1)", n).Scan(&found)
				if err != nil || !found {
					t.Errorf("%d was written and is not read (error %v)", n, err)
				}
			}
		})
	}
	wg.Wait()
}

// state is an error as PostgreSQL drivers give it.
type state string

func (s state) Error() string    { return "database says " + string(s) }
func (s state) SQLState() string { return string(s) }

func TestRetry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fails []error // what the function gets, one after the other
		runs  int
		err   error
	}{
		{"serialization failure, once", []error{state("40001")}, 2, nil},
		{"deadlock, wrapped", []error{fmt.Errorf("insert: %w", state("40P01"))}, 2, nil},
		{"again and again", slices.Repeat([]error{state("40001")}, 20), 8, state("40001")},
		{"a row that others were about to insert", []error{state("23505")}, 2, nil},
		{"a row that others were about to delete", []error{state("23503")}, 2, nil},
		{"a check is nobody else's fault", []error{state("23514")}, 1, state("23514")},
		{"our own error", []error{errFault}, 1, errFault},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := sqldb.New(open(t).Pool(), sqldb.PostgreSQL) // any database will do
			runs := 0
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				runs++
				if err := insert(runs)(ctx, tx); err != nil {
					return err
				}
				if runs <= len(tc.fails) {
					return tc.fails[runs-1]
				}
				return nil
			})
			if !errors.Is(err, tc.err) || runs != tc.runs {
				t.Errorf("got %d runs, error %v; want %d, %v", runs, err, tc.runs, tc.err)
			}
			want := ""
			if tc.err == nil {
				want = fmt.Sprint(tc.runs) // what the tries before wrote is undone
			}
			if got := numbers(t, db); got != want {
				t.Errorf("got rows %q, want %q", got, want)
			}
		})
	}
}

func TestLockFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	release, err := sqldb.LockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.LockFile(path); err == nil || !strings.Contains(err.Error(), "another Valetkey server is running on "+path) {
		t.Errorf("second server: got error %v", err)
	}
	release()
	release, err = sqldb.LockFile(path)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	release()
	if _, err := sqldb.LockFile(filepath.Join(path, "missing", "x")); err == nil {
		t.Error("a directory that is not there: got no error")
	}
}

func TestBackupIsForSQLite(t *testing.T) {
	t.Parallel()
	err := sqldb.New(open(t).Pool(), sqldb.PostgreSQL).Backup(t.Context(), filepath.Join(t.TempDir(), "x"))
	if err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("got error %v, want one that names pg_dump", err)
	}
}
