package logout_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// wantRedirect: the answer leads there and nowhere else.
func wantRedirect(t *testing.T, what string, r oauthtest.Reply, want string) {
	t.Helper()
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != want || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: got %d to %q, want 303 to %q", what, r.StatusCode, r.Header.Get("Location"), want)
	}
}

// wantPage: a page of ours that leads nowhere by itself.
func wantPage(t *testing.T, what string, r oauthtest.Reply, status int, text string) {
	t.Helper()
	if r.StatusCode != status || !strings.Contains(r.Body, text) || r.Header.Get("Location") != "" || r.Header.Get("Refresh") != "" ||
		!strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%s: got %d %v, want a page with %d that says %q", what, r.StatusCode, r.Header, status, text)
	}
}

const (
	asks      = `id="confirm-logout"`
	signedOut = "<h1>You are signed out</h1>"
	isWrong   = "cannot be accepted as it is"
)

func TestL2_HintAndRegisteredURI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	for _, state := range []string{"", "x", strings.Repeat("s", 128), "a b&c=d+e%2F\u00e9#"} {
		alice := w.SignIn("alice")
		token := w.idToken(alice, c)
		r := leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye, "state", state)
		want := bye
		if state != "" {
			want += "&state=" + url.QueryEscape(state)
		}
		wantRedirect(t, "state "+state, r, want)
		w.wantSignedIn("afterwards", alice, c, false)
	}
	alice := w.SignIn("alice")
	r := leave(alice, "id_token_hint", w.idToken(alice, c), "client_id", c.ID, "post_logout_redirect_uri", "https://web.test/plain", "state", "x",
		"logout_hint", "alice", "ui_locales", "fr en", "unknown", "y")
	wantRedirect(t, "with client_id", r, "https://web.test/plain?state=x")
	w.wantSignedIn("with client_id", alice, c, false)
}

func TestL2_ExpiredHint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	w.Clock.Move(72 * time.Hour)
	wantRedirect(t, "expired", leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye), bye)
	w.wantSignedIn("afterwards", alice, c, false)
}

// A hint that tells nothing of a session is compared by person (pairwise, too).
func TestL2_HintWithoutSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, typ := range []string{oauth.SubjectPublic, oauth.SubjectPairwise} {
		c := w.client(func(m *oauth.ClientMetadata) { m.SubjectType = typ })
		alice, bob := w.SignIn("alice"), w.SignIn("bob")
		now := w.Clock.Now().Unix()
		token, err := w.Keys.Sign(t.Context(), "RS256", "JWT", map[string]any{
			"iss": oauthtest.Issuer, "sub": claim(t, w.idToken(alice, c), "sub"), "aud": []string{c.ID}, "iat": now, "exp": now + 60})
		if err != nil {
			t.Fatal(err)
		}
		wantPage(t, typ+", bob", leave(bob, "id_token_hint", token, "post_logout_redirect_uri", bye), 200, asks)
		wantRedirect(t, typ+", alice", leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye), bye)
	}
}

// With a hint of another session, another person or none at all, the person is asked.
func TestL2_TheRestIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	elsewhere := w.idToken(w.SignIn("alice"), c)
	bobs := w.idToken(w.SignIn("bob"), c)
	for name, pairs := range map[string][]string{
		"another session": {"id_token_hint", elsewhere, "post_logout_redirect_uri", bye, "state", "x"},
		"another person":  {"id_token_hint", bobs, "post_logout_redirect_uri", bye, "state", "x"},
		"client_id alone": {"client_id", c.ID, "post_logout_redirect_uri", bye, "state", "x"},
	} {
		page := leave(alice, pairs...)
		wantPage(t, name, page, 200, asks)
		if !strings.Contains(page.Body, "Alice") || !strings.Contains(page.Body, c.Name) {
			t.Errorf("%s: the page names neither person nor application", name)
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://web.test") {
			t.Errorf("%s: the answer could not be redirected: %s", name, csp)
		}
		w.wantSignedIn(name+", asked", alice, w.consented(alice, c), true)
	}
	page := leave(alice, "client_id", c.ID, "post_logout_redirect_uri", bye, "state", "x&y")
	wantRedirect(t, "confirmed", confirm(alice, page), bye+"&state=x%26y")
	w.wantSignedIn("confirmed", alice, c, false)
	wantRedirect(t, "confirmed twice", confirm(alice, page), bye+"&state=x%26y")
}

// consented makes prompt=none succeed while somebody is signed in.
func (w *world) consented(b *oauthtest.Browser, c oauthtest.Party) oauthtest.Party {
	w.T.Helper()
	b.Code(c, "scope", "openid", "nonce", "n")
	return c
}

func TestL3_NeverRedirected(t *testing.T) {
	t.Parallel()
	w, foreign := newWorld(t, nil), newWorld(t, nil)
	c, other := w.client(), w.client(func(m *oauth.ClientMetadata) { m.PostLogoutRedirectURIs = []string{"https://other.test/bye"} })
	dead := w.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, Disabled: true, Metadata: oauth.ClientMetadata{PostLogoutRedirectURIs: []string{bye}}})
	alice := w.SignIn("alice")
	token := w.idToken(w.SignIn("alice"), c)
	parts := strings.Split(token, ".")
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	forged := foreign.idToken(foreign.SignIn("alice"), foreign.client())
	access := w.Tokens(w.SignIn("alice"), c).AccessToken
	for name, pairs := range map[string][]string{
		"URI not registered":           {"id_token_hint", token, "post_logout_redirect_uri", "https://evil.test/"},
		"query added":                  {"id_token_hint", token, "post_logout_redirect_uri", bye + "&evil=1"},
		"query taken away":             {"id_token_hint", token, "post_logout_redirect_uri", "https://web.test/bye"},
		"slash added":                  {"id_token_hint", token, "post_logout_redirect_uri", "https://web.test/plain/"},
		"in another case":              {"id_token_hint", token, "post_logout_redirect_uri", "https://WEB.test/plain"},
		"redirect URI":                 {"id_token_hint", token, "post_logout_redirect_uri", "https://web.test/cb"},
		"another client's URI":         {"id_token_hint", token, "post_logout_redirect_uri", "https://other.test/bye"},
		"another client_id":            {"id_token_hint", token, "client_id", other.ID, "post_logout_redirect_uri", "https://other.test/bye"},
		"signed by somebody else":      {"id_token_hint", forged, "post_logout_redirect_uri", bye},
		"somebody else's, client_id":   {"id_token_hint", forged, "client_id", c.ID, "post_logout_redirect_uri", bye},
		"alg none":                     {"id_token_hint", none, "post_logout_redirect_uri", bye},
		"signature cut":                {"id_token_hint", parts[0] + "." + parts[1] + ".", "post_logout_redirect_uri", bye},
		"access token":                 {"id_token_hint", access, "post_logout_redirect_uri", bye},
		"nonsense":                     {"id_token_hint", "x.y.z", "post_logout_redirect_uri", bye},
		"no hint, no client":           {"post_logout_redirect_uri", bye},
		"unknown client":               {"client_id", "nobody", "post_logout_redirect_uri", bye},
		"disabled client":              {"client_id", dead.ID, "post_logout_redirect_uri", bye},
		"bad hint, no URI":             {"id_token_hint", none},
		"URI of a scheme that is none": {"client_id", c.ID, "post_logout_redirect_uri", "javascript:alert(1)"},
	} {
		for who, b := range map[string]*oauthtest.Browser{"alice": alice, "nobody": w.Anonymous()} {
			r := leave(b, append(pairs, "state", "x")...)
			wantPage(t, name+", "+who, r, http.StatusBadRequest, isWrong)
			if strings.Contains(r.Body, "evil.test") || strings.Contains(r.Body, `href="javascript:`) {
				t.Errorf("%s, %s: the page leads where it must not", name, who)
			}
			if got := strings.Contains(r.Body, asks); got != (who == "alice") {
				t.Errorf("%s, %s: asked %v", name, who, got)
			}
		}
	}
	w.wantSignedIn("after all that", alice, w.consented(alice, c), true)
	page := leave(alice, "post_logout_redirect_uri", bye, "state", "x")
	wantPage(t, "signing out all the same", confirm(alice, page), 200, signedOut)
	w.wantSignedIn("signed out all the same", alice, c, false)
}

func TestL3_NowhereToGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	for name, pairs := range map[string][]string{"nothing": nil, "state alone": {"state", "x"}, "client alone": {"client_id", c.ID}, "logout_hint": {"logout_hint", "alice"}} {
		alice := w.SignIn("alice")
		page := leave(alice, pairs...)
		wantPage(t, name, page, 200, asks)
		w.wantSignedIn(name+", asked", alice, w.consented(alice, c), true)
		wantPage(t, name+", confirmed", confirm(alice, page), 200, signedOut)
		w.wantSignedIn(name+", confirmed", alice, c, false)
		wantPage(t, name+", nobody signed in", leave(w.Anonymous(), pairs...), 200, signedOut)
	}
	alice := w.SignIn("alice")
	wantPage(t, "hint alone", leave(alice, "id_token_hint", w.idToken(alice, c), "state", "x"), 200, signedOut)
	w.wantSignedIn("hint alone", alice, c, false)
}

// Nobody signed in: on to the client, if it is one, and no harm done.
func TestNobodySignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	token := w.idToken(w.SignIn("alice"), c)
	wantRedirect(t, "hint", leave(w.Anonymous(), "id_token_hint", token, "post_logout_redirect_uri", bye, "state", "x"), bye+"&state=x")
	wantRedirect(t, "client_id", leave(w.Anonymous(), "client_id", c.ID, "post_logout_redirect_uri", bye), bye)
	wantPage(t, "broken", leave(w.Broken()), http.StatusServiceUnavailable, "")
}

// POST may come from any site, without cookies, and changes nothing by itself.
func TestPostIsTurnedIntoGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	form := url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {bye}, "state": {"a b"}, "empty": {""}}
	r := alice.Do(http.MethodPost, "/oauth/logout", form)
	location := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, "/oauth/logout?") {
		t.Fatalf("got %d to %q", r.StatusCode, location)
	}
	w.wantSignedIn("after POST alone", alice, c, true)
	wantRedirect(t, "followed", alice.Do(http.MethodGet, location, nil), bye+"&state=a+b")
	w.wantSignedIn("followed", alice, c, false)

	if r := alice.Do(http.MethodPost, "/oauth/logout", url.Values{}); r.Header.Get("Location") != "/oauth/logout" {
		t.Errorf("nothing: to %q", r.Header.Get("Location"))
	}
	r = alice.Do(http.MethodPost, "/oauth/logout?state=x", url.Values{"state": {"y"}})
	wantPage(t, "in form and URL", alice.Do(http.MethodGet, r.Header.Get("Location"), nil), http.StatusBadRequest, "more than once")
	wantPage(t, "repeated", alice.Do(http.MethodPost, "/oauth/logout", url.Values{"state": {"x", "y"}}), http.StatusBadRequest, "more than once")
	wantPage(t, "repeated in a URL", alice.Do(http.MethodGet, "/oauth/logout?state=x&state=x", nil), http.StatusBadRequest, "more than once")
	wantPage(t, "not UTF-8", alice.Do(http.MethodGet, "/oauth/logout?state=%ff", nil), http.StatusBadRequest, "")
}

// Neither a look nor another site signs anybody out.
func TestOtherSitesCannotSignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	if r := alice.Do(http.MethodHead, logoutURL("id_token_hint", token), nil); r.StatusCode != 200 {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		if r := alice.Do(method, logoutURL("id_token_hint", token), nil); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
	if r := alice.Do(http.MethodGet, "/oauth/logout/confirm", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of the form's address: %d", r.StatusCode)
	}
	for name, headers := range map[string][]string{
		"Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site"}, "Origin": {"Sec-Fetch-Site", "", "Origin", "https://evil.test"}, "neither": {"Sec-Fetch-Site", ""},
	} {
		if r := alice.Do(http.MethodPost, "/oauth/logout/confirm", url.Values{}, headers...); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %d", name, r.StatusCode)
		}
	}
	w.wantSignedIn("after all that", alice, c, true)
}

// A registration that changed while the page was open leads nowhere.
func TestConfirmReadsTheRegistrationAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	page := leave(alice, "client_id", c.ID, "post_logout_redirect_uri", bye)
	wantPage(t, "asked", page, 200, asks)
	c.Metadata.PostLogoutRedirectURIs = nil
	if err := w.Store.UpdateClient(t.Context(), c.Client); err != nil {
		t.Fatal(err)
	}
	wantPage(t, "confirmed", confirm(alice, page), 200, signedOut)
	forged := url.Values{"client_id": {c.ID}, "post_logout_redirect_uri": {"https://evil.test/"}}
	wantPage(t, "forged", alice.Do(http.MethodPost, "/oauth/logout/confirm", forged), 200, signedOut)
}

func TestNoLogoutWithoutAHook(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{}) // no keys
	for _, path := range []string{"/oauth/logout", "/oauth/logout/confirm", "/oauth/check_session"} {
		if r := e.SignIn("alice").Do(http.MethodGet, path, nil); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if err := e.Server.EndSession(t.Context(), "sid"); err != nil {
		t.Error(err)
	}
}

// Two clients of pairwise subjects cannot find out by the sid that they speak of one
// person; each hears of the session's end under its own name for it.
func TestSessionsOfPairwiseClientsHaveOtherNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	pairwise := func(host string) oauthtest.Party {
		return w.AddClient(oauth.Client{RedirectURIs: []string{"https://" + host + "/cb"}, Metadata: oauth.ClientMetadata{
			SubjectType: oauth.SubjectPairwise, BackchannelLogoutURI: w.site.URL + "/back", FrontchannelLogoutURI: "https://" + host + "/front",
			PostLogoutRedirectURIs: []string{"https://" + host + "/bye"}}})
	}
	one, two, alice := pairwise("one.test"), pairwise("two.test"), w.SignIn("alice")
	tokens := map[string]string{one.ID: w.idToken(alice, one), two.ID: w.idToken(alice, two)}
	first, second := claim(t, tokens[one.ID], "sid"), claim(t, tokens[two.ID], "sid")
	if first == "" || first == second {
		t.Fatalf("sids %q and %q", first, second)
	}
	r := leave(alice, "id_token_hint", tokens[two.ID], "post_logout_redirect_uri", "https://two.test/bye")
	if r.StatusCode != 200 || strings.Contains(r.Body, asks) {
		t.Fatalf("by its own hint: got %d %s", r.StatusCode, r.Body)
	}
	iss := "?iss=" + url.QueryEscape(oauthtest.Issuer) + "&sid="
	if got, want := frames(r.Body), []string{"https://one.test/front" + iss + first, "https://two.test/front" + iss + second}; !slices.Equal(got, want) {
		t.Errorf("frames %q, want %q", got, want)
	}
	heard := w.site.heard()
	if len(heard) != 2 {
		t.Fatalf("heard %+v", heard)
	}
	for _, h := range heard {
		if token := tokens[h.Audience[0]]; h.SID != claim(t, token, "sid") || h.Subject != claim(t, token, "sub") {
			t.Errorf("heard %+v", h)
		}
	}
}
