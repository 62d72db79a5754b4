package sqlstore

import (
	"context"

	"github.com/valetkey/valetkey/store"
)

// What has changed is written by triggers; see the migration 0003_add_changes.

// sqlNoteSubject says so where no row is left for a trigger to see.
const sqlNoteSubject = `INSERT INTO oauth_changes (kind, id) VALUES ('subject', $1) ON CONFLICT DO NOTHING`

// changesSince finds what the positions from $1 on hold, and beside each row, or
// alone when there is none: where to go on, and what was purged.
var changesSince = map[Dialect]string{
	// One writer at a time: positions are in the order of commits.
	SQLite: `SELECT w.next, w.floor, c.kind, c.id
	FROM (SELECT COALESCE((SELECT max(position) FROM oauth_changes), f.position) + 1 AS next, f.position AS floor FROM oauth_changes_floor f) w
	LEFT JOIN oauth_changes c ON c.position >= $1`,
	// What is older than the oldest transaction under way is settled. A position
	// from the future is of the database that this one was restored from.
	PostgreSQL: `SELECT w.next, CASE WHEN w.floor < w.top THEN w.floor ELSE 0 END, c.kind, c.id
	FROM (SELECT pg_snapshot_xmin(s)::text::bigint AS next, pg_snapshot_xmax(s)::text::bigint AS top, f.position AS floor
		FROM oauth_changes_floor f, pg_current_snapshot() s) w
	LEFT JOIN oauth_changes c ON c.position >= $1 AND c.position < w.top`,
}

// Changes implements [store.Changes].
func (s *Store) Changes(ctx context.Context, since store.Cursor) ([]store.Change, store.Cursor, error) {
	rows, err := s.db.Read(s.join(ctx)).QueryContext(ctx, changesSince[s.db.Dialect()], int64(since))
	if err != nil {
		return nil, 0, fault(err)
	}
	defer rows.Close()
	var out []store.Change
	var next, floor store.Cursor
	for rows.Next() {
		var c store.Change
		if err := rows.Scan(&next, &floor, toOpt(&c.Kind), toOpt(&c.ID)); err != nil {
			return nil, 0, fault(err)
		}
		if c.Kind != "" {
			out = append(out, c)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fault(err)
	}
	// A cursor from the future was given out before the database was restored.
	if since <= floor || since > next {
		return []store.Change{{Kind: store.EverythingChanged}}, next, nil
	}
	return out, next, nil
}

const (
	sqlNoteChanges = `UPDATE oauth_changes SET noted_at = $1 WHERE noted_at IS NULL`
	sqlChangesDue  = `SELECT COALESCE(max(position), 0) FROM (
	SELECT position FROM oauth_changes WHERE noted_at < $1 AND position < $2 ORDER BY position LIMIT $3) AS oldest`
	sqlPurgeChanges = `DELETE FROM oauth_changes WHERE position <= $1`
	sqlRaiseFloor   = `UPDATE oauth_changes_floor SET position = $1 WHERE id = 1 AND position < $1`
)

// unsettled is the first position that a reader may still have to come back to.
var unsettled = map[Dialect]string{
	SQLite:     `SELECT COALESCE(max(position), 0) + 1 FROM oauth_changes`,
	PostgreSQL: `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`,
}

// restored removes what was brought along from another PostgreSQL server, whose
// transactions were further than ours are.
var restored = []string{
	`DELETE FROM oauth_changes WHERE position > pg_snapshot_xmax(pg_current_snapshot())::text::bigint`,
	`UPDATE oauth_changes_floor SET position = 0 WHERE position > pg_snapshot_xmax(pg_current_snapshot())::text::bigint`,
}

// purgeChanges deletes changes that Purge has seen long ago. The time is the
// caller's, as the triggers have none. Those that share a position go together.
func (s *Store) purgeChanges(ctx context.Context, now, before int64, limit int) (int, string, error) {
	if err := s.noteChanges(ctx, now); err != nil {
		return 0, "", err
	}
	var n int64
	err := s.write(ctx, func(ctx context.Context) error {
		var top, due int64
		n = 0
		if err := s.row(ctx, unsettled[s.db.Dialect()], nil, &top); err != nil {
			return err
		}
		err := s.row(ctx, sqlChangesDue, []any{before, top, limit}, &due)
		if err != nil || due == 0 {
			return err
		}
		if n, err = s.change(ctx, sqlPurgeChanges, due); err != nil {
			return err
		}
		_, err = s.change(ctx, sqlRaiseFloor, due)
		return err
	})
	if err != nil || n < int64(limit) {
		return int(n), "", err
	}
	return int(n), more, nil
}

func (s *Store) noteChanges(ctx context.Context, now int64) error {
	return s.write(ctx, func(ctx context.Context) error {
		if s.db.Dialect() == PostgreSQL {
			for _, text := range restored {
				if _, err := s.change(ctx, text); err != nil {
					return err
				}
			}
		}
		_, err := s.change(ctx, sqlNoteChanges, now)
		return err
	})
}
