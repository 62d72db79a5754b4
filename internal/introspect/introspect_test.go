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

// By introspection nobody learns more of a person than the token's client was
// allowed to, but for the operator's own resource servers.
func TestWhoLearnsWhoItIs(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	e.Users.Change("alice", func(u *oauth.User) { u.Username = "alice" })
	client := func(host string, c oauth.Client) oauthtest.Party {
		c.RedirectURIs = []string{"https://" + host + "/cb"}
		return e.AddClient(c)
	}
	one := client("one.test", oauth.Client{Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}})
	two := client("two.test", oauth.Client{Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}})
	open := client("open.test", oauth.Client{})
	stranger := client("stranger.test", oauth.Client{Registration: oauth.RegisteredDynamically})
	owned := client("owned.test", oauth.Client{Owner: "mallory"})
	rs, own := e.AddClient(oauth.Client{}), client("own.test", oauth.Client{Registration: oauth.RegisteredDynamically, FirstParty: true})
	type told struct{ Sub, Username string }
	tell := func(asker oauthtest.Party, token string) (out told) {
		t.Helper()
		r := ask(e, asker, token)
		if err := json.Unmarshal([]byte(r.Body), &out); err != nil || !r.Active {
			t.Fatalf("%v in %s", err, r.Body)
		}
		return out
	}
	known := func(c oauthtest.Party, scope string) (token, sub string) {
		t.Helper()
		r := e.Tokens(e.SignIn("alice"), c, "scope", scope)
		var body struct {
			IDToken string `json:"id_token"`
		}
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Fatal(err)
		}
		sub, _ = e.Claims(body.IDToken)["sub"].(string)
		return r.AccessToken, sub
	}
	token, sub := known(one, "openid")
	other, otherSub := known(two, "openid profile")
	plain, _ := known(open, "openid")
	if sub == otherSub || sub == "alice" {
		t.Fatalf("subs %q and %q", sub, otherSub)
	}
	for name, asker := range map[string]oauthtest.Party{"itself": one, "the other": two, "a stranger": stranger, "an application of a user": owned} {
		if got := tell(asker, token); got != (told{sub, ""}) {
			t.Errorf("%s: %+v, want %s and no name", name, got, sub)
		}
		if got := tell(asker, other); got != (told{otherSub, "alice"}) {
			t.Errorf("%s, with profile: %+v", name, got)
		}
	}
	for name, asker := range map[string]oauthtest.Party{"itself": open, "a stranger": stranger} {
		if got := tell(asker, plain); got != (told{"alice", ""}) {
			t.Errorf("public subjects, %s: %+v", name, got)
		}
	}
	for name, asker := range map[string]oauthtest.Party{"a resource server": rs, "our own": own} {
		if got := tell(asker, token); got != (told{"alice", "alice"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
