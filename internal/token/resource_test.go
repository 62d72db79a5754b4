package token_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const r1, r2, r3 = "https://r1.test/api", "https://r2.test", "https://r3.test"

// withResources knows three resources beside itself.
func withResources(t *testing.T, s store.Store) *oauthtest.Engine {
	return oauthtest.New(t, oauthtest.Options{Store: s, Password: true, Configure: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: r1}, {URI: r2}, {URI: r3}}
	}})
}

// codeFor gets a code for the resources.
func codeFor(e *oauthtest.Engine, b *oauthtest.Browser, c oauthtest.Party, resources ...string) string {
	e.T.Helper()
	params := oauthtest.Request(c)
	params["resource"] = resources
	r := b.Authorize(params)
	if r.RequestID() != "" {
		r = b.Answer(r, "yes")
	}
	return r.Callback().Get("code")
}

// to adds resources to a form.
func to(form url.Values, resources ...string) url.Values {
	form["resource"] = resources
	return form
}

// audience is what the row of an access token is for.
func audience(t *testing.T, e *oauthtest.Engine, token string) []string {
	t.Helper()
	p, err := e.Mint.Parse(oauth.Secret(token), mint.AccessToken)
	if err != nil {
		t.Fatalf("%v: %q", err, token)
	}
	row, err := e.Store.Token(context.Background(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return row.Resources
}

// A resource that was not authorized is refused, and nothing has happened.
func TestM45_CodesAndRefreshTokensSurviveABadResource(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, s store.Store) {
		e := withResources(t, s)
		for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
			alice := e.SignIn("alice")
			code := codeFor(e, alice, c, r1, r2)
			for _, bad := range [][]string{{r3}, {r1, r3}, {"https://evil.test"}, {r1 + "#x"}, {"/api"}, {oauthtest.Issuer}} {
				e.Token(c, to(oauthtest.Redemption(c, code), bad...)).Want(t, 400, "invalid_target")
			}
			first := e.Token(c, to(oauthtest.Redemption(c, code), "HTTPS://R1.test/api/"))
			first.Want(t, 200, "")
			if got := audience(t, e, first.AccessToken); !slices.Equal(got, []string{r1}) {
				t.Errorf("the token is for %q, want %q", got, r1)
			}
			// The refresh token is still good for all that was authorized, whatever the first token was for.
			refresh := first.RefreshToken
			for _, bad := range [][]string{{r3}, {r2, r3}, {"https://evil.test"}} {
				e.Token(c, to(oauthtest.Refresh(refresh), bad...)).Want(t, 400, "invalid_target")
			}
			e.Clock.Move(time.Minute) // a rotated token would not be repeated any more
			for _, tt := range []struct{ asked, want []string }{{[]string{r2}, []string{r2}}, {nil, []string{r1, r2}}, {[]string{r2, r1}, []string{r2, r1}}} {
				next := e.Token(c, to(oauthtest.Refresh(refresh), tt.asked...))
				next.Want(t, 200, "")
				if got := audience(t, e, next.AccessToken); !slices.Equal(got, tt.want) {
					t.Errorf("asked for %q: the token is for %q, want %q", tt.asked, got, tt.want)
				}
				if refresh = next.RefreshToken; refresh == "" {
					t.Fatal("no refresh token")
				}
				e.Clock.Move(time.Minute)
			}
		}
	})
}

func TestM45_TokensOfNothingInParticular(t *testing.T) {
	t.Parallel()
	e := withResources(t, nil)
	web, alice := e.Web(), e.SignIn("alice")
	e.Token(web, to(oauthtest.Redemption(web, codeFor(e, alice, web)), r1)).Want(t, 400, "invalid_target")
	reply := e.Token(web, oauthtest.Redemption(web, codeFor(e, alice, web)))
	if got := audience(t, e, reply.AccessToken); got != nil {
		t.Errorf("the token is for %q, want nothing in particular", got)
	}
	e.Token(web, to(oauthtest.Refresh(reply.RefreshToken), r1)).Want(t, 400, "invalid_target")
	ours := e.Token(web, to(oauthtest.Refresh(reply.RefreshToken), oauthtest.Issuer+"/"))
	if got := audience(t, e, ours.AccessToken); !slices.Equal(got, []string{oauthtest.Issuer}) {
		t.Errorf("the token is for %q, want the issuer", got)
	}
	for name, token := range map[string]string{"nothing": reply.AccessToken, "us": ours.AccessToken} {
		if got := ping(e, token); got != 200 {
			t.Errorf("a token for %s at our own API: %d", name, got)
		}
	}
	other := e.Token(web, oauthtest.Redemption(web, codeFor(e, alice, web, r1)))
	if got := ping(e, other.AccessToken); got != 401 {
		t.Errorf("a token for another resource at our own API: %d, want 401", got)
	}
}

// ping asks an API of the server with the token.
func ping(e *oauthtest.Engine, token string) int {
	return e.Anonymous().Do("GET", "/oauth/ping", nil, "Authorization", "Bearer "+token).StatusCode
}

// A replay is seen for what it is, whatever resource comes with it.
func TestM45_ReplayWithABadResource(t *testing.T) {
	t.Parallel()
	e := withResources(t, nil)
	web := e.Web()
	code := codeFor(e, e.SignIn("alice"), web, r1)
	first := e.Token(web, oauthtest.Redemption(web, code))
	first.Want(t, 200, "")
	e.Token(web, to(oauthtest.Redemption(web, code), r3)).Want(t, 400, "invalid_grant")
	if e.Active(web, first.AccessToken) {
		t.Error("what the replayed code gave is alive")
	}
}

func TestBearer5_ResourcesWithoutABrowser(t *testing.T) {
	t.Parallel()
	e := withResources(t, nil)
	web := e.Web()
	for name, form := range map[string]url.Values{
		"client credentials": {"grant_type": {"client_credentials"}},
		"password":           {"grant_type": {"password"}, "username": {"alice@example.org"}, "password": {oauthtest.Password}},
	} {
		e.Token(web, to(form, "https://evil.test")).Want(t, 400, "invalid_target")
		reply := e.Token(web, to(form, r2, r1+"/", r2))
		reply.Want(t, 200, "")
		if got := audience(t, e, reply.AccessToken); !slices.Equal(got, []string{r2, r1}) {
			t.Errorf("%s: the token is for %q", name, got)
		}
		if reply.RefreshToken == "" {
			continue
		}
		e.Token(web, to(oauthtest.Refresh(reply.RefreshToken), r3)).Want(t, 400, "invalid_target")
		e.Token(web, to(oauthtest.Refresh(reply.RefreshToken), r1)).Want(t, 200, "")
	}
}
