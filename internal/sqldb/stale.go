package sqldb

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"
)

// A server that was started anew, or took over from another, leaves the pool with
// connections that nobody answers on. The first use of each tells. What decides
// nothing, a look-up or the beginning of a transaction, is sent again then, over
// the next connection, until one answers; each try empties the pool of one.

// onLiveConnection runs try until it breaks no connection, at most as often as
// there are connections, and once over a new one.
func (db *DB) onLiveConnection(try func() error) error {
	err := try()
	if !broken(err) {
		return err
	}
	for range db.pool.Stats().OpenConnections + 1 {
		if err = try(); !broken(err) {
			break
		}
	}
	return err
}

// broken reports whether the connection was lost on which something was sent. A
// server that cannot be reached, or that has answered, is another matter.
func broken(err error) bool {
	var dial *net.OpError
	if err == nil || errors.As(err, &dial) && dial.Op == "dial" {
		return false
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) { // its last words: admin_shutdown, crash_shutdown
		return state.SQLState() == "57P01" || state.SQLState() == "57P02"
	}
	var unsent interface{ SafeToRetry() bool }
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.As(err, &unsent) && unsent.SafeToRetry()
}
