package flow

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type claims map[string]any

// signer makes tokens as a server does.
type signer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	keys *Keys
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t, key, &Keys{Keys: []jose.JSONWebKey{
		{Key: &other.PublicKey, KeyID: "old", Algorithm: "ES256", Use: "sig"}, {Key: &key.PublicKey, KeyID: "new", Algorithm: "ES256", Use: "sig"},
	}}}
}

func (s *signer) sign(kid string, typ string, c claims) string {
	s.t.Helper()
	o := &jose.SignerOptions{}
	if typ != "" {
		o.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: kid}}, o)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	jws, err := signer.Sign(text)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	sum := sha256.Sum256([]byte("the access token"))
	good := func(change func(claims)) claims {
		c := claims{"iss": "https://id.example.org", "sub": "u", "aud": "cli", "exp": now.Unix() + 60, "iat": now.Unix(), "nonce": "n",
			"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16])}
		if change != nil {
			change(c)
		}
		return c
	}
	want := Expected{Now: now, Algorithms: Algorithms(), Issuer: "https://id.example.org", Audience: "cli", Nonce: "n", AccessToken: "the access token", IDToken: true}
	typed := want
	typed.Type = "at+jwt"
	for name, tt := range map[string]struct {
		token string
		want  Expected
		words string // empty: it is right
	}{
		"right":           {s.sign("new", "", good(nil)), want, ""},
		"no kid":          {s.sign("", "", good(nil)), want, ""},
		"audiences":       {s.sign("new", "", good(func(c claims) { c["aud"], c["azp"] = []string{"x", "cli"}, "cli" })), want, ""},
		"clock behind":    {s.sign("new", "", good(func(c claims) { c["iat"] = now.Unix() + 50 })), want, ""},
		"type":            {s.sign("new", "application/AT+JWT", good(nil)), typed, ""},
		"other type":      {s.sign("new", "JWT", good(nil)), typed, `typ is "JWT"`},
		"other kid":       {s.sign("gone", "", good(nil)), want, `kid "gone"`},
		"wrong kid":       {s.sign("old", "", good(nil)), want, "the signature is wrong"},
		"expired":         {s.sign("new", "", good(func(c claims) { c["exp"] = now.Unix() })), want, "has expired"},
		"no exp":          {s.sign("new", "", good(func(c claims) { delete(c, "exp") })), want, "exp is missing"},
		"no iat":          {s.sign("new", "", good(func(c claims) { delete(c, "iat") })), want, "iat is missing"},
		"exp as text":     {s.sign("new", "", good(func(c claims) { c["exp"] = "soon" })), want, "exp is not a time"},
		"exp too large":   {s.sign("new", "", good(func(c claims) { c["exp"] = 1e300 })), want, "exp is not a time"},
		"not yet":         {s.sign("new", "", good(func(c claims) { c["nbf"] = now.Unix() + 61 })), want, "not valid yet (nbf"},
		"issuer":          {s.sign("new", "", good(func(c claims) { c["iss"] = "https://evil.example" })), want, "issued by somebody else"},
		"no issuer":       {s.sign("new", "", good(func(c claims) { delete(c, "iss") })), want, "issued by somebody else"},
		"audience":        {s.sign("new", "", good(func(c claims) { c["aud"] = "x" })), want, `aud is "x"`},
		"no audience":     {s.sign("new", "", good(func(c claims) { delete(c, "aud") })), want, "aud is missing"},
		"odd audience":    {s.sign("new", "", good(func(c claims) { c["aud"] = []any{"cli", 1} })), want, "aud is"},
		"azp":             {s.sign("new", "", good(func(c claims) { c["azp"] = "x" })), want, `azp is "x"`},
		"many, no azp":    {s.sign("new", "", good(func(c claims) { c["aud"] = []string{"cli", "x"} })), want, `azp is ""`},
		"no sub":          {s.sign("new", "", good(func(c claims) { delete(c, "sub") })), want, "sub is missing"},
		"nonce":           {s.sign("new", "", good(func(c claims) { c["nonce"] = "replayed" })), want, "does not answer this request"},
		"no nonce":        {s.sign("new", "", good(func(c claims) { delete(c, "nonce") })), want, "does not answer this request"},
		"another's token": {s.sign("new", "", good(func(c claims) { c["at_hash"] = "AAAA" })), want, "at_hash"},
		"no token":        {"", want, "there is no token"},
		"too large":       {strings.Repeat("a", MaxToken+1), want, "larger than 64 KiB"},
		"tail":            {s.sign("new", "", good(nil)) + "A", want, ""},
	} {
		_, err := Verify(tt.token, s.keys, tt.want)
		if name == "tail" {
			if err == nil {
				t.Errorf("%s: it verifies", name)
			}
			continue
		}
		if tt.words == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantError(t, name, err, true, tt.words)
	}

	// Only what the caller allows, whatever the header says (RFC 8725 §3.1).
	strict := want
	strict.Algorithms = []string{"RS256"}
	_, err := Verify(s.sign("new", "", good(nil)), s.keys, strict)
	wantError(t, "algorithm", err, true, "signed by ES256, which is not among RS256")
	secret := &Keys{Keys: []jose.JSONWebKey{{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "new"}}}
	_, err = Verify(s.sign("new", "", good(nil)), secret, want)
	wantError(t, "a secret as a key", err, true, "none of the 1 keys")
	enc := &Keys{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: "new", Use: "enc"}}}
	_, err = Verify(s.sign("new", "", good(nil)), enc, want)
	wantError(t, "a key for encryption", err, true, "none of the 1 keys")
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "a.b.c", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.", "....", "e30.e30.e30", "eyJhbGciOm51bGx9.eyJhdWQiOlsxXX0.AA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		read, err := Decode(token)
		if (read == nil) != (err != nil) {
			t.Fatalf("%q: %v, %v", token, read, err)
		}
		// Nobody signed what a fuzzer makes.
		if _, err := Verify(token, &Keys{}, Expected{Now: now, Algorithms: Algorithms()}); err == nil {
			t.Fatalf("%q verifies", token)
		}
		if read != nil {
			read.Audience()
			read.Time("exp")
		}
	})
}
