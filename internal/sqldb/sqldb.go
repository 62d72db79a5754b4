package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"sync"
)

// Dialect is the kind of database.
type Dialect int

const (
	SQLite Dialect = iota
	PostgreSQL
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// DB is a database. There must be one DB for each *sql.DB, shared by all who
// write, or their writes get in each other's way.
type DB struct {
	pool    *sql.DB
	dialect Dialect
	writers queue
	texts   statements
	watcher *Watcher // nil: nobody watches
}

// New wraps pool. On SQLite its connections must begin transactions with BEGIN
// IMMEDIATE and have foreign keys enforced; [DB.Check] tells whether they do.
func New(pool *sql.DB, d Dialect) *DB { return &DB{pool: pool, dialect: d} }

// Dialect returns the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Pool returns the *sql.DB underneath, for its statistics.
func (db *DB) Pool() *sql.DB { return db.pool }

// Querier runs statements: on the pool, or inside a transaction.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// txKey finds the transaction of one database in a context.
type txKey struct{ *DB }

// Read returns where to read: the transaction in ctx if there is one, else the
// pool. Inside Write it is also where to write.
func (db *DB) Read(ctx context.Context) Querier {
	tx, _ := ctx.Value(txKey{db}).(*sql.Tx)
	return querier{db, tx}
}

// Join returns a context that belongs to tx, an open transaction of this database.
func (db *DB) Join(ctx context.Context, tx *sql.Tx) context.Context {
	return context.WithValue(ctx, txKey{db}, tx)
}

// Write runs fn in a transaction; see the package comment. With a context that
// belongs to a transaction fn joins it, and only the outermost Write commits.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if tx, ok := ctx.Value(txKey{db}).(*sql.Tx); ok {
		return fn(ctx, tx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.dialect == SQLite {
		return db.writeInGroup(ctx, fn)
	}
	return db.writeAlone(ctx, fn)
}

// WriteOne runs fn, of which only the first statement changes anything, as Write
// does. On PostgreSQL that statement is then a transaction by itself, and BEGIN and
// COMMIT need not travel. If ctx ends meanwhile, or the connection does, the caller
// does not learn whether it happened.
func (db *DB) WriteOne(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, joined := ctx.Value(txKey{db}).(*sql.Tx); joined || db.dialect == SQLite {
		return db.Write(ctx, func(ctx context.Context, _ *sql.Tx) error { return fn(ctx) })
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return tryAgain(ctx, func() error { return fn(ctx) })
}

// call runs fn inside tx. A panic comes back as an error.
func (db *DB) call(ctx context.Context, tx *sql.Tx, fn func(context.Context, *sql.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sqldb: panic in a transaction: %v\n%s", r, debug.Stack())
		}
	}()
	return fn(db.Join(ctx, tx), tx)
}

// Check reports what is wrong with the way the database was opened.
func (db *DB) Check(ctx context.Context) error {
	if db.dialect != SQLite {
		return db.pool.PingContext(ctx)
	}
	var on bool
	if err := db.pool.QueryRowContext(ctx, "PRAGMA foreign_keys").Scan(&on); err != nil {
		return err
	}
	if !on {
		return fmt.Errorf("sqldb: the SQLite database was opened without foreign keys: open it with sqlstore.SQLiteDSN, or with PRAGMA foreign_keys = ON on every connection")
	}
	return nil
}

// querier sends statements to tx, or to the pool if tx is nil; a query outside of
// any transaction changes nothing. On SQLite, where parsing costs more than
// running, it keeps the statements prepared; a PostgreSQL driver does that by
// itself.
type querier struct {
	db *DB
	tx *sql.Tx
}

func (q querier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	began := q.db.start()
	res, err := q.exec(ctx, query, args)
	q.db.ran(began, err)
	return res, err
}

func (q querier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	began := q.db.start()
	rows, err := q.query(ctx, query, args)
	q.db.ran(began, err)
	return rows, err
}

func (q querier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	began := q.db.start()
	row := q.queryRow(ctx, query, args)
	q.db.ran(began, row.Err())
	return row
}

func (q querier) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	ctx = q.context(ctx)
	if st := q.db.prepared(ctx, q.tx, query); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return q.plain().ExecContext(ctx, query, args...)
}

func (q querier) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	ctx = q.context(ctx)
	if st := q.db.prepared(ctx, q.tx, query); st != nil {
		return st.QueryContext(ctx, args...)
	}
	if q.tx != nil || q.db.dialect == SQLite {
		return q.plain().QueryContext(ctx, query, args...)
	}
	var rows *sql.Rows
	err := q.db.onLiveConnection(func() (err error) {
		rows, err = q.db.pool.QueryContext(ctx, query, args...)
		return err
	})
	return rows, err
}

func (q querier) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	ctx = q.context(ctx)
	if st := q.db.prepared(ctx, q.tx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	if q.tx != nil || q.db.dialect == SQLite {
		return q.plain().QueryRowContext(ctx, query, args...)
	}
	var row *sql.Row
	q.db.onLiveConnection(func() error {
		row = q.db.pool.QueryRowContext(ctx, query, args...)
		return row.Err()
	})
	return row
}

func (q querier) plain() Querier {
	if q.tx != nil {
		return q.tx
	}
	return q.db.pool
}

// context takes the cancellation away inside a transaction that others share:
// in SQLite an interrupted write undoes the whole transaction.
func (q querier) context(ctx context.Context) context.Context {
	if q.tx != nil && q.db.dialect == SQLite {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// maxStatements bounds the statements kept prepared. The constants of all rooms
// are about a hundred; the rest are lists with many filters.
const maxStatements = 256

// statements are the texts kept prepared.
type statements struct {
	mu     sync.RWMutex
	byText map[string]*sql.Stmt
	wanted []string // seen inside a transaction, to be prepared after it
}

// prepared returns the prepared statement of the text, or nil to do without.
//
// Inside a transaction nothing new is prepared on the pool: with a pool of one
// connection that would wait for the transaction itself. The text is noted and
// prepared when the transaction is over.
func (db *DB) prepared(ctx context.Context, tx *sql.Tx, text string) *sql.Stmt {
	if db.dialect != SQLite {
		return nil
	}
	s := &db.texts
	s.mu.RLock()
	st, full := s.byText[text], len(s.byText)+len(s.wanted) >= maxStatements
	s.mu.RUnlock()
	switch {
	case st != nil && tx != nil:
		return tx.StmtContext(ctx, st)
	case st != nil || full:
		return st
	case tx != nil:
		s.mu.Lock()
		s.wanted = append(s.wanted, text)
		s.mu.Unlock()
		return nil
	}
	return db.prepare(ctx, text)
}

// prepare prepares the text on the pool. A text that cannot be prepared, say
// because its table is not there yet, is left to fail where it is used.
func (db *DB) prepare(ctx context.Context, text string) *sql.Stmt {
	st, err := db.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil
	}
	s := &db.texts
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.byText[text]; first != nil {
		st.Close()
		return first
	}
	if s.byText == nil {
		s.byText = map[string]*sql.Stmt{}
	}
	s.byText[text] = st
	return st
}

// prepareWanted prepares what was noted inside transactions.
func (db *DB) prepareWanted(ctx context.Context) {
	s := &db.texts
	s.mu.Lock()
	wanted := s.wanted
	s.wanted = nil
	s.mu.Unlock()
	for _, text := range wanted {
		s.mu.RLock()
		st := s.byText[text]
		s.mu.RUnlock()
		if st == nil {
			db.prepare(ctx, text)
		}
	}
}
