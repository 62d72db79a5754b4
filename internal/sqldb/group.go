package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

const (
	// maxGroup is how many functions share one transaction at most.
	maxGroup = 256
	// maxWaiting is how many may wait to write: while the disk hangs the queue
	// must not grow.
	maxWaiting = 4096
	// patience is how long a caller whose time is up waits on for the outcome of
	// what cannot be stopped any more; net/http's own limits are a little longer.
	patience = 45 * time.Second
)

// job is one function that waits to be run.
type job struct {
	ctx  context.Context
	fn   func(context.Context, *sql.Tx) error
	err  error      // what fn returned
	done chan error // the answer
	// taken is set by whoever comes first: the leader that runs fn, or the
	// caller that stops waiting.
	taken atomic.Bool
}

// queue is who waits to write.
type queue struct {
	mu      sync.Mutex
	waiting []*job
	leading bool // a leader is at work and will find what is queued
}

var errEnded = errors.New("sqldb: the transaction was abandoned")

func (db *DB) writeInGroup(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	// fn must not be cancelled: an interrupted statement undoes the whole
	// transaction in SQLite, and with it everybody else's work.
	j := &job{ctx: context.WithoutCancel(ctx), fn: fn, done: make(chan error, 1)}
	q := &db.writers
	q.mu.Lock()
	if !q.join(j) {
		q.mu.Unlock()
		return errCrowded
	}
	if !q.leading {
		q.leading = true
		go db.lead()
	}
	q.mu.Unlock()

	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	if j.taken.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-j.done:
		return err
	case <-late.C:
		return errUnknown
	}
}

// join queues the job, unless too many wait. Those who gave up do not count.
// The caller holds mu.
func (q *queue) join(j *job) bool {
	if len(q.waiting) >= maxWaiting {
		q.waiting = slices.DeleteFunc(q.waiting, func(j *job) bool { return j.taken.Load() })
	}
	if len(q.waiting) >= maxWaiting {
		return false
	}
	q.waiting = append(q.waiting, j)
	return true
}

// next takes the job that has waited longest and still waits, or returns nil.
func (q *queue) next() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		j := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		if j.taken.CompareAndSwap(false, true) {
			return j
		}
	}
	return nil
}

// rest reports whether nobody waits; if so the leader's work is done.
func (q *queue) rest() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		return false
	}
	q.waiting = nil
	q.leading = false
	return true
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// lead commits groups until nobody waits.
func (db *DB) lead() {
	resting := false
	defer func() {
		if !resting { // a function ended the goroutine (runtime.Goexit): others still wait
			go db.lead()
		}
	}()
	for !db.writers.rest() {
		db.commitGroup()
		db.prepareWanted(context.Background())
	}
	resting = true
}

// commitGroup runs those who wait in one transaction and answers them.
func (db *DB) commitGroup() {
	var group []*job
	outcome := errEnded // until the commit says otherwise
	began := db.start()
	defer func() {
		if len(group) > 0 {
			db.committed(began, len(group), outcome)
		}
		for _, j := range group {
			if j.err == nil {
				j.err = outcome
			}
			j.done <- j.err
		}
	}()

	// Nobody is taken before the lock is: those whose time is up meanwhile may go.
	tx, err := db.pool.BeginTx(context.Background(), nil)
	if err != nil {
		outcome = fmt.Errorf("sqldb: begin: %w", Fault(err))
		for j := db.writers.next(); j != nil; j = db.writers.next() {
			group = append(group, j)
			if len(group) == maxGroup {
				break
			}
		}
		return
	}
	defer func() { tx.Rollback() }() // does nothing after Commit
	first := db.writers.next()
	if first == nil {
		return
	}
	group = append(group, first)

	if db.writers.empty() { // alone: the transaction itself is the savepoint
		if first.err = db.callOnce(first, tx); first.err != nil {
			return
		}
	} else if err := db.callTogether(&group, tx); err != nil {
		if !errors.Is(err, errMember) {
			outcome = err
			return
		}
		tx.Rollback()
		again, err := db.pool.BeginTx(context.Background(), nil)
		if err != nil {
			outcome = fmt.Errorf("sqldb: begin: %w", Fault(err))
			return
		}
		tx = again
		if err := db.callApart(&group, tx); err != nil {
			outcome = err
			return
		}
	}
	if outcome = tx.Commit(); outcome != nil {
		outcome = lost("commit", outcome)
	}
}

// callOnce runs the job's function; one that ends its goroutine counts as failed.
func (db *DB) callOnce(j *job, tx *sql.Tx) error {
	j.err = errEnded
	err := db.call(j.ctx, tx, j.fn)
	j.err = err
	return err
}

// errMember: a function has failed, and what it did cannot be told from what the
// others did.
var errMember = errors.New("sqldb: a member of the group failed")

// callTogether runs the job of the group, and those who wait behind it, without
// savepoints: under each one SQLite keeps a copy of every page that is written, and
// hardly ever is one needed. errMember, if a function fails: then all of it must
// be undone and run again. Any other error means that the transaction is lost.
func (db *DB) callTogether(group *[]*job, tx *sql.Tx) error {
	for j := (*group)[0]; ; {
		failed := db.callOnce(j, tx)
		// Inside a transaction BEGIN fails. Where it succeeds SQLite has undone the
		// transaction, and a function that saw the error did not say so.
		if _, err := (querier{db, tx}).exec(j.ctx, "BEGIN", nil); err == nil {
			return fmt.Errorf("sqldb: the transaction was undone: %w", oauth.TemporarilyUnavailable)
		}
		if failed != nil {
			return errMember
		}
		if len(*group) == maxGroup {
			return nil
		}
		if j = db.writers.next(); j == nil {
			return nil
		}
		*group = append(*group, j)
	}
}

// callApart runs the jobs of the group, and those who wait behind them, so that each
// can be undone alone. An error means that the transaction is lost.
func (db *DB) callApart(group *[]*job, tx *sql.Tx) error {
	for i := 0; ; i++ {
		if err := db.callUnderSavepoint((*group)[i], tx); err != nil {
			return err
		}
		if i+1 < len(*group) {
			continue
		}
		if len(*group) == maxGroup {
			return nil
		}
		j := db.writers.next()
		if j == nil {
			return nil
		}
		*group = append(*group, j)
	}
}

// callUnderSavepoint runs the job's function so that it can be undone alone. It
// returns an error only if the transaction is lost: a full disk, for one, makes
// SQLite undo all of it.
func (db *DB) callUnderSavepoint(j *job, tx *sql.Tx) error {
	q := querier{db, tx}
	if _, err := q.exec(j.ctx, "SAVEPOINT member", nil); err != nil {
		return lost("savepoint", err)
	}
	if db.callOnce(j, tx) != nil {
		if _, err := q.exec(j.ctx, "ROLLBACK TO member", nil); err != nil {
			return lost("roll back to savepoint", err)
		}
	}
	if _, err := q.exec(j.ctx, "RELEASE member", nil); err != nil {
		return lost("release savepoint", err)
	}
	return nil
}

// lost is the error of a statement that the engine itself adds. SQLite undoes the
// whole transaction when it cannot write, and then complains of these with
// SQLITE_ERROR: there is no transaction. That is no mistake of ours.
func lost(what string, err error) error {
	var code interface{ Code() int }
	if errors.As(err, &code) && code.Code() == 1 {
		return fmt.Errorf("sqldb: %s: %w: %w", what, oauth.TemporarilyUnavailable, err)
	}
	return fmt.Errorf("sqldb: %s: %w", what, Fault(err))
}
