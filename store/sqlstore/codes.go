package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const codeColumns = `id, hash, grant_id, client_id, subject, scopes, redirect_uri, code_challenge,
	nonce, resources, issued_at, expires_at, used_at`

func intoCode(c *oauth.AuthorizationCode) []any {
	return []any{&c.ID, sqldb.ScanBytes(c.Hash[:]), &c.GrantID, &c.ClientID, &c.Subject, toWords(&c.Scopes), toOpt(&c.RedirectURI),
		toOpt(&c.CodeChallenge), toOpt(&c.Nonce), toWords(&c.Resources), sqldb.ScanTime(&c.IssuedAt), sqldb.ScanTime(&c.ExpiresAt), sqldb.ScanTime(&c.UsedAt)}
}

const (
	sqlCreateCode = `INSERT INTO oauth_codes (` + codeColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
	WHERE EXISTS (SELECT 1 FROM oauth_grants WHERE id = $3 AND client_id = $4 AND subject = $5)
	ON CONFLICT (id) DO NOTHING`
	sqlCodeExists = `SELECT EXISTS (SELECT 1 FROM oauth_codes WHERE id = $1)`
)

// CreateCode implements [store.Codes].
func (s *Store) CreateCode(ctx context.Context, c *oauth.AuthorizationCode) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateCode, c.ID, c.Hash[:], c.GrantID, c.ClientID, c.Subject, words(c.Scopes),
			opt(c.RedirectURI), opt(c.CodeChallenge), opt(c.Nonce), words(c.Resources),
			micros(c.IssuedAt), micros(c.ExpiresAt), sqldb.Micros(c.UsedAt))
		return s.createdIn(ctx, n, err, sqlCodeExists, c.ID)
	})
}

const sqlCode = `SELECT ` + codeColumns + ` FROM oauth_codes WHERE id = $1`

// Code implements [store.Codes].
func (s *Store) Code(ctx context.Context, id string) (*oauth.AuthorizationCode, error) {
	return one(ctx, s, sqlCode, id, intoCode)
}

const (
	sqlUseCode = `UPDATE oauth_codes SET used_at = $2
	WHERE id = $1 AND used_at IS NULL AND expires_at > $2
	AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.id = grant_id AND g.revoked_at IS NOT NULL)`
	sqlCodeUsed = `SELECT c.used_at IS NOT NULL OR g.revoked_at IS NOT NULL
	FROM oauth_codes c JOIN oauth_grants g ON g.id = c.grant_id WHERE c.id = $1`
)

// UseCode implements [store.Codes].
func (s *Store) UseCode(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlUseCode, sqlCodeUsed, id, micros(now))
}

// use runs an update that of many callers changes the row for one only, and
// tells the others whether they came too late.
func (s *Store) use(ctx context.Context, sqlUse, sqlUsed, id string, more ...any) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.change(ctx, sqlUse, append([]any{id}, more...)...)
		if err != nil || n > 0 {
			return err
		}
		var used bool
		if err := s.row(ctx, sqlUsed, []any{id}, &used); err != nil {
			return err
		}
		if used {
			return store.ErrUsed
		}
		return store.ErrNotFound
	})
}

func ignoreNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
