package authorize_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestA1_NativeClientsMayVaryThePort(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	native := e.Native()
	alice := e.SignIn("alice")
	for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", "com.example.app:/cb"} {
		page := alice.Authorize(oauthtest.Request(native, "redirect_uri", uri))
		r := alice.Answer(page, "yes")
		if !strings.HasPrefix(r.Header.Get("Location"), uri+"?code=") {
			t.Errorf("%s: got %d %q", uri, r.StatusCode, r.Header.Get("Location"))
			continue
		}
		e.Token(native, oauthtest.Redemption(native, r.Callback().Get("code"), "redirect_uri", uri)).Want(t, 200, "")
	}
	wantPage(t, "localhost", alice.Authorize(oauthtest.Request(native, "redirect_uri", "http://localhost/cb")), 400)
}

func TestParity14_Implicit(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Implicit: true})
	web, spa := e.Web(), e.SPA()
	for _, c := range []oauthtest.Party{web, spa} {
		alice := e.SignIn("alice")
		params := oauthtest.Request(c, "response_type", "token", "code_challenge", "", "code_challenge_method", "")
		r := alice.Answer(alice.Authorize(params), "yes")
		base, fragment, _ := strings.Cut(r.Header.Get("Location"), "#")
		back, err := url.ParseQuery(fragment)
		if err != nil || base != c.RedirectURIs[0] {
			t.Fatalf("got %d %q", r.StatusCode, r.Header.Get("Location"))
		}
		if back.Get("token_type") != "Bearer" || back.Get("expires_in") != "3600" || back.Get("scope") != "records:read" || back.Get("state") != "xyz" || back.Get("iss") != oauthtest.Issuer || back.Has("refresh_token") {
			t.Errorf("got %v", back)
		}
		if !e.Active(web, back.Get("access_token")) {
			t.Error("the token is dead")
		}
		params.Set("scope", "nonsense")
		if r := alice.Authorize(params); !strings.HasPrefix(r.Header.Get("Location"), c.RedirectURIs[0]+"#error=invalid_scope") {
			t.Errorf("error: got %q, want it in the fragment", r.Header.Get("Location"))
		}
	}
	codeOnly := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}})
	r := e.SignIn("alice").Authorize(oauthtest.Request(codeOnly, "response_type", "token"))
	if !strings.Contains(r.Header.Get("Location"), "#error=unauthorized_client") {
		t.Errorf("client not registered for implicit: got %q", r.Header.Get("Location"))
	}
}

func TestM13_ImplicitIsOff(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web() // registered for the implicit grant
	wantError(t, "token", e.SignIn("alice").Authorize(oauthtest.Request(web, "response_type", "token")), "https://web.test/cb", "unsupported_response_type", "xyz")
}

func TestParity28_ImplicitLeavesOneToken(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Implicit: true, OneTokenPerClient: true})
	web := e.Web()
	alice := e.SignIn("alice")
	first := e.Tokens(alice, web)
	r := alice.Authorize(oauthtest.Request(web, "response_type", "token"))
	if r.StatusCode == 200 {
		r = alice.Answer(r, "yes")
	}
	if !strings.Contains(r.Header.Get("Location"), "access_token=") || e.Active(web, first.AccessToken) {
		t.Errorf("the earlier token is alive; got %q", r.Header.Get("Location"))
	}
}
