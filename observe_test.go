package valetkey_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// ear keeps what it is told.
type ear struct {
	mu   sync.Mutex
	told []oauth.Observation
}

func (e *ear) Request(_ context.Context, o oauth.Observation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, o)
}

// last is the last request to the route, or nil.
func (e *ear) last(route string) *oauth.Observation {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range slices.Backward(e.told) {
		if o.Route == route {
			return &o
		}
	}
	return nil
}

func TestObserver(t *testing.T) {
	t.Parallel()
	heard := &ear{}
	e := oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) { c.Observer = heard }})
	web := e.Web()
	check := func(what, route string, want oauth.Observation) {
		t.Helper()
		got := heard.last(route)
		if got == nil {
			t.Fatalf("%s: nobody was told of %s", what, route)
		}
		if got.Method != want.Method || got.Status != want.Status || got.Code != want.Code || got.GrantType != want.GrantType ||
			!slices.Equal(got.Issued, want.Issued) || got.Introspected != want.Introspected || got.ClientID != want.ClientID {
			t.Errorf("%s: got %+v, want %+v", what, *got, want)
		}
	}

	tokens := e.Tokens(e.SignIn("alice"), web, "scope", "openid records:read")
	check("a code", "/oauth/consent", oauth.Observation{Method: "POST", Status: 303, GrantType: "authorization_code", Issued: []string{"code"}})
	check("its redemption", "/oauth/token", oauth.Observation{Method: "POST", Status: 200, ClientID: web.ID,
		GrantType: "authorization_code", Issued: []string{"access_token", "refresh_token", "id_token"}})
	e.Token(web, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"nonsense"}})
	check("a refusal", "/oauth/token", oauth.Observation{Method: "POST", Status: 400, ClientID: web.ID, Code: oauth.InvalidGrant, GrantType: "refresh_token"})
	e.Token(web, url.Values{"grant_type": {"a word that somebody made up"}})
	check("an unknown grant type", "/oauth/token", oauth.Observation{Method: "POST", Status: 400, Code: oauth.UnsupportedGrantType})
	e.As(web, "/oauth/introspect", url.Values{"token": {tokens.AccessToken}})
	check("a live token", "/oauth/introspect", oauth.Observation{Method: "POST", Status: 200, ClientID: web.ID, Introspected: "active"})
	e.As(web, "/oauth/introspect", url.Values{"token": {"nonsense"}})
	check("a dead one", "/oauth/introspect", oauth.Observation{Method: "POST", Status: 200, ClientID: web.ID, Introspected: "inactive"})

	req, _ := http.NewRequest("BREW", e.URL+"/nowhere/"+tokens.AccessToken+"?token="+tokens.AccessToken, nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	check("what has no route", "/", oauth.Observation{Method: "other", Status: 404})
	e.SignIn("alice").Get("/account/settings/applications/tokens/new/")
	check("a page within a room", "/account/settings/applications/tokens/new/{$}", oauth.Observation{Method: "GET", Status: 200})
	for _, o := range heard.told {
		if len(o.RequestID) != 26 || strings.Contains(o.Route, tokens.AccessToken) {
			t.Errorf("got %+v", o)
		}
	}
}
