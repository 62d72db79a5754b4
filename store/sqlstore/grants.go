package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
)

const grantColumns = `id, client_id, subject, scopes, resources, authentication, claims, created_at, revoked_at, last_used_at`

func intoGrant(g *oauth.Grant) []any {
	return []any{&g.ID, &g.ClientID, &g.Subject, toWords(&g.Scopes), toWords(&g.Resources),
		toAuthentication(&g.Authentication), toOpt(&g.Claims), sqldb.ScanTime(&g.CreatedAt), sqldb.ScanTime(&g.RevokedAt), sqldb.ScanTime(&g.LastUsedAt)}
}

const (
	sqlCreateGrant = `INSERT INTO oauth_grants (` + grantColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $2)
	ON CONFLICT (id) DO NOTHING`
	sqlGrantExists = `SELECT EXISTS (SELECT 1 FROM oauth_grants WHERE id = $1)`
)

// CreateGrant implements [store.Grants].
func (s *Store) CreateGrant(ctx context.Context, g *oauth.Grant) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateGrant, g.ID, g.ClientID, g.Subject, words(g.Scopes),
			words(g.Resources), authentication(g.Authentication), opt(g.Claims),
			micros(g.CreatedAt), sqldb.Micros(g.RevokedAt), sqldb.Micros(g.LastUsedAt))
		return s.createdIn(ctx, n, err, sqlGrantExists, g.ID)
	})
}

const sqlGrant = `SELECT ` + grantColumns + ` FROM oauth_grants WHERE id = $1`

// Grant implements [store.Grants].
func (s *Store) Grant(ctx context.Context, id string) (*oauth.Grant, error) {
	return one(ctx, s, sqlGrant, id, intoGrant)
}

const (
	sqlLiveGrants = `SELECT ` + grantColumns + ` FROM oauth_grants
	WHERE subject = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC`
	sqlLiveGrantsOfClient = `SELECT ` + grantColumns + ` FROM oauth_grants
	WHERE subject = $1 AND client_id = $2 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC`
)

// LiveGrants implements [store.Grants].
func (s *Store) LiveGrants(ctx context.Context, subject, clientID string) ([]*oauth.Grant, error) {
	if clientID == "" {
		return rows(ctx, s, sqlLiveGrants, []any{subject}, intoGrant)
	}
	return rows(ctx, s, sqlLiveGrantsOfClient, []any{subject, clientID}, intoGrant)
}

// Its codes and tokens are dead by this one row: their look-ups join it.
const sqlRevokeGrant = `UPDATE oauth_grants SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1`

// RevokeGrant implements [store.Grants].
func (s *Store) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlRevokeGrant, id, micros(now)))
	})
}

const (
	sqlRevokeGrants = `UPDATE oauth_grants SET revoked_at = $4
	WHERE subject = $1 AND client_id = $2 AND id <> $3 AND revoked_at IS NULL`
	// Only tokens without a grant have a subject of their own.
	sqlRevokeGrantless = `UPDATE oauth_tokens SET revoked_at = $3
	WHERE subject = $1 AND client_id = $2 AND revoked_at IS NULL`
)

// RevokeGrants implements [store.Grants].
func (s *Store) RevokeGrants(ctx context.Context, subject, clientID, except string, now time.Time) (int, error) {
	var revoked int64
	err := s.write(ctx, func(ctx context.Context) (err error) {
		if revoked, err = s.change(ctx, sqlRevokeGrants, subject, clientID, except, micros(now)); err != nil {
			return err
		}
		_, err = s.change(ctx, sqlRevokeGrantless, subject, clientID, micros(now))
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(revoked), nil
}

const (
	sqlGrantIdle  = `SELECT EXISTS (SELECT 1 FROM oauth_grants WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2))`
	sqlTouchGrant = `UPDATE oauth_grants SET last_used_at = $3 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2)`
)

// TouchGrant implements [store.Grants].
func (s *Store) TouchGrant(ctx context.Context, id string, now time.Time) error {
	minuteAgo := micros(now.Add(-time.Minute))
	return s.touch(ctx, sqlGrantIdle, sqlTouchGrant, id, minuteAgo, micros(now))
}

// touch runs an update whose first two arguments also answer whether it is
// worth a transaction: most uses come within the minute and write nothing.
func (s *Store) touch(ctx context.Context, sqlIdle, sqlTouch string, args ...any) error {
	var idle bool
	if err := s.row(ctx, sqlIdle, args[:2], &idle); err != nil || !idle {
		return ignoreNotFound(err)
	}
	return s.writeOne(ctx, func(ctx context.Context) error {
		_, err := s.change(ctx, sqlTouch, args...)
		return err
	})
}

const sqlCountGrants = `SELECT count(DISTINCT subject) FROM oauth_grants WHERE client_id = $1 AND revoked_at IS NULL`

// CountGrants implements [store.Grants].
func (s *Store) CountGrants(ctx context.Context, clientID string) (int, error) {
	var n int
	err := s.row(ctx, sqlCountGrants, []any{clientID}, &n)
	return n, ignoreNotFound(err)
}
