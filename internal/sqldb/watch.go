package sqldb

import (
	"database/sql"
	"time"
)

// Watcher is told of every trip to the database, by whoever makes it: it must be
// quick, and safe for concurrent use. All fields are required.
type Watcher struct {
	Now func() time.Time
	// Statement hears, of statements that callers send and not of those that hold a
	// group together, how long a statement took until its first row, or its end, and
	// what came of it. That nothing was found is no error.
	Statement func(took time.Duration, err error)
	// Transaction hears of one that wrote, from its beginning to the end of its commit,
	// and how many callers of Write shared it. err is nil if it was committed.
	Transaction func(took time.Duration, callers int, err error)
}

// Watch has w told from now on. It is called before anything else uses db.
func (db *DB) Watch(w *Watcher) { db.watcher = w }

// start returns the time, if anybody wants to know how long it takes.
func (db *DB) start() time.Time {
	if db.watcher == nil {
		return time.Time{}
	}
	return db.watcher.Now()
}

func (db *DB) ran(began time.Time, err error) {
	if w := db.watcher; w != nil {
		if err == sql.ErrNoRows {
			err = nil
		}
		w.Statement(w.Now().Sub(began), err)
	}
}

func (db *DB) committed(began time.Time, callers int, err error) {
	if w := db.watcher; w != nil {
		w.Transaction(w.Now().Sub(began), callers, err)
	}
}

// Waiting returns how many callers queue to write.
func (db *DB) Waiting() int {
	db.writers.mu.Lock()
	defer db.writers.mu.Unlock()
	return len(db.writers.waiting)
}
