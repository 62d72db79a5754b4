package interop

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

var everyScope = []string{oidc.ScopeOpenID, "profile", "email", "address", "phone"}

// goOIDC is a relying party by discovery alone.
type goOIDC struct {
	*oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func newGoOIDC(t *testing.T, h *house, c client, scopes ...string) *goOIDC {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), h.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &goOIDC{&oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, RedirectURL: livetest.RedirectURI, Endpoint: provider.Endpoint(), Scopes: scopes},
		provider, provider.VerifierContext(t.Context(), &oidc.Config{ClientID: c.ID})}
}

// signIn goes through the code flow with PKCE and a nonce, and verifies the ID token.
func (rp *goOIDC) signIn(t *testing.T, p *person, options ...oauth2.AuthCodeOption) (*oauth2.Token, *oidc.IDToken) {
	t.Helper()
	verifier, nonce := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	got := p.arrive(rp.AuthCodeURL("s", append(options, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))...))
	token, err := rp.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	id := rp.verify(t, token)
	if id.Nonce != nonce {
		t.Errorf("nonce %q, want %q", id.Nonce, nonce)
	}
	return token, id
}

func (rp *goOIDC) verify(t *testing.T, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := rp.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("ID token %q: %v", raw, err)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			t.Error(err)
		}
	}
	return id
}

func TestGoOIDC_Discovery(t *testing.T) {
	t.Parallel()
	h := start(t)
	provider, err := oidc.NewProvider(t.Context(), h.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Scopes     []string `json:"scopes_supported"`
		Claims     []string `json:"claims_supported"`
		Methods    []string `json:"code_challenge_methods_supported"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := provider.Claims(&m); err != nil {
		t.Fatal(err)
	}
	for _, want := range everyScope {
		if !slices.Contains(m.Scopes, want) {
			t.Errorf("scopes_supported lacks %s: %v", want, m.Scopes)
		}
	}
	for want := range expected(t) {
		if !slices.Contains(m.Claims, want) {
			t.Errorf("claims_supported lacks %s: %v", want, m.Claims)
		}
	}
	if !slices.Contains(m.Methods, "S256") || !slices.Contains(m.Algorithms, "RS256") || !slices.Contains(m.Algorithms, "ES256") {
		t.Errorf("metadata %+v", m)
	}
	if provider.UserInfoEndpoint() == "" || provider.Endpoint().DeviceAuthURL == "" {
		t.Error("the metadata lack an endpoint")
	}
	if _, err := oidc.NewProvider(t.Context(), h.Issuer+"/"); err == nil {
		t.Error("the library takes another issuer for ours")
	}
}

func TestGoOIDC_IDToken(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, alg := range []string{"RS256", "ES256"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			m := confidential()
			m["id_token_signed_response_alg"] = alg
			rp := newGoOIDC(t, h, h.register(t, m), everyScope...)
			rp.verifier = rp.provider.VerifierContext(t.Context(), &oidc.Config{ClientID: rp.ClientID, SupportedSigningAlgs: []string{alg}})
			_, id := rp.signIn(t, h.visitor(t))
			var claims map[string]any
			if err := id.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if claims["acr"] != "1" || !reflect.DeepEqual(claims["amr"], []any{"pwd"}) {
				t.Errorf("acr %v, amr %v", claims["acr"], claims["amr"])
			}
			for _, none := range []string{"email", "name", "phone_number", "address"} {
				if claims[none] != nil {
					t.Errorf("the ID token tells %s, which belongs into UserInfo (Core §5.4)", none)
				}
			}
			if since := time.Since(id.IssuedAt); since > time.Minute || since < -time.Minute || !id.Expiry.After(time.Now()) {
				t.Errorf("issued at %v, expires at %v", id.IssuedAt, id.Expiry)
			}
		})
	}
}

func TestGoOIDC_UserInfoTellsEveryClaim(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, confidential()), everyScope...)
	token, id := rp.signIn(t, h.visitor(t))
	info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != maria.Email || !info.EmailVerified {
		t.Errorf("UserInfo %+v, ID token %+v", info, id)
	}
	var got map[string]any
	if err := info.Claims(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected(t) {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if at, ok := got["updated_at"].(float64); !ok || time.Since(time.Unix(int64(at), 0)) > time.Hour {
		t.Errorf("updated_at is %v", got["updated_at"])
	}
}

// What was not granted is not told.
func TestGoOIDC_UserInfoOfFewScopes(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, confidential()), oidc.ScopeOpenID, "email")
	token, _ := rp.signIn(t, h.visitor(t))
	info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := info.Claims(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["email"] != maria.Email {
		t.Errorf("told %v, want sub and the address", got)
	}
	rp.Scopes = []string{"test:scope"}
	token, err = h.visitor(t).Token(t.Context(), rp.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token)); err == nil {
		t.Error("UserInfo answers to a token without openid")
	}
}

func TestGoOIDC_Refresh(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, confidential()), oidc.ScopeOpenID)
	token, before := rp.signIn(t, h.visitor(t))
	token.Expiry = time.Now().Add(-time.Hour)
	token, err := rp.TokenSource(t.Context(), token).Token()
	if err != nil {
		t.Fatal(err)
	}
	after := rp.verify(t, token)
	var was, is struct {
		AuthTime int64 `json:"auth_time"`
	}
	if err := before.Claims(&was); err != nil {
		t.Fatal(err)
	}
	if err := after.Claims(&is); err != nil {
		t.Fatal(err)
	}
	if after.Subject != before.Subject || after.Nonce != "" || was != is {
		t.Errorf("before %+v, %v; after %+v, %v", before, was, after, is)
	}
}

// Who is signed in and has agreed is not asked again; who is not is told so.
func TestGoOIDC_PromptNone(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, confidential()), oidc.ScopeOpenID)
	p := h.visitor(t)
	prompt := oauth2.SetAuthURLParam("prompt", "none")
	challenge := oauth2.S256ChallengeOption(oauth2.GenerateVerifier())
	if got := p.arrive(rp.AuthCodeURL("s", prompt, challenge)); got.Get("error") != "login_required" {
		t.Errorf("before signing in: %v", got)
	}
	_, first := rp.signIn(t, p)
	page, err := p.Open(rp.AuthCodeURL("s", prompt, challenge))
	if err != nil || page.Location == nil || page.Location.Query().Get("code") == "" {
		t.Fatalf("with a session: %v, %v", page, err)
	}
	if _, second := rp.signIn(t, p, prompt); second.Subject != first.Subject {
		t.Errorf("subject %s, then %s", first.Subject, second.Subject)
	}
}

func TestGoOIDC_ClaimsParameter(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, confidential()), oidc.ScopeOpenID)
	_, id := rp.signIn(t, h.visitor(t), oauth2.SetAuthURLParam("claims", `{"id_token":{"birthdate":{"essential":true}}}`))
	var got map[string]any
	if err := id.Claims(&got); err != nil {
		t.Fatal(err)
	}
	if got["birthdate"] != expected(t)["birthdate"] {
		t.Errorf("claims %v", got)
	}
}

// A person who signs out at one application is signed out at the server, which
// tells the application by the back channel (Back-Channel Logout §2).
func TestGoOIDC_Logout(t *testing.T) {
	t.Parallel()
	h := start(t)
	told := make(chan string, 1)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.FormValue("logout_token")
	}))
	t.Cleanup(back.Close)
	m := confidential()
	m["backchannel_logout_uri"], m["post_logout_redirect_uris"] = back.URL+"/logout", []string{livetest.RedirectURI + "/bye"}
	rp := newGoOIDC(t, h, h.register(t, m), oidc.ScopeOpenID)
	p := h.visitor(t)
	token, id := rp.signIn(t, p)
	var end struct {
		URL string `json:"end_session_endpoint"`
	}
	if err := rp.provider.Claims(&end); err != nil {
		t.Fatal(err)
	}
	page := p.walk(end.URL + "?" + url.Values{"id_token_hint": {token.Extra("id_token").(string)}, "state": {"bye"},
		"post_logout_redirect_uri": {livetest.RedirectURI + "/bye"}}.Encode())
	if page.Location == nil || !strings.HasSuffix(page.Location.String(), "/bye?state=bye") {
		t.Fatalf("signed out to %v", page)
	}
	select {
	case raw := <-told:
		notice, err := rp.verifier.VerifyLogout(t.Context(), raw)
		if err != nil {
			t.Fatalf("logout token %q: %v", raw, err)
		}
		var claims struct {
			SID string `json:"sid"`
		}
		if err := id.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		if notice.Subject != id.Subject || notice.SessionID == "" || notice.SessionID != claims.SID {
			t.Errorf("logout token %+v, ID token %+v", notice, claims)
		}
	case <-time.After(10 * time.Second):
		t.Error("the application was not told")
	}
	got := p.arrive(rp.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "none"), oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if got.Get("error") != "login_required" {
		t.Errorf("after signing out: %v", got)
	}
}

// The library shows no secret when it asks for a device code, so the client has none.
func TestGoOIDC_DeviceFlow(t *testing.T) {
	t.Parallel()
	h := start(t)
	rp := newGoOIDC(t, h, h.register(t, metadata{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"},
		"response_types": []string{}, "token_endpoint_auth_method": "none"}), oidc.ScopeOpenID, "email")
	code, err := rp.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.visitor(t).approve(code.VerificationURIComplete)
	token, err := rp.DeviceAccessToken(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	id := rp.verify(t, token)
	info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != id.Subject || info.Email != maria.Email {
		t.Errorf("UserInfo %+v, %v", info, err)
	}
}

// The key set is one that verifiers may keep.
func TestGoOIDC_KeySet(t *testing.T) {
	t.Parallel()
	h := start(t)
	var m struct {
		URI string `json:"jwks_uri"`
	}
	h.metadata(t, &m)
	keys := oidc.NewRemoteKeySet(t.Context(), m.URI)
	rp := newGoOIDC(t, h, h.register(t, confidential()), oidc.ScopeOpenID)
	token, _ := rp.signIn(t, h.visitor(t))
	raw := token.Extra("id_token").(string)
	if _, err := keys.VerifySignature(t.Context(), raw); err != nil {
		t.Error(err)
	}
	if _, err := keys.VerifySignature(t.Context(), raw[:len(raw)-8]+"AAAAAAAA"); err == nil {
		t.Error("a changed signature verifies")
	}
}
