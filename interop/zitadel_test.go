package interop

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

var everything = append(everyScope, "test:scope")

// zitadelSite is a web site whose sign-in is zitadel/oidc's own handlers: state
// and PKCE verifier live in its cookies.
type zitadelSite struct {
	origin string
	party  rp.RelyingParty
	tokens *oidc.Tokens[*oidc.IDTokenClaims]
	info   *oidc.UserInfo
}

func newZitadelSite(t *testing.T, h *house, m metadata) *zitadelSite {
	t.Helper()
	site := &zitadelSite{}
	site.origin = serve(t, func(origin string) http.Handler {
		m["redirect_uris"] = []string{origin + "/callback"}
		m["grant_types"] = []string{"authorization_code", "refresh_token"}
		c := h.register(t, m)
		cookies := httphelper.NewCookieHandler([]byte("0123456789abcdef0123456789abcdef"), []byte("0123456789abcdef"), httphelper.WithUnsecure())
		style := oauth2.AuthStyleInParams
		if m["token_endpoint_auth_method"] == "client_secret_basic" {
			style = oauth2.AuthStyleInHeader
		}
		var err error
		site.party, err = rp.NewRelyingPartyOIDC(t.Context(), h.Issuer, c.ID, c.Secret, origin+"/callback", everything,
			rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithSigningAlgsFromDiscovery(), rp.WithAuthStyle(style))
		if err != nil {
			t.Error(err)
			return http.NotFoundHandler()
		}
		mux := http.NewServeMux()
		mux.Handle("/login", rp.AuthURLHandler(func() string { return "a state" }, site.party))
		mux.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(func(w http.ResponseWriter, r *http.Request,
			tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
			site.tokens, site.info = tokens, info
			w.Write([]byte("welcome"))
		}), site.party))
		return mux
	})
	if site.party == nil {
		t.FailNow()
	}
	return site
}

func (s *zitadelSite) signIn(t *testing.T, p *person) {
	t.Helper()
	if page := p.walk(s.origin + "/login"); string(page.Body) != "welcome" || s.tokens == nil {
		t.Fatalf("not signed in: %v\n%s", page, page.Body)
	}
}

func TestZitadelRP_CodeFlowWithPKCE(t *testing.T) {
	t.Parallel()
	h := start(t)
	for name, method := range map[string]string{"client_secret_basic": "client_secret_basic", "public": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newZitadelSite(t, h, metadata{"token_endpoint_auth_method": method})
			site.signIn(t, h.visitor(t))
			if c := site.tokens.IDTokenClaims; c.Subject == "" || c.GetAuthenticationContextClassReference() != "1" || c.AuthTime.AsTime().IsZero() {
				t.Errorf("ID token %+v", c)
			}
			if i := site.info; i.Name != "Maria Stone" || i.PhoneNumber != "+33123456789" || !bool(i.EmailVerified) || i.Address.Country != "France" || i.Subject != site.tokens.IDTokenClaims.Subject {
				t.Errorf("UserInfo %+v", i)
			}
			if !h.allows(t, http.DefaultClient, site.tokens.AccessToken) {
				t.Error("the token opens nothing")
			}
		})
	}
}

func TestZitadelRP_Refresh(t *testing.T) {
	t.Parallel()
	h := start(t)
	site := newZitadelSite(t, h, metadata{"token_endpoint_auth_method": "client_secret_basic"})
	site.signIn(t, h.visitor(t))
	fresh, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), site.party, site.tokens.RefreshToken, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if fresh.IDToken == "" || fresh.IDTokenClaims.Subject != site.tokens.IDTokenClaims.Subject || fresh.AccessToken == site.tokens.AccessToken {
		t.Errorf("tokens %+v", fresh)
	}
}

func TestZitadelRP_Revocation(t *testing.T) {
	t.Parallel()
	h := start(t)
	site := newZitadelSite(t, h, metadata{"token_endpoint_auth_method": "client_secret_basic"})
	site.signIn(t, h.visitor(t))
	if err := rp.RevokeToken(t.Context(), site.party, site.tokens.RefreshToken, "refresh_token"); err != nil {
		t.Fatal(err)
	}
	if h.allows(t, http.DefaultClient, site.tokens.AccessToken) {
		t.Error("the access token outlives its refresh token (RFC 7009 §2.1)")
	}
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), site.party, site.tokens.RefreshToken, "", ""); err == nil {
		t.Error("the refresh token still works")
	}
}

// EndSession asks on the application's own connection and returns where to send
// the browser, which alone can end its session.
func TestZitadelRP_EndSession(t *testing.T) {
	t.Parallel()
	h := start(t)
	bye := livetest.RedirectURI + "/bye"
	site := newZitadelSite(t, h, metadata{"token_endpoint_auth_method": "client_secret_basic", "post_logout_redirect_uris": []string{bye}})
	p := h.visitor(t)
	site.signIn(t, p)
	to, err := rp.EndSession(t.Context(), site.party, site.tokens.IDToken, bye, "s", "", nil)
	if err != nil || to == nil {
		t.Fatalf("sent to %v, %v", to, err)
	}
	if page := p.walk(to.String()); page.Location == nil || page.Location.String() != bye+"?state=s" {
		t.Errorf("signed out to %v", page)
	}
	page, err := p.Open(h.Issuer + "/account/settings/profile/")
	if err != nil || page.Form() == nil || !page.Form().Values.Has("password") {
		t.Errorf("still signed in: %v, %v", page, err)
	}
}

func TestZitadelRP_DeviceFlow(t *testing.T) {
	t.Parallel()
	h := start(t)
	c := h.register(t, metadata{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, "response_types": []string{},
		"token_endpoint_auth_method": "client_secret_basic"})
	party, err := rp.NewRelyingPartyOIDC(t.Context(), h.Issuer, c.ID, c.Secret, "", everything, rp.WithAuthStyle(oauth2.AuthStyleInHeader))
	if err != nil {
		t.Fatal(err)
	}
	code, err := rp.DeviceAuthorization(t.Context(), everything, party, nil)
	if err != nil {
		t.Fatal(err)
	}
	go h.visitor(t).approve(code.VerificationURIComplete)
	token, err := rp.DeviceAccessToken(t.Context(), code.DeviceCode, time.Duration(code.Interval)*time.Second, party)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := rp.VerifyTokens[*oidc.IDTokenClaims](t.Context(), token.AccessToken, token.IDToken, party.IDTokenVerifier())
	if err != nil || claims.Subject == "" {
		t.Errorf("ID token %+v, %v", claims, err)
	}
}

func TestZitadelRP_ClientCredentials(t *testing.T) {
	t.Parallel()
	h := start(t)
	c := h.service(t, "client_secret_basic")
	party, err := rp.NewRelyingPartyOIDC(t.Context(), h.Issuer, c.ID, c.Secret, "", []string{"test:scope"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := rp.ClientCredentials(t.Context(), party, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	if !h.allows(t, http.DefaultClient, token.AccessToken) {
		t.Error("the token opens nothing")
	}
}

func TestZitadelRS_Introspection(t *testing.T) {
	t.Parallel()
	h := start(t)
	site := newZitadelSite(t, h, metadata{"token_endpoint_auth_method": "client_secret_basic"})
	site.signIn(t, h.visitor(t))
	config := site.party.OAuthConfig()
	api, err := rs.NewResourceServerClientCredentials(t.Context(), h.Issuer, config.ClientID, config.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), api, site.tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Active || got.Subject != site.tokens.IDTokenClaims.Subject || got.ClientID != config.ClientID || !strings.Contains(strings.Join(got.Scope, " "), "test:scope") {
		t.Errorf("introspection %+v", got)
	}
	if got, err = rs.Introspect[*oidc.IntrospectionResponse](t.Context(), api, "nothing"); err != nil || got.Active {
		t.Errorf("introspection of nothing: %+v, %v", got, err)
	}
}

// private_key_jwt: the key's public half is all that the server knows.
func TestZitadelRS_PrivateKeyJWT(t *testing.T) {
	t.Parallel()
	h := start(t)
	key, jwks, id := newKey(t)
	c := h.register(t, metadata{"redirect_uris": []string{livetest.RedirectURI},
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256", "jwks": jwks})
	// The library's assertions live an hour, which this profile puts up with.
	if _, err := h.Run(t.Context(), "", "client", "update", c.ID, "--profile", "oidc-certification"); err != nil {
		t.Fatal(err)
	}
	api, err := rs.NewResourceServerJWTProfile(t.Context(), h.Issuer, c.ID, id, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), api, "nothing"); err != nil || got.Active {
		t.Errorf("introspection of nothing: %+v, %v", got, err)
	}
	other, _, _ := newKey(t)
	api, err = rs.NewResourceServerJWTProfile(t.Context(), h.Issuer, c.ID, id, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), api, "nothing"); err == nil {
		t.Error("a key of somebody else authenticates the client")
	}
}
