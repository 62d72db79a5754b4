package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"

	"modernc.org/sqlite"
)

// countedDriver is SQLite that counts what it is asked.
const countedDriver = "sqlite, counted"

func init() { sql.Register(countedDriver, counted{}) }

// asks counts the statements that were run and the transactions that were
// committed, since the program began. A BEGIN is no statement, nor is what a
// group adds around its members a statement of theirs; but it is work, so
// savepoints count.
var asks struct{ statements, commits atomic.Int64 }

// counted opens connections that count. What is written outside a transaction
// commits by itself and counts as a commit by the reader of the figures.
type counted struct{}

func (counted) Open(name string) (driver.Conn, error) {
	c, err := (&sqlite.Driver{}).Open(name)
	if err != nil {
		return nil, err
	}
	return countedConn{c.(sqliteConn)}, nil
}

// sqliteConn is everything that database/sql asks a connection for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type countedConn struct{ sqliteConn }

func (c countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	asks.statements.Add(1)
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	asks.statements.Add(1)
	return c.sqliteConn.QueryContext(ctx, query, args)
}

func (c countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return countedStmt{s.(sqliteStmt)}, nil
}

func (c countedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	return countedTx{tx}, err
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type countedStmt struct{ sqliteStmt }

func (s countedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	asks.statements.Add(1)
	return s.sqliteStmt.ExecContext(ctx, args)
}

func (s countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	asks.statements.Add(1)
	return s.sqliteStmt.QueryContext(ctx, args)
}

type countedTx struct{ driver.Tx }

func (t countedTx) Commit() error {
	asks.commits.Add(1)
	return t.Tx.Commit()
}
