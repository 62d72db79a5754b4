package conformance_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// flavour is what tells the plans apart that check the same: Basic, Implicit,
// Hybrid, and each with form_post.
type flavour struct {
	responseType, mode string
}

func (f flavour) has(word string) bool { return slices.Contains(strings.Fields(f.responseType), word) }

// members are what a response of this flavour may hold.
func (f flavour) members() []string {
	var names []string
	if f.has("code") {
		names = append(names, "code")
	}
	if f.has("token") {
		names = append(names, "access_token", "token_type", "expires_in", "scope")
	}
	if f.has("id_token") {
		names = append(names, "id_token")
	}
	return names
}

func eachFlavour(t *testing.T, run func(t *testing.T, f flavour)) {
	for _, f := range []flavour{
		{"code", "query"}, {"code", "form_post"},
		{"id_token", "fragment"}, {"id_token token", "fragment"}, {"id_token", "form_post"}, {"id_token token", "form_post"},
		{"code id_token", "fragment"}, {"code token", "fragment"}, {"code id_token token", "fragment"},
		{"code id_token", "form_post"}, {"code token", "form_post"}, {"code id_token token", "form_post"},
	} {
		t.Run(strings.ReplaceAll(f.responseType, " ", "+")+"/"+f.mode, func(t *testing.T) {
			t.Parallel()
			run(t, f)
		})
	}
}

// start asks for authorization in this flavour.
func (f flavour) start(p *party, params ...string) *arrival {
	p.t.Helper()
	return p.authorize(append(f.params(), params...)...)
}

func (f flavour) params() []string {
	params := []string{"response_type", f.responseType, "state", "the state", "nonce", "the-nonce"}
	if f.mode == "form_post" {
		params = append(params, "response_mode", "form_post")
	}
	return params
}

// complete checks the response and everything that comes of it. It returns the
// claims of the first ID token and an access token, where there are any.
func (f flavour) complete(p *party, a *arrival, want issued) (claims map[string]any, access string) {
	p.t.Helper()
	if a.Has("error") {
		p.t.Fatalf("got %v", a.Values)
	}
	p.checkResponse(a, "the state", f.mode, f.members()...)
	for _, name := range f.members() {
		if name != "scope" && !a.Has(name) {
			p.t.Errorf("%s is missing: %v", name, a.Values)
		}
	}
	want.nonce = "the-nonce"
	if f.has("id_token") {
		front := want
		front.code, front.access = a.Get("code"), a.Get("access_token")
		claims = p.checkIDToken(a.Get("id_token"), front)
	}
	access = a.Get("access_token")
	if !f.has("code") {
		return claims, access
	}
	r := p.exchange(a.Get("code"))
	p.checkTokens(r)
	back := p.checkIDToken(r.ID, want)
	if claims != nil && (back["sub"] != claims["sub"] || back["iss"] != claims["iss"]) {
		p.t.Errorf("B15: the two ID tokens differ: %v, %v", claims, back)
	}
	return back, r.Access
}

// TestR4_Server is the plan's first module: every response type, honest.
func TestR4_Server(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour) {
		p := newParty(t, nil)
		want := issued{}
		claims, access := f.complete(p, f.start(p), want)
		if access == "" {
			return
		}
		if info := p.userInfo(access); info["sub"] != claims["sub"] {
			t.Errorf("B7: sub is %v in UserInfo and %v in the ID token", info["sub"], claims["sub"])
		}
	})
}

func TestB2_ResponseTypeMissing(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	a := p.authorize("response_type", "-", "state", "s")
	p.checkResponse(a, "s", "query")
	if e := a.Get("error"); e != "invalid_request" && e != "unsupported_response_type" {
		t.Errorf("got %v", a.Values)
	}
}

func TestB2_PostedRequest(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	address, query, _ := strings.Cut(p.authorizeURL("state", "s"), "?")
	form, _ := url.ParseQuery(query)
	req, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://rp.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	status, header, _ := p.send(req)
	if status != http.StatusSeeOther {
		t.Fatalf("got %d %v", status, header)
	}
	to, err := req.URL.Parse(header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := p.browser.Open(to.String())
	if err != nil {
		t.Fatal(err)
	}
	if a, page := p.walk(page); a == nil || a.Get("code") == "" {
		t.Errorf("stuck at %v", page)
	}
}

func TestB3_PromptNone(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour) {
		p := newParty(t, nil)
		a := f.start(p, "prompt", "none")
		p.checkResponse(a, "the state", f.mode)
		if !slices.Contains([]string{"login_required", "interaction_required", "consent_required", "account_selection_required"}, a.Get("error")) {
			t.Errorf("nobody signed in: %v", a.Values)
		}
		first, _ := f.complete(p, f.start(p), issued{})
		a = f.start(p, "prompt", "none")
		if a.pages != 0 {
			t.Errorf("prompt=none showed %d pages", a.pages)
		}
		second, _ := f.complete(p, a, issued{})
		if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
			t.Errorf("first %v, then %v", first, second)
		}
	})
}

func TestB4_PromptLoginAndMaxAge(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	f := flavour{"code", "query"}
	first, _ := f.complete(p, f.start(p, "max_age", "10000"), issued{authTime: true})
	again, _ := f.complete(p, f.start(p, "max_age", "10000", "prompt", "none"), issued{authTime: true})
	if again["auth_time"] != first["auth_time"] {
		t.Errorf("max_age=10000: auth_time %v, then %v", first["auth_time"], again["auth_time"])
	}
	time.Sleep(2 * time.Second)
	for _, ask := range [][2]string{{"max_age", "1"}, {"prompt", "login"}} {
		a := f.start(p, ask[0], ask[1])
		if a.pages == 0 {
			t.Fatalf("%v: nobody was asked to sign in", ask)
		}
		later, _ := f.complete(p, a, issued{authTime: ask[0] == "max_age"})
		if seconds(later["auth_time"]) <= seconds(first["auth_time"]) {
			t.Errorf("%v: auth_time %v after %v", ask, later["auth_time"], first["auth_time"])
		}
		first = later
		time.Sleep(1100 * time.Millisecond)
	}
}

func TestB5_Hints(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	f := flavour{"code", "query"}
	r := p.exchange(f.start(p).Get("code"))
	for _, extra := range [][]string{
		{"prompt", "none", "id_token_hint", r.ID}, {"login_hint", "buffy@example.org"}, {"display", "page"}, {"display", "popup"},
		{"ui_locales", "se"}, {"claims_locales", "se"}, {"extra", "foobar"},
	} {
		f.complete(p, f.start(p, extra...), issued{})
	}
	values := "1 2"
	if list := texts(p.metadata, "acr_values_supported"); len(list) > 0 {
		values = strings.Join(list, " ")
	}
	claims, _ := f.complete(p, f.start(p, "acr_values", values), issued{})
	if !slices.Contains(strings.Fields(values), text(claims, "acr")) {
		t.Errorf("acr_values %q: acr %v", values, claims["acr"])
	}
}

func TestB6_Nonce(t *testing.T) {
	t.Parallel()
	eachFlavour(t, func(t *testing.T, f flavour) {
		p := newParty(t, nil)
		a := f.start(p, "nonce", "-")
		if f.has("id_token") {
			p.checkResponse(a, "the state", f.mode)
			if a.Get("error") != "invalid_request" {
				t.Errorf("without nonce: %v", a.Values)
			}
			return
		}
		p.checkIDToken(p.exchange(a.Get("code")).ID, issued{})
	})
}

func TestB7_UserInfoByPost(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize().Get("code"))
	want := p.userInfo(r.Access)["sub"]
	for name, prepare := range map[string]func(*http.Request, url.Values){
		"header": func(req *http.Request, _ url.Values) { req.Header.Set("Authorization", "Bearer "+r.Access) },
		"body":   nil,
	} {
		form := url.Values{}
		if prepare == nil {
			form.Set("access_token", r.Access)
		}
		status, _, body := p.post(p.endpoint("userinfo_endpoint"), form, func(req *http.Request) {
			if prepare != nil {
				prepare(req, form)
			}
		})
		if status != 200 || object(t, body)["sub"] != want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// scopeClaims are the standard claims of each scope (OpenID Connect Core §5.4).
var scopeClaims = map[string][]string{
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

func TestB8_ScopeClaims(t *testing.T) {
	t.Parallel()
	for name, scope := range map[string]string{
		"profile": "openid profile", "email": "openid email", "address": "openid address", "phone": "openid phone",
		"all": "openid profile email address phone", "other order": "phone address openid email profile",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, nil)
			r := p.exchange(p.authorize("scope", scope, "nonce", "n").Get("code"))
			p.checkTokens(r)
			p.checkIDToken(r.ID, issued{nonce: "n"})
			info := p.userInfo(r.Access)
			for _, s := range strings.Fields(scope) {
				for _, claim := range scopeClaims[s] {
					if _, there := info[claim]; !there {
						t.Errorf("%s is missing", claim)
					}
				}
			}
			for s, claims := range scopeClaims {
				for _, claim := range claims {
					if _, there := info[claim]; there && !slices.Contains(strings.Fields(scope), s) {
						t.Errorf("%s was not asked for", claim)
					}
				}
			}
		})
	}
}

// response_type=id_token has no UserInfo, so the claims are in the ID token.
func TestB8_ScopeClaimsInTheIDToken(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	f := flavour{"id_token", "fragment"}
	claims, _ := f.complete(p, f.start(p, "scope", "openid email"), issued{allow: scopeClaims["email"]})
	if claims["email"] != person.Email || claims["email_verified"] != true {
		t.Errorf("got %v", claims)
	}
}

func TestB10_ClaimsParameter(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	a := p.authorize("claims", `{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}`, "nonce", "n")
	r := p.exchange(a.Get("code"))
	claims := p.checkIDToken(r.ID, issued{nonce: "n", allow: []string{"email"}})
	if info := p.userInfo(r.Access); info["name"] != "Anna Tester" || info["email"] != nil || claims["email"] != person.Email {
		t.Errorf("UserInfo %v, ID token %v", info, claims)
	}
}

func TestB11_CodeReuse(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	code := p.authorize().Get("code")
	r := p.exchange(code)
	p.checkTokens(r)
	again := p.exchange(code)
	if again.status != 400 || again.Error != "invalid_grant" || again.Access != "" {
		t.Errorf("again: %d %v", again.status, again.body)
	}
	if status, _, body := p.get(p.endpoint("userinfo_endpoint"), r.Access); status < 400 || status > 499 {
		t.Errorf("the token of the first: %d %s", status, body)
	}
}

func TestB1_SecretByBasicAndPost(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		p := newParty(t, map[string]any{"token_endpoint_auth_method": method})
		if p.Method != method || !slices.Contains(texts(p.metadata, "token_endpoint_auth_methods_supported"), method) {
			t.Errorf("registered for %q", p.Method)
		}
		p.checkTokens(p.exchange(p.authorize().Get("code")))
	}
}

func TestB13_Refresh(t *testing.T) {
	t.Parallel()
	p, other := newParty(t, nil), newParty(t, nil)
	first := p.exchange(p.authorize("scope", "openid email offline_access", "prompt", "consent", "nonce", "n").Get("code"))
	old := p.checkIDToken(first.ID, issued{nonce: "n"})
	if first.Refresh == "" || !slices.Contains(texts(p.metadata, "grant_types_supported"), "refresh_token") {
		t.Fatalf("no refresh token: %v", first.body)
	}
	if r := other.token("grant_type", "refresh_token", "refresh_token", first.Refresh); r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("another client: %d %v", r.status, r.body)
	}
	time.Sleep(1100 * time.Millisecond)
	for _, params := range [][]string{{}, {"scope", "openid email"}} {
		r := p.token(append([]string{"grant_type", "refresh_token", "refresh_token", first.Refresh}, params...)...)
		p.checkTokens(r)
		if r.ID != "" {
			fresh := p.checkIDToken(r.ID, issued{})
			for _, same := range []string{"iss", "sub", "aud", "azp", "auth_time"} {
				if fresh[same] != old[same] {
					t.Errorf("%s is %v, was %v", same, fresh[same], old[same])
				}
			}
			if seconds(fresh["iat"]) <= seconds(old["iat"]) {
				t.Errorf("iat is %v, was %v", fresh["iat"], old["iat"])
			}
		}
	}
}

func TestB14_PKCE(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	const verifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	request := []string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}
	p.checkTokens(p.exchange(p.authorize(request...).Get("code"), "code_verifier", verifier))
	if r := p.exchange(p.authorize(request...).Get("code"), "code_verifier", strings.ToUpper(verifier)); r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("another verifier: %d %v", r.status, r.body)
	}
}

func TestR8_UnusualValues(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	for name, tt := range map[string]struct{ state, nonce string }{
		"128 and 64":   {strings.Repeat("s", 128), strings.Repeat("n", 64)},
		"1000 and 384": {strings.Repeat("s", 1000), strings.Repeat("n", 384)},
		"punctuation":  {"a b+c&d=e%20/?#ü", "a b+c&d=e%20/?#ü"},
	} {
		a := p.authorize("state", tt.state, "nonce", tt.nonce, "unknown", "ignored")
		if a.Has("error") {
			p.checkResponse(a, tt.state, "query")
			continue
		}
		p.checkResponse(a, tt.state, "query", "code")
		r := p.exchange(a.Get("code"))
		t.Log(name)
		p.checkIDToken(r.ID, issued{nonce: tt.nonce})
	}
}

func TestR9_RedirectURI(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	for _, uri := range []string{callback + "?added=1", callback + "/", "https://rp.example/other", "https://RP.example/test/a/valetkey/callback"} {
		if a, page := p.try("redirect_uri", uri); a != nil || page.Status != http.StatusBadRequest {
			t.Errorf("%s: %v %v", uri, a, page)
		}
	}
	const query = callback + "?dummy1=lorem&dummy2=ipsum"
	p = newParty(t, map[string]any{"redirect_uris": []string{query, callback}})
	a := p.authorize("redirect_uri", query)
	if a.Get("dummy1") != "lorem" || a.Get("dummy2") != "ipsum" || a.Get("code") == "" {
		t.Errorf("the registered query: %v", a.Values)
	}
	if a, page := p.try("redirect_uri", "-"); a != nil || page.Status != http.StatusBadRequest {
		t.Errorf("two registered and none sent: %v %v", a, page)
	}
	if a, page := p.try("client_id", "nobody"); a != nil || page.Status != http.StatusBadRequest {
		t.Errorf("an unknown client: %v %v", a, page)
	}
}
