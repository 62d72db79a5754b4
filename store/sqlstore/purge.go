package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/store"
)

// What may go, batch by batch. $1 is the time and the last argument the limit.
const (
	sqlPurgeExpiredTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE expires_at < $1 LIMIT $2)`

	// A rotated token stays until it expires: its return is a sign of theft.
	sqlPurgeRevokedTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE revoked_at < $1 AND rotated_at IS NULL LIMIT $2)`

	sqlPurgeTokensOfGrants = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT t.id FROM oauth_grants g JOIN oauth_tokens t ON t.grant_id = g.id WHERE g.revoked_at < $1 LIMIT $2)`

	sqlPurgeCodes = `DELETE FROM oauth_codes WHERE id IN (
	SELECT id FROM oauth_codes WHERE expires_at < $1 AND (used_at IS NULL OR expires_at < $2) LIMIT $3)`

	sqlPurgeRequests = `DELETE FROM oauth_requests WHERE id IN (
	SELECT id FROM oauth_requests WHERE expires_at < $1 LIMIT $2)`

	sqlPurgeSecrets = `DELETE FROM oauth_client_secrets WHERE id IN (
	SELECT id FROM oauth_client_secrets WHERE expires_at < $1 LIMIT $2)`

	// Ids are time-ordered, so the oldest events are the first rows.
	sqlPurgeEvents = `DELETE FROM oauth_events WHERE id IN (
	SELECT id FROM (SELECT id, at FROM oauth_events ORDER BY id LIMIT $2) AS oldest WHERE at < $1)`

	nothingLeft = ` AND NOT EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.grant_id = g.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_codes c WHERE c.grant_id = g.id)`

	sqlPurgeRevokedGrants = `DELETE FROM oauth_grants WHERE id IN (
	SELECT g.id FROM oauth_grants g WHERE g.revoked_at < $1` + nothingLeft + ` LIMIT $2)`

	// A live grant remembers consent, unless a newer one remembers the same.
	superseded = ` g.created_at < $1 AND g.revoked_at IS NULL
	AND EXISTS (SELECT 1 FROM oauth_grants n WHERE n.subject = g.subject AND n.client_id = g.client_id
		AND n.revoked_at IS NULL AND n.created_at > g.created_at AND n.scopes IS NOT DISTINCT FROM g.scopes)` + nothingLeft

	sqlSupersededGrants      = `SELECT g.id FROM oauth_grants g WHERE` + superseded + ` LIMIT $2`
	sqlPurgeSupersededGrants = `DELETE FROM oauth_grants AS g WHERE` + superseded + ` AND g.id = $2`
)

// Purge implements [store.Store]. Each statement is a transaction of its own,
// so that nobody waits long behind it.
func (s *Store) Purge(ctx context.Context, dead, events time.Time, limit int) (int, error) {
	at, limit := micros(dead), max(limit, 1)
	tables := []struct {
		sql  []string
		args []any
	}{
		{[]string{sqlPurgeExpiredTokens, sqlPurgeRevokedTokens, sqlPurgeTokensOfGrants}, []any{at}},
		{[]string{sqlPurgeCodes}, []any{at, micros(dead.Add(-store.UsedCodeMemory))}},
		{[]string{sqlPurgeRequests}, []any{at}},
		{[]string{sqlPurgeSecrets}, []any{at}},
		{[]string{sqlPurgeEvents}, []any{micros(events)}},
		{[]string{sqlPurgeRevokedGrants}, []any{at}},
	}
	total := 0
	for _, table := range tables {
		left := limit
		for _, text := range table.sql {
			if left == 0 {
				break
			}
			var n int64
			err := s.write(ctx, func(ctx context.Context) (err error) {
				n, err = s.change(ctx, text, append(table.args[:len(table.args):len(table.args)], left)...)
				return err
			})
			if err != nil {
				return total, err
			}
			left -= int(n)
			total += int(n)
		}
	}
	n, err := s.purgeSuperseded(ctx, at, limit)
	return total + n, err
}

// purgeSuperseded looks for superseded grants outside of any transaction, as
// there is no index that finds them, and looks again at each before it goes.
func (s *Store) purgeSuperseded(ctx context.Context, at int64, limit int) (n int, err error) {
	ids, err := rows(ctx, s, sqlSupersededGrants, []any{at, limit}, func(id *string) []any { return []any{id} })
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = s.write(ctx, func(ctx context.Context) error {
		n = 0
		for _, id := range ids {
			gone, err := s.change(ctx, sqlPurgeSupersededGrants, at, *id)
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// The foreign keys delete the rest.
var subjectRows = []string{sqlDeleteClientsOf, sqlDeleteGrantsOf, sqlDeleteTokensOf, sqlDeleteRequestsOf}

const (
	sqlDeleteClientsOf  = `DELETE FROM oauth_clients WHERE owner = $1`
	sqlDeleteGrantsOf   = `DELETE FROM oauth_grants WHERE subject = $1`
	sqlDeleteTokensOf   = `DELETE FROM oauth_tokens WHERE subject = $1`
	sqlDeleteRequestsOf = `DELETE FROM oauth_requests WHERE subject = $1`
)

// DeleteSubject implements [store.Store].
func (s *Store) DeleteSubject(ctx context.Context, subject string) error {
	return s.write(ctx, func(ctx context.Context) error {
		for _, text := range subjectRows {
			if _, err := s.change(ctx, text, subject); err != nil {
				return err
			}
		}
		return nil
	})
}
