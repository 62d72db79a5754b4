package authorize_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// signing is a client that signs its requests.
func signing(t *testing.T, e *oauthtest.Engine, m oauth.ClientMetadata) (oauthtest.Party, oauthtest.Signer) {
	t.Helper()
	key := oauthtest.NewSigner(t, "ES256", "k")
	m.JWKS = oauthtest.JWKS(t, key)
	return e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb", "https://rp.test/other"}, Profile: oauth.ProfileCertification, Metadata: m}), key
}

func TestB12_RequestObjectWins(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, key := signing(t, e, oauth.ClientMetadata{})
	alice := e.SignIn("alice")
	alice.Code(rp, signIn("code")...)
	object := func(more ...string) string {
		return key.Sign(t, "oauth-authz-req+jwt", e.Object(rp, oauthtest.Request(rp, signIn("code", more...)...)))
	}
	for name, tt := range map[string]struct {
		inside, outside []string
		want            func(r oauthtest.Reply) bool
	}{
		"its redirect_uri": {[]string{"redirect_uri", "https://rp.test/other"}, []string{"redirect_uri", "https://evil.test/"},
			func(r oauthtest.Reply) bool {
				return strings.HasPrefix(r.Header.Get("Location"), "https://rp.test/other?code=")
			}},
		"its state":             {[]string{"state", "in"}, []string{"state", "out"}, func(r oauthtest.Reply) bool { return r.Callback().Get("state") == "in" }},
		"no state but its own":  {[]string{"state", ""}, []string{"state", "out"}, func(r oauthtest.Reply) bool { return r.Callback().Has("code") && !r.Callback().Has("state") }},
		"its scope":             {[]string{"scope", "openid nonsense"}, []string{"scope", "openid"}, func(r oauthtest.Reply) bool { return r.Callback().Get("error") == "invalid_scope" }},
		"no prompt but its own": {nil, []string{"prompt", "none", "max_age", "0"}, func(r oauthtest.Reply) bool { return r.Callback().Get("code") != "" }},
		"its mode":              {[]string{"response_mode", "form_post"}, []string{"response_mode", "query"}, func(r oauthtest.Reply) bool { _, mode, _ := r.Landing(); return mode == "form_post" }},
		"its redirect_uri alone": {nil, nil, func(r oauthtest.Reply) bool {
			return strings.HasPrefix(r.Header.Get("Location"), "https://rp.test/cb?code=")
		}},
	} {
		params := url.Values{"client_id": {rp.ID}, "request": {object(tt.inside...)}}
		for i := 0; i < len(tt.outside); i += 2 {
			params.Set(tt.outside[i], tt.outside[i+1])
		}
		if r := alice.Authorize(params); !tt.want(r) {
			t.Errorf("%s: got %d %q %s", name, r.StatusCode, r.Header.Get("Location"), r.Body)
		}
	}
}

func TestD4_WhoIsToldOfABadRequestObject(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, _ := signing(t, e, oauth.ClientMetadata{})
	thief := oauthtest.NewSigner(t, "ES256", "k")
	alice := e.SignIn("alice")
	stolen := thief.Sign(t, "", e.Object(rp, oauthtest.Request(rp, signIn("code", "redirect_uri", "https://evil.test/", "state", "in")...)))
	// The redirect URI inside was not signed: nobody is sent there.
	r := alice.Authorize(url.Values{"client_id": {rp.ID}, "request": {stolen}})
	wantPage(t, "alone", r, http.StatusBadRequest)
	if !strings.Contains(r.Body, "invalid_request_object") {
		t.Error("the page does not name the error")
	}
	// One beside it that is registered may hear of it, once somebody has signed in.
	outside := oauthtest.Request(rp, signIn("code", "request", stolen)...)
	wantError(t, "beside a redirect_uri", alice.Authorize(outside), "https://rp.test/cb", "invalid_request_object", "xyz")
	wantLogin(t, "anonymous", e.Anonymous().Authorize(outside), oauth.LoginNeeded)
	outside.Set("redirect_uri", "https://evil.test/")
	wantPage(t, "beside an unregistered one", alice.Authorize(outside), http.StatusBadRequest)
	both := oauthtest.Request(rp, signIn("code", "request", stolen, "request_uri", "https://rp.test/object")...)
	wantError(t, "both", alice.Authorize(both), "https://rp.test/cb", "invalid_request", "xyz")
}

func TestF4_SigningInMayTakeItsTime(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	uri := e.Push(rp, oauthtest.Request(rp, signIn("code")...))
	outside := url.Values{"client_id": {rp.ID}, "request_uri": {uri}}
	back := wantLogin(t, "anonymous", e.Anonymous().Authorize(outside), oauth.LoginNeeded)
	second := wantLogin(t, "again", e.Anonymous().Authorize(outside), oauth.LoginNeeded)
	e.Clock.Move(5 * time.Minute) // the request_uri has expired long ago
	wantPage(t, "without having come before", alice.Authorize(outside), http.StatusBadRequest)
	if claims := idToken(t, e, rp, alice.Answer(alice.Get(back), "yes")); claims["sub"] != "alice" {
		t.Errorf("got %v", claims)
	}
	wantPage(t, "used", alice.Get(second), http.StatusBadRequest)

	// The way back is for its own request alone.
	other := e.Push(rp, oauthtest.Request(rp, signIn("code", "scope", "openid email")...))
	e.Clock.Move(2 * time.Minute)
	moved, err := url.Parse(second)
	if err != nil {
		t.Fatal(err)
	}
	q := moved.Query()
	q.Set("request_uri", other)
	wantPage(t, "for another request", alice.Get("/oauth/authorize?"+q.Encode()), http.StatusBadRequest)
}

func TestF4_AnotherAccount(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice, bob := relyingParty(e), e.SignIn("alice"), e.SignIn("bob")
	uri := e.Push(rp, oauthtest.Request(rp, signIn("code")...))
	page := alice.Authorize(url.Values{"client_id": {rp.ID}, "request_uri": {uri}})
	_, link, _ := strings.Cut(page.Body, `href="/oauth/authorize?`)
	link, _, _ = strings.Cut(link, `"`)
	back := wantLogin(t, "another account", alice.Get("/oauth/authorize?"+strings.ReplaceAll(link, "&amp;", "&")), oauth.LoginOther)
	e.Clock.Move(2 * time.Minute)
	if claims := idToken(t, e, rp, bob.Answer(bob.Get(back), "yes")); claims["sub"] != "bob" {
		t.Errorf("got %v", claims)
	}
}

func TestP1_PlainRequestsWherePushingIsRequired(t *testing.T) {
	t.Parallel()
	strict := oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) { c.RequirePushed = true }})
	plain := openIDProvider(t)
	for name, tt := range map[string]struct {
		e *oauthtest.Engine
		m oauth.ClientMetadata
	}{
		"by the server": {strict, oauth.ClientMetadata{}},
		"by the client": {plain, oauth.ClientMetadata{RequirePushed: true}},
	} {
		rp, key := signing(t, tt.e, tt.m)
		alice := tt.e.SignIn("alice")
		params := oauthtest.Request(rp, signIn("code")...)
		wantError(t, name, alice.Authorize(params), "https://rp.test/cb", "invalid_request", "xyz")
		object := key.Sign(t, "", tt.e.Object(rp, params))
		r := alice.Authorize(url.Values{"client_id": {rp.ID}, "request": {object}})
		wantError(t, name+", signed", r, "https://rp.test/cb", "invalid_request", "xyz")
		r = alice.Authorize(url.Values{"client_id": {rp.ID}, "request_uri": {tt.e.Push(rp, params)}})
		if r.RequestID() == "" {
			t.Errorf("%s: pushed: %d %s", name, r.StatusCode, r.Body)
		}
	}
	rp, key := signing(t, plain, oauth.ClientMetadata{RequireSignedObject: true})
	alice := plain.SignIn("alice")
	params := oauthtest.Request(rp, signIn("code")...)
	wantError(t, "unsigned", alice.Authorize(params), "https://rp.test/cb", "invalid_request", "xyz")
	if r := alice.Authorize(url.Values{"client_id": {rp.ID}, "request": {key.Sign(t, "", plain.Object(rp, params))}}); r.RequestID() == "" {
		t.Errorf("signed: %d %s", r.StatusCode, r.Body)
	}
}

func TestB12_LongRequestObject(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, key := signing(t, e, oauth.ClientMetadata{})
	object := key.Sign(t, "", e.Object(rp, oauthtest.Request(rp, signIn("code", "state", strings.Repeat("s", 12<<10))...)))
	alice := e.SignIn("alice")
	r := alice.Do(http.MethodPost, "/oauth/authorize", url.Values{"client_id": {rp.ID}, "request": {object}})
	back := wantLogin(t, "anonymous", e.Anonymous().Get(r.Header.Get("Location")), oauth.LoginNeeded)
	if got := alice.Answer(alice.Get(back), "yes").Callback(); got.Get("code") == "" || len(got.Get("state")) != 12<<10 {
		t.Errorf("got %.200v", got)
	}
}

func TestB12_NeverIgnored(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for parameter, tt := range map[string]struct{ value, want string }{
		"request":     {"x.y.z", "invalid_request_object"},
		"request_uri": {"https://evil.test/object", "invalid_request_uri"},
	} {
		back := landed(t, parameter, alice.Authorize(oauthtest.Request(rp, signIn("code", parameter, tt.value)...)), "query")
		if back.Get("error") != tt.want {
			t.Errorf("%s: %v", parameter, back)
		}
	}
}
