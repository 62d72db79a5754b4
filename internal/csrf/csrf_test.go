package csrf_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/oauth"
)

const issuer = "https://example.org"

var (
	start   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	keyOne  = bytes.Repeat([]byte("1"), 32)
	keyTwo  = bytes.Repeat([]byte("2"), 32)
	session = &oauth.Session{Subject: "maria", ID: "session-1"}
)

func guardAt(now time.Time, keys ...[]byte) *csrf.Guard {
	return csrf.New(csrf.Config{Keys: keys, Issuer: issuer, Now: func() time.Time { return now }})
}

// sign makes a token by hand, as a forger who knows the key would.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key []byte, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claimsOf reads a token's claims without looking at its signature.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func with(c map[string]any, key string, value any) map[string]any {
	out := map[string]any{}
	for k, v := range c {
		out[k] = v
	}
	if value == nil {
		delete(out, key)
	} else {
		out[key] = value
	}
	return out
}

// The matrix of parity.md section 7, with the attempts to forge a proof.
func TestParity43_ProofMatrix(t *testing.T) {
	t.Parallel()
	g := guardAt(start, keyOne)
	good := g.Token(session)
	c := claimsOf(t, good)
	long := make([]byte, 64)
	copy(long, keyOne)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"csrf+jwt"}`)) + "." + parts[1] + "."

	for _, tt := range []struct {
		name    string
		token   string
		session *oauth.Session
		want    error
	}{
		{"the session's own", good, session, nil},
		{"none at all", "", session, csrf.ErrMissing},
		{"not a token", "abc", session, csrf.ErrInvalidFormat},
		{"one word", "Bearer", session, csrf.ErrInvalidFormat},
		{"three empty parts", "..", session, csrf.ErrInvalidFormat},
		{"huge", strings.Repeat("a", 1<<20), session, csrf.ErrInvalidFormat},
		{"another person", good, &oauth.Session{Subject: "eve", ID: session.ID}, csrf.ErrNotValid},
		{"another session of the same person", good, &oauth.Session{Subject: "maria", ID: "session-2"}, csrf.ErrNotValid},
		{"nobody signed in", good, nil, csrf.ErrNotValid},
		{"another issuer", sign(t, jose.HS256, keyOne, "csrf+jwt", with(c, "aud", "https://elsewhere.example")), session, csrf.ErrNotValid},
		{"no issuer", sign(t, jose.HS256, keyOne, "csrf+jwt", with(c, "aud", nil)), session, csrf.ErrNotValid},
		{"no expiry", sign(t, jose.HS256, keyOne, "csrf+jwt", with(c, "exp", nil)), session, csrf.ErrInvalidFormat},
		{"alg none", none, session, csrf.ErrInvalidFormat},
		{"another algorithm", sign(t, jose.HS512, long, "csrf+jwt", c), session, csrf.ErrInvalidFormat},
		{"an access token", sign(t, jose.HS256, keyOne, "at+jwt", c), session, csrf.ErrInvalidFormat},
		{"an ID token", sign(t, jose.HS256, keyOne, "JWT", c), session, csrf.ErrInvalidFormat},
		{"another key", guardAt(start, keyTwo).Token(session), session, csrf.ErrInvalidFormat},
		{"signature cut off", parts[0] + "." + parts[1] + ".", session, csrf.ErrInvalidFormat},
		{"other claims under the signature", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"eve"}`)) + "." + parts[2], session, csrf.ErrInvalidFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := g.Verify(tt.token, tt.session); got != tt.want {
				t.Errorf("Verify: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParity43_ProofExpires(t *testing.T) {
	t.Parallel()
	token := guardAt(start, keyOne).Token(session)
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{0, nil}, {time.Hour - time.Second, nil}, {time.Hour, csrf.ErrExpired}, {24 * time.Hour, csrf.ErrExpired}} {
		if got := guardAt(start.Add(tt.after), keyOne).Verify(token, session); got != tt.want {
			t.Errorf("after %v: got %v, want %v", tt.after, got, tt.want)
		}
	}
}

// What the predecessor's API says, word for word.
func TestParity43_Answers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err     *csrf.Error
		status  int
		message string
	}{
		{csrf.ErrMissing, 400, "Missing required header argument."},
		{csrf.ErrInvalidFormat, 400, "The JWT token has invalid format."},
		{csrf.ErrNotValid, 403, "The JWT token is not valid."},
		{csrf.ErrExpired, 403, "The JWT token is expired."},
	} {
		if tt.err.Status != tt.status || tt.err.Message != tt.message {
			t.Errorf("got %d %q, want %d %q", tt.err.Status, tt.err.Message, tt.status, tt.message)
		}
	}
}

func TestParity42_ProofClaims(t *testing.T) {
	t.Parallel()
	g := guardAt(start, keyOne)
	first, second := claimsOf(t, g.Token(session)), claimsOf(t, g.Token(session))
	if first["sub"] != "maria" {
		t.Errorf("sub: got %v, want maria", first["sub"])
	}
	if got, want := first["exp"], float64(start.Add(time.Hour).Unix()); got != want {
		t.Errorf("exp: got %v, want %v", got, want)
	}
	if first["jti"] == "" || first["jti"] == second["jti"] {
		t.Errorf("jti: got %v and %v, want two different ones", first["jti"], second["jti"])
	}
	if sid, _ := first["sid"].(string); sid == "" || strings.Contains(sid, session.ID) {
		t.Errorf("sid: got %q, want a hash of the session's id", sid)
	}
	if got := g.Token(nil); got != "" {
		t.Errorf("Token without a session: got %q, want none", got)
	}
}

// A proof made before the keyring got a new key is still one.
func TestOldKeyVerifies(t *testing.T) {
	t.Parallel()
	old := guardAt(start, keyOne).Token(session)
	if err := guardAt(start, keyTwo, keyOne).Verify(old, session); err != nil {
		t.Errorf("Verify: got %v, want nil", err)
	}
	if err := guardAt(start, keyTwo).Verify(old, session); !errors.Is(err, csrf.ErrInvalidFormat) {
		t.Errorf("Verify without the old key: got %v, want %v", err, csrf.ErrInvalidFormat)
	}
}
