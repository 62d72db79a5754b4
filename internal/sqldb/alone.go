package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// maxTries bounds how often PostgreSQL may ask for a transaction again.
	maxTries = 6
	// firstPause doubles with each try.
	firstPause = 2 * time.Millisecond
)

// writeAlone runs fn in a transaction of its own, again if the server asks.
func (db *DB) writeAlone(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := db.transaction(ctx, fn)
		if err == nil || try == maxTries || !mayTryAgain(err) {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// transaction runs fn in a transaction. The statements of fn end with ctx and
// are undone then; a commit, once begun, is waited for, so that the caller
// learns its outcome.
func (db *DB) transaction(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqldb: begin: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("sqldb: begin: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := db.call(ctx, tx, fn); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqldb: commit: %w", err)
	}
	return nil
}

// mayTryAgain reports whether the server undid the transaction only because of
// others: serialization_failure or deadlock_detected.
func mayTryAgain(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && (state.SQLState() == "40001" || state.SQLState() == "40P01")
}
