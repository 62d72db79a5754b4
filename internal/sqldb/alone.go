package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxTries bounds how often PostgreSQL may ask for a transaction again.
	maxTries = 8
	// firstPause doubles with each try; the whole is at most a quarter of a second.
	firstPause = 2 * time.Millisecond
)

// writeAlone runs fn in a transaction of its own, again if the server asks.
func (db *DB) writeAlone(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return tryAgain(ctx, func() error {
		began := db.start()
		err := db.transaction(ctx, fn)
		db.committed(began, 1, err)
		return err
	})
}

// tryAgain runs once, and again while the server asks for it.
func tryAgain(ctx context.Context, once func() error) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := once()
		if err == nil || try == maxTries || !mayTryAgain(err) {
			return err
		}
		select {
		case <-time.After(jitter(pause)):
			pause *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// jitter is between half of the pause and all of it: those who got in each
// other's way should not come back together.
func jitter(pause time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return pause/2 + time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(pause/2+1))
}

// transaction runs fn in a transaction. Its beginning and the statements of fn
// end with ctx and are undone then; a commit, once sent, is waited for, so that
// the caller learns its outcome.
func (db *DB) transaction(ctx context.Context, fn func(context.Context, *sql.Tx) error) (err error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stay := context.AfterFunc(ctx, end)
	defer stay()
	conn, tx, err := db.begin(ctx, life)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the driver says that life was ended
		}
		return fmt.Errorf("sqldb: begin: %w", Fault(err))
	}
	defer conn.Close()
	defer func() {
		if isReadOnly(err) {
			// The server has become a standby. Another connection may find the primary.
			conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	defer tx.Rollback() // does nothing after Commit
	if err := db.call(ctx, tx, fn); err != nil {
		if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone)) {
			err = Fault(ctx.Err()) // the driver says that life was ended
		}
		return err
	}
	if !stay() {
		return ctx.Err()
	}
	late := time.AfterFunc(patience, end)
	defer late.Stop()
	if err := tx.Commit(); err != nil {
		if life.Err() != nil {
			err = errUnknown
		}
		return fmt.Errorf("sqldb: commit: %w", Fault(err))
	}
	return nil
}

// begin begins a transaction that ends with life on a connection that is waited
// for until ctx ends.
func (db *DB) begin(ctx, life context.Context) (conn *sql.Conn, tx *sql.Tx, err error) {
	err = db.onLiveConnection(func() (err error) {
		if conn, err = db.pool.Conn(ctx); err != nil {
			return err
		}
		if tx, err = conn.BeginTx(life, nil); err != nil {
			conn.Close()
		}
		return err
	})
	return conn, tx, err
}

func isReadOnly(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == readOnly
}

// again are the states in which the server undid the transaction only because of
// others. The last two are among them since a statement does not see what others
// have not committed yet: it looks for a row, finds none, and meets it in the
// index a moment later. Run again, it finds the row (PostgreSQL §13.5).
var again = []string{
	"40001", // serialization_failure; CockroachDB's "restart transaction", too
	"40P01", // deadlock_detected
	"23505", // unique_violation
	"23503", // foreign_key_violation
}

func mayTryAgain(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && slices.Contains(again, state.SQLState())
}
