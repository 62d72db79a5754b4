package idtoken_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

const issuer = "https://op.example"

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// desk is a minter with its keys and a clock that is moved by hand.
type desk struct {
	*idtoken.Minter
	keys *keys.Keys
	now  time.Time
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	ring, err := keyring.Parse(keyring.Line("a"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{now: start}
	now := func() time.Time { return d.now }
	d.keys = keys.New(keys.Config{Store: memstore.New(), Ring: ring, Now: now})
	d.Minter = &idtoken.Minter{Keys: d.keys, Subjects: &claims.Subjects{Salt: d.keys.PairwiseSalt}, Issuer: issuer, Lifetime: time.Hour, Now: now}
	return d
}

func (d *desk) sign(t testing.TB, token idtoken.Token) string {
	t.Helper()
	jws, err := d.Sign(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// read returns header and claims of a JWS.
func read(t testing.TB, jws string) (header, set map[string]any) {
	t.Helper()
	for i, into := range []*map[string]any{&header, &set} {
		part, err := base64.RawURLEncoding.DecodeString(strings.Split(jws, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(part, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, set
}

func client() *oauth.Client {
	return &oauth.Client{ID: "c1", RedirectURIs: []string{"https://rp.example/cb"}}
}

func alice() *oauth.User {
	return &oauth.User{Subject: "alice", Username: "al", Name: "Alice", Email: "alice@example.org", EmailVerified: true}
}

var signedIn = oauth.Authentication{SID: "sid-1", AuthTime: start.Add(-5 * time.Minute), AMR: []string{"pwd", "otp"}, ACR: "urn:example:2"}

// TestR4_IDToken: what every ID token has (OpenID Connect Core §2), in the right
// types, under the algorithm of the client.
func TestR4_IDToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	jws := d.sign(t, idtoken.Token{Client: client(), User: alice(), Scopes: []string{"openid", "profile"}, Authentication: signedIn, Nonce: "n-0S6_WzA2Mj"})
	header, set := read(t, jws)
	if header["alg"] != "RS256" || header["kid"] == "" {
		t.Errorf("header: got %v, want RS256 and a kid", header)
	}
	if _, _, err := d.keys.Verify(t.Context(), jws); err != nil {
		t.Errorf("signature: %v", err)
	}
	for name, want := range map[string]any{
		"iss": issuer, "sub": "alice", "aud": "c1", "azp": "c1", "iat": float64(start.Unix()), "exp": float64(start.Unix() + 3600),
		"nonce": "n-0S6_WzA2Mj", "auth_time": float64(start.Unix() - 300), "acr": "urn:example:2", "sid": "sid-1",
	} {
		if set[name] != want {
			t.Errorf("%s: got %v, want %v", name, set[name], want)
		}
	}
	if amr, _ := set["amr"].([]any); !slices.Equal(amr, []any{"pwd", "otp"}) {
		t.Errorf("amr: got %v", set["amr"])
	}
	// What is not known, or was not sent, is not told.
	_, set = read(t, d.sign(t, idtoken.Token{Client: client(), User: alice()}))
	if got, want := slices.Sorted(maps.Keys(set)), []string{"aud", "azp", "exp", "iat", "iss", "sub"}; !slices.Equal(got, want) {
		t.Errorf("got claims %v, want %v", got, want)
	}
	c := client()
	c.Metadata.IDTokenAlg = "ES256"
	if header, _ := read(t, d.sign(t, idtoken.Token{Client: c, User: alice()})); header["alg"] != "ES256" {
		t.Errorf("registered for ES256: got %v", header["alg"])
	}
}

// TestB9_NoScopeClaims: the ID token has no claim that was not asked for there,
// unless no access token goes along.
func TestB9_NoScopeClaims(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	allowed := strings.Fields("iss sub aud exp iat auth_time nonce acr amr azp at_hash c_hash sid")
	token := idtoken.Token{Client: client(), User: alice(), Scopes: []string{"openid", "profile", "email"}, Authentication: signedIn,
		Nonce: "n", AccessToken: "token", Code: "code"}
	_, set := read(t, d.sign(t, token))
	for name := range set {
		if !slices.Contains(allowed, name) {
			t.Errorf("the ID token has %s", name)
		}
	}
	token.Claims = `{"id_token":{"email":null},"userinfo":{"name":null}}`
	if _, set := read(t, d.sign(t, token)); set["email"] != "alice@example.org" || set["name"] != nil || set["email_verified"] != nil {
		t.Errorf("asked for email alone: got %v", set)
	}
	token.Claims, token.AccessToken, token.Code, token.IncludeUserClaims = "", "", "", true
	if _, set := read(t, d.sign(t, token)); set["email"] != "alice@example.org" || set["name"] != "Alice" || set["email_verified"] != true {
		t.Errorf("response_type=id_token: got %v", set)
	}
	// Nobody's profile can pass for a claim of the protocol.
	token.Claims = `{"id_token":{"sub":{"value":"mallory"},"acr":{"value":"gold"},"auth_time":null}}`
	if _, set := read(t, d.sign(t, token)); set["sub"] != "alice" || set["acr"] != "urn:example:2" {
		t.Errorf("asked for another sub and acr: got %v", set)
	}
}

// TestB15_Hashes: at_hash and c_hash are the left halves of SHA-256, checked by the
// example of OpenID Connect Core Appendix A.
func TestB15_Hashes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, alg := range []string{"RS256", "ES256"} {
		c := client()
		c.Metadata.IDTokenAlg = alg
		_, set := read(t, d.sign(t, idtoken.Token{Client: c, User: alice(),
			AccessToken: "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", Code: "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"}))
		if set["at_hash"] != "77QmUPtjPfzWtF2AnpK9RQ" || set["c_hash"] != "LDktKdoQak3Pk0cnXxCltA" {
			t.Errorf("%s: got at_hash %v and c_hash %v", alg, set["at_hash"], set["c_hash"])
		}
	}
}

// A pairwise client sees its own sub, and the hint that it sends back has it too.
func TestPairwiseIDToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := client()
	c.Metadata.SubjectType = oauth.SubjectPairwise
	jws := d.sign(t, idtoken.Token{Client: c, User: alice()})
	want, err := d.Subjects.Of(t.Context(), c, "alice")
	if err != nil {
		t.Fatal(err)
	}
	_, set := read(t, jws)
	hint, err := d.ParseHint(t.Context(), jws)
	if err != nil || want == "alice" || set["sub"] != want || hint.Subject != want {
		t.Errorf("got sub %v and hint %+v (%v), want %s", set["sub"], hint, err, want)
	}
}

// TestB5_Hints: an ID token that has expired, by a key that is long retired, is a
// hint all the same.
func TestB5_Hints(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), newDesk(t)
	jws := d.sign(t, idtoken.Token{Client: client(), User: alice(), Authentication: signedIn})
	check := func(when string) {
		t.Helper()
		h, err := d.ParseHint(ctx, jws)
		if err != nil || h.Subject != "alice" || h.SID != "sid-1" || !slices.Equal(h.ClientIDs, []string{"c1"}) {
			t.Errorf("%s: got %+v, %v", when, h, err)
		}
	}
	check("fresh")
	d.now = start.Add(100 * time.Hour)
	check("expired")
	if _, err := d.keys.Rotate(ctx, keys.RS256, time.Hour); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(48 * time.Hour)
	check("by a key that is not published any more")
}

// TestL3_ForgedHints: what was signed by somebody else, by nobody, or as something
// else, is no hint.
func TestL3_ForgedHints(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), newDesk(t)
	good := d.sign(t, idtoken.Token{Client: client(), User: alice()})
	part := strings.Split(good, ".")
	sign := func(typ string, set map[string]any) string {
		jws, err := d.keys.Sign(ctx, keys.RS256, typ, set)
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	with := func(name string, value any) map[string]any {
		set := map[string]any{"iss": issuer, "sub": "alice", "aud": "c1", "exp": start.Unix(), "iat": start.Unix()}
		if value == nil {
			delete(set, name)
		} else {
			set[name] = value
		}
		return set
	}
	if _, err := d.ParseHint(ctx, sign("JWT", with("aud", []string{"c1", "c2"}))); err != nil {
		t.Fatalf("the good one that the others differ from: %v", err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	header, _ := read(t, good)
	foreign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: header["kid"].(string)}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(part[1])
	object, err := foreign.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	for name, hint := range map[string]string{
		"nothing":                "",
		"noise":                  "noise",
		"signed by a stranger":   forged,
		"alg none":               base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + part[1] + ".",
		"an access token":        sign("at+jwt", with("", 1)),
		"a logout token":         sign("logout+jwt", with("", 1)),
		"a logout token as JWT":  sign("JWT", with("events", map[string]any{})),
		"no type":                sign("", with("", 1)),
		"a UserInfo answer":      sign("JWT", map[string]any{"iss": issuer, "sub": "alice", "aud": "c1"}),
		"another issuer":         sign("JWT", with("iss", issuer+"/")),
		"no subject":             sign("JWT", with("sub", nil)),
		"no audience":            sign("JWT", with("aud", nil)),
		"no expiry":              sign("JWT", with("exp", nil)),
		"no time of issue":       sign("JWT", with("iat", nil)),
		"an audience of numbers": sign("JWT", with("aud", []int{1})),
	} {
		h, err := d.ParseHint(ctx, hint)
		refusal, ok := errors.AsType[*oauth.Error](err)
		if h != nil || !ok || refusal.Code != oauth.InvalidRequest || !strings.Contains(refusal.Description, "id_token_hint") {
			t.Errorf("%s: got %+v, %v, want invalid_request that names the parameter", name, h, err)
		}
	}
}

// broken keys are a fault and no refusal.
type broken struct{}

func (broken) Sign(context.Context, string, string, any) (string, error) {
	return "", errors.New("the module is gone")
}
func (broken) Verify(context.Context, string) ([]byte, string, error) {
	return nil, "", errors.New("the store is gone")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Keys = broken{}
	_, err := d.Sign(t.Context(), idtoken.Token{Client: client(), User: alice()})
	_, hintErr := d.ParseHint(t.Context(), "x")
	split := client()
	split.Metadata.SubjectType, split.RedirectURIs = oauth.SubjectPairwise, []string{"https://a.example/", "https://b.example/"}
	_, subErr := d.Sign(t.Context(), idtoken.Token{Client: split, User: alice()})
	_, claimsErr := d.Sign(t.Context(), idtoken.Token{Client: client(), User: alice(), Claims: "x"})
	for name, err := range map[string]error{"sign": err, "hint": hintErr, "subject": subErr, "claims of the grant": claimsErr} {
		if _, refusal := errors.AsType[*oauth.Error](err); err == nil || refusal {
			t.Errorf("%s: got %v, want a fault", name, err)
		}
	}
}

// FuzzParseHint: nothing but what was signed as an ID token is one.
func FuzzParseHint(f *testing.F) {
	d := newDesk(f)
	good := d.sign(f, idtoken.Token{Client: client(), User: alice()})
	part := strings.Split(good, ".")
	f.Add(good)
	f.Add(part[0] + "." + part[1] + ".")
	f.Add("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + part[1] + ".")
	f.Fuzz(func(t *testing.T, hint string) {
		h, err := d.ParseHint(t.Context(), hint)
		if err == nil && (h.Subject != "alice" || !strings.HasPrefix(hint, part[0]+"."+part[1]+".")) {
			t.Errorf("%q is a hint: %+v", hint, h)
		}
		if _, refusal := errors.AsType[*oauth.Error](err); err != nil && !refusal {
			t.Errorf("%q: %v is a fault", hint, err)
		}
	})
}
