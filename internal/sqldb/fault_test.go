package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// code is an error as SQLite drivers give it.
type code int

func (c code) Error() string { return fmt.Sprintf("result code %d", int(c)) }
func (c code) Code() int     { return int(c) }

func TestFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err     error
		passing bool
	}{
		{state("08006"), true},  // connection_failure
		{state("53100"), true},  // disk_full
		{state("53300"), true},  // too_many_connections
		{state("57P01"), true},  // admin_shutdown
		{state("57P03"), true},  // cannot_connect_now
		{state("57014"), true},  // query_canceled
		{state("58030"), true},  // io_error
		{state("25006"), true},  // read_only_sql_transaction
		{state("40001"), true},  // serialization_failure
		{state("23505"), false}, // unique_violation
		{state("42P01"), false}, // undefined_table
		{state("XX001"), false}, // data_corrupted
		{state("25P02"), false}, // in_failed_sql_transaction
		{state(""), false},
		{code(5), true},     // SQLITE_BUSY
		{code(517), true},   // SQLITE_BUSY_SNAPSHOT
		{code(8), true},     // SQLITE_READONLY
		{code(1032), true},  // SQLITE_READONLY_DBMOVED
		{code(778), true},   // SQLITE_IOERR_WRITE
		{code(13), true},    // SQLITE_FULL
		{code(14), true},    // SQLITE_CANTOPEN
		{code(1), false},    // SQLITE_ERROR
		{code(11), false},   // SQLITE_CORRUPT
		{code(2067), false}, // SQLITE_CONSTRAINT_UNIQUE
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{driver.ErrBadConn, true},
		{sql.ErrConnDone, true},
		{io.ErrUnexpectedEOF, true},
		{context.DeadlineExceeded, true},
		{context.Canceled, false},
		{sql.ErrNoRows, false},
		{sql.ErrTxDone, false},
		{errFault, false},
	} {
		got := sqldb.Fault(fmt.Errorf("wrapped: %w", tt.err))
		if errors.Is(got, oauth.TemporarilyUnavailable) != tt.passing {
			t.Errorf("%v: passing %v, want %v", tt.err, !tt.passing, tt.passing)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%v is hidden in %v", tt.err, got)
		}
		if again := sqldb.Fault(got); again != got {
			t.Errorf("%v was marked twice", tt.err)
		}
	}
	if sqldb.Fault(nil) != nil {
		t.Error("nothing became a fault")
	}
}

// Another process holds the write lock for longer than the callers have time:
// they are told so, what they wanted never happens, and those who come after the
// lock is gone are served.
func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	db := sqldb.New(openPool(t, path), sqldb.SQLite)
	if _, err := db.Pool().Exec("CREATE TABLE t (n INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	other, err := openPool(t, path).Begin() // takes the write lock
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	answers := make(chan error)
	const callers = 8
	for n := range callers {
		go func() { answers <- db.Write(ctx, insert(n)) }()
	}
	for range callers {
		if err := <-answers; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is up", err)
		}
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(100)); err != nil {
		t.Errorf("after the lock was given up: %v", err)
	}
	if got := numbers(t, db); got != "100" {
		t.Errorf("got rows %q, want only 100", got)
	}
}

// While nothing moves the queue is bounded, and those who gave up make room.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	db := open(t)
	held, release := make(chan struct{}), make(chan struct{})
	answers := make(chan error, 5000)
	go func() {
		answers <- db.Write(context.Background(), func(context.Context, *sql.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	<-held
	impatient, giveUp := context.WithCancel(t.Context())
	for range 1000 {
		go func() { answers <- db.Write(impatient, insert(-1)) }()
	}
	const most = 4096
	for n := range most - 1000 {
		go func() { answers <- db.Write(t.Context(), insert(n)) }()
	}
	for db.Waiting() < most {
		time.Sleep(time.Millisecond)
	}
	if err := db.Write(t.Context(), insert(most)); !errors.Is(err, oauth.TemporarilyUnavailable) {
		t.Errorf("one too many: got %v, want temporarily_unavailable", err)
	}
	giveUp()
	for range 1000 {
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
	}
	go func() { answers <- db.Write(t.Context(), insert(most)) }()
	for db.Waiting() != most-1000+1 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range most - 1000 + 2 {
		if err := <-answers; err != nil {
			t.Errorf("who waited got %v", err)
		}
	}
}

// What the real driver says is understood: the file may not be written, and the
// disk is full.
func TestDriverFaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	pool := openPool(t, path)
	pool.SetMaxOpenConns(1) // the pragma below is the connection's
	if _, err := pool.Exec("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"); err != nil {
		t.Fatal(err)
	}
	reader, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path)+"&mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	small := func(ctx context.Context, tx *sql.Tx) error { return sqldb.Fault(insert(1)(ctx, tx)) }
	if err := sqldb.New(reader, sqldb.SQLite).Write(t.Context(), small); !errors.Is(err, oauth.TemporarilyUnavailable) {
		t.Errorf("a file that may not be written: got %v", err)
	}
	if _, err := pool.Exec("PRAGMA max_page_count = 8"); err != nil {
		t.Fatal(err)
	}
	db := sqldb.New(pool, sqldb.SQLite)
	large := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (text) VALUES (zeroblob(100000))")
		return sqldb.Fault(err)
	}
	for _, err := range crowd(t, db, t.Context(), small, large, large) {
		if err != nil && !errors.Is(err, oauth.TemporarilyUnavailable) {
			t.Errorf("a full disk: got %v", err)
		}
	}
	if err := db.Write(t.Context(), large); !errors.Is(err, oauth.TemporarilyUnavailable) {
		t.Errorf("a full disk: got %v", err)
	}
	if _, err := pool.Exec("PRAGMA max_page_count = 1000"); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), large); err != nil {
		t.Errorf("after there was room: %v", err)
	}
}
