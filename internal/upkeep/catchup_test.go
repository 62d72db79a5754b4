package upkeep_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/upkeep"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func openSQLite(t *testing.T) *sqlstore.Store {
	return open(t, "sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "upkeep.db")), sqlstore.SQLite)
}

func openPostgres(t *testing.T) *sqlstore.Store {
	dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set: no PostgreSQL to test with")
	}
	server, err := sql.Open("pgx", dsn)
	must(t, err)
	name := "valetkey_upkeep_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err = server.ExecContext(t.Context(), "CREATE DATABASE "+name)
	must(t, err)
	t.Cleanup(func() {
		if _, err := server.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	own, err := url.Parse(dsn)
	must(t, err)
	own.Path = "/" + name
	return open(t, "pgx", own.String(), sqlstore.PostgreSQL)
}

func open(t *testing.T, driver, dsn string, d sqlstore.Dialect) *sqlstore.Store {
	pool, err := sql.Open(driver, dsn)
	must(t, err)
	pool.SetMaxOpenConns(8)
	pool.SetMaxIdleConns(8)
	t.Cleanup(func() { pool.Close() })
	st := sqlstore.New(pool, d)
	must(t, st.Migrate(t.Context()))
	return st
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCatchUpSQLite(t *testing.T)     { catchUp(t, openSQLite(t), "BLOB") }
func TestCatchUpPostgreSQL(t *testing.T) { catchUp(t, openPostgres(t), "BYTEA") }

// A database full of expired tokens is caught up with while others read and write.
// VALETKEY_UPKEEP_ROWS makes it a million; -v tells what the others noticed.
func catchUp(t *testing.T, st *sqlstore.Store, bytes string) {
	expired := 5000
	if s := os.Getenv("VALETKEY_UPKEEP_ROWS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		expired = n
	}
	const live = 1000
	now := time.Now()
	fill := func(prefix string, n int, expiry time.Time) {
		_, err := st.DB().Pool().ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO oauth_tokens (id, kind, hash, subject, issued_at, expires_at, internal)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT '%s' || i, 'personal', CAST('%s' AS %s), 'alice', %d, %d - i, FALSE FROM n`,
			n, prefix, strings.Repeat("h", 32), bytes, expiry.Add(-time.Hour).UnixMicro(), expiry.UnixMicro()))
		must(t, err)
	}
	fill("expired", expired, now)
	fill("live", live, now.Add(24*time.Hour))
	if st.DB().Dialect() == sqlstore.PostgreSQL {
		_, err := st.DB().Pool().ExecContext(t.Context(), "ANALYZE")
		must(t, err)
	}

	alone := others(t, st, live, func() { time.Sleep(time.Duration(expired) * 10 * time.Microsecond) })
	var took time.Duration
	beside := others(t, st, live, func() {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var house sync.WaitGroup
		defer house.Wait()
		defer stop()
		sweeps := upkeep.Of(st, func() store.Horizon { return store.Horizon{Dead: now} })
		house.Go(func() {
			(&upkeep.Upkeep{Sweeps: sweeps, Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}).Run(ctx)
		})
		began := time.Now()
		for n := 1; n > 0; time.Sleep(5 * time.Millisecond) {
			var err error
			if n, _, err = st.Backlog(ctx, now, 1); err != nil {
				t.Error(err)
				return
			}
		}
		took = time.Since(began)
	})
	t.Logf("%d expired rows in %v, %.0f a second", expired, took.Round(time.Millisecond), float64(expired)/took.Seconds())
	t.Logf("writes alone: %v; beside: %v", quantiles(alone.writes), quantiles(beside.writes))
	t.Logf("reads alone: %v; beside: %v", quantiles(alone.reads), quantiles(beside.reads))

	var left int
	must(t, st.DB().Pool().QueryRowContext(t.Context(), "SELECT count(*) FROM oauth_tokens").Scan(&left))
	if want := live + len(alone.writes) + len(beside.writes); left != want {
		t.Errorf("got %d rows left, want the %d that live", left, want)
	}
}

type latencies struct{ writes, reads []time.Duration }

// others make and look up tokens while something goes on.
func others(t *testing.T, st store.Store, live int, meanwhile func()) (all latencies) {
	var mu sync.Mutex
	var users sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		users.Go(func() {
			for i := 0; ; i++ {
				began := time.Now()
				err := st.CreateToken(t.Context(), &oauth.Token{ID: mint.NewID(began), Kind: oauth.PersonalToken, Subject: "bob", IssuedAt: began, ExpiresAt: began.Add(time.Hour)})
				wrote := time.Now()
				if err == nil {
					_, err = st.Token(t.Context(), "live"+strconv.Itoa(i%live+1))
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all.writes, all.reads = append(all.writes, wrote.Sub(began)), append(all.reads, time.Since(wrote))
				mu.Unlock()
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	meanwhile()
	close(done)
	users.Wait()
	return all
}

func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[int(float64(len(d)-1)*q)].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v p99 %v p99.9 %v max %v of %d", at(.5), at(.99), at(.999), at(1), len(d))
}
