package sqldb

// Waiting returns how many callers queue.
func (db *DB) Waiting() int {
	db.writers.mu.Lock()
	defer db.writers.mu.Unlock()
	return len(db.writers.waiting)
}

// Leading reports whether a leader is at work.
func (db *DB) Leading() bool {
	db.writers.mu.Lock()
	defer db.writers.mu.Unlock()
	return db.writers.leading
}
