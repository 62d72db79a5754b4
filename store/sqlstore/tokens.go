package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const tokenColumns = `id, kind, hash, grant_id, client_id, subject, scopes, resources, issued_at, expires_at, revoked_at,
	rotated_at, successor_id, name, description, hint, internal, last_used_at, last_used_network`

func intoToken(t *oauth.Token) []any {
	return []any{&t.ID, &t.Kind, sqldb.ScanBytes(t.Hash[:]), toOpt(&t.GrantID), toOpt(&t.ClientID), &t.Subject, toWords(&t.Scopes), toWords(&t.Resources),
		sqldb.ScanTime(&t.IssuedAt), sqldb.ScanTime(&t.ExpiresAt), sqldb.ScanTime(&t.RevokedAt), sqldb.ScanTime(&t.RotatedAt), toOpt(&t.SuccessorID),
		toOpt(&t.Name), toOpt(&t.Description), toOpt(&t.Hint), &t.Internal, sqldb.ScanTime(&t.LastUsedAt), toOpt(&t.LastUsedNetwork)}
}

const (
	sqlCreateToken = `INSERT INTO oauth_tokens (` + tokenColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
	WHERE (CAST($4 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM oauth_grants WHERE id = $4 AND client_id = $20 AND subject = $21))
	AND (CAST($5 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM oauth_clients WHERE id = $5))
	ON CONFLICT (id) DO NOTHING`
	sqlTokenExists = `SELECT EXISTS (SELECT 1 FROM oauth_tokens WHERE id = $1)`
)

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, t *oauth.Token) error {
	client, subject := opt(t.ClientID), any(t.Subject)
	if t.GrantID != "" { // the grant knows
		client, subject = nil, nil
	}
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateToken, t.ID, string(t.Kind), t.Hash[:], opt(t.GrantID), client, subject,
			words(t.Scopes), words(t.Resources), micros(t.IssuedAt), sqldb.Micros(t.ExpiresAt), sqldb.Micros(t.RevokedAt), sqldb.Micros(t.RotatedAt),
			opt(t.SuccessorID), opt(t.Name), opt(t.Description), opt(t.Hint), t.Internal, sqldb.Micros(t.LastUsedAt), opt(t.LastUsedNetwork),
			t.ClientID, t.Subject)
		return s.createdIn(ctx, n, err, sqlTokenExists, t.ID)
	})
}

// A token as it stands: with what its grant knows, and dead with it.
const sqlTokens = `SELECT t.id, t.kind, t.hash, t.grant_id, COALESCE(t.client_id, g.client_id),
	COALESCE(t.subject, g.subject), t.scopes, t.resources, t.issued_at, t.expires_at,
	COALESCE(t.revoked_at, g.revoked_at), t.rotated_at, t.successor_id, t.name, t.description, t.hint, t.internal,
	t.last_used_at, t.last_used_network
	FROM oauth_tokens t LEFT JOIN oauth_grants g ON g.id = t.grant_id`

const sqlToken = sqlTokens + ` WHERE t.id = $1`

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, id string) (*oauth.Token, error) {
	return one(ctx, s, sqlToken, id, intoToken)
}

// unrevoked narrows to tokens that are not revoked, nor their grant.
const unrevoked = ` AND revoked_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.id = grant_id AND g.revoked_at IS NOT NULL)`

const sqlUpdateToken = `UPDATE oauth_tokens SET name = $2, description = $3, scopes = $4 WHERE id = $1` + unrevoked

// UpdateToken implements [store.Tokens].
func (s *Store) UpdateToken(ctx context.Context, t *oauth.Token) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.insert(ctx, sqlUpdateToken, t.ID, opt(t.Name), opt(t.Description), words(t.Scopes)))
	})
}

const sqlReplaceToken = `UPDATE oauth_tokens SET hash = $2, hint = $3, issued_at = $4, expires_at = $5 WHERE id = $1` + unrevoked

// ReplaceToken implements [store.Tokens].
func (s *Store) ReplaceToken(ctx context.Context, t *oauth.Token) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.insert(ctx, sqlReplaceToken, t.ID, t.Hash[:], opt(t.Hint), micros(t.IssuedAt), sqldb.Micros(t.ExpiresAt)))
	})
}

const (
	sqlRotateToken = `UPDATE oauth_tokens SET rotated_at = $2, successor_id = $3
	WHERE id = $1 AND kind = 'refresh' AND rotated_at IS NULL AND (expires_at IS NULL OR expires_at > $2)` + unrevoked
	sqlTokenUsed = `SELECT t.rotated_at IS NOT NULL OR t.revoked_at IS NOT NULL OR g.revoked_at IS NOT NULL
	FROM oauth_tokens t LEFT JOIN oauth_grants g ON g.id = t.grant_id WHERE t.id = $1 AND t.kind = 'refresh'`
)

// RotateToken implements [store.Tokens].
func (s *Store) RotateToken(ctx context.Context, id, successorID string, now time.Time) error {
	return s.use(ctx, sqlRotateToken, sqlTokenUsed, id, micros(now), opt(successorID))
}

const sqlRevokeToken = `UPDATE oauth_tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1`

// RevokeToken implements [store.Tokens].
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlRevokeToken, id, micros(now)))
	})
}

const sqlRevokeAccessTokens = `UPDATE oauth_tokens SET revoked_at = $2
	WHERE grant_id = $1 AND kind = 'access' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`

// RevokeAccessTokens implements [store.Tokens].
func (s *Store) RevokeAccessTokens(ctx context.Context, grantID string, now time.Time) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		_, err := s.change(ctx, sqlRevokeAccessTokens, grantID, micros(now))
		return err
	})
}

const (
	sqlTokenIdle  = `SELECT EXISTS (SELECT 1 FROM oauth_tokens WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2))`
	sqlTouchToken = `UPDATE oauth_tokens SET last_used_at = $3, last_used_network = $4
	WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2)`
)

// TouchToken implements [store.Tokens].
func (s *Store) TouchToken(ctx context.Context, id string, now time.Time, network string) error {
	minuteAgo := micros(now.Add(-time.Minute))
	return s.touch(ctx, sqlTokenIdle, sqlTouchToken, id, minuteAgo, micros(now), opt(network))
}

// ListTokens implements [store.Tokens].
func (s *Store) ListTokens(ctx context.Context, f store.TokenQuery, p store.Page) ([]*oauth.Token, error) {
	var q query
	if f.Kind != "" {
		q.where("t.kind = ?", string(f.Kind))
	}
	if f.Subject != "" {
		q.where("(t.subject = ? OR t.grant_id IN (SELECT id FROM oauth_grants WHERE subject = ?))", f.Subject)
	}
	if f.ClientID != "" {
		q.where("(t.client_id = ? OR t.grant_id IN (SELECT id FROM oauth_grants WHERE client_id = ?))", f.ClientID)
	}
	if f.GrantID != "" {
		q.where("t.grant_id = ?", f.GrantID)
	}
	if f.Internal != nil {
		q.where("t.internal = ?", *f.Internal)
	}
	if !f.LiveAt.IsZero() {
		q.where("t.revoked_at IS NULL AND g.revoked_at IS NULL AND t.rotated_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?)", micros(f.LiveAt))
	}
	q.contains(f.Text, "t.name", "COALESCE(t.subject, g.subject)", "COALESCE(t.client_id, g.client_id)", "t.id")
	way := down.turned(p)
	q.after(p, "t.id", "?", way)
	return rows(ctx, s, q.page(sqlTokens, way.order("t.id"), p), q.args, intoToken)
}
