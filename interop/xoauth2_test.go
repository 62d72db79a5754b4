package interop

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/valetkey/valetkey/internal/livetest"
)

// golang.org/x/oauth2 knows OAuth alone: it is told where the endpoints are.
func (h *house) oauth2(c client, scopes ...string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if c.Secret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, RedirectURL: livetest.RedirectURI, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: h.Issuer + "/oauth/authorize", TokenURL: h.Issuer + "/oauth/token",
			DeviceAuthURL: h.Issuer + "/oauth/device_authorization", AuthStyle: style}}
}

// confidential is the metadata of a client on a server, public of one without a secret.
var (
	confidential = func() metadata {
		return metadata{"redirect_uris": []string{livetest.RedirectURI}, "token_endpoint_auth_method": "client_secret_basic",
			"grant_types": []string{"authorization_code", "refresh_token"}}
	}
	public = func() metadata {
		return metadata{"redirect_uris": []string{livetest.RedirectURI}, "token_endpoint_auth_method": "none",
			"grant_types": []string{"authorization_code", "refresh_token"}}
	}
)

func TestXOAuth2_CodeFlowWithPKCE(t *testing.T) {
	t.Parallel()
	h := start(t)
	for name, m := range map[string]metadata{"confidential": confidential(), "public": public()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := h.oauth2(h.register(t, m), "test:scope")
			verifier := oauth2.GenerateVerifier()
			got := h.visitor(t).arrive(app.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
			if got.Get("state") != "a state" {
				t.Errorf("state %q", got.Get("state"))
			}
			token, err := app.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			if !token.Valid() || token.RefreshToken == "" || token.Type() != "Bearer" {
				t.Errorf("token %+v", token)
			}
			if !h.allows(t, app.Client(t.Context(), token), "") {
				t.Error("the token opens nothing")
			}
			// The code is used up, and what it gave is taken back.
			var refused *oauth2.RetrieveError
			if _, err = app.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(verifier)); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
				t.Errorf("the code once more: %v", err)
			}
			if h.allows(t, http.DefaultClient, token.AccessToken) {
				t.Error("the token outlives the second use of its code")
			}
		})
	}
}

func TestXOAuth2_WrongVerifier(t *testing.T) {
	t.Parallel()
	h := start(t)
	app := h.oauth2(h.register(t, public()), "test:scope")
	got := h.visitor(t).arrive(app.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	var refused *oauth2.RetrieveError
	if _, err := app.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("with another verifier: %v", err)
	}
}

func TestXOAuth2_Refresh(t *testing.T) {
	t.Parallel()
	h := start(t)
	for name, m := range map[string]metadata{"confidential": confidential(), "public": public()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := h.oauth2(h.register(t, m), "test:scope")
			token, err := h.visitor(t).Token(t.Context(), app)
			if err != nil {
				t.Fatal(err)
			}
			first := token.RefreshToken
			for range 2 { // whatever the refresh token is by now, the library goes by it
				token.Expiry = time.Now().Add(-time.Hour)
				old := token.AccessToken
				if token, err = app.TokenSource(t.Context(), token).Token(); err != nil {
					t.Fatal(err)
				}
				if token.AccessToken == old || !h.allows(t, http.DefaultClient, token.AccessToken) {
					t.Error("the refreshed token opens nothing")
				}
			}
			// Only who cannot keep a secret needs another token each time.
			if rotated := token.RefreshToken != first; rotated != (name == "public") {
				t.Errorf("the refresh token was replaced: %t", rotated)
			}
		})
	}
}

func TestXOAuth2_Denied(t *testing.T) {
	t.Parallel()
	h := start(t)
	app := h.oauth2(h.register(t, confidential()), "test:scope")
	p := h.visitor(t)
	page, err := p.Open(app.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	if page, err = p.Send(p.fillIn(page.Form())); err != nil {
		t.Fatal(err)
	}
	if page, err = p.Send(page.Form().Press("confirm", "no")); err != nil || page.Location == nil {
		t.Fatalf("%v, %v", page, err)
	}
	if got := page.Location.Query(); got.Get("error") != "access_denied" || got.Get("state") != "s" || got.Has("code") {
		t.Errorf("sent back with %v", got)
	}
}

func TestXOAuth2_ClientCredentials(t *testing.T) {
	t.Parallel()
	h := start(t)
	c := h.service(t, "client_secret_post")
	app := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: h.Issuer + "/oauth/token", Scopes: []string{"test:scope"}, AuthStyle: oauth2.AuthStyleInParams}
	token, err := app.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token.RefreshToken != "" || !h.allows(t, http.DefaultClient, token.AccessToken) {
		t.Errorf("token %+v", token)
	}
}

func TestXOAuth2_DeviceFlow(t *testing.T) {
	t.Parallel()
	h := start(t)
	app := h.oauth2(h.register(t, metadata{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"},
		"response_types": []string{}, "token_endpoint_auth_method": "none"}), "test:scope")
	code, err := app.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.visitor(t).approve(code.VerificationURIComplete)
	token, err := app.DeviceAccessToken(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	if token.RefreshToken == "" || !h.allows(t, http.DefaultClient, token.AccessToken) {
		t.Errorf("token %+v", token)
	}
}
