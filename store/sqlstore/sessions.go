package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const sessionClientColumns = `sid, client_id, subject, expires_at, ended_at, attempts, retry_at`

func intoSessionClient(c *oauth.SessionClient) []any {
	return []any{&c.SID, &c.ClientID, &c.Subject, sqldb.ScanTime(&c.ExpiresAt), sqldb.ScanTime(&c.EndedAt),
		&c.Attempts, sqldb.ScanTime(&c.RetryAt)}
}

const (
	// The session's own row goes first: whoever adds a client and whoever ends the
	// session wait for one another there.
	sqlKeepSession = `INSERT INTO oauth_sessions (sid, expires_at)
	SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $3)
	ON CONFLICT (sid) DO UPDATE SET
	expires_at = CASE WHEN excluded.expires_at > oauth_sessions.expires_at THEN excluded.expires_at ELSE oauth_sessions.expires_at END
	WHERE oauth_sessions.ended_at IS NULL`

	sqlAddSessionClient = `INSERT INTO oauth_session_clients (` + sessionClientColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
	ON CONFLICT (sid, client_id) DO UPDATE SET
	expires_at = CASE WHEN excluded.expires_at > oauth_session_clients.expires_at THEN excluded.expires_at ELSE oauth_session_clients.expires_at END
	WHERE oauth_session_clients.ended_at IS NULL`
)

// AddSessionClient implements [store.Sessions].
func (s *Store) AddSessionClient(ctx context.Context, c *oauth.SessionClient) error {
	return s.write(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlKeepSession, c.SID, micros(c.ExpiresAt), c.ClientID)
		if err == nil && n > 0 {
			n, err = s.insert(ctx, sqlAddSessionClient, c.SID, c.ClientID, c.Subject, micros(c.ExpiresAt),
				sqldb.Micros(c.EndedAt), c.Attempts, sqldb.Micros(c.RetryAt))
		}
		err = s.createdIn(ctx, n, err, sqlClientExists, c.ClientID)
		if errors.Is(err, store.ErrExists) { // the client is there, so it was the session that has ended
			return store.ErrUsed
		}
		return err
	})
}

const sqlSessionClients = `SELECT ` + sessionClientColumns + ` FROM oauth_session_clients WHERE sid = $1 ORDER BY client_id`

// SessionClients implements [store.Sessions].
func (s *Store) SessionClients(ctx context.Context, sid string) ([]*oauth.SessionClient, error) {
	return rows(ctx, s, sqlSessionClients, []any{sid}, intoSessionClient)
}

const (
	sqlEndSession = `INSERT INTO oauth_sessions (sid, expires_at, ended_at) VALUES ($1, $2, $3)
	ON CONFLICT (sid) DO UPDATE SET ended_at = COALESCE(oauth_sessions.ended_at, excluded.ended_at),
	expires_at = CASE WHEN excluded.expires_at > oauth_sessions.expires_at THEN excluded.expires_at ELSE oauth_sessions.expires_at END`
	sqlEndSessionClients = `UPDATE oauth_session_clients SET ended_at = $2, retry_at = $2 WHERE sid = $1 AND ended_at IS NULL`
)

// EndSession implements [store.Sessions].
func (s *Store) EndSession(ctx context.Context, sid string, now time.Time) (int, error) {
	var ended int64
	err := s.write(ctx, func(ctx context.Context) (err error) {
		if _, err = s.insert(ctx, sqlEndSession, sid, micros(now.Add(store.EndedSessionMemory)), micros(now)); err != nil {
			return err
		}
		ended, err = s.change(ctx, sqlEndSessionClients, sid, micros(now))
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(ended), nil
}

const sqlDueLogouts = `SELECT ` + sessionClientColumns + ` FROM oauth_session_clients
	WHERE ended_at IS NOT NULL AND retry_at <= $1 ORDER BY retry_at, sid, client_id LIMIT $2`

// DueLogouts implements [store.Sessions].
func (s *Store) DueLogouts(ctx context.Context, now time.Time, limit int) ([]*oauth.SessionClient, error) {
	return rows(ctx, s, sqlDueLogouts, []any{micros(now), max(limit, 1)}, intoSessionClient)
}

const (
	sqlRetryLogout         = `UPDATE oauth_session_clients SET attempts = attempts + 1, retry_at = $3 WHERE sid = $1 AND client_id = $2`
	sqlDeleteSessionClient = `DELETE FROM oauth_session_clients WHERE sid = $1 AND client_id = $2`
)

// RetryLogout implements [store.Sessions].
func (s *Store) RetryLogout(ctx context.Context, sid, clientID string, retry time.Time) error {
	return s.write(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlRetryLogout, sid, clientID, micros(retry)))
	})
}

// DeleteSessionClient implements [store.Sessions].
func (s *Store) DeleteSessionClient(ctx context.Context, sid, clientID string) error {
	return s.write(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlDeleteSessionClient, sid, clientID))
	})
}
