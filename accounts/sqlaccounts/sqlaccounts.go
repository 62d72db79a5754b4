// Package sqlaccounts keeps accounts in SQL: tables accounts_*, with a line of
// migrations of their own, in the same database as the engine's tables. One SQL
// text serves SQLite and PostgreSQL; the package imports no driver.
//
//	st := sqlstore.New(db, sqlstore.SQLite)
//	people := sqlaccounts.New(st)
//	err := people.Migrate(ctx)
//
// It shares the writer of the sqlstore it is given, so one transaction may write
// to both, and the audit trail says what happened exactly when it happened.
package sqlaccounts

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/store/sqlstore"
)

//go:embed migrations
var migrations embed.FS

// Store implements [accounts.Store].
type Store struct{ db *sqldb.DB }

var _ accounts.Store = (*Store)(nil)

// New returns a store in the database of st.
func New(st *sqlstore.Store) *Store { return &Store{st.DB()} }

// Line is the line of migrations, for status reports.
func (s *Store) Line() sqldb.Line {
	dir := "migrations/sqlite"
	if s.db.Dialect() == sqldb.PostgreSQL {
		dir = "migrations/postgres"
	}
	sub, err := fs.Sub(migrations, dir)
	if err != nil {
		panic(err) // the path is a constant
	}
	return sqldb.Line{Name: "accounts", FS: sub}
}

// Migrate brings the tables up to date. It may be called by several processes at once.
func (s *Store) Migrate(ctx context.Context) error {
	_, err := s.db.Migrate(ctx, s.Line())
	return err
}

// Pending returns the names of the migrations that are not applied yet.
func (s *Store) Pending(ctx context.Context) ([]string, error) { return s.db.Pending(ctx, s.Line()) }

// InTx implements [accounts.Store].
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx accounts.Store) error) error {
	return s.db.Write(ctx, func(ctx context.Context, _ *sql.Tx) error { return fn(ctx, s) })
}

// exec runs one statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = s.db.WriteOne(ctx, func(ctx context.Context) error {
		res, err := s.db.Read(ctx).ExecContext(ctx, text, args...)
		if err != nil {
			return fmt.Errorf("sqlaccounts: %w", sqldb.Fault(err))
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// one runs a statement that must change a row; otherwise it returns none.
func (s *Store) one(ctx context.Context, none error, text string, args ...any) error {
	n, err := s.exec(ctx, text, args...)
	if err == nil && n == 0 {
		return none
	}
	return err
}

// scan reads one row; no row is ErrNotFound.
func scan(row interface{ Scan(...any) error }, into ...any) error {
	err := row.Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("sqlaccounts: %w", sqldb.Fault(err))
	}
	return nil
}

// list reads every row with read.
func list[T any](ctx context.Context, q sqldb.Querier, read func(row interface{ Scan(...any) error }) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("sqlaccounts: %w", sqldb.Fault(err))
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlaccounts: %w", sqldb.Fault(err))
	}
	return out, nil
}

// text writes a string; an empty one is NULL.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
