package resource_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

const jwtIssuer, jwtAudience = "https://as.example", "https://api.example"

// signer is somebody's authorization server: it publishes keys and signs.
type signer struct {
	*httptest.Server
	t     testing.TB
	asked atomic.Int32

	mu     sync.Mutex
	keys   map[string]any // private, by kid
	status int
	extra  []json.RawMessage // further members of the set
	now    time.Time
}

func newJWTServer(t testing.TB) *signer {
	t.Helper()
	s := &signer{t: t, keys: map[string]any{}, status: 200, now: start}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		list := slices.Clone(s.extra)
		for kid, key := range s.keys {
			private := jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"}
			raw, err := json.Marshal(private.Public())
			if err != nil {
				t.Error(err)
			}
			list = append(list, raw)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(s.status)
		json.NewEncoder(w).Encode(map[string]any{"keys": list})
	}))
	t.Cleanup(s.Close)
	s.add("ec")
	return s
}

// add makes a key; one of RSA if its id says so.
func (s *signer) add(kid string) {
	var key any
	var err error
	if kid == "rsa" {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.change(func() { s.keys[kid] = key })
}

func (s *signer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *signer) sign(kid, typ string, set map[string]any) oauth.Secret {
	s.t.Helper()
	alg := jose.ES256
	if kid == "rsa" {
		alg = jose.RS256
	}
	return s.signBy(alg, s.keys[kid], kid, typ, set)
}

func (s *signer) signBy(alg jose.SignatureAlgorithm, key any, kid, typ string, set map[string]any) oauth.Secret {
	s.t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := json.Marshal(set)
	if err != nil {
		s.t.Fatal(err)
	}
	jws, err := by.Sign(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return oauth.Secret(text)
}

func (s *signer) verifier() resource.Verifier {
	s.t.Helper()
	v, err := resource.JWT(resource.JWTConfig{Issuer: jwtIssuer, Audience: jwtAudience, JWKS: s.URL, Now: func() time.Time { return s.now }})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// good are the claims of a good token, changed by pairs of name and value; nil
// takes a claim out.
func good(pairs ...any) map[string]any {
	set := map[string]any{"iss": jwtIssuer, "aud": jwtAudience, "sub": "alice", "client_id": "app", "jti": "t-1",
		"iat": start.Unix(), "exp": start.Unix() + 600, "scope": "records:read records:write"}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(set, pairs[i].(string))
		} else {
			set[pairs[i].(string)] = pairs[i+1]
		}
	}
	return set
}

func code(err error) oauth.ErrorCode {
	if refusal, ok := errors.AsType[*oauth.Error](err); ok {
		return refusal.Code
	}
	return ""
}

// TestBearer4_ResourceTakesJWTs: RFC 9068 §4.
func TestBearer4_ResourceTakesJWTs(t *testing.T) {
	t.Parallel()
	s := newJWTServer(t)
	s.add("rsa")
	verify := s.verifier()
	for name, token := range map[string]oauth.Secret{
		"ES256":                 s.sign("ec", "at+jwt", good()),
		"RS256":                 s.sign("rsa", "at+jwt", good()),
		"type spelled out":      s.sign("ec", "application/AT+JWT", good()),
		"one of some audiences": s.sign("ec", "at+jwt", good("aud", []string{"x", jwtAudience})),
		"nbf a little ahead":    s.sign("ec", "at+jwt", good("nbf", start.Unix()+30)),
		"an exp with a part":    s.sign("ec", "at+jwt", good("exp", float64(start.Unix())+0.5)),
		"claims unknown to us":  s.sign("ec", "at+jwt", good("roles", []string{"a"})),
	} {
		p, err := verify(t.Context(), token)
		if err != nil || p.Subject != "alice" || p.ClientID != "app" || p.TokenID != "t-1" || p.Method != oauth.ByAccessToken ||
			!slices.Equal(p.Scopes, []string{"records:read", "records:write"}) {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
	if got := s.asked.Load(); got != 1 {
		t.Errorf("the key set was fetched %d times, want once", got)
	}
	if p, err := verify(t.Context(), s.sign("ec", "at+jwt", good("scope", nil))); err != nil || len(p.Scopes) != 0 {
		t.Errorf("no scope: got %+v, %v", p, err)
	}
}

// TestBearer7_ResourceRefusesJWTs: what was made for something else, or by somebody
// else.
func TestBearer7_ResourceRefusesJWTs(t *testing.T) {
	t.Parallel()
	s := newJWTServer(t)
	verify := s.verifier()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := string(s.sign("ec", "at+jwt", good()))
	part := strings.Split(token, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	secrets := map[string]oauth.Secret{
		"noise":                 "noise",
		"empty":                 "",
		"alg none":              oauth.Secret(encode(`{"alg":"none","typ":"at+jwt"}`) + "." + part[1] + "."),
		"no signature":          oauth.Secret(part[0] + "." + part[1] + "."),
		"another payload":       oauth.Secret(part[0] + "." + encode(`{"sub":"mallory"}`) + "." + part[2]),
		"another key, our kid":  s.signBy(jose.ES256, other, "ec", "at+jwt", good()),
		"RS256 under an EC kid": s.signBy(jose.RS256, long, "ec", "at+jwt", good()),
		"HMAC":                  s.signBy(jose.HS256, []byte(strings.Repeat("x", 32)), "ec", "at+jwt", good()),
		"PS256":                 s.signBy(jose.PS256, long, "ec", "at+jwt", good()),
		"an unknown kid":        s.signBy(jose.ES256, other, "other", "at+jwt", good()),
		"an ID token":           s.sign("ec", "JWT", good()),
		"no type":               s.sign("ec", "", good()),
		"too long":              s.sign("ec", "at+jwt", good("x", strings.Repeat("x", 8<<10))),
	}
	for name, pairs := range map[string][]any{
		"another issuer":         {"iss", jwtIssuer + "/"},
		"no issuer":              {"iss", nil},
		"another audience":       {"aud", "https://other.example"},
		"other audiences":        {"aud", []string{"https://other.example"}},
		"no audience":            {"aud", nil},
		"an audience of numbers": {"aud", []int{1}},
		"expired":                {"exp", start.Unix()},
		"no expiry":              {"exp", nil},
		"expiry a string":        {"exp", "tomorrow"},
		"not good yet":           {"nbf", start.Unix() + 61},
		"bound to a key":         {"cnf", map[string]string{"jkt": "x"}},
		"no subject":             {"sub", nil},
		"no client":              {"client_id", nil},
		"scope a list":           {"scope", []string{"records:read"}},
		"scope malformed":        {"scope", "a  b"},
	} {
		secrets[name] = s.sign("ec", "at+jwt", good(pairs...))
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if p, err := verify(t.Context(), secrets[name]); p != nil || code(err) != oauth.InvalidToken {
			t.Errorf("%s: got %+v, %v, want invalid_token", name, p, err)
		}
	}
}

// A rotated key is found when it is needed; strangers do not make us ask often.
func TestJWTKeysAreFetchedAgain(t *testing.T) {
	t.Parallel()
	s := newJWTServer(t)
	verify := s.verifier()
	check := func(when, kid string, want oauth.ErrorCode, asked int32) {
		t.Helper()
		s.asked.Store(0)
		_, err := verify(t.Context(), s.sign(kid, "at+jwt", good("exp", s.now.Add(time.Hour).Unix())))
		if code(err) != want || (err == nil) != (want == "") || s.asked.Load() != asked {
			t.Errorf("%s: got %v and %d fetches, want %q and %d", when, err, s.asked.Load(), want, asked)
		}
	}
	check("at first", "ec", "", 1)
	s.add("new")
	check("a new key, a moment later", "new", oauth.InvalidToken, 0)
	s.now = s.now.Add(10 * time.Second)
	check("ten seconds later", "new", "", 1)
	s.now = s.now.Add(5*time.Minute - 1)
	check("while the set is fresh", "ec", "", 0)
	s.now = s.now.Add(1)
	check("when it is not", "ec", "", 1)

	s.change(func() { s.status = 500 })
	s.now = s.now.Add(time.Hour)
	check("the server is down", "ec", "", 1)
	check("it is not asked for every token", "ec", "", 0)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t.Context(), s.signBy(jose.ES256, stranger, "?", "at+jwt", good())); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("an unknown key while the server is down: got %v, want temporarily_unavailable", err)
	}
	s.now = s.now.Add(24 * time.Hour)
	check("down for a day", "ec", oauth.TemporarilyUnavailable, 1)
	s.change(func() { s.status = 200; delete(s.keys, "new") })
	s.now = s.now.Add(time.Minute)
	check("up again", "ec", "", 1)
}

// Keys that cannot be read, are private or for encryption do not count, and do not
// stand in the way of the others.
func TestJWTKeySets(t *testing.T) {
	t.Parallel()
	s := newJWTServer(t)
	sealing := jose.JSONWebKey{Key: s.keys["ec"], KeyID: "enc", Use: "enc"}
	encryption, err := json.Marshal(sealing.Public())
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(jose.JSONWebKey{Key: s.keys["ec"], KeyID: "private"})
	if err != nil {
		t.Fatal(err)
	}
	s.extra = []json.RawMessage{[]byte(`{"kty":"future","kid":"a"}`), []byte(`"x"`), []byte(`{"kty":"oct","k":"AAAA","kid":"oct"}`), encryption, private}
	verify := s.verifier()
	if _, err := verify(t.Context(), s.sign("ec", "at+jwt", good())); err != nil {
		t.Errorf("a good key beside them: %v", err)
	}
	for _, kid := range []string{"enc", "private"} {
		if _, err := verify(t.Context(), s.signBy(jose.ES256, s.keys["ec"], kid, "at+jwt", good())); code(err) != oauth.InvalidToken {
			t.Errorf("%s: got %v, want invalid_token", kid, err)
		}
	}
	redirecting := newJWTServer(t)
	redirecting.status = 302
	if _, err := redirecting.verifier()(t.Context(), redirecting.sign("ec", "at+jwt", good())); code(err) != oauth.TemporarilyUnavailable || redirecting.asked.Load() != 1 {
		t.Errorf("a redirect: got %v after %d requests, want it not followed", err, redirecting.asked.Load())
	}
}

func TestJWTConfig(t *testing.T) {
	t.Parallel()
	for part, c := range map[string]resource.JWTConfig{
		"not an absolute URL": {Issuer: "x", Audience: "y", JWKS: "/jwks"},
		"must use https":      {Issuer: "x", Audience: "y", JWKS: "http://as.example/jwks"},
		"Issuer is missing":   {Audience: "y", JWKS: "https://as.example/jwks"},
		"Audience is missing": {Issuer: "x", JWKS: "https://as.example/jwks"},
	} {
		if _, err := resource.JWT(c); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q", err, part)
		}
	}
}

// FuzzJWT: nothing but what the server signed passes.
func FuzzJWT(f *testing.F) {
	s := newJWTServer(f)
	verify := s.verifier()
	token := string(s.sign("ec", "at+jwt", good()))
	signed := token[:strings.LastIndex(token, ".")]
	f.Add(token)
	f.Add(signed + ".")
	f.Add("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + strings.Split(token, ".")[1] + ".")
	f.Fuzz(func(t *testing.T, token string) {
		if p, err := verify(t.Context(), oauth.Secret(token)); err == nil && !strings.HasPrefix(token, signed+".") {
			t.Errorf("%q passes as %+v", token, p)
		} else if err != nil && code(err) == "" {
			t.Errorf("%q: %v is a fault", token, err)
		}
	})
}
