package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const clientColumns = `id, type, name, description, website, owner, auth_method, redirect_uris, grant_types, scopes,
	default_scopes, require_pkce, first_party, internal, disabled, registration, profile, metadata, fingerprint,
	refresh_at, created_at, updated_at`

func intoClient(c *oauth.Client) []any {
	return []any{&c.ID, &c.Type, &c.Name, toOpt(&c.Description), toOpt(&c.Website), toOpt(&c.Owner), &c.AuthMethod,
		toTexts(&c.RedirectURIs), toWords(&c.GrantTypes), toWords(&c.Scopes), toWords(&c.DefaultScopes),
		&c.RequirePKCE, &c.FirstParty, &c.Internal, &c.Disabled, toOpt(&c.Registration), toOpt(&c.Profile),
		toDocument(&c.Metadata), toOpt(&c.Fingerprint), sqldb.ScanTime(&c.RefreshAt),
		sqldb.ScanTime(&c.CreatedAt), sqldb.ScanTime(&c.UpdatedAt)}
}

// A taken id and a taken fingerprint are conflicts alike.
const sqlCreateClient = `INSERT INTO oauth_clients (` + clientColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
	ON CONFLICT DO NOTHING`

// CreateClient implements [store.Clients].
func (s *Store) CreateClient(ctx context.Context, c *oauth.Client) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateClient, c.ID, string(c.Type), c.Name, opt(c.Description), opt(c.Website),
			opt(c.Owner), string(c.AuthMethod), texts(c.RedirectURIs), words(c.GrantTypes), words(c.Scopes),
			words(c.DefaultScopes), c.RequirePKCE, c.FirstParty, c.Internal, c.Disabled,
			opt(string(c.Registration)), opt(string(c.Profile)), document{c.Metadata}, opt(c.Fingerprint),
			sqldb.Micros(c.RefreshAt), micros(c.CreatedAt), micros(c.UpdatedAt))
		return created(n, err)
	})
}

// created is the answer of a verb that inserts a row with no parent.
func created(n int64, err error) error {
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// createdIn is the answer of a verb that inserts a row only where its parents
// are: a row that was not inserted is there already, or a parent is not.
func (s *Store) createdIn(ctx context.Context, n int64, err error, sqlExists string, ids ...any) error {
	if err != nil || n > 0 {
		return err
	}
	var exists bool
	if err := s.row(ctx, sqlExists, ids, &exists); err != nil {
		return err
	}
	if exists {
		return store.ErrExists
	}
	return store.ErrNotFound
}

const (
	sqlClient              = `SELECT ` + clientColumns + ` FROM oauth_clients WHERE id = $1`
	sqlClientByFingerprint = `SELECT ` + clientColumns + ` FROM oauth_clients WHERE fingerprint = $1`
)

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*oauth.Client, error) {
	return one(ctx, s, sqlClient, id, intoClient)
}

// ClientByFingerprint implements [store.Clients].
func (s *Store) ClientByFingerprint(ctx context.Context, fingerprint string) (*oauth.Client, error) {
	return one(ctx, s, sqlClientByFingerprint, fingerprint, intoClient)
}

const (
	sqlUpdateClient = `UPDATE oauth_clients SET type = $2, name = $3, description = $4, website = $5, owner = $6,
	auth_method = $7, redirect_uris = $8, grant_types = $9, scopes = $10, default_scopes = $11, require_pkce = $12,
	first_party = $13, internal = $14, disabled = $15, registration = $16, profile = $17, metadata = $18,
	fingerprint = $19, refresh_at = $20, updated_at = $21
	WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM oauth_clients o WHERE o.fingerprint = $19 AND o.id <> $1)`
	sqlClientExists = `SELECT EXISTS (SELECT 1 FROM oauth_clients WHERE id = $1)`
)

// UpdateClient implements [store.Clients].
func (s *Store) UpdateClient(ctx context.Context, c *oauth.Client) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlUpdateClient, c.ID, string(c.Type), c.Name, opt(c.Description), opt(c.Website),
			opt(c.Owner), string(c.AuthMethod), texts(c.RedirectURIs), words(c.GrantTypes), words(c.Scopes),
			words(c.DefaultScopes), c.RequirePKCE, c.FirstParty, c.Internal, c.Disabled,
			opt(string(c.Registration)), opt(string(c.Profile)), document{c.Metadata}, opt(c.Fingerprint),
			sqldb.Micros(c.RefreshAt), micros(c.UpdatedAt))
		return s.createdIn(ctx, n, err, sqlClientExists, c.ID) // it is there, so its fingerprint is another's
	})
}

// The foreign keys delete everything else the client has.
const sqlDeleteClient = `DELETE FROM oauth_clients WHERE id = $1`

// DeleteClient implements [store.Clients].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlDeleteClient, id))
	})
}

const sqlListClients = `SELECT ` + clientColumns + ` FROM oauth_clients`

// ListClients implements [store.Clients].
func (s *Store) ListClients(ctx context.Context, f store.ClientQuery, p store.Page) ([]*oauth.Client, error) {
	var q query
	if f.Owner != "" {
		q.where("owner = ?", f.Owner)
	}
	if f.Internal != nil {
		q.where("internal = ?", *f.Internal)
	}
	if f.Registration != nil {
		q.where("COALESCE(registration, '') = ?", string(*f.Registration))
	}
	q.contains(f.Text, "name", "website", "id")
	by, way := "created_at", down.turned(p)
	if f.ByName {
		by, way = "name", up.turned(p)
	}
	q.after(p, "("+by+", id)", "(SELECT c."+by+", c.id FROM oauth_clients c WHERE c.id = ?)", way)
	return rows(ctx, s, q.page(sqlListClients, way.order(by, "id"), p), q.args, intoClient)
}

const secretColumns = `id, client_id, hash, hint, sealed, created_at, expires_at, last_used_at`

func intoSecret(c *oauth.ClientSecret) []any {
	return []any{&c.ID, &c.ClientID, sqldb.ScanBytes(c.Hash[:]), toOpt(&c.Hint), toOpt(&c.Sealed),
		sqldb.ScanTime(&c.CreatedAt), sqldb.ScanTime(&c.ExpiresAt), sqldb.ScanTime(&c.LastUsedAt)}
}

const (
	sqlCreateSecret = `INSERT INTO oauth_client_secrets (` + secretColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $2)
	ON CONFLICT (id) DO NOTHING`
	sqlSecretExists = `SELECT EXISTS (SELECT 1 FROM oauth_client_secrets WHERE id = $1)`
)

// CreateClientSecret implements [store.Clients].
func (s *Store) CreateClientSecret(ctx context.Context, c *oauth.ClientSecret) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateSecret, c.ID, c.ClientID, c.Hash[:], opt(c.Hint), opt(c.Sealed),
			micros(c.CreatedAt), sqldb.Micros(c.ExpiresAt), sqldb.Micros(c.LastUsedAt))
		return s.createdIn(ctx, n, err, sqlSecretExists, c.ID)
	})
}

const sqlSecrets = `SELECT ` + secretColumns + ` FROM oauth_client_secrets WHERE client_id = $1 ORDER BY created_at, id`

// ClientSecrets implements [store.Clients].
func (s *Store) ClientSecrets(ctx context.Context, clientID string) ([]*oauth.ClientSecret, error) {
	return rows(ctx, s, sqlSecrets, []any{clientID}, intoSecret)
}

const (
	sqlSecretIdle  = `SELECT EXISTS (SELECT 1 FROM oauth_client_secrets WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2))`
	sqlTouchSecret = `UPDATE oauth_client_secrets SET last_used_at = $3
	WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2)`
)

// TouchClientSecret implements [store.Clients].
func (s *Store) TouchClientSecret(ctx context.Context, id string, now time.Time) error {
	minuteAgo := micros(now.Add(-time.Minute))
	return s.touch(ctx, sqlSecretIdle, sqlTouchSecret, id, minuteAgo, micros(now))
}

const sqlSealedSecrets = `SELECT ` + secretColumns + ` FROM oauth_client_secrets WHERE sealed IS NOT NULL ORDER BY id`

// SealedSecrets implements [store.Clients].
func (s *Store) SealedSecrets(ctx context.Context) ([]*oauth.ClientSecret, error) {
	return rows(ctx, s, sqlSealedSecrets, nil, intoSecret)
}

const (
	sqlResealSecret = `UPDATE oauth_client_secrets SET sealed = $2 WHERE id = $1 AND sealed = $3`
	// A secret that is there and was not changed was not as the caller thought.
	sqlSecretUsed = `SELECT 1 = 1 FROM oauth_client_secrets WHERE id = $1`
)

// ResealClientSecret implements [store.Clients].
func (s *Store) ResealClientSecret(ctx context.Context, id, old, sealed string) error {
	return s.use(ctx, sqlResealSecret, sqlSecretUsed, id, sealed, old)
}

const sqlExpireSecrets = `UPDATE oauth_client_secrets SET expires_at = $3
	WHERE client_id = $1 AND id <> $2 AND (expires_at IS NULL OR expires_at > $3)`

// ExpireClientSecrets implements [store.Clients].
func (s *Store) ExpireClientSecrets(ctx context.Context, clientID, except string, at time.Time) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		_, err := s.change(ctx, sqlExpireSecrets, clientID, except, micros(at))
		return err
	})
}
