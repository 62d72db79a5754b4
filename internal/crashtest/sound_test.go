package crashtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/store/sqlstore"
)

// halves count what must be there whole or not at all.
var halves = map[string]string{
	"tokens without their one entry in the audit trail": `SELECT count(*) FROM oauth_tokens t
		LEFT JOIN (SELECT token_id, count(*) AS n FROM oauth_events WHERE type = 'token.issued' GROUP BY token_id) AS e ON e.token_id = t.id
		WHERE t.kind IN ('access', 'personal') AND COALESCE(e.n, 0) <> 1`,
	// What was revoked may be deleted.
	"entries about a token that is not there": `SELECT count(*) FROM oauth_events WHERE type = 'token.issued'
		AND token_id NOT IN (SELECT id FROM oauth_tokens)
		AND token_id NOT IN (SELECT token_id FROM oauth_events WHERE type = 'token.revoked' AND token_id IS NOT NULL)`,
	"rotations without a successor": `SELECT count(*) FROM oauth_tokens t WHERE rotated_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM oauth_tokens n WHERE n.id = t.successor_id)`,
	"algorithms without one key that signs": `SELECT count(*) FROM (SELECT algorithm FROM oauth_keys GROUP BY algorithm
		HAVING sum(CASE WHEN state = 'active' THEN 1 ELSE 0 END) <> 1) AS a`,
}

// sound looks at the tables.
func (l *load) sound(ctx context.Context) error {
	db, err := l.open()
	if err != nil {
		return err
	}
	defer db.Close()
	return sound(ctx, db, l.postgres == nil)
}

func (l *load) open() (*sql.DB, error) {
	if l.postgres != nil {
		return openDatabase(l.postgres.URL)
	}
	files, err := filepath.Glob(filepath.Join(l.site.Dir, "*.db"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("the site has not one database but %v (%v)", files, err)
	}
	return openDatabase("sqlite:" + files[0])
}

// openDatabase opens what the setting db names.
func openDatabase(db string) (*sql.DB, error) {
	if path, ok := strings.CutPrefix(db, "sqlite:"); ok {
		return sql.Open("sqlite", sqlstore.SQLiteDSN(path))
	}
	return sql.Open("pgx", db)
}

func sound(ctx context.Context, db *sql.DB, sqlite bool) error {
	for what, query := range halves {
		n := 0
		if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil || n != 0 {
			return fmt.Errorf("%d %s (%v)", n, what, err)
		}
	}
	if !sqlite {
		return nil
	}
	var integrity string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		return fmt.Errorf("integrity_check: %s (%v)", integrity, err)
	}
	orphans, err := db.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer orphans.Close()
	if orphans.Next() {
		return errors.New("foreign_key_check found orphans")
	}
	return orphans.Err()
}
