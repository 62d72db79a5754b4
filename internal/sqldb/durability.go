package sqldb

import (
	"context"
	"fmt"
)

// promises are the settings without which a commit that was acknowledged can be
// lost, and the values that keep it.
var promises = map[Dialect][]promise{
	SQLite: {
		{"PRAGMA journal_mode", "journal_mode", []string{"wal"}, "a crash can undo or damage more than its last moment"},
		{"PRAGMA synchronous", "synchronous", []string{"2", "3"}, "a power cut can take back what was acknowledged"},
	},
	PostgreSQL: {
		{"SHOW synchronous_commit", "synchronous_commit", []string{"on", "remote_apply", "remote_write", "local"}, "a crash can take back what was acknowledged"},
		{"SHOW fsync", "fsync", []string{"on"}, "a power cut can damage the database"},
		{"SHOW full_page_writes", "full_page_writes", []string{"on"}, "a power cut can damage the database"},
	},
}

type promise struct {
	query, name string
	good        []string
	otherwise   string
}

// Durability says, a sentence for each, what in the settings of the database
// breaks the promise that what was acknowledged survives the power cord.
func (db *DB) Durability(ctx context.Context) (broken []string, err error) {
	for _, p := range promises[db.dialect] {
		value, good := "", false
		if err := db.Read(ctx).QueryRowContext(ctx, p.query).Scan(&value); err != nil {
			return nil, Fault(err)
		}
		for _, v := range p.good {
			good = good || v == value
		}
		if !good {
			broken = append(broken, fmt.Sprintf("%s is %s: %s", p.name, value, p.otherwise))
		}
	}
	return broken, nil
}
