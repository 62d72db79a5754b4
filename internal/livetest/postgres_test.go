package livetest_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/valetkey/valetkey/internal/livetest"
)

// A server that is killed keeps what it has committed, and starts again.
func TestPostgres(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes and kills a PostgreSQL server")
	}
	p, err := livetest.NewPostgres(t.Context())
	if errors.Is(err, livetest.ErrNoPostgres) {
		livetest.Lacking(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Remove()
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := db.Ping(); err == nil {
		t.Error("the server was killed and answers")
	}
	start := time.Now()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("up again after %v", time.Since(start))
	n := 0
	for range 3 { // the pool has to notice
		if err = db.QueryRow("SELECT n FROM t").Scan(&n); err == nil {
			break
		}
	}
	if err != nil || n != 7 {
		t.Errorf("got %d, %v; want 7", n, err)
	}
}
