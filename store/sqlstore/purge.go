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

	sqlBacklog = `SELECT count(*), COALESCE(min(expires_at), 0) FROM (
	SELECT expires_at FROM oauth_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS overdue`

	// A rotated token stays until it expires: its return is a sign of theft.
	sqlPurgeRevokedTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE revoked_at < $1 AND rotated_at IS NULL LIMIT $2)`

	sqlPurgeTokensOfGrants = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT t.id FROM oauth_grants g JOIN oauth_tokens t ON t.grant_id = g.id WHERE g.revoked_at < $1 LIMIT $2)`

	sqlPurgeCodes = `DELETE FROM oauth_codes WHERE id IN (
	SELECT id FROM oauth_codes WHERE expires_at < $1 AND (used_at IS NULL OR expires_at < $2) LIMIT $3)`

	sqlPurgeRequests = `DELETE FROM oauth_requests WHERE id IN (
	SELECT id FROM oauth_requests WHERE expires_at < $1 LIMIT $2)`

	sqlPurgePushedRequests = `DELETE FROM oauth_pushed_requests WHERE id IN (
	SELECT id FROM oauth_pushed_requests WHERE expires_at < $1 LIMIT $2)`

	sqlPurgeDeviceCodes = `DELETE FROM oauth_device_codes WHERE id IN (
	SELECT id FROM oauth_device_codes WHERE expires_at < $1 LIMIT $2)`

	sqlPurgeReplays = `DELETE FROM oauth_replays WHERE id IN (
	SELECT id FROM oauth_replays WHERE expires_at < $1 LIMIT $2)`

	sqlPurgeSessionClients = `DELETE FROM oauth_session_clients WHERE (sid, client_id) IN (
	SELECT sid, client_id FROM oauth_session_clients WHERE ended_at IS NULL AND expires_at < $1 LIMIT $2)`

	sqlPurgeSessions = `DELETE FROM oauth_sessions WHERE sid IN (
	SELECT s.sid FROM oauth_sessions s WHERE s.expires_at < $1
	AND NOT EXISTS (SELECT 1 FROM oauth_session_clients c WHERE c.sid = s.sid) LIMIT $2)`

	sqlPurgeKeys = `DELETE FROM oauth_keys WHERE id IN (
	SELECT id FROM oauth_keys WHERE expires_at < $1 LIMIT $2)`

	sqlPurgeSecrets = `DELETE FROM oauth_client_secrets WHERE id IN (
	SELECT id FROM oauth_client_secrets WHERE expires_at < $1 LIMIT $2)`

	// Ids are time-ordered, so the oldest events are the first rows.
	sqlPurgeEvents = `DELETE FROM oauth_events WHERE id IN (
	SELECT id FROM (SELECT id, at FROM oauth_events ORDER BY id LIMIT $2) AS oldest WHERE at < $1)`

	nothingLeft = ` AND NOT EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.grant_id = g.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_codes c WHERE c.grant_id = g.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_device_codes d WHERE d.grant_id = g.id)`

	sqlPurgeRevokedGrants = `DELETE FROM oauth_grants WHERE id IN (
	SELECT g.id FROM oauth_grants g WHERE g.revoked_at < $1` + nothingLeft + ` LIMIT $2)`

	// A live grant remembers consent, unless a newer one remembers the same.
	superseded = ` g.created_at < $1 AND g.revoked_at IS NULL
	AND EXISTS (SELECT 1 FROM oauth_grants n WHERE n.subject = g.subject AND n.client_id = g.client_id
		AND n.revoked_at IS NULL AND n.created_at > g.created_at AND n.scopes IS NOT DISTINCT FROM g.scopes
		AND n.resources IS NOT DISTINCT FROM g.resources AND n.claims IS NOT DISTINCT FROM g.claims)` + nothingLeft

	sqlSupersededGrants      = `SELECT g.id FROM oauth_grants g WHERE` + superseded + ` LIMIT $2`
	sqlPurgeSupersededGrants = `DELETE FROM oauth_grants AS g WHERE` + superseded + ` AND g.id = $2`

	// A client that registered itself and was never used, or not for long.
	unused = ` c.registration = 'dynamic' AND c.updated_at < $1
	AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.client_id = c.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.client_id = c.id AND t.kind <> 'registration')`

	sqlUnusedClients      = `SELECT c.id FROM oauth_clients c WHERE` + unused + ` LIMIT $2`
	sqlPurgeUnusedClients = `DELETE FROM oauth_clients AS c WHERE` + unused + ` AND c.id = $2`
)

// Purge implements [store.Store]. Each statement is a transaction of its own,
// so that nobody waits long behind it.
func (s *Store) Purge(ctx context.Context, h store.Horizon, limit int) (int, error) {
	at, limit := micros(h.Dead), max(limit, 1)
	tables := []struct {
		sql  []string
		args []any
	}{
		{[]string{sqlPurgeExpiredTokens, sqlPurgeRevokedTokens, sqlPurgeTokensOfGrants}, []any{at}},
		{[]string{sqlPurgeCodes}, []any{at, micros(h.Dead.Add(-store.UsedCodeMemory))}},
		{[]string{sqlPurgeRequests}, []any{at}},
		{[]string{sqlPurgePushedRequests}, []any{micros(h.Dead.Add(-store.PushedRequestMemory))}},
		{[]string{sqlPurgeDeviceCodes}, []any{at}},
		{[]string{sqlPurgeReplays}, []any{at}},
		{[]string{sqlPurgeSessionClients}, []any{at}},
		{[]string{sqlPurgeSessions}, []any{at}},
		{[]string{sqlPurgeSecrets}, []any{at}},
		{[]string{sqlPurgeEvents}, []any{micros(h.Events)}},
		{[]string{sqlPurgeKeys}, []any{micros(h.Keys)}},
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
	if err := s.purgeChanges(ctx, at, micros(h.Dead.Add(-store.ChangeMemory)), limit); err != nil {
		return total, err
	}
	n, err := s.purgeFound(ctx, sqlSupersededGrants, sqlPurgeSupersededGrants, at, limit)
	total += n
	if err != nil {
		return total, err
	}
	n, err = s.purgeFound(ctx, sqlUnusedClients, sqlPurgeUnusedClients, micros(h.Registrations), limit)
	return total + n, err
}

// Backlog counts the tokens that have expired and wait for Purge, at most limit,
// and returns when the first of them expired; the zero time if none waits.
func (s *Store) Backlog(ctx context.Context, now time.Time, limit int) (n int, oldest time.Time, err error) {
	var at int64
	if err := s.row(ctx, sqlBacklog, []any{micros(now), limit}, &n, &at); err != nil {
		return 0, time.Time{}, err
	}
	if n > 0 {
		oldest = time.UnixMicro(at).UTC()
	}
	return n, oldest, nil
}

// purgeFound looks for rows outside of any transaction, as no index leads to
// those alone that may go, and looks again at each before it goes.
func (s *Store) purgeFound(ctx context.Context, sqlFind, sqlPurge string, at int64, limit int) (n int, err error) {
	ids, err := rows(ctx, s, sqlFind, []any{at, limit}, func(id *string) []any { return []any{id} })
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = s.write(ctx, func(ctx context.Context) error {
		n = 0
		for _, id := range ids {
			gone, err := s.change(ctx, sqlPurge, at, *id)
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
var subjectRows = []string{sqlDeleteClientsOf, sqlDeleteGrantsOf, sqlDeleteTokensOf, sqlDeleteRequestsOf,
	sqlDeleteDeviceCodesOf, sqlDeleteSessionClientsOf}

const (
	sqlDeleteClientsOf  = `DELETE FROM oauth_clients WHERE owner = $1`
	sqlDeleteGrantsOf   = `DELETE FROM oauth_grants WHERE subject = $1`
	sqlDeleteTokensOf   = `DELETE FROM oauth_tokens WHERE subject = $1`
	sqlDeleteRequestsOf = `DELETE FROM oauth_requests WHERE subject = $1`

	sqlDeleteDeviceCodesOf    = `DELETE FROM oauth_device_codes WHERE subject = $1`
	sqlDeleteSessionClientsOf = `DELETE FROM oauth_session_clients WHERE subject = $1 AND ended_at IS NULL`
)

// DeleteSubject implements [store.Store].
func (s *Store) DeleteSubject(ctx context.Context, subject string) error {
	return s.write(ctx, func(ctx context.Context) error {
		for _, text := range subjectRows {
			if _, err := s.change(ctx, text, subject); err != nil {
				return err
			}
		}
		_, err := s.change(ctx, sqlNoteSubject, subject)
		return err
	})
}
