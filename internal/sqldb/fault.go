package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/valetkey/valetkey/oauth"
)

// Fault marks an error of the database: one that says that the database cannot do
// it now (it is away, locked, full, read-only, too slow, or wants the transaction
// again) wraps [oauth.TemporarilyUnavailable] afterwards, and is answered by 503
// and Retry-After. What it says of our own mistakes, and of a file that is
// damaged, stays as it is. Nil and marked errors pass unchanged.
func Fault(err error) error {
	if err == nil || errors.Is(err, oauth.TemporarilyUnavailable) || !unavailable(err) {
		return err
	}
	return &fault{err}
}

// fault is an error that will pass.
type fault struct{ err error }

func (f *fault) Error() string   { return string(oauth.TemporarilyUnavailable) + ": " + f.err.Error() }
func (f *fault) Unwrap() []error { return []error{oauth.TemporarilyUnavailable, f.err} }

// unavailable reads what drivers have in common, for this package knows none.
func unavailable(err error) bool {
	var state interface{ SQLState() string } // PostgreSQL
	if errors.As(err, &state) {
		return passing(state.SQLState())
	}
	var code interface{ Code() int } // SQLite
	if errors.As(err, &code) {
		return slices.Contains(passingCodes, code.Code()&0xff) // the rest of an extended code says more
	}
	// The connection, or the way to it.
	var network net.Error
	var number syscall.Errno
	var unsent interface{ SafeToRetry() bool } // the driver never got to send it
	return errors.As(err, &network) || errors.As(err, &number) || errors.As(err, &unsent) && unsent.SafeToRetry() ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// passingCodes are the result codes of SQLite that another try may not meet
// (https://www.sqlite.org/rescode.html).
var passingCodes = []int{
	5,  // SQLITE_BUSY: another process writes
	6,  // SQLITE_LOCKED
	7,  // SQLITE_NOMEM
	8,  // SQLITE_READONLY: the file may not be written
	9,  // SQLITE_INTERRUPT: the caller's time was up
	10, // SQLITE_IOERR
	13, // SQLITE_FULL: the disk is full
	14, // SQLITE_CANTOPEN
	15, // SQLITE_PROTOCOL: locks that others changed too fast
}

// readOnly is read_only_sql_transaction: the server is a standby, since a moment ago perhaps.
const readOnly = "25006"

// passing reports whether another try may not meet the error of that SQLSTATE
// (PostgreSQL, Appendix A).
func passing(state string) bool {
	switch state {
	case readOnly, "25P03", "25P04", // read-only; the transaction took too long
		"40001", "40P01", // serialization_failure, deadlock_detected
		"55P03": // lock_not_available
		return true
	}
	// Connection, resources (disk full, too many connections), operator's doing
	// (shutdown, start, cancelled), system (input and output).
	return slices.Contains([]string{"08", "53", "57", "58"}, state[:min(2, len(state))])
}

var (
	// errCrowded: so many wait to write that another would only wait in vain.
	errCrowded = fmt.Errorf("sqldb: too many wait to write: %w", oauth.TemporarilyUnavailable)
	// errUnknown: the commit was sent and no answer came. It may have happened.
	errUnknown = fmt.Errorf("sqldb: the outcome of a commit is unknown: %w", oauth.TemporarilyUnavailable)
)
