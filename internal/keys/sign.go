package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// maxJWS bounds what is parsed at all.
const maxJWS = 64 << 10

// ErrSignature: the text is not a JWS that a key of this server has signed.
var ErrSignature = errors.New("keys: not signed here")

// Sign signs the claims' JSON with the active key of the algorithm, as a JWS in
// compact form (RFC 7515 §3.1). Its header has alg, kid and, unless it is empty, typ.
// A server that nobody has started makes its first keys now.
func (k *Keys) Sign(ctx context.Context, alg, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	key, err := k.signing(ctx, alg)
	if err != nil {
		return "", err
	}
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: key.signer, KeyID: key.id},
	}, options)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", key.id, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", key.id, err)
	}
	return jws.CompactSerialize()
}

// signing returns the key that signs the algorithm.
func (k *Keys) signing(ctx context.Context, alg string) (*key, error) {
	s, err := k.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if s.signs[alg] == nil && k.cfg.Ring != nil {
		if err := k.EnsureActive(ctx); err != nil {
			return nil, err
		}
		s = k.current.Load()
	}
	switch key := s.signs[alg]; {
	case key == nil:
		return nil, fmt.Errorf("there is no signing key of the algorithm %q", alg)
	case key.fault != nil:
		return nil, key.fault
	case key.signer == nil:
		return nil, ErrNoKeyring
	default:
		return key, nil
	}
}

// Verify returns the payload of a JWS that a key of ours has signed, and the typ of
// its header: whoever asks must insist on the one it expects. Keys that are no
// longer published count too. ErrSignature if no key of ours has; any other error
// is a fault.
func (k *Keys) Verify(ctx context.Context, jws string) (payload []byte, typ string, err error) {
	if len(jws) > maxJWS {
		return nil, "", fmt.Errorf("%w: %d bytes", ErrSignature, len(jws))
	}
	parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	header := parsed.Signatures[0].Protected
	key, err := k.find(ctx, header.KeyID)
	if err != nil {
		return nil, "", err
	}
	if key == nil || key.algorithm != header.Algorithm {
		return nil, "", fmt.Errorf("%w: no key %q of ours signs %s", ErrSignature, header.KeyID, header.Algorithm)
	}
	if payload, err = parsed.Verify(key.public); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	typ, _ = header.ExtraHeaders[jose.HeaderType].(string)
	return payload, typ, nil
}
