package authorize_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestA1_RedirectURIsAreComparedExactly(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb?dummy1=lorem&dummy2=ipsum"}})
	alice := e.SignIn("alice")
	for _, uri := range []string{
		"https://rp.test/cb", "https://rp.test/cb?dummy1=lorem", "https://rp.test/cb?dummy2=ipsum&dummy1=lorem", "https://rp.test/cb?dummy1=lorem&dummy2=ipsum&x=y",
		"https://rp.test:443/cb?dummy1=lorem&dummy2=ipsum", "https://rp.test/cb?dummy1=lorem&dummy2=ipsum#", "https://user@rp.test/cb?dummy1=lorem&dummy2=ipsum",
	} {
		wantPage(t, uri, alice.Authorize(oauthtest.Request(c, "redirect_uri", uri)), http.StatusBadRequest)
	}
	back := alice.Ask(c).Callback()
	if back.Get("code") == "" || back.Get("dummy1") != "lorem" || back.Get("dummy2") != "ipsum" {
		t.Errorf("the registered query is not kept: %v", back)
	}
}

func TestA2_NeverRedirectedToTheUnknown(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := relyingParty(e)
	for who, b := range map[string]*oauthtest.Browser{"alice": e.SignIn("alice"), "nobody": e.Anonymous()} {
		for _, mode := range []string{"query", "fragment", "form_post"} {
			for name, change := range map[string][]string{
				"client": {"client_id", "nobody"}, "redirect URI": {"redirect_uri", "https://evil.test/"}, "silently": {"redirect_uri", "https://evil.test/", "prompt", "none"},
			} {
				r := b.Authorize(oauthtest.Request(rp, append(signIn("code", "response_mode", mode), change...)...))
				wantPage(t, name+", "+who+", "+mode, r, http.StatusBadRequest)
				if strings.Contains(r.Body, "form-post") {
					t.Errorf("%s, %s: there is a form", name, who)
				}
			}
		}
	}
}

// A link alone bounces nobody to a client.
func TestA3_SignInComesBeforeErrors(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := relyingParty(e)
	for _, change := range [][]string{{"scope", "nonsense"}, {"response_type", "none"}, {"claims", "{"}, {"id_token_hint", "x"}, {"request", "x"}, {"resource", "x"}} {
		r := e.Anonymous().Authorize(oauthtest.Request(rp, signIn("code", append(change, "response_mode", "form_post")...)...))
		wantLogin(t, change[0], r, oauth.LoginNeeded)
	}
}

func TestA4_GetAndPost(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	params := oauthtest.Request(rp, signIn("code")...)
	for _, site := range []string{"cross-site", "same-origin", "none"} {
		r := alice.Do(http.MethodPost, "/oauth/authorize", params, "Sec-Fetch-Site", site)
		if r.StatusCode != http.StatusSeeOther || alice.Get(r.Header.Get("Location")).RequestID() == "" {
			t.Errorf("POST from %s: %d %q", site, r.StatusCode, r.Header.Get("Location"))
		}
	}
	if alice.Authorize(params).RequestID() == "" {
		t.Error("GET: no page")
	}
}

func TestA7_PKCE(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	alice := e.SignIn("alice")
	none := []string{"code_challenge", "", "code_challenge_method", ""}
	uris := []string{"https://rp.test/cb"}
	for name, tt := range map[string]struct {
		client oauth.Client
		may    bool
	}{
		"public":                         {oauth.Client{AuthMethod: oauth.AuthNone}, false},
		"registered to use it":           {oauth.Client{RequirePKCE: true}, false},
		"confidential":                   {oauth.Client{}, true},
		"certification":                  {oauth.Client{RequirePKCE: true, Profile: oauth.ProfileCertification}, true},
		"certification of a public one":  {oauth.Client{AuthMethod: oauth.AuthNone, Profile: oauth.ProfileCertification}, true},
		"hybrid, registered to use it":   {oauth.Client{RequirePKCE: true, Description: "code id_token"}, false},
		"implicit, registered to use it": {oauth.Client{RequirePKCE: true, Description: "id_token"}, true},
	} {
		responseType := "code"
		if tt.client.Description != "" {
			responseType = tt.client.Description
		}
		tt.client.RedirectURIs = uris
		c := e.AddClient(tt.client)
		change := append([]string{"response_type", responseType, "scope", "openid", "nonce", "n"}, none...)
		_, _, back := alice.Ask(c, change...).Landing()
		if ok := !back.Has("error"); ok != tt.may || !ok && back.Get("error") != "invalid_request" {
			t.Errorf("%s without PKCE: %v", name, back)
		}
		if responseType == "id_token" {
			continue
		}
		_, _, back = alice.Ask(c, "response_type", responseType, "scope", "openid", "nonce", "n").Landing()
		e.Token(c, oauthtest.Redemption(c, back.Get("code"), "code_verifier", strings.Repeat("x", 43))).Want(t, 400, "invalid_grant")
		e.Token(c, oauthtest.Redemption(c, back.Get("code"))).Want(t, 200, "")
		_, _, back = alice.Ask(c, "response_type", responseType, "scope", "openid", "nonce", "n", "code_challenge_method", "plain").Landing()
		if back.Get("error") != "invalid_request" {
			t.Errorf("%s with plain: %v", name, back)
		}
	}
}

func TestA10_IssInEveryAnswer(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for name, change := range map[string][]string{
		"code": signIn("code"), "implicit": signIn("id_token"), "hybrid": signIn("code token"), "form": signIn("code", "response_mode", "form_post"),
		"error": signIn("code", "scope", "nonsense"), "error in a fragment": signIn("token", "scope", "nonsense"), "silent": signIn("code", "prompt", "none", "max_age", "0"),
	} {
		_, _, back := alice.Ask(rp, change...).Landing()
		if got := back["iss"]; len(got) != 1 || got[0] != oauthtest.Issuer {
			t.Errorf("%s: iss is %q", name, got)
		}
	}
	page := alice.Authorize(oauthtest.Request(rp, signIn("code", "prompt", "consent")...))
	if _, _, back := alice.Answer(page, "no").Landing(); back.Get("iss") != oauthtest.Issuer {
		t.Errorf("refused: %v", back)
	}
}

func TestA11_NoCORS(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Ask(rp, signIn("code")...)
	query := "/oauth/authorize?" + oauthtest.Request(rp, signIn("code")...).Encode()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		r := alice.Do(method, query, url.Values{}, "Origin", "https://rp.test", "Access-Control-Request-Method", "GET")
		for name := range r.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s: %s", method, name, r.Header.Get(name))
			}
		}
	}
}

func TestA12_RedirectsForgetTheForm(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for _, r := range []oauthtest.Reply{
		alice.Answer(alice.Authorize(oauthtest.Request(rp, signIn("code")...)), "yes"),
		alice.Answer(alice.Authorize(oauthtest.Request(rp, signIn("code", "prompt", "consent")...)), "no"),
		alice.Authorize(oauthtest.Request(rp, signIn("code")...)),
		alice.Authorize(oauthtest.Request(rp, signIn("id_token")...)),
		alice.Do(http.MethodPost, "/oauth/authorize", oauthtest.Request(rp, signIn("code")...)),
	} {
		if r.StatusCode != http.StatusSeeOther {
			t.Errorf("got %d to %q, want 303", r.StatusCode, r.Header.Get("Location"))
		}
	}
}

func TestA13_PagesCannotBeFramed(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for name, r := range map[string]oauthtest.Reply{
		"consent": alice.Authorize(oauthtest.Request(rp, signIn("code")...)), "error": alice.Authorize(url.Values{}),
		"errors": alice.Get("/oauth/errors"), "form_post": alice.Authorize(oauthtest.Request(rp, signIn("code", "scope", "nonsense", "response_mode", "form_post")...)),
		"answered twice": alice.Do(http.MethodPost, "/oauth/consent", url.Values{"request": {"x"}}),
	} {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || r.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
}

// Whoever cannot be told from others by their redirect URI is asked every time.
func TestA16_AskedEveryTime(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	alice := e.SignIn("alice")
	for _, uri := range []string{"http://127.0.0.1/cb", "http://localhost:9000/cb", "com.example.app:/cb"} {
		c := e.AddClient(oauth.Client{Type: oauth.NativeApplication, AuthMethod: oauth.AuthNone, RedirectURIs: []string{uri}})
		alice.Code(c)
		if r := alice.Authorize(oauthtest.Request(c)); r.RequestID() == "" {
			t.Errorf("%s: not asked again", uri)
		}
	}
	// A secret proves nothing where the token comes through the browser.
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"http://localhost:9000/cb"}, Profile: oauth.ProfileCertification})
	alice.Ask(c, signIn("id_token token")...)
	if r := alice.Authorize(oauthtest.Request(c, signIn("id_token token")...)); r.RequestID() == "" {
		t.Error("implicit on loopback: not asked again")
	}
}

func TestA17_WhatTheConsentPageSays(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	alice := e.SignIn("alice")
	const unchecked = "Nobody here has checked this application."
	for name, tt := range map[string]struct {
		client    oauth.Client
		want, not string
	}{
		"by hand":    {oauth.Client{ID: "hand", Owner: "bob"}, "Bob Builder", unchecked},
		"by itself":  {oauth.Client{ID: "itself", Registration: oauth.RegisteredDynamically}, unchecked, "by Valetkey"},
		"a document": {oauth.Client{ID: "https://rp.test/client.json", Registration: oauth.RegisteredByDocument}, unchecked, "by Valetkey"},
	} {
		c := tt.client
		c.RedirectURIs, c.Name, c.AuthMethod = []string{"https://rp.test/cb"}, "Calendar", oauth.AuthNone
		c.GrantTypes = []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
		if err := e.Store.CreateClient(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		page := alice.Authorize(oauthtest.Request(oauthtest.Party{Client: &c}, "scope", "openid profile email address phone records:read"))
		for _, want := range []string{tt.want, "Calendar", "https://rp.test", "Read your records", "Know that it is you", "Read your profile", "Read your e-mail address", "Read your postal address", "Read your phone number", "until you revoke it"} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		if strings.Contains(page.Body, tt.not) {
			t.Errorf("%s: the page says %q", name, tt.not)
		}
	}
}

// Codes and tokens are not told on by Referer, and not kept.
func TestA18_AnswersAreNotToldOn(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Ask(rp, signIn("code")...)
	for _, responseType := range []string{"code", "code id_token token"} {
		r := alice.Ask(rp, signIn(responseType)...)
		if r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", responseType, r.Header)
		}
	}
	for _, r := range []oauthtest.Reply{alice.Authorize(oauthtest.Request(rp, signIn("code", "prompt", "consent")...)), alice.Authorize(oauthtest.Request(rp, signIn("code", "response_mode", "form_post")...))} {
		if r.Header.Get("Referrer-Policy") != "same-origin" || strings.Contains(r.Body, `src="http`) || strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("a page: %v", r.Header)
		}
	}
}

// The address of the page that holds the answer does not.
func TestA19_FormPostLeavesNoCodeInAURL(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	r := alice.Ask(rp, signIn("code id_token token", "response_mode", "form_post")...)
	_, _, back := r.Landing()
	for _, name := range []string{"code", "access_token", "id_token"} {
		if back.Get(name) == "" || strings.Contains(r.Request.URL.String(), back.Get(name)) || strings.Contains(r.Header.Get("Location"), back.Get(name)) {
			t.Errorf("%s: %v", name, back)
		}
	}
}

func TestA8_CodesAreBound(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, other, alice := relyingParty(e), e.Web(), e.SignIn("alice")
	code := alice.Code(rp, "scope", "openid")
	e.Token(other, oauthtest.Redemption(rp, code)).Want(t, 400, "invalid_grant")
	e.Token(rp, oauthtest.Redemption(rp, code, "redirect_uri", "https://rp.test/other")).Want(t, 400, "invalid_grant")
	e.Token(rp, oauthtest.Redemption(rp, code, "code_verifier", "")).Want(t, 400, "invalid_grant")
	reply := e.Token(rp, oauthtest.Redemption(rp, code))
	reply.Want(t, 200, "")
	e.Clock.Move(time.Second)
	e.Token(rp, oauthtest.Redemption(rp, code)).Want(t, 400, "invalid_grant")
	if e.Active(rp, reply.AccessToken) {
		t.Error("what the replayed code gave is alive")
	}
}
