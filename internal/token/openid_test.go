package token_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var asPerson = []string{"scope", "openid email records:read", "nonce", "n-0S6"}

func TestR4_IDTokenOfACode(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, s store.Store) {
		e := oauthtest.New(t, oauthtest.Options{OpenID: true, Store: s})
		web, alice := e.Web(), e.SignIn("alice")
		alice.Session(func(s *oauth.Session) { s.SID, s.AMR, s.ACR = "sid", []string{"pwd", "otp"}, "urn:2" })
		signedIn := e.Clock.Now()
		e.Clock.Move(time.Minute)
		reply := e.Tokens(alice, web, asPerson...)
		now := e.Clock.Now()
		claims := e.Claims(reply.IDToken)
		for name, want := range map[string]any{
			"iss": oauthtest.Issuer, "sub": "alice", "aud": web.ID, "nonce": "n-0S6", "sid": "sid", "acr": "urn:2",
			"auth_time": float64(signedIn.Unix()), "iat": float64(now.Unix()),
		} {
			if claims[name] != want {
				t.Errorf("%s: got %v, want %v", name, claims[name], want)
			}
		}
		if exp := claims["exp"].(float64); exp <= float64(now.Unix()) || claims["at_hash"] == nil || len(claims["amr"].([]any)) != 2 {
			t.Errorf("got %v", claims)
		}
		for name := range claims { // B9: nothing that was not asked for there
			if !slices.Contains([]string{"iss", "sub", "aud", "azp", "exp", "iat", "nonce", "sid", "acr", "amr", "auth_time", "at_hash"}, name) {
				t.Errorf("the ID token tells %s", name)
			}
		}
		if reply.Scope != "openid email records:read" {
			t.Errorf("scope %q", reply.Scope)
		}
	})
}

func TestB13_IDTokenOfARefresh(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, s store.Store) {
		e := oauthtest.New(t, oauthtest.Options{OpenID: true, Store: s})
		for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
			first := e.Tokens(e.SignIn("alice"), c, asPerson...)
			before := e.Claims(first.IDToken)
			e.Clock.Move(time.Hour)
			next := e.Token(c, oauthtest.Refresh(first.RefreshToken))
			after := e.Claims(next.IDToken)
			for _, name := range []string{"iss", "sub", "aud", "azp", "auth_time", "sid"} {
				if before[name] == nil || before[name] != after[name] {
					t.Errorf("%s: %s was %v and is %v", c.Name, name, before[name], after[name])
				}
			}
			if after["iat"].(float64) != before["iat"].(float64)+3600 {
				t.Errorf("%s: iat was %v and is %v", c.Name, before["iat"], after["iat"])
			}
			if after["nonce"] != nil {
				t.Errorf("%s: a refreshed ID token has a nonce", c.Name)
			}
			if narrow := e.Token(c, oauthtest.Refresh(next.RefreshToken, "scope", "records:read")); narrow.StatusCode != 200 || narrow.IDToken != "" {
				t.Errorf("%s: without openid: %s", c.Name, narrow.Body)
			}
		}
	})
}

func TestNoIDTokenUnasked(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true, Password: true})
	web, alice := e.Web(), e.SignIn("alice")
	if reply := e.Tokens(alice, web, "nonce", "n", "scope", "email"); reply.IDToken != "" || strings.Contains(reply.Body, "id_token") {
		t.Errorf("without the scope openid: %s", reply.Body)
	}
	own := e.Token(web, map[string][]string{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	if own.StatusCode != 200 || own.IDToken != "" {
		t.Errorf("a client that acts for itself: %s", own.Body)
	}
	plain := oauthtest.New(t, oauthtest.Options{})
	if code := plain.SignIn("alice").Authorize(oauthtest.Request(plain.Web(), "scope", "openid")).Callback(); code.Get("error") != "invalid_scope" {
		t.Errorf("a server that cannot sign: %v", code)
	}
}

// What is signed is signed once the tokens are there.
func TestIDTokensOfParallelRefreshes(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	spa := e.SPA()
	first := e.Tokens(e.SignIn("alice"), spa, asPerson...)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			reply := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
			if reply.StatusCode != 200 || e.Claims(reply.IDToken)["sub"] != "alice" {
				t.Errorf("got %d %s", reply.StatusCode, reply.Body)
			}
		})
	}
	group.Wait()
}

func TestBearer4_JWTAccessTokens(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: "https://jwt.test", Format: oauth.FormatJWT}, {URI: "https://plain.test"}}
	}})
	opaque, alice := e.Web(), e.SignIn("alice")
	jwt := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, Metadata: oauth.ClientMetadata{AccessTokenFormat: oauth.FormatJWT}})
	for name, tt := range map[string]struct {
		client   oauthtest.Party
		resource string
		aud      any // nil: an opaque token
	}{
		"nothing said":          {opaque, "", nil},
		"the client says":       {jwt, "", oauthtest.Issuer},
		"the client, resource":  {jwt, "https://plain.test", "https://plain.test"},
		"the resource says":     {opaque, "https://jwt.test", "https://jwt.test"},
		"the resource does not": {opaque, "https://plain.test", nil},
	} {
		reply := e.Tokens(alice, tt.client, append(asPerson, "resource", tt.resource)...)
		for what, r := range map[string]oauthtest.TokenReply{"code": reply, "refresh": e.Token(tt.client, oauthtest.Refresh(reply.RefreshToken))} {
			if got := strings.Count(r.AccessToken, ".") == 2; got != (tt.aud != nil) {
				t.Errorf("%s, %s: the token is %q", name, what, r.AccessToken)
				continue
			}
			if !e.Active(tt.client, r.AccessToken) {
				t.Errorf("%s, %s: the token is dead", name, what)
			}
			if tt.aud == nil {
				continue
			}
			claims := e.Claims(r.AccessToken)
			for member, want := range map[string]any{"iss": oauthtest.Issuer, "aud": tt.aud, "sub": "alice", "client_id": tt.client.ID, "scope": "openid email records:read"} {
				if claims[member] != want {
					t.Errorf("%s, %s: %s is %v, want %v", name, what, member, claims[member], want)
				}
			}
			if claims["jti"] == nil || claims["exp"] == nil || claims["iat"] == nil || claims["auth_time"] == nil {
				t.Errorf("%s, %s: %v", name, what, claims)
			}
		}
	}
}
