package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	pool := openPool(t, filepath.Join(t.TempDir(), "test.db"))
	if _, err := pool.Exec("CREATE TABLE t (n INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	db := sqldb.New(pool, sqldb.SQLite)
	var mu sync.Mutex
	var statements, failed, transactions, callers, undone int
	db.Watch(&sqldb.Watcher{
		Now: time.Now,
		Statement: func(took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			if statements++; err != nil {
				failed++
			}
			if took < 0 || took > time.Hour {
				t.Errorf("a statement took %v", took)
			}
		},
		Transaction: func(took time.Duration, n int, err error) {
			mu.Lock()
			defer mu.Unlock()
			transactions++
			if callers += n; err != nil {
				undone++
			}
			if took <= 0 || took > time.Hour {
				t.Errorf("a transaction took %v", took)
			}
		},
	})
	expect := func(what string, want [5]int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if got := [5]int{statements, failed, transactions, callers, undone}; got != want {
			t.Errorf("%s: statements, failed, transactions, callers, undone are %v, want %v", what, got, want)
		}
	}
	write := func(text string) error {
		return db.Write(t.Context(), func(ctx context.Context, _ *sql.Tx) error {
			_, err := db.Read(ctx).ExecContext(ctx, text)
			return err
		})
	}
	if err := write("INSERT INTO t (n) VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	expect("an insert", [5]int{1, 0, 1, 1, 0})
	var n int
	if err := db.Read(t.Context()).QueryRowContext(t.Context(), "SELECT n FROM t WHERE n = 7").Scan(&n); !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	expect("nothing is found", [5]int{2, 0, 1, 1, 0})
	if err := write("INSERT INTO t (n) VALUES (1)"); err == nil {
		t.Fatal("the same row twice")
	}
	expect("a failure", [5]int{3, 1, 2, 2, 1})
	rows, err := db.Read(t.Context()).QueryContext(t.Context(), "SELECT n FROM nowhere")
	if err == nil {
		rows.Close()
		t.Fatal("a table that is not there")
	}
	expect("a look-up that fails", [5]int{4, 2, 2, 2, 1})

	var crowd sync.WaitGroup
	for n := range 50 {
		crowd.Go(func() {
			if err := write(fmt.Sprintf("INSERT INTO t (n) VALUES (%d)", 100+n)); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	mu.Lock()
	defer mu.Unlock()
	if statements != 54 || failed != 2 || callers != 52 || undone != 1 || transactions < 3 || transactions > 52 {
		t.Errorf("after 50 more: %d statements, %d failed, %d transactions for %d callers, %d undone", statements, failed, transactions, callers, undone)
	}
}
