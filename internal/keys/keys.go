package keys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Algorithm is the JWS algorithm of the keys (RFC 7518 §3.4).
const Algorithm = "ES256"

// ErrNoKeyring: the server has no keyring, so it keeps no signing keys.
var ErrNoKeyring = errors.New("there are no signing keys without a keyring")

// Config says where the keys are. Store and Now are required.
type Config struct {
	Store store.Store
	// Ring seals private keys; nil: there are none.
	Ring *keyring.Ring
	Now  func() time.Time
}

// Keys are the signing keys of a server.
type Keys struct {
	cfg       Config
	published atomic.Pointer[document]
}

// New returns the keys. It asks nobody.
func New(c Config) *Keys { return &Keys{cfg: c} }

// Key is what may be known of a signing key.
type Key struct {
	ID        string // kid
	Algorithm string
	State     store.KeyState
	SealedBy  string // id of the keyring's key
	CreatedAt time.Time
	RetiredAt time.Time // zero while active
	ExpiresAt time.Time // when it is no longer published; zero while active
}

// List returns every key, newest first, expired ones too.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Key, len(rows))
	for i, row := range rows {
		by, err := keyring.SealedBy(row.Sealed)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		out[i] = Key{ID: row.ID, Algorithm: row.Algorithm, State: row.State, SealedBy: by,
			CreatedAt: row.CreatedAt, RetiredAt: row.RetiredAt, ExpiresAt: row.ExpiresAt}
	}
	return out, nil
}

// EnsureActive makes the first key if there is none, and checks that the
// keyring opens every private key there is: a server whose keyring lacks one
// should not start. Without a keyring it does nothing.
func (k *Keys) EnsureActive(ctx context.Context) error {
	if k.cfg.Ring == nil {
		return nil
	}
	err := k.cfg.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		rows, err := tx.SigningKeys(ctx)
		if err != nil || active(rows) != nil {
			return err
		}
		return k.create(ctx, tx, "first signing key")
	})
	if err != nil && !errors.Is(err, store.ErrExists) { // ErrExists: another node was quicker
		return fmt.Errorf("signing keys: %w", err)
	}
	rows, err := k.rows(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := k.open(row); err != nil {
			return err
		}
	}
	return k.publish(ctx)
}

// Rotate puts a new key in the active one's place. The old one is published,
// and verifies, for the overlap: no shorter than the longest life of what it
// signed. It returns the new key's id. If two rotate at once one of them gets
// an error and nothing happens twice.
func (k *Keys) Rotate(ctx context.Context, overlap time.Duration) (string, error) {
	if k.cfg.Ring == nil {
		return "", ErrNoKeyring
	}
	if overlap < 0 {
		return "", fmt.Errorf("signing keys: the overlap %v is negative", overlap)
	}
	var id string
	err := k.cfg.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		rows, err := tx.SigningKeys(ctx)
		if err != nil {
			return err
		}
		detail := "first signing key"
		if old := active(rows); old != nil {
			now := k.cfg.Now()
			if err := tx.RetireKey(ctx, old.ID, now, now.Add(overlap)); err != nil {
				return err
			}
			detail = "signing key " + old.ID + " retired"
		}
		if err := k.create(ctx, tx, detail); err != nil {
			return err
		}
		rows, err = tx.SigningKeys(ctx)
		if err == nil {
			id = active(rows).ID
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	return id, k.publish(ctx)
}

// create inserts a fresh active key, with its event.
func (k *Keys) create(ctx context.Context, tx store.Store, detail string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	pkix, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return err
	}
	now := k.cfg.Now()
	id := mint.NewID(now)
	err = tx.CreateKey(ctx, &store.SigningKey{ID: id, Algorithm: Algorithm, State: store.KeyActive,
		Sealed: k.cfg.Ring.Seal(pkcs8, place(id)), Public: pkix, CreatedAt: now})
	if err != nil {
		return err
	}
	return k.record(ctx, tx, oauth.EventKeyRotated, "signing key "+id+" made; "+detail)
}

// open decrypts a private key and checks that it belongs to the public one.
func (k *Keys) open(row *store.SigningKey) ([]byte, error) {
	plain, err := k.cfg.Ring.Open(row.Sealed, place(row.ID))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	public, err := x509.ParsePKIXPublicKey(row.Public)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	if private, ok := parsed.(*ecdsa.PrivateKey); !ok || !private.PublicKey.Equal(public) {
		return nil, fmt.Errorf("signing key %s: its public and private halves do not belong together", row.ID)
	}
	return plain, nil
}

func (k *Keys) rows(ctx context.Context) ([]*store.SigningKey, error) {
	rows, err := k.cfg.Store.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return rows, nil
}

func (k *Keys) record(ctx context.Context, tx store.Store, what oauth.EventType, detail string) error {
	now, p := k.cfg.Now(), peer.From(ctx)
	return tx.RecordEvent(ctx, oauth.Event{ID: mint.NewID(now), At: now, Type: what, Actor: operator,
		Network: p.Network(), RequestID: p.RequestID, Detail: detail})
}

const operator = "operator"

func active(rows []*store.SigningKey) *store.SigningKey {
	for _, row := range rows {
		if row.State == store.KeyActive && row.Algorithm == Algorithm {
			return row
		}
	}
	return nil
}

// place binds a sealed key to its row.
func place(id string) string { return "oauth_signing_keys|sealed|" + id }
