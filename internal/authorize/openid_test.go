package authorize_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// idToken redeems the code of a reply and returns the claims of the ID token.
func idToken(t *testing.T, e *oauthtest.Engine, c oauthtest.Party, r oauthtest.Reply) map[string]any {
	t.Helper()
	_, _, back := r.Landing()
	if back.Get("code") == "" {
		t.Fatalf("no code: %d %v %s", r.StatusCode, back, r.Body)
	}
	reply := e.Token(c, oauthtest.Redemption(c, back.Get("code"), "code_verifier", ""))
	if reply.IDToken == "" {
		t.Fatalf("no ID token: %d %s", reply.StatusCode, reply.Body)
	}
	return e.Claims(reply.IDToken)
}

func TestB6_NonceWhereItIsNeeded(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for responseType, mode := range map[string]string{"id_token": "fragment", "id_token token": "fragment", "code id_token": "fragment", "code id_token token": "fragment"} {
		back := landed(t, responseType, alice.Ask(rp, signIn(responseType, "nonce", "")...), mode)
		if back.Get("error") != "invalid_request" || !strings.Contains(back.Get("error_description"), "nonce") {
			t.Errorf("%s: %v", responseType, back)
		}
	}
	for responseType, mode := range map[string]string{"code": "query", "code token": "fragment"} {
		if back := landed(t, responseType, alice.Ask(rp, signIn(responseType, "nonce", "")...), mode); back.Get("code") == "" {
			t.Errorf("%s: %v", responseType, back)
		}
	}
	// It comes back as it was sent, and not at all if it was not.
	for _, nonce := range []string{"", "n", strings.Repeat("n", 384), "a b\"\\€"} {
		claims := idToken(t, e, rp, alice.Ask(rp, signIn("code", "nonce", nonce)...))
		if got, there := claims["nonce"]; there != (nonce != "") || there && got != nonce {
			t.Errorf("nonce %q: got %v", nonce, got)
		}
	}
}

func TestB15_OpenIDIsAskedFor(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	back := landed(t, "id_token without openid", alice.Authorize(oauthtest.Request(rp, signIn("id_token", "scope", "records:read")...)), "fragment")
	if back.Get("error") != "invalid_request" {
		t.Errorf("got %v", back)
	}
	reply := e.Tokens(alice, rp, "scope", "records:read", "nonce", "n")
	if reply.IDToken != "" {
		t.Error("an ID token without the scope openid")
	}
}

func TestB3_SilentAfterConsent(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	silent := signIn("code", "prompt", "none")
	if back := landed(t, "before", alice.Authorize(oauthtest.Request(rp, silent...)), "query"); back.Get("error") != "consent_required" {
		t.Errorf("before consent: %v", back)
	}
	first := idToken(t, e, rp, alice.Ask(rp, signIn("code")...))
	e.Clock.Move(3 * time.Second)
	second := idToken(t, e, rp, alice.Authorize(oauthtest.Request(rp, silent...)))
	for _, name := range []string{"sub", "auth_time", "sid", "iss", "aud"} {
		if first[name] == nil || first[name] != second[name] {
			t.Errorf("%s: %v, then %v", name, first[name], second[name])
		}
	}
	if back := landed(t, "nobody", e.Anonymous().Authorize(oauthtest.Request(rp, silent...)), "query"); back.Get("error") != "login_required" {
		t.Errorf("nobody: %v", back)
	}
}

func TestB4_SignInAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{"prompt=login": {"prompt", "login"}, "max_age=1": {"max_age", "1"}, "default_max_age": nil} {
		e := openIDProvider(t)
		second := int64(1)
		rp := relyingParty(e)
		if change == nil {
			rp = e.AddClient(oauth.Client{RedirectURIs: rp.RedirectURIs, Profile: oauth.ProfileCertification, Metadata: oauth.ClientMetadata{DefaultMaxAge: &second}})
		}
		alice := e.SignIn("alice")
		first := idToken(t, e, rp, alice.Ask(rp, signIn("code")...))
		e.Clock.Move(2 * time.Second)
		back := wantLogin(t, name, alice.Authorize(oauthtest.Request(rp, signIn("code", change...)...)), oauth.LoginAgain)
		alice.Session(func(s *oauth.Session) { s.AuthTime = e.Clock.Now() })
		again := idToken(t, e, rp, alice.Get(back))
		if again["auth_time"].(float64) <= first["auth_time"].(float64) {
			t.Errorf("%s: auth_time is %v after %v", name, again["auth_time"], first["auth_time"])
		}
		if got := idToken(t, e, rp, alice.Ask(rp, signIn("code", "max_age", "10000")...)); got["auth_time"] != again["auth_time"] {
			t.Errorf("%s: max_age=10000: auth_time %v, want %v", name, got["auth_time"], again["auth_time"])
		}
	}
}

func TestB5_IDTokenHint(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice, bob := relyingParty(e), e.SignIn("alice"), e.SignIn("bob")
	hint := func(b *oauthtest.Browser) string {
		return e.Token(rp, oauthtest.Redemption(rp, b.Code(rp, signIn("code")...), "code_verifier", "")).IDToken
	}
	hers, his := hint(alice), hint(bob)
	e.Clock.Move(30 * 24 * time.Hour) // expired long ago
	ask := func(b *oauthtest.Browser, more ...string) oauthtest.Reply {
		return b.Authorize(oauthtest.Request(rp, signIn("code", more...)...))
	}
	if claims := idToken(t, e, rp, ask(alice, "prompt", "none", "id_token_hint", hers)); claims["sub"] != "alice" {
		t.Errorf("the same person: %v", claims)
	}
	if back := landed(t, "somebody else, silently", ask(alice, "prompt", "none", "id_token_hint", his), "query"); back.Get("error") != "login_required" {
		t.Errorf("somebody else, silently: %v", back)
	}
	// Somebody else is asked to sign in, and who stays somebody else is told to the client.
	back := wantLogin(t, "somebody else", ask(alice, "id_token_hint", his), oauth.LoginOther)
	if got := landed(t, "still alice", alice.Get(back), "query"); got.Get("error") != "login_required" {
		t.Errorf("still alice: %v", got)
	}
	if got := idToken(t, e, rp, bob.Get(back)); got["sub"] != "bob" {
		t.Errorf("bob: %v", got)
	}
	head, rest, _ := strings.Cut(hers, ".")
	payload, _, _ := strings.Cut(rest, ".")
	access := e.Tokens(alice, rp, signIn("code", "code_challenge", oauthtest.Challenge(), "code_challenge_method", "S256")...).AccessToken
	for name, bad := range map[string]string{
		"none":            "eyJhbGciOiJub25lIn0." + payload + ".",
		"no signature":    head + "." + payload + ".",
		"other signature": head + "." + payload + "." + strings.Repeat("A", 342),
		"no JWT":          "hint", "an access token": access,
	} {
		if got := landed(t, name, ask(alice, "id_token_hint", bad), "query"); got.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The hint is compared with what the client calls the person.
func TestB5_PairwiseHint(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Profile: oauth.ProfileCertification,
		Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}})
	alice := e.SignIn("alice")
	reply := e.Token(rp, oauthtest.Redemption(rp, alice.Code(rp, signIn("code")...), "code_verifier", ""))
	sub := e.Claims(reply.IDToken)["sub"].(string)
	if sub == "alice" {
		t.Fatal("the subject is not pairwise")
	}
	if got := idToken(t, e, rp, alice.Ask(rp, signIn("code", "prompt", "none", "id_token_hint", reply.IDToken)...)); got["sub"] != sub {
		t.Errorf("got %v", got)
	}
	claims := fmt.Sprintf(`{"id_token":{"sub":{"value":%q}}}`, sub)
	if got := idToken(t, e, rp, alice.Ask(rp, signIn("code", "prompt", "none", "claims", claims)...)); got["sub"] != sub {
		t.Errorf("sub asked for: %v", got)
	}
}

func TestA20_SubjectThatIsAskedFor(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	want := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
	if got := idToken(t, e, rp, alice.Ask(rp, signIn("code", "claims", want("alice"))...)); got["sub"] != "alice" {
		t.Errorf("got %v", got)
	}
	if back := landed(t, "bob, silently", alice.Ask(rp, signIn("code", "prompt", "none", "claims", want("bob"))...), "query"); back.Get("error") != "login_required" {
		t.Errorf("bob, silently: %v", back)
	}
	back := wantLogin(t, "bob", alice.Authorize(oauthtest.Request(rp, signIn("code", "claims", want("bob"))...)), oauth.LoginOther)
	if got := landed(t, "still alice", alice.Get(back), "query"); got.Get("error") != "login_required" {
		t.Errorf("still alice: %v", got)
	}
}

// Whom nobody allowed anything cannot ask silently whether it is this person who is
// signed in: a right guess is answered like a wrong one.
func TestNobodyIsGuessedSilently(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	silently := func(pairs ...string) string {
		t.Helper()
		return landed(t, fmt.Sprint(pairs), alice.Authorize(oauthtest.Request(rp, signIn("code", append(pairs, "prompt", "none")...)...)), "query").Get("error")
	}
	tokens := e.Token(rp, oauthtest.Redemption(rp, e.SignIn("alice").Code(rp, signIn("code")...), "code_verifier", ""))
	if _, err := e.Store.RevokeGrants(t.Context(), "alice", rp.ID, "", e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if got := silently(); got != "consent_required" {
		t.Errorf("about nobody in particular: %s", got)
	}
	for _, sub := range []string{"alice", "bob"} {
		if got := silently("claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`); got != "login_required" {
			t.Errorf("%s: %s", sub, got)
		}
	}
	if got := silently("id_token_hint", tokens.IDToken); got != "login_required" {
		t.Errorf("by a hint: %s", got)
	}
}

func TestB5_WhatTheLoginIsTold(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := relyingParty(e)
	classes := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Profile: oauth.ProfileCertification,
		Metadata: oauth.ClientMetadata{DefaultACRValues: []string{"urn:default"}}})
	nobody := e.Anonymous()
	r := nobody.Authorize(oauthtest.Request(rp, signIn("code", "login_hint", "alice@example.org", "acr_values", "1 2", "ui_locales", "fr-CA en", "display", "popup", "claims_locales", "de")...))
	wantLogin(t, "anonymous", r, oauth.LoginNeeded)
	for name, want := range map[string]string{"X-Hint": "alice@example.org", "X-ACR-Values": "1 2", "X-UI-Locales": "fr-CA en"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r := nobody.Authorize(oauthtest.Request(classes, signIn("code")...)); r.Header.Get("X-ACR-Values") != "urn:default" {
		t.Errorf("default_acr_values: got %q", r.Header.Get("X-ACR-Values"))
	}
	alice := e.SignIn("alice")
	for _, values := range []string{"", "1 2", "nothing:like:it"} {
		for _, acr := range []string{"", "2"} {
			alice.Session(func(s *oauth.Session) { s.ACR = acr })
			got, there := idToken(t, e, rp, alice.Ask(rp, signIn("code", "acr_values", values, "display", "wap", "ui_locales", "x-made-up", "login_hint", "bob")...))["acr"]
			if there != (acr != "") || there && got != acr {
				t.Errorf("acr_values=%q in a session of class %q: acr is %v", values, acr, got)
			}
		}
	}
}

// An essential acr must be reached, and what was not reached is not told.
func TestA20_EssentialACR(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	essential := signIn("code", "claims", `{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`)
	r := alice.Authorize(oauthtest.Request(rp, essential...))
	back := wantLogin(t, "essential", r, oauth.LoginAgain)
	if r.Header.Get("X-ACR-Values") != "mfa" {
		t.Errorf("the login is told %q", r.Header.Get("X-ACR-Values"))
	}
	e.Clock.Move(time.Minute)
	alice.Session(func(s *oauth.Session) { s.AuthTime = e.Clock.Now() })
	if got := landed(t, "signed in without", alice.Get(back), "query"); got.Get("error") != "unmet_authentication_requirements" {
		t.Errorf("signed in without: %v", got)
	}
	if got := landed(t, "silently", alice.Authorize(oauthtest.Request(rp, append(essential, "prompt", "none")...)), "query"); got.Get("error") != "login_required" {
		t.Errorf("silently: %v", got)
	}
	alice.Session(func(s *oauth.Session) { s.ACR = "mfa" })
	if got := idToken(t, e, rp, alice.Get(back)); got["acr"] != "mfa" {
		t.Errorf("reached: %v", got)
	}
	voluntary := signIn("code", "claims", `{"id_token":{"acr":{"values":["other"]}}}`)
	if got := idToken(t, e, rp, alice.Ask(rp, voluntary...)); got["acr"] != "mfa" {
		t.Errorf("voluntary: %v", got)
	}
}

func TestB10_ClaimsAreConsentedTo(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	named := signIn("code", "claims", `{"userinfo":{"name":{"essential":true}},"id_token":{"email":null,"made_up":null}}`)
	page := alice.Authorize(oauthtest.Request(rp, named...))
	for _, want := range []string{"Read your profile", "Read your e-mail address", "You already allowed it to"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if back := landed(t, "silently", alice.Authorize(oauthtest.Request(rp, append(named, "prompt", "none")...)), "query"); back.Get("error") != "consent_required" {
		t.Errorf("silently: %v", back)
	}
	claims := idToken(t, e, rp, alice.Answer(page, "yes"))
	if claims["email"] != "alice@example.org" || claims["name"] != nil {
		t.Errorf("ID token: %v", claims)
	}
	// Now it is remembered, and so is each of the two alone.
	for _, again := range []string{`{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}`, `{"userinfo":{"email":null}}`} {
		if r := alice.Authorize(oauthtest.Request(rp, signIn("code", "claims", again)...)); r.Callback().Get("code") == "" {
			t.Errorf("%s: asked again: %d", again, r.StatusCode)
		}
	}
	if r := alice.Authorize(oauthtest.Request(rp, signIn("code", "claims", `{"userinfo":{"address":null}}`)...)); r.RequestID() == "" {
		t.Error("a further claim is not asked for")
	}
	if r := alice.Authorize(oauthtest.Request(rp, signIn("code", "scope", "openid email profile")...)); r.RequestID() != "" {
		t.Error("scopes whose claims were allowed by name are asked for again")
	}
	for name, bad := range map[string]string{"no JSON": "{", "list": "[]", "twice": `{"userinfo":{},"userinfo":{}}`, "long": `{"userinfo":{"` + strings.Repeat("x", 9000) + `":null}}`} {
		if back := landed(t, name, alice.Authorize(oauthtest.Request(rp, signIn("code", "claims", bad)...)), "query"); back.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", name, back)
		}
	}
}

// A client gets nothing by name that it may not have by scope.
func TestB10_ClaimsWithinTheRegistration(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Profile: oauth.ProfileCertification, Scopes: []string{"openid", "email"}})
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(rp, signIn("code", "claims", `{"id_token":{"name":null,"email":null}}`)...))
	if strings.Contains(page.Body, "Read your profile") {
		t.Error("the page offers what the client may not have")
	}
	if claims := idToken(t, e, rp, alice.Answer(page, "yes")); claims["name"] != nil || claims["email"] == nil {
		t.Errorf("got %v", claims)
	}
}

func TestB13_OfflineAccess(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	const scope = "openid offline_access"
	for name, tt := range map[string]struct {
		change []string
		want   string
	}{
		"with consent":    {signIn("code", "scope", scope, "prompt", "consent"), scope},
		"without consent": {signIn("code", "scope", scope), "openid"},
	} {
		r := alice.Ask(rp, tt.change...)
		reply := e.Token(rp, oauthtest.Redemption(rp, r.Callback().Get("code"), "code_verifier", ""))
		if reply.Scope != tt.want {
			t.Errorf("%s: scope %q, want %q", name, reply.Scope, tt.want)
		}
	}
	page := alice.Authorize(oauthtest.Request(rp, signIn("code", "scope", scope, "prompt", "consent")...))
	if !strings.Contains(page.Body, "Keep access while you are not there") {
		t.Error("the page does not say that access lasts")
	}
	back := landed(t, "no code", alice.Ask(rp, signIn("id_token token", "scope", scope, "prompt", "consent")...), "fragment")
	if back.Get("scope") != "openid" {
		t.Errorf("where nothing can be refreshed: %v", back)
	}
}

func TestR8_NothingGetsLostAtTheDoor(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := relyingParty(e)
	alice := e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	state, nonce := strings.Repeat("s", 1000), strings.Repeat("n", 384)
	params := oauthtest.Request(rp, signIn("code", "state", state, "nonce", nonce, "unknown", strings.Repeat("u", 6000), "scope", "email openid", "prompt", "consent")...)
	params["resource"] = []string{oauthtest.Issuer, oauthtest.Issuer + "/"}
	back := wantLogin(t, "long", e.Anonymous().Authorize(params), oauth.LoginNeeded)
	r := alice.Answer(alice.Get(back), "yes")
	if r.Callback().Get("state") != state {
		t.Errorf("state: %d characters came back", len(r.Callback().Get("state")))
	}
	if claims := idToken(t, e, rp, r); claims["nonce"] != nonce {
		t.Errorf("nonce: %v", claims["nonce"])
	}
	u, err := url.Parse(back)
	if err != nil || len(u.Query()["resource"]) != 2 {
		t.Errorf("the way back has the resources %q", u.Query()["resource"])
	}
}

func TestNoRegistrationComesAlong(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := relyingParty(e)
	back := landed(t, "registration", e.SignIn("alice").Authorize(oauthtest.Request(rp, signIn("code", "registration", "{}")...)), "query")
	if back.Get("error") != "registration_not_supported" {
		t.Errorf("got %v", back)
	}
}

func TestB2_PostIsAnsweredLikeGet(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	params := oauthtest.Request(rp, signIn("code id_token", "response_mode", "form_post")...)
	r := alice.Do(http.MethodPost, "/oauth/authorize", params, "Sec-Fetch-Site", "cross-site", "Origin", "https://rp.test")
	if r.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d", r.StatusCode)
	}
	if back := landed(t, "posted", alice.Get(r.Header.Get("Location")), "form_post"); back.Get("code") == "" || back.Get("id_token") == "" {
		t.Errorf("got %v", back)
	}
	if back := landed(t, "no response_type", alice.Authorize(oauthtest.Request(rp, "response_type", "")), "query"); back.Get("error") != "invalid_request" {
		t.Errorf("no response_type: %v", back)
	}
}
