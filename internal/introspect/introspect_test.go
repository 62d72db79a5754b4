package introspect_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func ask(e *oauthtest.Engine, c oauthtest.Party, token string) oauthtest.TokenReply {
	return e.As(c, "/oauth/introspect", url.Values{"token": {token}, "token_type_hint": {"nonsense"}})
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, rs := e.Web(), e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost})
	tokens := e.Tokens(e.SignIn("alice"), web, "scope", "records:read test:scope")
	r := ask(e, rs, tokens.AccessToken)
	var got map[string]any
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
		t.Fatal(err)
	}
	iat := float64(e.Clock.Now().Unix())
	for name, want := range map[string]any{
		"active": true, "scope": "records:read test:scope", "client_id": web.ID, "username": "alice@example.org",
		"token_type": "Bearer", "sub": "alice", "iss": oauthtest.Issuer, "iat": iat, "exp": iat + 3600,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers: %v", r.Header)
	}
	own := e.Token(web, url.Values{"grant_type": {"client_credentials"}})
	if r := ask(e, rs, own.AccessToken); !r.Active || strings.Contains(r.Body, "username") {
		t.Errorf("a client for itself: %s", r.Body)
	}
}

func TestPersonalTokens(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	d := e.Mint.Draw(mint.PersonalToken, e.Clock.Now())
	if err := e.Store.CreateToken(t.Context(), &oauth.Token{
		ID: d.ID, Kind: oauth.PersonalToken, Hash: d.Hash, Subject: "alice", Scopes: []string{"test:scope"}, IssuedAt: e.Clock.Now(), Name: "x",
	}); err != nil {
		t.Fatal(err)
	}
	r := ask(e, e.Web(), string(d.Secret))
	if !r.Active || r.Scope != "test:scope" || strings.Contains(r.Body, `"exp"`) || strings.Contains(r.Body, "client_id") {
		t.Errorf("got %s", r.Body)
	}
}

// Dead, unknown and foreign tokens are told alike: active:false and nothing else.
func TestInactiveSaysNothingElse(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, rs, spa := e.Web(), e.AddClient(oauth.Client{}), e.SPA()
	tokens := e.Tokens(e.SignIn("alice"), web)
	revoked := e.Tokens(e.SignIn("alice"), web)
	e.As(web, "/oauth/revoke", url.Values{"token": {revoked.AccessToken}})
	rotated := e.Tokens(e.SignIn("alice"), spa)
	e.Token(spa, oauthtest.Refresh(rotated.RefreshToken))
	code := e.SignIn("alice").Code(web)

	inactive := func(what, token string) {
		t.Helper()
		if r := ask(e, rs, token); r.StatusCode != 200 || strings.TrimSpace(r.Body) != `{"active":false}` {
			t.Errorf("%s: got %d %s", what, r.StatusCode, r.Body)
		}
	}
	inactive("nonsense", "nonsense")
	inactive("never issued", string(e.Mint.Draw(mint.AccessToken, e.Clock.Now()).Secret))
	inactive("revoked", revoked.AccessToken)
	inactive("rotated", rotated.RefreshToken)
	inactive("a code", code)
	inactive("a client secret", string(web.Secret))
	inactive("another client's refresh token", tokens.RefreshToken)
	if r := ask(e, web, tokens.RefreshToken); !r.Active || strings.Contains(r.Body, "token_type") {
		t.Errorf("its own refresh token: %s", r.Body)
	}
	if r := ask(e, rs, tokens.AccessToken); !r.Active {
		t.Errorf("the control: %s", r.Body)
	}
	e.Users.Change("alice", func(u *oauth.User) { u.Disabled = true })
	inactive("disabled user", tokens.AccessToken)
	e.Users.Change("alice", func(u *oauth.User) { u.Disabled = false })
	e.Clock.Move(time.Hour)
	inactive("expired", tokens.AccessToken)
}

func TestOnlyClientsWithASecretMayAsk(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	token := e.Tokens(e.SignIn("alice"), web).AccessToken
	ask(e, spa, token).Want(t, 401, "invalid_client")
	e.Post("/oauth/introspect", url.Values{"token": {token}}).Want(t, 401, "invalid_client")
	wrong := web
	wrong.Secret = "wrong"
	ask(e, wrong, token).Want(t, 401, "invalid_client")
	ask(e, web, "").Want(t, 400, "invalid_request")
	e.As(web, "/oauth/introspect?token="+token, url.Values{}).Want(t, 400, "invalid_request")
	if r := e.Anonymous().Do(http.MethodGet, "/oauth/introspect", nil); r.StatusCode != 405 {
		t.Errorf("GET: got %d, want 405", r.StatusCode)
	}
}
