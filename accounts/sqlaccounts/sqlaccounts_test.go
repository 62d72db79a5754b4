package sqlaccounts_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// rooms are the two stores of one database.
type rooms struct {
	accounts.Store
	trail *sqlstore.Store
}

func openSQLite(t *testing.T) rooms {
	t.Helper()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return migrate(t, sqlstore.New(db, sqlstore.SQLite))
}

func migrate(t *testing.T, trail *sqlstore.Store) rooms {
	t.Helper()
	if err := trail.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	people := sqlaccounts.New(trail)
	if pending, err := people.Pending(t.Context()); err != nil || len(pending) != 3 {
		t.Fatalf("pending migrations %v, %v; want three", pending, err)
	}
	for range 2 {
		if err := people.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return rooms{people, trail}
}

var schemas atomic.Int64

// openPostgres opens the stores in a schema of their own, which goes with the test.
func openPostgres(t *testing.T) rooms {
	t.Helper()
	dsn := os.Getenv("VALETKEY_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set to the URL of a PostgreSQL database that the tests may write to")
	}
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("valetkey_accounts_%d_%d", os.Getpid(), schemas.Add(1))
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
	db, err := sql.Open("pgx", dsn+sep+"search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(8)
	t.Cleanup(func() { db.Close() })
	return migrate(t, sqlstore.New(db, sqlstore.PostgreSQL))
}

func TestSQLite(t *testing.T)     { t.Parallel(); run(t, openSQLite) }
func TestPostgreSQL(t *testing.T) { t.Parallel(); run(t, openPostgres) }

var now = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

func hash(s string) oauth.Hash { return oauth.HashSecret(oauth.Secret(s)) }

func account(id string) *accounts.Account {
	return &accounts.Account{ID: id, Email: id + "@example.org", Name: "Name of " + id, PasswordHash: "hash of " + id, CreatedAt: now,
		Claims: oauth.UserClaims{Nickname: id, Address: &oauth.Address{Country: "France"}}}
}

func session(id, accountID string) *accounts.Session {
	return &accounts.Session{ID: id, SID: "sid of " + id, Hash: hash("cookie " + id), AccountID: accountID, CreatedAt: now, AuthTime: now.Add(-time.Second), AMR: []string{"pwd", "otp"},
		ExpiresAt: now.Add(time.Hour), LastSeenAt: now, Remember: true, Device: hash("device"), Agent: "Firefox", System: "Linux", Network: "192.0.2.0/24", Exact: hash("exact")}
}

// must fails the test if something that should work does not.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func is(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// dialect is what may differ: the word for bytes, collation, what triggers run,
// and how lines are aligned.
var dialect = strings.NewReplacer("BLOB", "BYTEA", ` COLLATE "C"`, "",
	"EXECUTE FUNCTION oauth_changes_note('subject');", "BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('subject', NEW.id); END;",
	"EXECUTE FUNCTION oauth_changes_note_deleted('subject');", "BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('subject', OLD.id); END;")

// Two declarations of the tables must not drift apart.
func TestTablesAreTheSame(t *testing.T) {
	t.Parallel()
	read := func(dir string) (lines []string) {
		files, err := filepath.Glob("migrations/" + dir + "/*.sql")
		must(t, err)
		for _, file := range files {
			lines = append(lines, filepath.Base(file))
			b, err := os.ReadFile(file)
			must(t, err)
			for line := range strings.Lines(dialect.Replace(string(b))) {
				if fields := strings.Fields(line); len(fields) == 0 || fields[0] != "--" {
					lines = append(lines, strings.Join(fields, " "))
				}
			}
		}
		return lines
	}
	got, want := read("postgres"), read("sqlite")
	if !slices.Equal(got, want) {
		t.Errorf("PostgreSQL has\n%s\nSQLite has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
