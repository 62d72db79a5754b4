package sqldb

// Leading reports whether a leader is at work.
func (db *DB) Leading() bool {
	db.writers.mu.Lock()
	defer db.writers.mu.Unlock()
	return db.writers.leading
}
