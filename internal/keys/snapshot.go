package keys

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/store"
)

const (
	// refresh is how old what is in memory may grow before the store is asked
	// again: another node or the command line may have rotated a key.
	refresh = time.Minute
	// unknown is how often at most an unknown key makes us ask before that.
	unknown = time.Second
)

// snapshot is what the store held at one moment, opened. It never changes.
type snapshot struct {
	made time.Time
	// until is when the next key is no longer published; zero: none will drop out.
	until time.Time
	keys  map[string]*key // every key that verifies, by kid
	signs map[string]*key // the key that signs, by algorithm
	// published is the key set; nil while there is no key.
	published *respond.Ready
}

// key is a key ready for use.
type key struct {
	id, algorithm string
	public        any
	signer        any   // what go-jose signs with; nil: it does not sign
	fault         error // why it cannot sign although it should
}

// fresh returns what is in memory, read anew if it may be out of date.
func (k *Keys) fresh(ctx context.Context) (*snapshot, error) {
	if s := k.current.Load(); s != nil && s.good(k.cfg.Now()) {
		return s, nil
	}
	ctx, done, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if s := k.current.Load(); s != nil && s.good(k.cfg.Now()) {
		return s, nil // somebody has done it while we waited
	}
	return k.read(ctx)
}

func (s *snapshot) good(now time.Time) bool {
	age := now.Sub(s.made)
	return age >= 0 && age < refresh && (s.until.IsZero() || now.Before(s.until))
}

// find returns the key of that id, which verifies. One that is not in memory may
// be another node's newest: the store is asked, once a second at most.
func (k *Keys) find(ctx context.Context, kid string) (*key, error) {
	s, err := k.fresh(ctx)
	if err != nil || s.keys[kid] != nil {
		return s.key(kid), err
	}
	ctx, done, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	now := k.cfg.Now()
	if since := now.Sub(k.asked); since >= 0 && since < unknown {
		return k.current.Load().key(kid), nil
	}
	k.asked = now
	s, err = k.read(ctx)
	return s.key(kid), err
}

func (s *snapshot) key(kid string) *key {
	if s == nil {
		return nil
	}
	return s.keys[kid]
}

// load reads the store whatever is in memory.
func (k *Keys) load(ctx context.Context) (*snapshot, error) {
	ctx, done, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return k.read(ctx)
}

// patience is how long somebody who needs a key waits for the store.
const patience = 5 * time.Second

// begin waits until nobody else reads, and bounds the time for both.
func (k *Keys) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	select {
	case k.reading <- struct{}{}:
		return ctx, func() { <-k.reading; cancel() }, nil
	case <-ctx.Done():
		defer cancel()
		return nil, nil, fmt.Errorf("keys: %w", ctx.Err())
	}
}

// read makes the current snapshot. The caller has called begin.
func (k *Keys) read(ctx context.Context) (*snapshot, error) {
	s := &snapshot{made: k.cfg.Now(), keys: map[string]*key{}, signs: map[string]*key{}}
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	publish := func(o *key) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: o.public, KeyID: o.id, Algorithm: o.algorithm, Use: "sig"})
	}
	for _, signer := range k.cfg.Signers {
		o := &key{id: signer.KeyID, algorithm: signer.Algorithm, public: signer.Signer.Public(), signer: cryptosigner.Opaque(signer.Signer)}
		s.keys[o.id] = o
		if s.signs[o.algorithm] == nil {
			s.signs[o.algorithm] = o
		}
		publish(o)
	}
	for _, row := range rows {
		if row.Algorithm == pairwise || s.keys[row.ID] != nil {
			continue
		}
		o, err := k.opened(row)
		if err != nil {
			return nil, err
		}
		s.keys[row.ID] = o
		if row.State == store.KeyActive && s.signs[row.Algorithm] == nil {
			s.signs[row.Algorithm] = o
		}
		switch {
		case row.ExpiresAt.IsZero():
		case !s.made.Before(row.ExpiresAt):
			continue // it only verifies
		case s.until.IsZero() || row.ExpiresAt.Before(s.until):
			s.until = row.ExpiresAt
		}
		publish(o)
	}
	if len(set.Keys) > 0 {
		body, err := json.Marshal(set)
		if err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
		s.published = respond.NewReady("application/json", body, maxAge)
	}
	k.current.Store(s)
	return s, nil
}

// opened makes the key of a row. One that was opened before is not opened again,
// and only one that signs is opened at all. If the ring does not open it, what
// others signed can still be verified.
func (k *Keys) opened(row *store.SigningKey) (*key, error) {
	signs := row.State == store.KeyActive && k.cfg.Ring != nil
	if before := k.current.Load().key(row.ID); before != nil && before.fault == nil && (before.signer != nil) == signs {
		return before, nil
	}
	public, err := x509.ParsePKIXPublicKey(row.Public)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	if !suits(public, row.Algorithm) {
		return nil, fmt.Errorf("signing key %s: its public key is not one for %s", row.ID, row.Algorithm)
	}
	o := &key{id: row.ID, algorithm: row.Algorithm, public: public}
	if !signs {
		return o, nil
	}
	plain, err := k.open(row)
	if err != nil {
		o.fault = err
		return o, nil
	}
	o.signer, o.fault = x509.ParsePKCS8PrivateKey(plain)
	return o, nil
}

// open decrypts a secret. Of a private key it checks that it belongs to the public one.
func (k *Keys) open(row *store.SigningKey) ([]byte, error) {
	plain, err := k.cfg.Ring.Open(row.Sealed, place(row.ID))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	if row.Algorithm == pairwise {
		return plain, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	public, err := x509.ParsePKIXPublicKey(row.Public)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("signing key %s: it is no key for signatures", row.ID)
	}
	if half, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !half.Equal(public) {
		return nil, fmt.Errorf("signing key %s: its public and private halves do not belong together", row.ID)
	}
	return plain, nil
}
