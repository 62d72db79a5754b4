package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/store"
)

const keyColumns = `id, algorithm, state, sealed, public, created_at, active_at, retired_at, expires_at`

func intoKey(k *store.SigningKey) []any {
	return []any{&k.ID, &k.Algorithm, &k.State, &k.Sealed, toBytes(&k.Public),
		sqldb.ScanTime(&k.CreatedAt), sqldb.ScanTime(&k.ActiveAt), sqldb.ScanTime(&k.RetiredAt), sqldb.ScanTime(&k.ExpiresAt)}
}

// A taken id and a second next or active key of the algorithm are conflicts alike.
const sqlCreateKey = `INSERT INTO oauth_keys (` + keyColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`

// CreateKey implements [store.Keys].
func (s *Store) CreateKey(ctx context.Context, k *store.SigningKey) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return created(s.insert(ctx, sqlCreateKey, k.ID, k.Algorithm, string(k.State), k.Sealed,
			append([]byte{}, k.Public...), micros(k.CreatedAt), sqldb.Micros(k.ActiveAt), sqldb.Micros(k.RetiredAt), sqldb.Micros(k.ExpiresAt)))
	})
}

const sqlSigningKeys = `SELECT ` + keyColumns + ` FROM oauth_keys ORDER BY created_at DESC, id DESC`

// SigningKeys implements [store.Keys].
func (s *Store) SigningKeys(ctx context.Context) ([]*store.SigningKey, error) {
	return rows(ctx, s, sqlSigningKeys, nil, intoKey)
}

const (
	sqlRetireKey = `UPDATE oauth_keys SET state = 'retiring', retired_at = $2, expires_at = $3 WHERE id = $1 AND state = 'active'`
	sqlResealKey = `UPDATE oauth_keys SET sealed = $2 WHERE id = $1 AND sealed = $3`
	// The index that allows one active key an algorithm would refuse a second one
	// as a fault.
	sqlActivateKey = `UPDATE oauth_keys SET state = 'active', active_at = $2 WHERE id = $1 AND state = 'next'
	AND NOT EXISTS (SELECT 1 FROM oauth_keys a WHERE a.algorithm = oauth_keys.algorithm AND a.state = 'active')`
	// A key that is there and was not changed was not as the caller thought.
	sqlKeyUsed = `SELECT 1 = 1 FROM oauth_keys WHERE id = $1`
)

// RetireKey implements [store.Keys].
func (s *Store) RetireKey(ctx context.Context, id string, now, expires time.Time) error {
	return s.use(ctx, sqlRetireKey, sqlKeyUsed, id, micros(now), sqldb.Micros(expires))
}

// ActivateKey implements [store.Keys].
func (s *Store) ActivateKey(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlActivateKey, sqlKeyUsed, id, micros(now))
}

// ResealKey implements [store.Keys].
func (s *Store) ResealKey(ctx context.Context, id, old, sealed string) error {
	return s.use(ctx, sqlResealKey, sqlKeyUsed, id, sealed, old)
}
