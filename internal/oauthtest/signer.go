package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
)

// Signer is a private key of a client, or with HS256 its secret.
type Signer struct {
	Algorithm string
	KeyID     string // empty: the JWS names no key
	Private   any
}

// NewSigner draws a key.
func NewSigner(t testing.TB, alg, kid string) Signer {
	t.Helper()
	var private any
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Algorithm: alg, KeyID: kid, Private: private}
}

// Public is the key as clients register it.
func (s Signer) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.Private.(crypto.Signer).Public(), KeyID: s.KeyID, Algorithm: s.Algorithm, Use: "sig"}
}

// JWKS is a set of public keys.
func JWKS(t testing.TB, signers ...Signer) json.RawMessage {
	t.Helper()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, s := range signers {
		set.Keys = append(set.Keys, s.Public())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Sign signs claims, or text as it is. An empty typ is left out.
func (s Signer) Sign(t testing.TB, typ string, claims any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if typ != "" {
		o.WithType(jose.ContentType(typ))
	}
	var key any = s.Private
	if s.KeyID != "" {
		key = jose.JSONWebKey{Key: s.Private, KeyID: s.KeyID}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.Algorithm), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	text, isText := claims.(string)
	payload := []byte(text)
	if !isText {
		if payload, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// Assertion is the honest claims by which a client authenticates at the engine
// (RFC 7523 §3), changed: a nil value takes a claim out.
func (e *Engine) Assertion(c Party, changes ...map[string]any) map[string]any {
	now := e.Clock.Now()
	claims := map[string]any{"iss": c.ID, "sub": c.ID, "aud": Issuer, "jti": mint.NewID(now), "iat": now.Unix(), "exp": now.Unix() + 60}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// Asserted adds an assertion to a form.
func Asserted(form map[string][]string, jws string) map[string][]string {
	form = maps.Clone(form)
	if form == nil {
		form = map[string][]string{}
	}
	form["client_assertion_type"] = []string{"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
	form["client_assertion"] = []string{jws}
	return form
}

// Object is the honest claims of a request object (RFC 9101 §4) with the
// parameters, changed as in [Engine.Assertion].
func (e *Engine) Object(c Party, params map[string][]string, changes ...map[string]any) map[string]any {
	now := e.Clock.Now()
	claims := map[string]any{"iss": c.ID, "aud": Issuer, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + 60}
	for name, values := range params {
		claims[name] = values[0]
	}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// Keyed is a client that authenticates with its keys.
func (e *Engine) Keyed(signers ...Signer) Party {
	c := oauth.Client{Name: "Keyed", Type: oauth.WebApplication, AuthMethod: oauth.AuthPrivateKeyJWT, RedirectURIs: []string{"https://keyed.test/cb"}}
	c.Metadata.JWKS = JWKS(e.T, signers...)
	return e.AddClient(c)
}
