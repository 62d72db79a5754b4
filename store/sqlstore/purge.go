package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/store"
)

// What may go, batch by batch, oldest first, so that each finds its rows at the
// beginning of an index. $1 is the time and the last argument the limit.
const (
	sqlPurgeExpiredTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlBacklog = `SELECT count(*), COALESCE(min(expires_at), 0) FROM (
	SELECT expires_at FROM oauth_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS overdue`

	// A rotated token stays until it expires: its return is a sign of theft.
	sqlPurgeRevokedTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE revoked_at < $1 AND rotated_at IS NULL ORDER BY revoked_at LIMIT $2)`

	sqlPurgeRotatedTokens = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT id FROM oauth_tokens WHERE rotated_at < $1 AND expires_at IS NULL ORDER BY rotated_at LIMIT $2)`

	sqlPurgeTokensOfGrants = `DELETE FROM oauth_tokens WHERE id IN (
	SELECT t.id FROM oauth_grants g JOIN oauth_tokens t ON t.grant_id = g.id WHERE g.revoked_at < $1 LIMIT $2)`

	sqlPurgeCodes = `DELETE FROM oauth_codes WHERE id IN (
	SELECT id FROM oauth_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeRequests = `DELETE FROM oauth_requests WHERE id IN (
	SELECT id FROM oauth_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgePushedRequests = `DELETE FROM oauth_pushed_requests WHERE id IN (
	SELECT id FROM oauth_pushed_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeDeviceCodes = `DELETE FROM oauth_device_codes WHERE id IN (
	SELECT id FROM oauth_device_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeReplays = `DELETE FROM oauth_replays WHERE id IN (
	SELECT id FROM oauth_replays WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeSessionClients = `DELETE FROM oauth_session_clients WHERE (sid, client_id) IN (
	SELECT sid, client_id FROM oauth_session_clients WHERE ended_at IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeSessions = `DELETE FROM oauth_sessions WHERE sid IN (
	SELECT s.sid FROM oauth_sessions s WHERE s.expires_at < $1
	AND NOT EXISTS (SELECT 1 FROM oauth_session_clients c WHERE c.sid = s.sid) ORDER BY s.expires_at LIMIT $2)`

	sqlPurgeKeys = `DELETE FROM oauth_keys WHERE id IN (
	SELECT id FROM oauth_keys WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	sqlPurgeSecrets = `DELETE FROM oauth_client_secrets WHERE id IN (
	SELECT id FROM oauth_client_secrets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`

	// Ids are time-ordered, so the oldest events are the first rows.
	sqlPurgeEvents = `DELETE FROM oauth_events WHERE id IN (
	SELECT id FROM (SELECT id, at FROM oauth_events ORDER BY id LIMIT $2) AS oldest WHERE at < $1)`

	noTokens    = ` AND NOT EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.grant_id = g.id)`
	nothingLeft = noTokens + `
	AND NOT EXISTS (SELECT 1 FROM oauth_codes c WHERE c.grant_id = g.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_device_codes d WHERE d.grant_id = g.id)`

	// Codes and device codes of theirs would keep them for a day, to be passed over
	// by each step.
	sqlPurgeRevokedGrants = `DELETE FROM oauth_grants WHERE id IN (
	SELECT g.id FROM oauth_grants g WHERE g.revoked_at < $1` + noTokens + ` ORDER BY g.revoked_at LIMIT $2)`

	// A live grant remembers consent, unless a newer one remembers the same.
	superseded = ` g.created_at < $1 AND g.revoked_at IS NULL
	AND EXISTS (SELECT 1 FROM oauth_grants n WHERE n.subject = g.subject AND n.client_id = g.client_id
		AND n.revoked_at IS NULL AND n.id > g.id AND n.scopes IS NOT DISTINCT FROM g.scopes
		AND n.resources IS NOT DISTINCT FROM g.resources AND n.claims IS NOT DISTINCT FROM g.claims)` + nothingLeft

	sqlSupersededGrants = `SELECT g.id, CASE WHEN` + superseded + ` THEN 1 ELSE 0 END
	FROM (SELECT * FROM oauth_grants WHERE id > $2 ORDER BY id LIMIT $3) AS g ORDER BY g.id`
	sqlPurgeSupersededGrants = `DELETE FROM oauth_grants AS g WHERE` + superseded + ` AND g.id = $2`

	// A client that registered itself and was never used, or not for long.
	unused = ` c.registration = 'dynamic' AND c.updated_at < $1
	AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.client_id = c.id)
	AND NOT EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.client_id = c.id AND t.kind <> 'registration')`

	sqlUnusedClients = `SELECT c.id, CASE WHEN` + unused + ` THEN 1 ELSE 0 END
	FROM (SELECT * FROM oauth_clients WHERE id > $2 ORDER BY id LIMIT $3) AS c ORDER BY c.id`
	sqlPurgeUnusedClients = `DELETE FROM oauth_clients AS c WHERE` + unused + ` AND c.id = $2`
)

// more is what the next step of a sweep along an index goes on from: what went is
// no longer there to be passed over.
const more = "more"

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, sweep store.Sweep, h store.Horizon, after string, limit int) (int, string, error) {
	dead, limit := micros(h.Dead), max(limit, 1)
	ago := func(d time.Duration) int64 { return micros(h.Dead.Add(-d)) }
	switch sweep {
	case store.ExpiredTokens:
		return s.purge(ctx, limit, sqlPurgeExpiredTokens, dead)
	case store.RevokedTokens:
		return s.purge(ctx, limit, sqlPurgeRevokedTokens, dead)
	case store.RotatedTokens:
		return s.purge(ctx, limit, sqlPurgeRotatedTokens, ago(store.RotatedTokenMemory))
	case store.TokensOfGrants:
		return s.purge(ctx, limit, sqlPurgeTokensOfGrants, dead)
	case store.ExpiredCodes:
		return s.purge(ctx, limit, sqlPurgeCodes, ago(store.CodeMemory))
	case store.OldRequests:
		return s.purge(ctx, limit, sqlPurgeRequests, dead)
	case store.PushedRequests:
		return s.purge(ctx, limit, sqlPurgePushedRequests, ago(store.PushedRequestMemory))
	case store.DeviceCodes:
		return s.purge(ctx, limit, sqlPurgeDeviceCodes, dead)
	case store.OldReplays:
		return s.purge(ctx, limit, sqlPurgeReplays, dead)
	case store.SessionClients:
		return s.purge(ctx, limit, sqlPurgeSessionClients, dead)
	case store.OldSessions:
		return s.purge(ctx, limit, sqlPurgeSessions, dead)
	case store.ClientSecrets:
		return s.purge(ctx, limit, sqlPurgeSecrets, dead)
	case store.OldEvents:
		return s.purge(ctx, limit, sqlPurgeEvents, micros(h.Events))
	case store.RetiredKeys:
		return s.purge(ctx, limit, sqlPurgeKeys, micros(h.Keys))
	case store.OldChanges:
		return s.purgeChanges(ctx, dead, ago(store.ChangeMemory), limit)
	case store.RevokedGrants:
		return s.purge(ctx, limit, sqlPurgeRevokedGrants, dead)
	case store.SupersededGrants:
		return s.walk(ctx, sqlSupersededGrants, sqlPurgeSupersededGrants, dead, after, limit)
	case store.UnusedClients:
		return s.walk(ctx, sqlUnusedClients, sqlPurgeUnusedClients, micros(h.Registrations), after, limit)
	}
	return 0, "", fmt.Errorf("sqlstore: no sweep is called %q", sweep)
}

// purge deletes one batch along an index.
func (s *Store) purge(ctx context.Context, limit int, text string, args ...any) (int, string, error) {
	var n int64
	err := s.write(ctx, func(ctx context.Context) (err error) {
		n, err = s.change(ctx, s.apart(text), append(args, limit)...)
		return err
	})
	if err != nil || n < int64(limit) {
		return int(n), "", err
	}
	return int(n), more, nil
}

// apart makes the callers of PostgreSQL pass over the rows that another is at:
// they would wait for each other, only to find that the rows are gone. What somebody
// else is changing is left for the next time.
func (s *Store) apart(text string) string {
	if s.db.Dialect() != PostgreSQL || text == sqlPurgeEvents {
		return text
	}
	if text == sqlPurgeTokensOfGrants {
		return strings.TrimSuffix(text, ")") + " FOR UPDATE OF t SKIP LOCKED)"
	}
	return strings.TrimSuffix(text, ")") + " FOR UPDATE SKIP LOCKED)"
}

// walk looks at the next rows by id, outside of any transaction, and looks again
// at each that may go before it goes.
func (s *Store) walk(ctx context.Context, sqlFind, sqlPurge string, at int64, after string, limit int) (n int, next string, err error) {
	type seen struct {
		id   string
		gone int
	}
	found, err := rows(ctx, s, sqlFind, []any{at, after, limit}, func(r *seen) []any { return []any{&r.id, &r.gone} })
	if err != nil || len(found) == 0 {
		return 0, "", err
	}
	if len(found) == limit {
		next = found[limit-1].id
	}
	found = slices.DeleteFunc(found, func(r *seen) bool { return r.gone == 0 })
	if len(found) == 0 {
		return 0, next, nil
	}
	err = s.write(ctx, func(ctx context.Context) error {
		n = 0
		for _, r := range found {
			gone, err := s.change(ctx, sqlPurge, at, r.id)
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return nil
	})
	if err != nil {
		return 0, "", err
	}
	return n, next, nil
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
