package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/mint"
)

// asked is how many of the seeded tokens are kept to be asked about, at most. They
// lie all over the table.
const asked = 250_000

// seeded is what was put into a database before its server started.
type seeded struct {
	tokens []string
	// bytes is by how much a token grew the file, indexes included.
	bytes float64
}

// seed puts n live access tokens of the client into the SQLite database at file,
// as the server would have within the last hour. No server may run on it.
func seed(ctx context.Context, file, clientID string, n int) (out seeded, err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-65536)")
	if err != nil {
		return out, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	m, err := mint.New("vk", [][]byte{make([]byte, 32)})
	if err != nil {
		return out, err
	}
	empty, err := fileSize(ctx, db, file)
	if err != nil {
		return out, err
	}
	tx, err := db.Begin()
	if err != nil {
		return out, err
	}
	defer tx.Rollback()
	const each, columns = 64, 7
	insert := func(rows int) string {
		values := strings.TrimSuffix(strings.Repeat("(?, 'access', ?, ?, ?, ?, ?, ?, 0),", rows), ",")
		return `INSERT INTO oauth_tokens (id, kind, hash, client_id, subject, scopes, issued_at, expires_at, internal) VALUES ` + values
	}
	whole, err := tx.Prepare(insert(each))
	if err != nil {
		return out, err
	}
	now := time.Now()
	args := make([]any, 0, each*columns)
	flush := func() (err error) {
		if rows := len(args) / columns; rows == each {
			_, err = whole.Exec(args...)
		} else if rows > 0 {
			_, err = tx.Exec(insert(rows), args...)
		}
		args = args[:0]
		return err
	}
	every := max(n/asked, 1)
	for i := range n {
		at := now.Add(-time.Hour + time.Duration(i)*(time.Hour/time.Duration(n)))
		d := m.Draw(mint.AccessToken, at)
		args = append(args, d.ID, d.Hash[:], clientID, clientID, "user:email", at.UnixMicro(), at.Add(24*time.Hour).UnixMicro())
		if i%every == 0 {
			out.tokens = append(out.tokens, string(d.Secret))
		}
		if len(args) == cap(args) {
			if err := flush(); err != nil {
				return out, fmt.Errorf("seed: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return out, fmt.Errorf("seed: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return out, fmt.Errorf("seed: %w", err)
	}
	full, err := fileSize(ctx, db, file)
	out.bytes = float64(full-empty) / float64(n)
	return out, err
}

// fileSize is the size of the database with nothing left in its log.
func fileSize(ctx context.Context, db *sql.DB, file string) (int64, error) {
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
