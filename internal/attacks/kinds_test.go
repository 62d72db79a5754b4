package attacks

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// TestKindsAtForeignDoors carries what the server gives out, of every kind, to
// every door: it opens its own and no other, and none for a stranger.
func TestKindsAtForeignDoors(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) { c.Registration.Mode = "open" }})
	all := []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantDeviceCode}
	client := func(name string) oauthtest.Party {
		return e.AddClient(oauth.Client{Name: name, Type: oauth.WebApplication, RedirectURIs: []string{"https://" + name + ".test/cb"}, GrantTypes: all,
			Metadata: oauth.ClientMetadata{AccessTokenFormat: oauth.FormatJWT}})
	}
	web, other := client("web"), client("other")
	opaque := e.AddClient(oauth.Client{Name: "opaque", Type: oauth.WebApplication, RedirectURIs: []string{"https://opaque.test/cb"}, GrantTypes: all})
	alice := e.SignIn("alice")
	openid := []string{"scope", "openid offline_access records:read", "prompt", "consent", "nonce", "n"}

	var device struct {
		Code string `json:"device_code"`
		User string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(e.As(web, "/oauth/device_authorization", url.Values{"scope": {"records:read"}}).Body), &device); err != nil || device.Code == "" {
		t.Fatal("no device code", err)
	}
	var registered struct {
		Token string `json:"registration_access_token"`
		URI   string `json:"registration_client_uri"`
	}
	req, err := http.NewRequest(http.MethodPost, e.URL+"/oauth/register", strings.NewReader(`{"redirect_uris":["https://dyn.test/cb"]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := json.Unmarshal([]byte(e.Send(req).Body), &registered); err != nil || registered.Token == "" {
		t.Fatal("no registration token", err)
	}
	manage, err := url.Parse(registered.URI)
	if err != nil {
		t.Fatal(err)
	}

	first, second := e.Tokens(alice, web, openid...), e.Tokens(alice, opaque, openid...)
	kinds := map[string]string{
		"access token, JWT": first.AccessToken, "access token": second.AccessToken, "refresh token": first.RefreshToken, "ID token": first.IDToken,
		"code": alice.Code(web), "device code": device.Code, "user code": device.User, "client secret": string(web.Secret),
		"registration token": registered.Token, "pushed request": e.Push(web, oauthtest.Request(web)),
	}
	bearer := func(method, path string, token string) bool {
		req, err := http.NewRequest(method, e.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		return e.Send(req).StatusCode == http.StatusOK
	}
	grant := func(c oauthtest.Party, grantType, parameter string) func(string) bool {
		return func(token string) bool {
			return e.Token(c, url.Values{"grant_type": {grantType}, parameter: {token}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {oauthtest.Verifier}}).StatusCode == http.StatusOK
		}
	}
	doors := []struct {
		name  string
		opens func(token string) bool
		with  []string
	}{
		{"userinfo", func(s string) bool { return bearer(http.MethodGet, "/oauth/userinfo", s) }, []string{"access token", "access token, JWT"}},
		{"the registration", func(s string) bool { return bearer(http.MethodGet, manage.Path, s) }, []string{"registration token"}},
		{"introspection", func(s string) bool { return e.Active(web, s) }, []string{"access token", "access token, JWT", "refresh token"}},
		{"introspection by another client", func(s string) bool { return e.Active(other, s) }, []string{"access token", "access token, JWT"}},
		{"the client's secret", func(s string) bool {
			p := web
			p.Secret = oauth.Secret(s)
			return e.As(p, "/oauth/introspect", url.Values{"token": {"x"}}).StatusCode == http.StatusOK
		}, []string{"client secret"}},
		{"the secret of another client", func(s string) bool {
			p := other
			p.Secret = oauth.Secret(s)
			return e.As(p, "/oauth/introspect", url.Values{"token": {"x"}}).StatusCode == http.StatusOK
		}, nil},
		{"a client assertion", func(s string) bool {
			return e.Post("/oauth/introspect", url.Values{"client_id": {web.ID}, "token": {"x"}, "client_assertion": {s},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}).StatusCode == http.StatusOK
		}, nil},
		{"a request object", func(s string) bool {
			return e.As(web, "/oauth/par", url.Values{"request": {s}}).StatusCode == http.StatusCreated
		}, nil},
		{"id_token_hint", func(s string) bool {
			return alice.Authorize(oauthtest.Request(web, "prompt", "none", "scope", "openid", "nonce", "n", "id_token_hint", s)).Callback().Get("code") != ""
		}, []string{"ID token"}},
		{"the request of another client", func(s string) bool {
			return alice.Authorize(url.Values{"client_id": {other.ID}, "request_uri": {s}}).Callback().Get("code") != ""
		}, nil},
		{"refresh by another client", grant(other, "refresh_token", "refresh_token"), nil},
		{"code of another client", grant(other, "authorization_code", "code"), nil},
		{"device code of another client", grant(other, oauth.GrantDeviceCode, "device_code"), nil},
		{"refresh", grant(web, "refresh_token", "refresh_token"), []string{"refresh token"}},
		{"device code", grant(web, oauth.GrantDeviceCode, "device_code"), nil}, // nobody has said yes
		{"code", grant(web, "authorization_code", "code"), []string{"code"}},   // that a stranger tried it does not take it from its client
	}
	for _, d := range doors {
		for kind, secret := range kinds {
			want := false
			for _, w := range d.with {
				want = want || w == kind
			}
			if got := d.opens(secret); got != want {
				t.Errorf("%s at %s: got %v, want %v", kind, d.name, got, want)
			}
		}
	}
}
