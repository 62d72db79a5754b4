package sqldb_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/valetkey/valetkey/internal/sqldb"
)

func line(files map[string]string) sqldb.Line {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return sqldb.Line{Name: "test", FS: fs}
}

var (
	first  = map[string]string{"0001_a.sql": "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);"}
	second = map[string]string{"0001_a.sql": first["0001_a.sql"], "0002_b.sql": "UPDATE a SET x = x + 1; CREATE TABLE b (y INTEGER);"}
)

func openEmpty(t *testing.T) (*sqldb.DB, string) {
	path := filepath.Join(t.TempDir(), "test.db")
	return sqldb.New(openPool(t, path), sqldb.SQLite), path
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t)
	for _, step := range []struct {
		files   map[string]string
		pending string
		applied int
		x       int
	}{
		{first, "[0001_a]", 1, 1}, {first, "[]", 0, 1}, {second, "[0002_b]", 1, 2}, {second, "[]", 0, 2},
	} {
		if got, err := db.Pending(t.Context(), line(step.files)); err != nil || fmt.Sprint(got) != step.pending {
			t.Errorf("Pending: got %v (error %v), want %s", got, err, step.pending)
		}
		if n, err := db.Migrate(t.Context(), line(step.files)); err != nil || n != step.applied {
			t.Errorf("Migrate: got %d (error %v), want %d", n, err, step.applied)
		}
		var x int
		if err := db.Pool().QueryRow("SELECT x FROM a").Scan(&x); err != nil || x != step.x {
			t.Errorf("got x=%d (error %v), want %d", x, err, step.x)
		}
	}
	// Another line has numbers of its own.
	other := line(map[string]string{"0001_c.sql": "CREATE TABLE c (z INTEGER)"})
	other.Name = "other"
	if n, err := db.Migrate(t.Context(), other); err != nil || n != 1 {
		t.Errorf("another line: got %d (error %v), want 1", n, err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before map[string]string
		files  map[string]string
		want   string
	}{
		{"a newer schema", second, first, "this program knows only 1: it was upgraded by a newer Valetkey"},
		{"a file that changed after it was applied", first, map[string]string{"0001_a.sql": "CREATE TABLE a (x TEXT)"}, "is not what was applied"},
		{"a file with another name", nil, map[string]string{"0001_a.sql": "", "README.md": ""}, "README.md is not named"},
		{"a gap", nil, map[string]string{"0001_a.sql": "", "0003_b.sql": ""}, "should have number 0002"},
		{"one number twice", nil, map[string]string{"0001_a.sql": "", "0001_b.sql": ""}, "should have number 0002"},
		{"what the database refuses", first, map[string]string{"0001_a.sql": first["0001_a.sql"], "0002_b.sql": "CREATE TABLE b (y INTEGER); CREATE TABLE b (y INTEGER)"}, "migration 0002_b of test"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db, _ := openEmpty(t)
			if tc.before != nil {
				if _, err := db.Migrate(t.Context(), line(tc.before)); err != nil {
					t.Fatal(err)
				}
			}
			n, err := db.Migrate(t.Context(), line(tc.files))
			if n != 0 || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %d, error %v; want an error with %q", n, err, tc.want)
			}
		})
	}
}

// A migration that fails in its middle leaves nothing behind.
// A program of the version before goes on, and can be started again, beside what a
// newer one has only added to.
func TestMigrateBesideNewer(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t)
	newer := map[string]string{"0001_a.sql": first["0001_a.sql"], "0002_add_b.sql": "CREATE TABLE b (y INTEGER);"}
	newest := map[string]string{"0001_a.sql": first["0001_a.sql"], "0002_add_b.sql": newer["0002_add_b.sql"], "0003_c.sql": "DROP TABLE b;"}
	for _, step := range []struct {
		files   map[string]string
		applied int
		refused bool
	}{{first, 1, false}, {newer, 1, false}, {first, 0, false}, {newest, 1, false}, {newest, 0, false}, {newer, 0, true}, {first, 0, true}} {
		n, err := db.Migrate(t.Context(), line(step.files))
		if n != step.applied || (err != nil) != step.refused {
			t.Errorf("a program that knows %d: applied %d, %v; want %d, refused %v", len(step.files), n, err, step.applied, step.refused)
		}
		if pending, err := db.Pending(t.Context(), line(step.files)); len(pending) > 0 || (err != nil) != step.refused {
			t.Errorf("a program that knows %d: pending %v, %v; want refused %v", len(step.files), pending, err, step.refused)
		}
	}
}

func TestMigrateIsWholeOrNot(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t)
	broken := map[string]string{"0001_a.sql": "CREATE TABLE a (x INTEGER); SELECT nonsense FROM nowhere"}
	if _, err := db.Migrate(t.Context(), line(broken)); err == nil {
		t.Fatal("got no error")
	}
	if n, err := db.Migrate(t.Context(), line(first)); err != nil || n != 1 {
		t.Errorf("the mended file: got %d (error %v), want 1", n, err)
	}
}

// Many nodes start at once: each migration is applied once, and each node finds
// the schema ready when Migrate returns.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	_, path := openEmpty(t)
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		pool := openPool(t, path)
		wg.Go(func() {
			n, err := sqldb.New(pool, sqldb.SQLite).Migrate(t.Context(), line(second))
			if err != nil {
				t.Error(err)
			}
			total.Add(int64(n))
			var x int
			if err := pool.QueryRow("SELECT x FROM a, valetkey_migrations WHERE id = 2").Scan(&x); err != nil || x != 2 {
				t.Errorf("got x=%d (error %v), want 2", x, err)
			}
		})
	}
	wg.Wait()
	if total.Load() != 2 {
		t.Errorf("%d migrations were applied, want 2", total.Load())
	}
}

// Asking changes nothing, not even in a database that is read-only or empty.
func TestStatusChangesNothing(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t)
	got, err := db.Status(t.Context(), line(first))
	if err != nil || len(got) != 1 || got[0].Applied || got[0].Name != "0001_a" || len(got[0].Checksum) != 64 {
		t.Errorf("got %+v (error %v)", got, err)
	}
	var name string
	if err := db.Pool().QueryRow("SELECT name FROM sqlite_schema").Scan(&name); err != sql.ErrNoRows {
		t.Errorf("got table %q (error %v), want none", name, err)
	}
}
