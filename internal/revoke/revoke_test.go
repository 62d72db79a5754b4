package revoke_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

func revoke(e *oauthtest.Engine, c oauthtest.Party, token string) oauthtest.TokenReply {
	return e.As(c, "/oauth/revoke", url.Values{"token": {token}})
}

func want200(t *testing.T, what string, r oauthtest.TokenReply) {
	t.Helper()
	if r.StatusCode != 200 || r.Body != "" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: got %d %q, want 200 and nothing", what, r.StatusCode, r.Body)
	}
}

func TestAccessTokenGoesAlone(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	tokens := e.Tokens(e.SignIn("alice"), web)
	for range 2 {
		want200(t, "access", revoke(e, web, tokens.AccessToken))
	}
	if e.Active(web, tokens.AccessToken) || !e.Active(web, tokens.RefreshToken) {
		t.Error("the access token must be dead and the refresh token alive")
	}
}

func TestRefreshTokenTakesItsGrantAlong(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
		alice := e.SignIn("alice")
		other := e.Tokens(alice, c)
		tokens := e.Tokens(alice, c)
		next := e.Token(c, oauthtest.Refresh(tokens.RefreshToken))
		rs := e.AddClient(oauth.Client{})
		want200(t, "refresh", e.As(c, "/oauth/revoke", url.Values{"token": {next.RefreshToken}, "token_type_hint": {"access_token"}}))
		if e.Active(rs, tokens.AccessToken) || e.Active(rs, next.AccessToken) {
			t.Errorf("%s: access tokens of the grant are alive", c.Name)
		}
		e.Token(c, oauthtest.Refresh(next.RefreshToken)).Want(t, 400, "invalid_grant")
		if !e.Active(rs, other.AccessToken) {
			t.Errorf("%s: another grant died", c.Name)
		}
	}
}

func TestM63_ForeignTokensAreLeftAlone(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, web2, spa := e.Web(), e.Web(), e.SPA()
	tokens := e.Tokens(e.SignIn("alice"), web)
	for _, c := range []oauthtest.Party{web2, spa} {
		want200(t, c.Name, revoke(e, c, tokens.AccessToken))
		want200(t, c.Name, revoke(e, c, tokens.RefreshToken))
	}
	e.Post("/oauth/revoke", url.Values{"token": {tokens.AccessToken}}).Want(t, 401, "invalid_client")
	e.Post("/oauth/revoke", url.Values{"token": {tokens.AccessToken}, "client_id": {web.ID}}).Want(t, 401, "invalid_client")
	want200(t, "forged", revoke(e, web, e.Forge(tokens.AccessToken)))
	want200(t, "forged", revoke(e, web, e.Forge(tokens.RefreshToken)))
	if !e.Active(web, tokens.AccessToken) || !e.Active(web, tokens.RefreshToken) {
		t.Error("a token was revoked by somebody else")
	}
}

// What is dead is not revoked, and recorded, again.
func TestRevokedOnce(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	tokens := e.Tokens(e.SignIn("alice"), web)
	for range 3 {
		want200(t, "access token", revoke(e, web, tokens.AccessToken))
	}
	events, err := e.Store.ListEvents(t.Context(), store.EventQuery{Type: oauth.EventTokenRevoked}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 {
		t.Errorf("got %d events (%v), want 1", len(events), err)
	}
}

func TestUnknownTokens(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	for _, token := range []string{
		"nonsense", string(e.Mint.Draw(mint.AccessToken, e.Clock.Now()).Secret), string(e.Mint.Draw(mint.PersonalToken, e.Clock.Now()).Secret),
	} {
		want200(t, token, revoke(e, web, token))
	}
	revoke(e, web, "").Want(t, 400, "invalid_request")
	if r := e.Anonymous().Do(http.MethodGet, "/oauth/revoke", nil); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
		t.Errorf("GET: got %d, want 405", r.StatusCode)
	}
}

// broken is a store that cannot write.
type broken struct{ store.Store }

func (broken) InTx(context.Context, func(context.Context, store.Store) error) error {
	return fmt.Errorf("attempt to write a readonly database: %w", oauth.TemporarilyUnavailable)
}

func TestM61_StoreFailureIsNotSuccess(t *testing.T) {
	t.Parallel()
	rows := memstore.New()
	good, bad := oauthtest.New(t, oauthtest.Options{Store: rows}), oauthtest.New(t, oauthtest.Options{Store: broken{rows}})
	web := good.Web()
	tokens := good.Tokens(good.SignIn("alice"), web)
	r := revoke(bad, web, tokens.AccessToken)
	r.Want(t, 503, "temporarily_unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if !good.Active(web, tokens.AccessToken) {
		t.Error("the token died although the caller was told that it could not be done")
	}
}
