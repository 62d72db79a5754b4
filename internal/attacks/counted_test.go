package attacks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"

	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// work is what a database was asked for.
type work struct {
	statements int64
	commits    int64
	trips      int64 // to PostgreSQL and back: BEGIN and COMMIT are messages like others
}

func (w work) minus(o work) work {
	return work{w.statements - o.statements, w.commits - o.commits, w.trips - o.trips}
}

// meter counts the work of every connection of one database.
type meter struct{ statements, commits, implicit, others atomic.Int64 }

func (m *meter) read() work {
	s, c := m.statements.Load(), m.commits.Load()
	return work{s, c + m.implicit.Load(), s + c + m.others.Load()}
}

// open opens a database whose work the meter counts. What is written outside a
// transaction commits by itself.
func (m *meter) open(postgres bool, dsn string) *sql.DB {
	var d driver.Driver = &sqlite.Driver{}
	if postgres {
		d = stdlib.GetDefaultDriver()
	}
	return sql.OpenDB(connector{m, d, dsn})
}

type connector struct {
	m   *meter
	d   driver.Driver
	dsn string
}

func (c connector) Driver() driver.Driver { return c.d }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.d.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &meteredConn{conn.(fullConn), c.m, false}, nil
}

// fullConn is what both drivers' connections do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
}

type meteredConn struct {
	fullConn
	m    *meter
	inTx bool
}

func (c *meteredConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.m.statements.Add(1)
	if !c.inTx {
		c.m.implicit.Add(1)
	}
	return c.fullConn.ExecContext(ctx, query, args)
}

func (c *meteredConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.m.statements.Add(1)
	return c.fullConn.QueryContext(ctx, query, args)
}

func (c *meteredConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.m.others.Add(1)
	tx, err := c.fullConn.BeginTx(ctx, o)
	c.inTx = err == nil
	return meteredTx{tx, c}, err
}

func (c *meteredConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return meteredStmt{st.(fullStmt), c.m}, nil
}

// CheckNamedValue lets the driver judge a value, if it does.
func (c *meteredConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type meteredTx struct {
	driver.Tx
	c *meteredConn
}

func (t meteredTx) Commit() error {
	t.c.m.commits.Add(1)
	t.c.inTx = false
	return t.Tx.Commit()
}

func (t meteredTx) Rollback() error {
	t.c.m.others.Add(1)
	t.c.inTx = false
	return t.Tx.Rollback()
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type meteredStmt struct {
	fullStmt
	m *meter
}

func (s meteredStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.m.statements.Add(1)
	return s.fullStmt.ExecContext(ctx, args)
}

func (s meteredStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.m.statements.Add(1)
	return s.fullStmt.QueryContext(ctx, args)
}
