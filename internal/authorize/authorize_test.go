package authorize_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// wantPage: the answer is a page of ours with that status, and sends nobody anywhere.
func wantPage(t *testing.T, what string, r oauthtest.Reply, status int) {
	t.Helper()
	if r.StatusCode != status || r.Header.Get("Location") != "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: got %d, Location %q; want a page with %d", what, r.StatusCode, r.Header.Get("Location"), status)
	}
	if r.Header.Get("Cache-Control") != "no-store" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%s: a page without its headers: %v", what, r.Header)
	}
}

// wantError: the answer is a redirect to the client with error, state and iss.
func wantError(t *testing.T, what string, r oauthtest.Reply, uri, code, state string) {
	t.Helper()
	back := r.Callback()
	if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), uri) || back.Get("error") != code {
		t.Errorf("%s: got %d %q, want 303 to %s with error=%s", what, r.StatusCode, r.Header.Get("Location"), uri, code)
		return
	}
	if back.Get("state") != state || back.Has("state") != (state != "") || back.Get("iss") != oauthtest.Issuer || back.Has("code") {
		t.Errorf("%s: state, iss or code are not right: %v", what, back)
	}
	for name := range back {
		if !strings.Contains(" error error_description error_uri state iss session_state ", " "+name+" ") {
			t.Errorf("%s: unexpected parameter %s", what, name)
		}
	}
}

func count(t *testing.T, e *oauthtest.Engine, subject, client string) int {
	t.Helper()
	grants, err := e.Store.LiveGrants(context.Background(), subject, client)
	if err != nil {
		t.Fatal(err)
	}
	return len(grants)
}

func TestParity8_FatalErrors(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, native := e.Web(), e.Native()
	none := e.AddClient(oauth.Client{})
	disabled := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, Disabled: true})
	orphan := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, Owner: "gone"})
	none.RedirectURIs = []string{""}
	alice := e.SignIn("alice")
	for name, params := range map[string]url.Values{
		"nothing":                          {},
		"unknown client":                   oauthtest.Request(web, "client_id", "nobody"),
		"missing client":                   oauthtest.Request(web, "client_id", ""),
		"disabled client":                  oauthtest.Request(disabled),
		"client whose owner is gone":       oauthtest.Request(orphan),
		"other redirect_uri":               oauthtest.Request(web, "redirect_uri", "https://evil.test/cb"),
		"relative redirect_uri":            oauthtest.Request(web, "redirect_uri", "/cb"),
		"redirect_uri with a query":        oauthtest.Request(web, "redirect_uri", "https://web.test/cb?x=y"),
		"redirect_uri with a fragment":     oauthtest.Request(web, "redirect_uri", "https://web.test/cb#x"),
		"redirect_uri with a slash":        oauthtest.Request(web, "redirect_uri", "https://web.test/cb/"),
		"no redirect_uri, two registered":  oauthtest.Request(native, "redirect_uri", ""),
		"no redirect_uri, none registered": oauthtest.Request(none, "redirect_uri", ""),
	} {
		for who, b := range map[string]*oauthtest.Browser{"alice": alice, "anonymous": e.Anonymous()} {
			r := b.Authorize(params)
			wantPage(t, name+", "+who, r, http.StatusBadRequest)
			if strings.Contains(r.Body, "https://web.test/cb<") {
				t.Errorf("%s: the page tells a stranger what is registered", name)
			}
		}
	}
	if n := count(t, e, "alice", ""); n != 0 {
		t.Errorf("%d grants came of it", n)
	}
}

func TestRedirectMismatchIsToldToTheOwner(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.AddClient(oauth.Client{Owner: "mallory", RedirectURIs: []string{"https://web.test/cb"}})
	wrong := oauthtest.Request(web, "redirect_uri", "https://web.test/CB")
	for subject, want := range map[string]bool{"mallory": true, "bob": true /* administrator */, "alice": false} {
		r := e.SignIn(subject).Authorize(wrong)
		if got := strings.Contains(r.Body, "https://web.test/cb"); got != want {
			t.Errorf("%s is told the registered URI: %v, want %v", subject, got, want)
		}
	}
	if r := e.Anonymous().Authorize(wrong); strings.Contains(r.Body, "https://web.test/cb") {
		t.Error("a stranger is told the registered URI")
	}
}

func TestM01_ForeignRedirectAfterConsent(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	alice.Code(web)
	wantPage(t, "foreign redirect", alice.Authorize(oauthtest.Request(web, "redirect_uri", "https://evil.test/cb")), 400)
	wantPage(t, "silently", alice.Authorize(oauthtest.Request(web, "redirect_uri", "https://evil.test/cb", "prompt", "none")), 400)
	if n := count(t, e, "alice", web.ID); n != 1 {
		t.Errorf("%d grants, want the first alone", n)
	}
}

func TestM03_RedirectIsComparedByCase(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	for _, uri := range []string{"https://web.test/CB", "HTTPS://web.test/cb", "https://WEB.test/cb", "https://web.test:443/cb", "https://web.test/%63b", "https://web.test/./cb"} {
		wantPage(t, uri, e.SignIn("alice").Authorize(oauthtest.Request(web, "redirect_uri", uri)), 400)
	}
	e.SignIn("alice").Code(web)
}

func TestM07_RepeatedParameters(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	honest := oauthtest.Request(web)
	twice := func(names ...string) oauthtest.Reply {
		v := url.Values{}
		for n, values := range honest {
			v[n] = values
		}
		for _, n := range names {
			v[n] = []string{honest.Get(n), "https://evil.test/cb"}
		}
		return alice.Authorize(v)
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		wantPage(t, name, twice(name), 400)
		wantPage(t, name+" and scope", twice("scope", name), 400)
	}
	wantError(t, "scope", twice("scope"), "https://web.test/cb", "invalid_request", "xyz")
	wantError(t, "response_type", twice("response_type"), "https://web.test/cb", "invalid_request", "xyz")
	wantError(t, "state", twice("state"), "https://web.test/cb", "invalid_request", "")
	wantPage(t, "code in redirect_uri", alice.Authorize(oauthtest.Request(web, "redirect_uri", "https://web.test/cb?code=injected")), 400)
}

func TestM07b_OneCodeAndOneState(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb?code=x&a=%41+b&state=y&b"}})
	alice := e.SignIn("alice")
	r := alice.Answer(alice.Authorize(oauthtest.Request(c)), "yes")
	location := r.Header.Get("Location")
	if !strings.HasPrefix(location, "https://web.test/cb?a=%41+b&b&code=vk_ac_") {
		t.Errorf("the registered query is not kept as it was: %s", location)
	}
	back := r.Callback()
	for _, name := range []string{"code", "state", "iss"} {
		if len(back[name]) != 1 {
			t.Errorf("%s: got %q, want one", name, back[name])
		}
	}
	if back.Get("state") != "xyz" {
		t.Errorf("state %q", back.Get("state"))
	}
}

func TestParity9_ErrorsThatGoToTheClient(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	strict := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, RequirePKCE: true})
	service := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, GrantTypes: []string{oauth.GrantClientCredentials}})
	const noPKCE = "code_challenge"
	for name, tt := range map[string]struct {
		client oauthtest.Party
		change []string
		want   string
	}{
		"no response_type":         {web, []string{"response_type", ""}, "invalid_request"},
		"unknown response_type":    {web, []string{"response_type", "magic"}, "unsupported_response_type"},
		"hybrid":                   {web, []string{"response_type", "code token"}, "unsupported_response_type"},
		"not registered for it":    {service, nil, "unauthorized_client"},
		"unknown scope":            {web, []string{"scope", "nonsense"}, "invalid_scope"},
		"internal scope":           {web, []string{"scope", "secret:scope"}, "invalid_scope"},
		"malformed scope":          {web, []string{"scope", "a  b"}, "invalid_scope"},
		"request object":           {web, []string{"request", "x.y.z"}, "invalid_request_object"},
		"request by reference":     {web, []string{"request_uri", "https://evil.test"}, "invalid_request_uri"},
		"unknown prompt":           {web, []string{"prompt", "create"}, "invalid_request"},
		"prompt none and login":    {web, []string{"prompt", "none login"}, "invalid_request"},
		"max_age no number":        {web, []string{"max_age", "-1"}, "invalid_request"},
		"unknown response_mode":    {web, []string{"response_mode", "jwt"}, "invalid_request"},
		"plain":                    {web, []string{"code_challenge_method", "plain"}, "invalid_request"},
		"method left out":          {web, []string{"code_challenge_method", ""}, "invalid_request"},
		"public without PKCE":      {spa, []string{noPKCE, "", "code_challenge_method", ""}, "invalid_request"},
		"PKCE required, left out":  {strict, []string{noPKCE, "", "code_challenge_method", ""}, "invalid_request"},
		"challenge of wrong shape": {web, []string{noPKCE, "short"}, "invalid_request"},
	} {
		params := oauthtest.Request(tt.client, tt.change...)
		wantError(t, name, e.SignIn("alice").Authorize(params), tt.client.RedirectURIs[0], tt.want, "xyz")
		// Nobody is sent anywhere by a mere link: signing in comes first (RFC 9700 §4.11.2).
		if !strings.Contains(params.Get("prompt"), "none") {
			if r := e.Anonymous().Authorize(params); r.Header.Get("Location") != "/login" {
				t.Errorf("%s, anonymous: got %d %q, want the sign-in", name, r.StatusCode, r.Header.Get("Location"))
			}
		}
		params.Del("state")
		wantError(t, name+", no state", e.SignIn("alice").Authorize(params), tt.client.RedirectURIs[0], tt.want, "")
	}
}

func TestParity13j_OptionalPKCE(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OptionalPKCE: true})
	spa := e.SPA()
	code := e.SignIn("alice").Code(spa, "code_challenge", "", "code_challenge_method", "")
	e.Token(spa, oauthtest.Redemption(spa, code, "code_verifier", "")).Want(t, 200, "")
}

func TestParity9_ErrorRedirect(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{ErrorRedirect: true})
	r := e.Anonymous().Authorize(oauthtest.Request(e.Web(), "client_id", "nobody"))
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.StatusCode != http.StatusFound || u.Path != "/oauth/errors" || u.Host != "" || u.Query().Get("error") != "invalid_request" || u.Query().Get("error_description") == "" {
		t.Errorf("got %d %q", r.StatusCode, r.Header.Get("Location"))
	}
}

func TestParity33_ErrorsPage(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	r := e.Anonymous().Do(http.MethodGet, "/oauth/errors?error=invalid_scope&error_description=Call+0900+now", nil)
	wantPage(t, "errors", r, http.StatusOK)
	if !strings.Contains(r.Body, "invalid_scope") || strings.Contains(r.Body, "0900") {
		t.Error("the page must name the code and must not repeat what the URL says")
	}
	for _, query := range []string{"", "?error=%3Cscript%3E", "?error=a&error=b", "?error=%zz"} {
		r := e.Anonymous().Do(http.MethodGet, "/oauth/errors"+query, nil)
		wantPage(t, query, r, http.StatusOK)
		if strings.Contains(r.Body, "<script>") {
			t.Errorf("%s: script in the page", query)
		}
	}
	if r := e.Anonymous().Do(http.MethodPost, "/oauth/errors", nil); r.StatusCode != 405 {
		t.Errorf("POST: got %d, want 405", r.StatusCode)
	}
}

func TestParity7_PostIsTheSameRequest(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	params := oauthtest.Request(web, "state", "a b&c=d+é")
	query := url.Values{"state": {params.Get("state")}}
	params.Del("state")
	alice := e.SignIn("alice")
	r := alice.Do(http.MethodPost, "/oauth/authorize?"+query.Encode(), params)
	location := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, "/oauth/authorize?") {
		t.Fatalf("got %d %q", r.StatusCode, location)
	}
	back := alice.Answer(alice.Do(http.MethodGet, location, nil), "yes").Callback()
	if back.Get("code") == "" || back.Get("state") != "a b&c=d+é" {
		t.Errorf("got %v", back)
	}
	// One parameter in both is repeated.
	params.Set("state", "other")
	r = alice.Do(http.MethodPost, "/oauth/authorize?"+query.Encode(), params)
	wantError(t, "state in both", alice.Do(http.MethodGet, r.Header.Get("Location"), nil), "https://web.test/cb", "invalid_request", "")

	// What is repeated in the form is told to whom GET tells it.
	params = oauthtest.Request(web)
	params.Add("scope", "")
	r = alice.Do(http.MethodPost, "/oauth/authorize", params)
	wantError(t, "scope twice", alice.Do(http.MethodGet, r.Header.Get("Location"), nil), "https://web.test/cb", "invalid_request", "xyz")
	params.Add("redirect_uri", "https://evil.test/")
	r = alice.Do(http.MethodPost, "/oauth/authorize", params)
	wantPage(t, "redirect_uri twice", alice.Do(http.MethodGet, r.Header.Get("Location"), nil), http.StatusBadRequest)
}

func TestM17_OnlyPostedConsentAllows(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	query := oauthtest.Request(web).Encode()
	page := alice.Authorize(oauthtest.Request(web))
	form := url.Values{"request": {page.RequestID()}, "confirm": {"yes"}}
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch, http.MethodDelete, "post"} {
		for _, path := range []string{"/oauth/authorize?" + query + "&confirm=yes&_method=POST", "/oauth/consent?" + form.Encode()} {
			r := alice.Do(method, path, form)
			if r.Header.Get("Location") != "" || r.StatusCode >= 500 || r.StatusCode == 200 && method != http.MethodHead {
				t.Errorf("%s %s: got %d %q", method, path[:20], r.StatusCode, r.Header.Get("Location"))
			}
			if r.StatusCode == 405 && r.Header.Get("Allow") == "" {
				t.Errorf("%s %s: 405 without Allow", method, path[:20])
			}
		}
	}
	r := alice.Do(http.MethodGet, "/oauth/consent?"+form.Encode(), nil)
	if r.StatusCode != 405 {
		t.Errorf("GET consent: got %d, want 405", r.StatusCode)
	}
	if n := count(t, e, "alice", web.ID); n != 0 {
		t.Errorf("%d grants without a posted consent", n)
	}
	alice.Code(web)
	if r := alice.Do(http.MethodHead, "/oauth/authorize?"+query, nil); r.StatusCode != 200 || r.Header.Get("Location") != "" {
		t.Errorf("HEAD with remembered consent: %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	if n := count(t, e, "alice", web.ID); n != 1 {
		t.Errorf("%d grants, want 1: HEAD issued a code", n)
	}
}

func TestA9_StateComesBackByteForByte(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	var printable strings.Builder
	for c := byte(0x21); c <= 0x7e; c++ {
		printable.WriteByte(c)
	}
	for _, state := range []string{"", "x", printable.String(), "Ünïcödé €", " a  b ", "\r\n\t", strings.Repeat("s", 4096)} {
		params := oauthtest.Request(web)
		params.Set("state", state)
		r := alice.Authorize(params)
		if r.StatusCode == 200 {
			r = alice.Answer(r, "yes")
		}
		back := r.Callback()
		if back.Get("state") != state || back.Has("state") != (state != "") || back.Get("code") == "" || back.Get("iss") != oauthtest.Issuer {
			t.Errorf("state %.40q: got %d %.200q", state, r.StatusCode, r.Header.Get("Location"))
		}
		for name := range back {
			if !strings.Contains(" code state iss ", " "+name+" ") {
				t.Errorf("unexpected parameter %s", name)
			}
		}
		if r.StatusCode != http.StatusSeeOther || strings.Contains(r.Header.Get("Location"), "#") || r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("got %d %v", r.StatusCode, r.Header)
		}
	}
}

func TestA5_UnknownAndEmptyParametersAreIgnored(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	e.SignIn("alice").Code(web, "display", "popup", "ui_locales", "de", "acr_values", "1", "nonce", "n", "made_up", "x", "login_hint", "alice", "id_token_hint", "x")
	r := e.SignIn("mallory").Do(http.MethodGet, "/oauth/authorize?"+oauthtest.Request(web).Encode()+"&prompt=&max_age=", nil)
	if r.RequestID() == "" {
		t.Errorf("empty parameters: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
}

func TestFaultsShowAPage(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	r := e.Broken().Authorize(oauthtest.Request(e.Web()))
	wantPage(t, "broken session store", r, http.StatusServiceUnavailable)
	if strings.Contains(r.Body, "session store") {
		t.Error("the page tells the cause")
	}
}

func TestA8_CodesDieAfterAMinute(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	code := e.SignIn("alice").Code(web)
	e.Clock.Move(time.Minute)
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
}

func events(t *testing.T, e *oauthtest.Engine, typ oauth.EventType) int {
	t.Helper()
	list, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: typ}, store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
