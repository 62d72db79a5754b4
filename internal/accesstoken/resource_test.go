package accesstoken_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// TestBearer4_AnAPIElsewhereTakesThem: what we sign, the verifier that we give to
// APIs takes, after a rotation too, and for that API only.
func TestBearer4_AnAPIElsewhereTakesThem(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, k := newSigner(t)
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	if err := k.EnsureActive(ctx); err != nil {
		t.Fatal(err)
	}
	verify, err := resource.JWT(resource.JWTConfig{Issuer: issuer, Audience: "https://api.example", JWKS: server.URL, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(audience string) oauth.Secret {
		token := row()
		token.Resources = []string{audience}
		jws, err := s.Sign(ctx, token, &oauth.Client{ID: "c-1"}, oauth.Authentication{})
		if err != nil {
			t.Fatal(err)
		}
		return oauth.Secret(jws)
	}
	before := sign("https://api.example")
	if _, err := k.Rotate(ctx, keys.RS256, time.Hour); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]oauth.Secret{"before the rotation": before, "after it": sign("https://api.example")} {
		if p, err := verify(ctx, token); err != nil || p.Subject != "alice" || p.TokenID != "t-1" || !p.Has("records:read") {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
	if _, err := verify(ctx, sign("https://other.example")); !errors.Is(err, oauth.InvalidToken) {
		t.Errorf("for another API: got %v, want invalid_token", err)
	}
}
