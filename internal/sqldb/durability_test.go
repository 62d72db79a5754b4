package sqldb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/sqldb"
)

func TestDurability(t *testing.T) {
	t.Parallel()
	says := func(db *sqldb.DB, want ...string) {
		t.Helper()
		got, err := db.Durability(t.Context())
		if err != nil || len(got) != len(want) {
			t.Errorf("got %q, %v; want %d findings", got, err, len(want))
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("got %q, want it to begin with %q", got[i], want[i])
			}
		}
	}
	says(open(t))
	loose, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "loose.db")+"?_pragma=synchronous(NORMAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer loose.Close()
	says(sqldb.New(loose, sqldb.SQLite), "journal_mode is delete: ", "synchronous is 1: ")

	openPostgres(t) // or skip
	for value, want := range map[string][]string{"off": {"synchronous_commit is off: "}, "on": nil, "remote_apply": nil} {
		dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
		sep := "?"
		if strings.Contains(dsn, "?") {
			sep = "&"
		}
		pool, err := sql.Open("pgx", dsn+sep+"synchronous_commit="+value)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if db := sqldb.New(pool, sqldb.PostgreSQL); show(t, pool, "SHOW fsync") == "on" {
			says(db, want...)
		}
	}
}

func show(t *testing.T, pool *sql.DB, query string) (s string) {
	t.Helper()
	if err := pool.QueryRow(query).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}
