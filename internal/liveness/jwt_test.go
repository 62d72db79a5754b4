package liveness_test

import (
	"errors"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

const issuer = "https://as.example"

// signing gives the world keys, and signs the row of its access token.
func signing(t *testing.T, w *world) (k *keys.Keys, jwt oauth.Secret) {
	t.Helper()
	ring, err := keyring.Parse(keyring.Line("a"))
	w.must(err)
	k = keys.New(keys.Config{Store: w.store, Ring: ring, Now: func() time.Time { return w.now }})
	s := &accesstoken.Signer{Keys: k, Issuer: issuer}
	w.check.JWT = s
	row, err := w.store.Token(t.Context(), w.id(w.access))
	w.must(err)
	text, err := s.Sign(t.Context(), row, &oauth.Client{ID: "app"}, oauth.Authentication{})
	w.must(err)
	return k, oauth.Secret(text)
}

// TestJWTAccessTokens: a signature opens nothing whose row is dead.
func TestJWTAccessTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kill  func(*world)
		alive bool
	}{
		"nothing":         {func(*world) {}, true},
		"expired":         {func(w *world) { w.now = start.Add(time.Hour) }, false},
		"revoked":         {func(w *world) { w.must(w.store.RevokeToken(w.t.Context(), w.id(w.access), start)) }, false},
		"grant revoked":   {func(w *world) { w.must(w.store.RevokeGrant(w.t.Context(), "grant", start)) }, false},
		"client deleted":  {func(w *world) { w.must(w.store.DeleteClient(w.t.Context(), "app")) }, false},
		"user disabled":   {func(w *world) { w.users["ulla"] = &oauth.User{Disabled: true} }, false},
		"owner gone":      {func(w *world) { delete(w.users, "olga") }, false},
		"no JWTs allowed": {func(w *world) { w.check.JWT = nil }, false},
	} {
		w := newWorld(t)
		_, jwt := signing(t, w)
		test.kill(w)
		live, err := w.check.Token(t.Context(), jwt)
		if test.alive && (err != nil || live.Token.ID != w.id(w.access) || live.User.Subject != "ulla" || live.Client.ID != "app") {
			t.Errorf("%s: got %+v, %v, want it alive", name, live, err)
		}
		if !test.alive && !errors.Is(err, liveness.ErrDead) {
			t.Errorf("%s: got %v, want ErrDead", name, err)
		}
	}
}

// A JWT stands in for no other kind of token, and costs no query unless we signed it.
func TestJWTIsAnAccessTokenOnly(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	k, jwt := signing(t, w)
	for _, kind := range []mint.Kind{mint.RefreshToken, mint.PersonalToken} {
		if _, err := w.check.Token(ctx, jwt, kind); !errors.Is(err, liveness.ErrDead) {
			t.Errorf("as a token of kind %s: got %v, want ErrDead", kind, err)
		}
	}
	sign := func(k *keys.Keys, typ string, set map[string]any) oauth.Secret {
		text, err := k.Sign(ctx, keys.RS256, typ, set)
		w.must(err)
		return oauth.Secret(text)
	}
	// Even our own signature makes no access token of another row.
	for _, of := range []oauth.Secret{w.refresh, w.personal} {
		token := sign(k, accesstoken.Type, map[string]any{"iss": issuer, "jti": w.id(of)})
		if _, err := w.check.Token(ctx, token); !errors.Is(err, liveness.ErrDead) {
			t.Errorf("the row of another kind: got %v, want ErrDead", err)
		}
	}
	ring, err := keyring.Parse(keyring.Line("b"))
	w.must(err)
	stranger := keys.New(keys.Config{Store: memstore.New(), Ring: ring, Now: func() time.Time { return w.now }})
	w.store.lookups = 0
	set := map[string]any{"iss": issuer, "jti": w.id(w.access), "sub": "ulla"}
	for name, token := range map[string]oauth.Secret{
		"an ID token": sign(k, "JWT", set), "a logout token": sign(k, "logout+jwt", set), "a stranger's": sign(stranger, accesstoken.Type, set),
		"cut short": jwt[:len(jwt)-3], "prefixed": "x" + jwt,
	} {
		if _, err := w.check.Token(ctx, token); !errors.Is(err, liveness.ErrDead) {
			t.Errorf("%s: got %v, want ErrDead", name, err)
		}
	}
	if w.store.lookups != 0 {
		t.Errorf("%d look-ups, want none", w.store.lookups)
	}
}
