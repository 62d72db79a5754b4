package keys

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// The JWS algorithms of the keys (RFC 7518 §3.1).
const (
	ES256 = "ES256"
	RS256 = "RS256"
)

// algorithms in the order in which they are offered.
var algorithms = []string{ES256, RS256}

// Offered returns the algorithms that a ring has keys of.
func Offered() []string { return slices.Clone(algorithms) }

// pairwise is the algorithm word of the row that holds the salt.
const pairwise = "pairwise"

// Slack is how much longer than the longest life of what it signed a retired key
// is published: for clocks that differ and key sets that others keep.
const Slack = time.Hour

// ErrNoKeyring: the server has no keyring, so it keeps no signing keys.
var ErrNoKeyring = errors.New("there are no signing keys without a keyring")

// Config says where the keys are and how they move. Store and Now are required.
type Config struct {
	Store store.Store
	// Ring seals private keys; nil: there are none.
	Ring *keyring.Ring
	Now  func() time.Time
	// Signers sign instead of the ring's keys for their algorithms.
	Signers []oauth.Signer

	// Rotation is for how long a key signs; 90 days if zero, until Rotate if negative.
	Rotation time.Duration
	// PublishAhead is for how long a key is published before it signs; a day if zero.
	PublishAhead time.Duration
	// Overlap is for how long a key is published after it has signed; a day if zero.
	Overlap time.Duration
}

// shortestAhead is longer than any verifier or node of ours may keep a key set.
const shortestAhead = maxAge + 2*refresh

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	c = c.withDefaults()
	switch {
	case c.Rotation > 0 && c.PublishAhead < shortestAhead:
		return fmt.Errorf("keys are published for %v before they sign; verifiers keep a key set for that long: make it %v at least", c.PublishAhead, shortestAhead)
	case c.Rotation > 0 && c.Rotation <= c.PublishAhead:
		return fmt.Errorf("keys rotate every %v; they are published for %v before they sign, so make it longer", c.Rotation, c.PublishAhead)
	case c.Overlap < 0:
		return fmt.Errorf("keys are published for %v after they have signed, which is negative", c.Overlap)
	}
	seen := map[string]bool{}
	for _, s := range c.Signers {
		if err := checkSigner(s); err != nil {
			return err
		}
		if seen[s.KeyID] {
			return fmt.Errorf("two signers have the key id %q", s.KeyID)
		}
		seen[s.KeyID] = true
	}
	return nil
}

func checkSigner(s oauth.Signer) error {
	const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._"
	if s.KeyID == "" || len(s.KeyID) > 128 || strings.Trim(s.KeyID, characters) != "" {
		return fmt.Errorf("the key id %q of a signer is not one to 128 letters, digits, hyphens, dots and underscores", s.KeyID)
	}
	if s.Signer == nil {
		return fmt.Errorf("signer %q has no Signer", s.KeyID)
	}
	if !slices.Contains(algorithms, s.Algorithm) {
		return fmt.Errorf("signer %q: the algorithm %q is neither ES256 nor RS256", s.KeyID, s.Algorithm)
	}
	if !suits(s.Signer.Public(), s.Algorithm) {
		return fmt.Errorf("signer %q: its key is not one for %s (P-256, or RSA of 2048 bits at least)", s.KeyID, s.Algorithm)
	}
	return nil
}

// suits reports whether a public key is one of the algorithm (RFC 7518 §3.3, §3.4).
func suits(public any, algorithm string) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return algorithm == ES256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return algorithm == RS256 && key.Size() >= 2048/8
	}
	return false
}

func (c Config) withDefaults() Config {
	const day = 24 * time.Hour
	c.Rotation = cmp.Or(c.Rotation, 90*day)
	c.PublishAhead = cmp.Or(c.PublishAhead, day)
	c.Overlap = cmp.Or(c.Overlap, day)
	return c
}

// Keys are the signing keys of a server.
type Keys struct {
	cfg Config

	current atomic.Pointer[snapshot]
	reading chan struct{} // one reader of the store at a time; guards asked and opened
	asked   time.Time     // when an unknown key made us look the last time
	salt    atomic.Pointer[[]byte]
}

// New returns the keys. It asks nobody, and does not Check.
func New(c Config) *Keys { return &Keys{cfg: c.withDefaults(), reading: make(chan struct{}, 1)} }

// Key is what may be known of a signing key.
type Key struct {
	ID        string // kid
	Algorithm string
	State     store.KeyState
	SealedBy  string // id of the keyring's key
	CreatedAt time.Time
	ActiveAt  time.Time // when it began to sign; zero: not yet
	RetiredAt time.Time // zero before
	ExpiresAt time.Time // when it is no longer published; zero before it retires
	Fault     error     // why it cannot sign, although it should
}

// List returns every key of the ring, newest first, expired ones too.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	var out []Key
	for _, row := range rows {
		if row.Algorithm == pairwise {
			continue
		}
		by, err := keyring.SealedBy(row.Sealed)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		key := Key{ID: row.ID, Algorithm: row.Algorithm, State: row.State, SealedBy: by,
			CreatedAt: row.CreatedAt, ActiveAt: row.ActiveAt, RetiredAt: row.RetiredAt, ExpiresAt: row.ExpiresAt}
		if row.State == store.KeyActive && k.cfg.Ring != nil {
			_, key.Fault = k.open(row)
		}
		out = append(out, key)
	}
	return out, nil
}

// Algorithms returns what Sign can do: nothing without a keyring or signers.
func (k *Keys) Algorithms() []string {
	var out []string
	for _, alg := range algorithms {
		if k.cfg.Ring != nil || k.external(alg) {
			out = append(out, alg)
		}
	}
	return out
}

// external reports whether a signer from outside has taken the algorithm over.
func (k *Keys) external(algorithm string) bool {
	return slices.ContainsFunc(k.cfg.Signers, func(s oauth.Signer) bool { return s.Algorithm == algorithm })
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

// in returns the row of the algorithm in the state, or nil. There is at most one
// that is next or active.
func in(rows []*store.SigningKey, algorithm string, state store.KeyState) *store.SigningKey {
	for _, row := range rows {
		if row.State == state && row.Algorithm == algorithm {
			return row
		}
	}
	return nil
}

// place binds a sealed key to its row.
func place(id string) string { return "oauth_signing_keys|sealed|" + id }
