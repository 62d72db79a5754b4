package attacks

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// onBoth runs a test on one server over SQLite, and on two servers over one
// PostgreSQL that take turns, request by request.
func onBoth(t *testing.T, test func(*testing.T, *site)) { onBothWith(t, options{}, test) }

func onBothWith(t *testing.T, o options, test func(*testing.T, *site)) {
	t.Parallel()
	for _, name := range []string{"SQLite", "two servers on PostgreSQL"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.postgres = name != "SQLite"
			test(t, newSite(t, o))
		})
	}
}

var schemas atomic.Int64

// postgresSchema is the URL of a schema that goes with the test.
func postgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set to the URL of a PostgreSQL database that the tests may write to")
	}
	admin, err := sql.Open("pgx", dsn)
	must(t, err)
	schema := fmt.Sprintf("valetkey_attacks_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = admin.Exec("CREATE SCHEMA " + schema)
	must(t, err)
	t.Cleanup(func() {
		admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		admin.Close()
	})
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	return dsn + sep + "search_path=" + schema
}
