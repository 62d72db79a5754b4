package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const requestColumns = `id, session_id, subject, client_id, response_type, redirect_uri, redirect_uri_sent, scopes,
	state, code_challenge, response_mode, nonce, resources, claims, authentication, pushed_id, created_at, expires_at, used_at`

func intoRequest(r *oauth.AuthorizationRequest) []any {
	return []any{&r.ID, &r.SessionID, &r.Subject, &r.ClientID, &r.ResponseType, &r.RedirectURI, &r.RedirectURISent,
		toWords(&r.Scopes), toOpt(&r.State), toOpt(&r.CodeChallenge), toOpt(&r.ResponseMode), toOpt(&r.Nonce),
		toWords(&r.Resources), toOpt(&r.Claims), toAuthentication(&r.Authentication), toOpt(&r.PushedID),
		sqldb.ScanTime(&r.CreatedAt), sqldb.ScanTime(&r.ExpiresAt), sqldb.ScanTime(&r.UsedAt)}
}

const (
	sqlCreateRequest = `INSERT INTO oauth_requests (` + requestColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
	WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $4)
	ON CONFLICT (id) DO NOTHING`
	sqlRequestExists = `SELECT EXISTS (SELECT 1 FROM oauth_requests WHERE id = $1)`
)

// CreateRequest implements [store.Requests].
func (s *Store) CreateRequest(ctx context.Context, r *oauth.AuthorizationRequest) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateRequest, r.ID, r.SessionID, r.Subject, r.ClientID, r.ResponseType, r.RedirectURI,
			r.RedirectURISent, words(r.Scopes), opt(r.State), opt(r.CodeChallenge), opt(r.ResponseMode), opt(r.Nonce),
			words(r.Resources), opt(r.Claims), authentication(r.Authentication), opt(r.PushedID),
			micros(r.CreatedAt), micros(r.ExpiresAt), sqldb.Micros(r.UsedAt))
		return s.createdIn(ctx, n, err, sqlRequestExists, r.ID)
	})
}

const sqlRequest = `SELECT ` + requestColumns + ` FROM oauth_requests WHERE id = $1`

// Request implements [store.Requests].
func (s *Store) Request(ctx context.Context, id string) (*oauth.AuthorizationRequest, error) {
	return one(ctx, s, sqlRequest, id, intoRequest)
}

const (
	sqlUseRequest  = `UPDATE oauth_requests SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2`
	sqlRequestUsed = `SELECT used_at IS NOT NULL FROM oauth_requests WHERE id = $1`
)

// UseRequest implements [store.Requests].
func (s *Store) UseRequest(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlUseRequest, sqlRequestUsed, id, micros(now))
}

const pushedColumns = `id, hash, client_id, form, resources, created_at, expires_at, used_at`

func intoPushed(r *oauth.PushedRequest) []any {
	return []any{&r.ID, sqldb.ScanBytes(r.Hash[:]), &r.ClientID, toDocument(&r.Form), toWords(&r.Resources),
		sqldb.ScanTime(&r.CreatedAt), sqldb.ScanTime(&r.ExpiresAt), sqldb.ScanTime(&r.UsedAt)}
}

const (
	sqlCreatePushedRequest = `INSERT INTO oauth_pushed_requests (` + pushedColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $3)
	ON CONFLICT (id) DO NOTHING`
	sqlPushedRequestExists = `SELECT EXISTS (SELECT 1 FROM oauth_pushed_requests WHERE id = $1)`
)

// CreatePushedRequest implements [store.Requests].
func (s *Store) CreatePushedRequest(ctx context.Context, r *oauth.PushedRequest) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreatePushedRequest, r.ID, r.Hash[:], r.ClientID, document{r.Form}, words(r.Resources),
			micros(r.CreatedAt), micros(r.ExpiresAt), sqldb.Micros(r.UsedAt))
		return s.createdIn(ctx, n, err, sqlPushedRequestExists, r.ID)
	})
}

const sqlPushedRequest = `SELECT ` + pushedColumns + ` FROM oauth_pushed_requests WHERE id = $1`

// PushedRequest implements [store.Requests].
func (s *Store) PushedRequest(ctx context.Context, id string) (*oauth.PushedRequest, error) {
	return one(ctx, s, sqlPushedRequest, id, intoPushed)
}

const (
	sqlUsePushedRequest  = `UPDATE oauth_pushed_requests SET used_at = $2 WHERE id = $1 AND used_at IS NULL`
	sqlPushedRequestUsed = `SELECT used_at IS NOT NULL FROM oauth_pushed_requests WHERE id = $1`
)

// UsePushedRequest implements [store.Requests].
func (s *Store) UsePushedRequest(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlUsePushedRequest, sqlPushedRequestUsed, id, micros(now))
}

// What has been forgotten but not yet purged may be remembered anew.
const sqlSeenJTI = `INSERT INTO oauth_replays (id, expires_at) VALUES ($1, $3)
	ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE oauth_replays.expires_at <= $2`

// SeenJTI implements [store.Replays].
func (s *Store) SeenJTI(ctx context.Context, key string, now, expires time.Time) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlSeenJTI, key, micros(now), micros(expires))
		if err == nil && n == 0 {
			return store.ErrUsed
		}
		return err
	})
}
