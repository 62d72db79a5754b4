package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/store"
)

// Dialect is the kind of database.
type Dialect = sqldb.Dialect

// The databases that are supported.
const (
	SQLite     = sqldb.SQLite
	PostgreSQL = sqldb.PostgreSQL
)

// SQLiteDSN is the data source name that opens the database file at path with
// the settings the store needs, for the driver modernc.org/sqlite:
//
//   - write-ahead log, and a commit waits for the disk (synchronous=FULL): what
//     was answered survives a power cut;
//   - transactions take the write lock when they begin, and wait five seconds
//     for another process to give it up;
//   - foreign keys are enforced, and the schema is not trusted to call functions.
//
// The file must not lie on a network file system. Let the pool keep its
// connections, db.SetMaxIdleConns(8) say: database/sql keeps two by default and
// opens the others anew for each request, which halves the rate under load.
func SQLiteDSN(path string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		p = "/" + p
	}
	settings := []string{
		"_txlock=immediate",
		"_pragma=busy_timeout(5000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
		"_pragma=foreign_keys(ON)",
		"_pragma=trusted_schema(OFF)",
		"_pragma=journal_size_limit(67108864)", // 64 MiB
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath() + "?" + strings.Join(settings, "&")
}

// Store is a [store.Store] in a SQL database. Use New.
type Store struct {
	db *sqldb.DB
	// tx is the open transaction in the view that InTx hands out, else nil.
	tx *sql.Tx
}

var _ store.Store = (*Store)(nil)

// New returns the store in db. Call Migrate before anything else. All who write
// to one SQLite database must share one Store.
func New(db *sql.DB, d Dialect) *Store { return &Store{db: sqldb.New(db, d)} }

// DB returns the database, for rooms that keep tables of their own in it.
func (s *Store) DB() *sqldb.DB { return s.db }

//go:embed migrations
var migrations embed.FS

// Line returns the migrations of the engine's tables, for the commands that
// show and print them.
func (s *Store) Line() sqldb.Line {
	dir := "migrations/sqlite"
	if s.db.Dialect() == PostgreSQL {
		dir = "migrations/postgres"
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return sqldb.Line{Name: "oauth", FS: files}
}

// Migrate creates the tables or brings them up to date. It is safe to call from
// several nodes at once, and refuses a database that a newer version has migrated.
func (s *Store) Migrate(ctx context.Context) error {
	_, err := s.db.Migrate(ctx, s.Line())
	return err
}

// Pending returns the names of the migrations that Migrate would apply.
func (s *Store) Pending(ctx context.Context) ([]string, error) {
	return s.db.Pending(ctx, s.Line())
}

// InTx implements [store.Store].
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx store.Store) error) error {
	return s.db.Write(s.join(ctx), func(ctx context.Context, tx *sql.Tx) error {
		return fn(ctx, &Store{s.db, tx})
	})
}

// write runs fn in the transaction of s or ctx, or else in one of its own.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Write(s.join(ctx), func(ctx context.Context, _ *sql.Tx) error { return fn(ctx) })
}

// writeOne runs fn like write; only its first statement changes anything.
func (s *Store) writeOne(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.WriteOne(s.join(ctx), fn)
}

func (s *Store) join(ctx context.Context) context.Context {
	if s.tx == nil {
		return ctx
	}
	return s.db.Join(ctx, s.tx)
}

// A row that comes and goes: a statement that changes nothing would not reach the
// disk, and so not find out that it is full.
const (
	sqlPing     = `INSERT INTO oauth_replays (id, expires_at) VALUES ('ping', 0) ON CONFLICT (id) DO UPDATE SET expires_at = 0`
	sqlPingGone = `DELETE FROM oauth_replays WHERE id = 'ping'`
)

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.Check(ctx); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context) error {
		if _, err := s.change(ctx, sqlPing); err != nil {
			return err
		}
		_, err := s.change(ctx, sqlPingGone)
		return err
	})
}

// The four ways to run a statement. A text that no column can hold (it is not
// UTF-8, or has a NUL) is looked up and changed like one that is not there, and
// is a fault where it should be written.

// insert runs an INSERT and returns how many rows it inserted.
func (s *Store) insert(ctx context.Context, query string, args ...any) (int64, error) {
	if err := checkTexts(args); err != nil {
		return 0, err
	}
	res, err := s.db.Read(s.join(ctx)).ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fault(err)
	}
	return res.RowsAffected()
}

// change runs an UPDATE or DELETE and returns how many rows it changed.
func (s *Store) change(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := s.insert(ctx, query, args...)
	if errors.Is(err, errText) {
		return 0, nil
	}
	return n, err
}

// row scans the only row of a query, or returns ErrNotFound.
func (s *Store) row(ctx context.Context, query string, args []any, into ...any) error {
	if checkTexts(args) != nil {
		return store.ErrNotFound
	}
	err := s.db.Read(s.join(ctx)).QueryRowContext(ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return fault(err)
}

// one reads the only row of a query with one argument, or returns ErrNotFound.
func one[V any](ctx context.Context, s *Store, query, arg string, into func(*V) []any) (*V, error) {
	v := new(V)
	if err := s.row(ctx, query, []any{arg}, into(v)...); err != nil {
		return nil, err
	}
	return v, nil
}

// rows scans every row of a query into a new V.
func rows[V any](ctx context.Context, s *Store, query string, args []any, into func(*V) []any) ([]*V, error) {
	if checkTexts(args) != nil {
		return nil, nil
	}
	found, err := s.db.Read(s.join(ctx)).QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fault(err)
	}
	defer found.Close()
	var out []*V
	for found.Next() {
		v := new(V)
		if err := found.Scan(into(v)...); err != nil {
			return nil, fault(err)
		}
		out = append(out, v)
	}
	return out, fault(found.Err())
}

// require is the answer of a verb that must change a row.
func require(n int64, err error) error {
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

func fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %w", sqldb.Fault(err))
}
