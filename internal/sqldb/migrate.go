package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// Line is one line of migrations: files named 0001_name.sql, 0002_name.sql, …
// in the root of FS, for one dialect.
type Line struct {
	Name string // "oauth", "accounts"
	FS   fs.FS
}

// Migration is one step of a line.
type Migration struct {
	ID       int
	Name     string // file name without .sql
	SQL      string
	Checksum string // SHA-256 of the file, hexadecimal
	Applied  bool   // filled in by Status
}

var fileName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// Migrations reads the files of the line in order.
func (l Line) Migrations() ([]Migration, error) {
	files, err := fs.ReadDir(l.FS, ".") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("sqldb: migrations of %s: %w", l.Name, err)
	}
	var out []Migration
	for _, f := range files {
		m := fileName.FindStringSubmatch(f.Name())
		if m == nil {
			return nil, fmt.Errorf("sqldb: migrations of %s: file %s is not named 0001_name.sql", l.Name, f.Name())
		}
		if id, _ := strconv.Atoi(m[1]); id != len(out)+1 {
			return nil, fmt.Errorf("sqldb: migrations of %s: file %s should have number %04d", l.Name, f.Name(), len(out)+1)
		}
		text, err := fs.ReadFile(l.FS, f.Name())
		if err != nil {
			return nil, fmt.Errorf("sqldb: migrations of %s: %w", l.Name, err)
		}
		sum := sha256.Sum256(text)
		out = append(out, Migration{
			ID: len(out) + 1, Name: f.Name()[:len(f.Name())-len(".sql")],
			SQL: string(text), Checksum: hex.EncodeToString(sum[:]),
		})
	}
	return out, nil
}

// Migrate applies what is pending and returns how many migrations it applied.
func (db *DB) Migrate(ctx context.Context, line Line) (applied int, err error) {
	if err := db.Check(ctx); err != nil {
		return 0, err
	}
	known, err := line.Migrations()
	if err != nil {
		return 0, err
	}
	for {
		// Whoever holds the write transaction looks again before it applies, so
		// of several nodes one applies and the others find it done.
		var did bool
		err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if err := db.prepareHistory(ctx, tx); err != nil {
				return err
			}
			all, err := db.compare(ctx, line, known)
			if err != nil {
				return err
			}
			did = false
			for _, m := range all {
				if !m.Applied {
					did = true
					return apply(ctx, tx, line, m)
				}
			}
			return nil
		})
		if err != nil || !did {
			return applied, err
		}
		applied++
	}
}

// Status returns every migration of the line and whether it is applied. It
// fails where Migrate would refuse, and changes nothing.
func (db *DB) Status(ctx context.Context, line Line) ([]Migration, error) {
	known, err := line.Migrations()
	if err != nil {
		return nil, err
	}
	var exists bool
	if err := db.pool.QueryRowContext(ctx, historyExists[db.dialect]).Scan(&exists); err != nil {
		return nil, fmt.Errorf("sqldb: migrations of %s: %w", line.Name, err)
	}
	if !exists {
		return known, nil
	}
	return db.compare(ctx, line, known)
}

// Pending returns the names of the migrations that are not applied yet.
func (db *DB) Pending(ctx context.Context, line Line) ([]string, error) {
	all, err := db.Status(ctx, line)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range all {
		if !m.Applied {
			names = append(names, m.Name)
		}
	}
	return names, nil
}

var historyExists = map[Dialect]string{
	SQLite:     `SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = 'valetkey_migrations'`,
	PostgreSQL: `SELECT to_regclass('valetkey_migrations') IS NOT NULL`,
}

var createHistory = map[Dialect]string{
	SQLite: `CREATE TABLE IF NOT EXISTS valetkey_migrations (
	line TEXT NOT NULL, id BIGINT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
	applied_at BIGINT NOT NULL DEFAULT (unixepoch() * 1000000),
	PRIMARY KEY (line, id)) WITHOUT ROWID`,
	PostgreSQL: `CREATE TABLE IF NOT EXISTS valetkey_migrations (
	line TEXT NOT NULL, id BIGINT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
	applied_at BIGINT NOT NULL DEFAULT (extract(epoch FROM now()) * 1000000)::bigint,
	PRIMARY KEY (line, id))`,
}

// prepareHistory takes the migration lock, which ends with the transaction, and
// creates the table of what was applied. In SQLite the write transaction is the lock.
func (db *DB) prepareHistory(ctx context.Context, tx *sql.Tx) error {
	if db.dialect == PostgreSQL {
		const lock = `SELECT pg_advisory_xact_lock(8243107211093475)` // any number, always the same
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return fmt.Errorf("sqldb: migration lock: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, createHistory[db.dialect]); err != nil {
		return fmt.Errorf("sqldb: table of migrations: %w", err)
	}
	return nil
}

// onlyAdds reports whether the migration, by its name, is one that an older program
// works beside: it adds tables, triggers, indexes, or columns that may be left out.
// That is how a rolling upgrade goes: one node migrates, the others, and what was
// started again of them, keep working.
func onlyAdds(name string) bool { return len(name) > 5 && strings.HasPrefix(name[5:], "add_") }

// compare marks which of the known migrations are applied. It refuses a history
// that the program does not know, unless that only added something.
func (db *DB) compare(ctx context.Context, line Line, known []Migration) ([]Migration, error) {
	rows, err := db.Read(ctx).QueryContext(ctx,
		`SELECT id, name, checksum FROM valetkey_migrations WHERE line = $1 ORDER BY id`, line.Name)
	if err != nil {
		return nil, fmt.Errorf("sqldb: migrations of %s: %w", line.Name, err)
	}
	defer rows.Close()
	out := append([]Migration(nil), known...)
	for rows.Next() {
		var id int
		var name, checksum string
		if err := rows.Scan(&id, &name, &checksum); err != nil {
			return nil, fmt.Errorf("sqldb: migrations of %s: %w", line.Name, err)
		}
		switch {
		case id > len(out) && onlyAdds(name):
			continue // a newer node has made it; this one goes on until its turn comes
		case id < 1 || id > len(out):
			return nil, fmt.Errorf("sqldb: the database holds migration %s of %s, and this program knows only %d: it was upgraded by a newer Valetkey; run that one, or restore the backup from before the upgrade", name, line.Name, len(out))
		case out[id-1].Checksum != checksum:
			return nil, fmt.Errorf("sqldb: migration %s of %s is not what was applied to this database as %s: the file has changed since, or the database belongs to another build", out[id-1].Name, line.Name, name)
		}
		out[id-1].Applied = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqldb: migrations of %s: %w", line.Name, err)
	}
	return out, nil
}

func apply(ctx context.Context, tx *sql.Tx, line Line, m Migration) error {
	if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
		return fmt.Errorf("sqldb: migration %s of %s: %w", m.Name, line.Name, err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO valetkey_migrations (line, id, name, checksum) VALUES ($1, $2, $3, $4)`,
		line.Name, m.ID, m.Name, m.Checksum)
	if err != nil {
		return fmt.Errorf("sqldb: migration %s of %s: %w", m.Name, line.Name, err)
	}
	return nil
}
