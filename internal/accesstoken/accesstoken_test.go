package accesstoken_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

const issuer = "https://as.example"

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newSigner(t testing.TB) (*accesstoken.Signer, *keys.Keys) {
	t.Helper()
	ring, err := keyring.Parse(keyring.Line("a"))
	if err != nil {
		t.Fatal(err)
	}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring, Now: func() time.Time { return now }})
	return &accesstoken.Signer{Keys: k, Issuer: issuer}, k
}

func row() *oauth.Token {
	return &oauth.Token{ID: "t-1", Kind: oauth.AccessToken, GrantID: "g-1", ClientID: "c-1", Subject: "alice",
		Scopes: []string{"records:read", "openid"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
}

func part(t testing.TB, jws string, i int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(jws, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBearer4_JWTAccessToken: RFC 9068 §2.1, §2.2, §3.
func TestBearer4_JWTAccessToken(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := newSigner(t)
	auth := oauth.Authentication{AuthTime: now.Add(-time.Minute), ACR: "gold", AMR: []string{"pwd"}, SID: "not told"}
	want := map[string]any{
		"iss": issuer, "aud": issuer, "sub": "alice", "client_id": "c-1", "jti": "t-1", "scope": "records:read openid",
		"iat": float64(now.Unix()), "exp": float64(now.Unix() + 3600), "auth_time": float64(now.Unix() - 60), "acr": "gold", "amr": []any{"pwd"},
	}
	for name, test := range map[string]struct {
		change func(*oauth.Token, *oauth.Authentication)
		expect func(map[string]any)
	}{
		"for the server itself": {func(*oauth.Token, *oauth.Authentication) {}, func(map[string]any) {}},
		"for one resource": {
			func(t *oauth.Token, _ *oauth.Authentication) { t.Resources = []string{"https://api.example"} },
			func(set map[string]any) { set["aud"] = "https://api.example" }},
		"for two": {
			func(t *oauth.Token, _ *oauth.Authentication) { t.Resources = []string{"https://api.example", "urn:b"} },
			func(set map[string]any) { set["aud"] = []any{"https://api.example", "urn:b"} }},
		"of a client that acts for itself": {
			func(t *oauth.Token, a *oauth.Authentication) {
				t.Subject, t.GrantID, t.Scopes, *a = "c-1", "", nil, oauth.Authentication{}
			},
			func(set map[string]any) {
				set["sub"] = "c-1"
				for _, name := range []string{"scope", "auth_time", "acr", "amr"} {
					delete(set, name)
				}
			}},
	} {
		token, a, set := row(), auth, map[string]any{}
		for k, v := range want {
			set[k] = v
		}
		test.change(token, &a)
		test.expect(set)
		jws, err := s.Sign(ctx, token, &oauth.Client{ID: "c-1"}, a)
		if err != nil {
			t.Fatal(err)
		}
		if header := part(t, jws, 0); header["typ"] != "at+jwt" || header["alg"] != "RS256" || header["kid"] == "" {
			t.Errorf("%s: got header %v", name, header)
		}
		if got := part(t, jws, 1); !reflect.DeepEqual(got, set) {
			t.Errorf("%s: got claims %v, want %v", name, got, set)
		}
		if id, err := s.Parse(ctx, jws); err != nil || id != "t-1" {
			t.Errorf("%s: parse: got %q, %v", name, id, err)
		}
	}
	s.Algorithm = keys.ES256
	jws, err := s.Sign(ctx, row(), &oauth.Client{ID: "c-1"}, auth)
	if err != nil || part(t, jws, 0)["alg"] != "ES256" {
		t.Errorf("ES256: got %v", err)
	}
}

// Rows that are no access token, or that never expire, are not signed.
func TestSignRefuses(t *testing.T) {
	t.Parallel()
	s, _ := newSigner(t)
	for name, change := range map[string]func(*oauth.Token){
		"a refresh token":      func(t *oauth.Token) { t.Kind = oauth.RefreshToken },
		"a personal token":     func(t *oauth.Token) { t.Kind = oauth.PersonalToken },
		"no expiry":            func(t *oauth.Token) { t.ExpiresAt = time.Time{} },
		"no id":                func(t *oauth.Token) { t.ID = "" },
		"of another client":    func(t *oauth.Token) { t.ClientID = "c-2" },
		"a registration token": func(t *oauth.Token) { t.Kind = oauth.RegistrationToken },
	} {
		token := row()
		change(token)
		if jws, err := s.Sign(t.Context(), token, &oauth.Client{ID: "c-1"}, oauth.Authentication{}); err == nil {
			t.Errorf("%s was signed: %s", name, jws)
		}
	}
}

// TestBearer4_OtherJWTs: nothing else that the same keys sign is an access token.
func TestBearer4_OtherJWTs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, k := newSigner(t)
	_, stranger := newSigner(t)
	sign := func(k *keys.Keys, typ string, change func(map[string]any)) string {
		set := map[string]any{"iss": issuer, "aud": issuer, "sub": "alice", "client_id": "c-1", "jti": "t-1", "iat": now.Unix(), "exp": now.Unix() + 3600}
		change(set)
		jws, err := k.Sign(ctx, keys.RS256, typ, set)
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	nothing := func(map[string]any) {}
	good := sign(k, "at+jwt", nothing)
	if _, err := s.Parse(ctx, good); err != nil {
		t.Fatalf("the good one that the others differ from: %v", err)
	}
	piece := strings.Split(good, ".")
	for name, jws := range map[string]string{
		"an ID token":         sign(k, "JWT", nothing),
		"no type":             sign(k, "", nothing),
		"a logout token":      sign(k, "logout+jwt", nothing),
		"a proof":             sign(k, "csrf+jwt", nothing),
		"introspection":       sign(k, "token-introspection+jwt", nothing),
		"a stranger's key":    sign(stranger, "at+jwt", nothing),
		"another issuer":      sign(k, "at+jwt", func(set map[string]any) { set["iss"] = "https://other.example" }),
		"no jti":              sign(k, "at+jwt", func(set map[string]any) { delete(set, "jti") }),
		"jti a number":        sign(k, "at+jwt", func(set map[string]any) { set["jti"] = 1 }),
		"alg none":            base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + piece[1] + ".",
		"no signature":        piece[0] + "." + piece[1] + ".",
		"another's signature": piece[0] + "." + piece[1] + "." + strings.Split(sign(k, "at+jwt", func(set map[string]any) { set["jti"] = "t-2" }), ".")[2],
		"opaque":              "vk_at_0352qqzp337xePq8a1vkZU8bkXUn1GrmrlKTXOXh2H5k7oN7LcVw1t2aat",
		"":                    "",
	} {
		if id, err := s.Parse(ctx, jws); !errors.Is(err, accesstoken.ErrNot) || id != "" {
			t.Errorf("%s: got %q, %v, want ErrNot", name, id, err)
		}
	}
}

type broken struct{ *keys.Keys }

func (broken) Verify(context.Context, string) ([]byte, string, error) {
	return nil, "", errors.New("the store is gone")
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	s, k := newSigner(t)
	jws, err := s.Sign(t.Context(), row(), &oauth.Client{ID: "c-1"}, oauth.Authentication{})
	if err != nil {
		t.Fatal(err)
	}
	s.Keys = broken{k}
	if _, err := s.Parse(t.Context(), jws); err == nil || errors.Is(err, accesstoken.ErrNot) {
		t.Errorf("got %v, want a fault", err)
	}
}

// FuzzParse: nothing but what was signed as an access token is one.
func FuzzParse(f *testing.F) {
	s, k := newSigner(f)
	good, err := s.Sign(f.Context(), row(), &oauth.Client{ID: "c-1"}, oauth.Authentication{})
	if err != nil {
		f.Fatal(err)
	}
	id, err := k.Sign(f.Context(), keys.RS256, "JWT", map[string]any{"iss": issuer, "jti": "t-1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(id)
	f.Add(good[:strings.LastIndex(good, ".")+1])
	f.Add("ey.ey.ey")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := s.Parse(t.Context(), token)
		if err == nil && (id != "t-1" || !strings.HasPrefix(token, good[:strings.LastIndex(good, ".")])) {
			t.Errorf("%q is the access token %s", token, id)
		}
		if err != nil && !errors.Is(err, accesstoken.ErrNot) {
			t.Errorf("%q: %v is a fault", token, err)
		}
	})
}
