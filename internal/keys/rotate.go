package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// EnsureActive makes the first key of every algorithm that has none, and checks
// that the keyring opens every secret there is: a server whose keyring lacks a key
// should not start. Without a keyring it does nothing. Two nodes that start at
// once end with the same keys.
func (k *Keys) EnsureActive(ctx context.Context) error {
	if k.cfg.Ring == nil {
		return nil
	}
	rows, err := k.rows(ctx)
	if err != nil {
		return err
	}
	for _, alg := range algorithms {
		if !k.external(alg) && in(rows, alg, store.KeyActive) == nil {
			if _, err := k.advance(ctx, alg, ""); err != nil && !lost(err) {
				return fmt.Errorf("signing keys: %w", err)
			}
		}
	}
	if rows, err = k.rows(ctx); err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := k.open(row); err != nil {
			return err
		}
	}
	_, err = k.load(ctx)
	return err
}

// Maintain takes the keys one step along if it is time: it makes a key that is
// missing, publishes the next one, lets it sign, and retires the one before. Call
// it now and then; nothing happens twice when several nodes do.
func (k *Keys) Maintain(ctx context.Context) error {
	if k.cfg.Ring == nil {
		return nil
	}
	rows, err := k.rows(ctx)
	if err != nil {
		return err
	}
	changed := false
	for _, alg := range algorithms {
		if k.external(alg) {
			continue // what the ring's keys of it signed is still verified
		}
		did, err := k.step(ctx, rows, alg)
		if err != nil && !lost(err) {
			return fmt.Errorf("signing keys: %w", err)
		}
		changed = changed || did
	}
	if changed {
		_, err = k.load(ctx)
	}
	return err
}

func (k *Keys) step(ctx context.Context, rows []*store.SigningKey, alg string) (bool, error) {
	now := k.cfg.Now()
	active, next := in(rows, alg, store.KeyActive), in(rows, alg, store.KeyNext)
	if active == nil {
		_, err := k.advance(ctx, alg, "")
		return err == nil, err
	}
	due := began(active).Add(k.cfg.Rotation)
	switch {
	case k.cfg.Rotation < 0:
		return false, nil
	case next == nil && !now.Before(due.Add(-k.cfg.PublishAhead)):
		made, err := k.generate(alg)
		if err != nil {
			return false, err
		}
		made.State = store.KeyNext
		err = k.cfg.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
			return k.insert(ctx, tx, made, alg+" signing key "+made.ID+" published; it will sign next")
		})
		return err == nil, err
	case next != nil && !now.Before(due) && !now.Before(next.CreatedAt.Add(k.cfg.PublishAhead)):
		_, err := k.advance(ctx, alg, active.ID)
		return err == nil, err
	}
	return false, nil
}

// began is when the active key began to sign.
func began(row *store.SigningKey) time.Time {
	if row.ActiveAt.IsZero() { // made before this was kept
		return row.CreatedAt
	}
	return row.ActiveAt
}

// Rotate lets another key of the algorithm sign from now on: the next one if there
// is one, which verifiers know already, or else a fresh one. (Whoever fears that
// the database and the keyring have leaked together rotates twice.) The old key is
// published, and verifies, for the overlap: no shorter than the longest life of
// what it signed. It returns the new key's id. If two rotate at once one of them
// gets an error and nothing happens twice.
func (k *Keys) Rotate(ctx context.Context, algorithm string, overlap time.Duration) (string, error) {
	switch {
	case k.cfg.Ring == nil:
		return "", ErrNoKeyring
	case overlap < 0:
		return "", fmt.Errorf("signing keys: the overlap %v is negative", overlap)
	case !slices.Contains(algorithms, algorithm):
		return "", fmt.Errorf("signing keys: there are none of the algorithm %q", algorithm)
	case k.external(algorithm):
		return "", fmt.Errorf("signing keys: a signer from outside signs %s; rotate it there", algorithm)
	}
	rows, err := k.rows(ctx)
	if err != nil {
		return "", err
	}
	old := ""
	if row := in(rows, algorithm, store.KeyActive); row != nil {
		old = row.ID
	}
	id, err := k.replace(ctx, algorithm, old, overlap)
	if err != nil {
		return "", fmt.Errorf("rotate signing key: %w", err)
	}
	_, err = k.load(ctx)
	return id, err
}

// advance is replace with the overlap of the configuration.
func (k *Keys) advance(ctx context.Context, alg, old string) (string, error) {
	return k.replace(ctx, alg, old, k.cfg.Overlap)
}

// replace retires the old key (empty: there is none) and activates the next one,
// or a fresh one if there is no next. Keys are drawn outside the transaction,
// where nobody waits for them.
func (k *Keys) replace(ctx context.Context, alg, old string, overlap time.Duration) (id string, err error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return "", err
	}
	var fresh *store.SigningKey
	next := in(rows, alg, store.KeyNext)
	if next == nil {
		if fresh, err = k.generate(alg); err != nil {
			return "", err
		}
		fresh.State, fresh.ActiveAt = store.KeyActive, fresh.CreatedAt
	}
	err = k.cfg.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		now, detail := k.cfg.Now(), "; it is the first"
		if old != "" {
			if err := tx.RetireKey(ctx, old, now, now.Add(overlap)); err != nil {
				return err
			}
			detail = "; " + old + " retired"
		}
		if fresh != nil {
			id = fresh.ID
			return k.insert(ctx, tx, fresh, alg+" signing key "+id+" made and signs"+detail)
		}
		id = next.ID
		if err := tx.ActivateKey(ctx, id, now); err != nil {
			return err
		}
		return k.record(ctx, tx, oauth.EventKeyRotated, alg+" signing key "+id+" signs"+detail)
	})
	return id, err
}

// lost: another node was quicker.
func lost(err error) bool { return errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrUsed) }

func (k *Keys) insert(ctx context.Context, tx store.Store, row *store.SigningKey, detail string) error {
	if err := tx.CreateKey(ctx, row); err != nil {
		return err
	}
	return k.record(ctx, tx, oauth.EventKeyRotated, detail)
}

// generate draws a key of the algorithm and seals it. An RSA key takes some tenths
// of a second.
func (k *Keys) generate(alg string) (*store.SigningKey, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no keys of the algorithm %q are made", alg)
	}
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	pkix, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	now := k.cfg.Now()
	id := mint.NewID(now)
	return &store.SigningKey{ID: id, Algorithm: alg, Sealed: k.cfg.Ring.Seal(pkcs8, place(id)), Public: pkix, CreatedAt: now}, nil
}
