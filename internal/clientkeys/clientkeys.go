package clientkeys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/oauth"
)

// Algorithms are the JWS algorithms with which clients may sign (RFC 7518 §3.1,
// RFC 8037 §3.1). They are all asymmetric, and "none" is not one of them.
var Algorithms = []string{"ES256", "RS256", "PS256", "EdDSA", "ES384", "ES512", "RS384", "RS512", "PS384", "PS512"}

// MaxJWS is the largest JWS that is read, in bytes.
const MaxJWS = 64 << 10

// ErrVerify: the text is no JWS, or none of the client's keys made its signature.
// What it wraps is for the log.
var ErrVerify = errors.New("clientkeys: not signed by the client")

// Header is what counts of a JWS header (RFC 7515 §4.1).
type Header struct {
	Algorithm string // alg
	KeyID     string // kid
	Type      string // typ
}

// Config says how to reach key sets. All fields are required.
type Config struct {
	Fetch *fetch.Fetcher
	Now   func() time.Time
}

// Keys knows the public keys of clients.
type Keys struct {
	cfg Config

	mu   sync.Mutex
	sets map[string]*remote // by jwks_uri
}

// New returns keys that have fetched nothing yet.
func New(c Config) *Keys { return &Keys{cfg: c, sets: map[string]*remote{}} }

// Verify returns what the client signed: the payload of a compact JWS with one of
// the algorithms. It is ErrVerify if the client did not sign it.
func (k *Keys) Verify(ctx context.Context, c *oauth.Client, jws string, algs []string) (payload []byte, h Header, err error) {
	signed, h, err := parse(jws, algs)
	if err != nil {
		return nil, h, err
	}
	set, again, err := k.of(ctx, c, false)
	if err != nil {
		return nil, h, err
	}
	payload, known := try(signed, set.find(h, k.cfg.Now()))
	if payload == nil && again && (h.KeyID == "" || !known) {
		if set, _, err = k.of(ctx, c, true); err != nil {
			return nil, h, err
		}
		payload, known = try(signed, set.find(h, k.cfg.Now()))
	}
	switch {
	case payload != nil:
		return payload, h, nil
	case !known:
		return nil, h, fmt.Errorf("%w: no key of the client fits kid and alg", ErrVerify)
	}
	return nil, h, fmt.Errorf("%w: wrong signature", ErrVerify)
}

// of returns the client's key set; again tells that asking for it anew may find
// other keys.
func (k *Keys) of(ctx context.Context, c *oauth.Client, anew bool) (set Set, again bool, err error) {
	switch m := &c.Metadata; {
	case len(m.JWKS) > 0:
		set, err = ParseSet(m.JWKS)
	case m.JWKSURI != "":
		set, err = k.remote(ctx, m.JWKSURI, anew)
		again = true
	default:
		err = errors.New("the client has registered none")
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w: its key set %w", ErrVerify, err)
	}
	return set, again, nil
}

// Read returns what a JWS says, whoever signed it: nothing in it may be believed
// before Verify. It is ErrVerify if the text is no JWS with one of the algorithms.
func Read(jws string, algs []string) (payload []byte, h Header, err error) {
	signed, h, err := parse(jws, algs)
	if err != nil {
		return nil, h, err
	}
	return signed.UnsafePayloadWithoutVerification(), h, nil
}

// VerifySecret returns the payload of a JWS whose HMAC the secret made (RFC 7518
// §3.2), or ErrVerify.
func VerifySecret(jws string, secret oauth.Secret, algs []string) ([]byte, error) {
	signed, _, err := parse(jws, algs)
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify([]byte(secret))
	if err != nil || len(secret) == 0 {
		return nil, fmt.Errorf("%w: wrong signature", ErrVerify)
	}
	return payload, nil
}

// parse reads a compact JWS. Only characters of base64url count, and no header is
// critical (RFC 7515 §4.1.11): we know none that would have to be understood.
func parse(jws string, algs []string) (*jose.JSONWebSignature, Header, error) {
	if len(jws) > MaxJWS {
		return nil, Header{}, fmt.Errorf("%w: it is larger than %d KiB", ErrVerify, MaxJWS>>10)
	}
	if strings.Trim(jws, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return nil, Header{}, fmt.Errorf("%w: it is no compact JWS", ErrVerify)
	}
	accepted := make([]jose.SignatureAlgorithm, len(algs))
	for i, alg := range algs {
		accepted[i] = jose.SignatureAlgorithm(alg)
	}
	signed, err := jose.ParseSignedCompact(jws, accepted)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, Header{}, fmt.Errorf("%w: it is no compact JWS with an algorithm that is accepted", ErrVerify)
	}
	got := signed.Signatures[0].Protected
	h := Header{Algorithm: got.Algorithm, KeyID: got.KeyID}
	if _, there := got.ExtraHeaders["crit"]; there {
		return nil, h, fmt.Errorf("%w: its header has crit", ErrVerify)
	}
	if typ, there := got.ExtraHeaders[jose.HeaderType]; there {
		text, ok := typ.(string)
		if !ok {
			return nil, h, fmt.Errorf("%w: its typ is no text", ErrVerify)
		}
		h.Type = text
	}
	if !slices.Contains(algs, h.Algorithm) {
		return nil, h, fmt.Errorf("%w: its algorithm is not accepted", ErrVerify)
	}
	return signed, h, nil
}

// try verifies with each of the keys. known tells that there was one to try.
func try(signed *jose.JSONWebSignature, keys []key) (payload []byte, known bool) {
	for _, k := range keys {
		if p, err := signed.Verify(k.public); err == nil {
			if p == nil {
				p = []byte{}
			}
			return p, true
		}
	}
	return nil, len(keys) > 0
}
