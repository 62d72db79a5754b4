package attacks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Signing out, the guard against other sites, and listeners on loopback.

// Signing out needs a click here, and leads nowhere else.
func TestM97_ForcedSignOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, q := range []string{"", "?post_logout_redirect_uri=https://evil.test/", "?next=//evil.test/", "?redirect_uri=https://web.test/cb&client_id=web", "?id_token_hint=x.y.z&confirm=yes"} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.alice.do(method, "/logout/"+q, "", "Sec-Fetch-Site", "cross-site", "Referer", "https://evil.test/")
			if a.StatusCode != http.StatusOK || strings.Contains(a.body, "evil") || !s.alice.signedIn() {
				t.Errorf("%s /logout/%s: %v, signed in %v", method, q, a, s.alice.signedIn())
			}
		}
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}, {"Origin", "null"}, {"Sec-Fetch-Site", "same-site"}, nil} {
			a := s.alice.do("POST", "/logout/"+q, "confirm=yes", append([]string{"Content-Type", formType}, headers...)...)
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest || !s.alice.signedIn() {
				t.Errorf("POST /logout/%s with %v: %v, signed in %v", q, headers, a, s.alice.signedIn())
			}
		}
	}
	for _, path := range []string{"/oauth/logout", "/connect/logout", "/end_session", "/oauth/end_session"} {
		if a := s.alice.get(path); a.StatusCode != http.StatusNotFound || !s.alice.signedIn() {
			t.Errorf("%s: %v", path, a)
		}
	}
	form := s.alice.get("/logout/").form()
	if a := s.alice.post("/logout/?next=https://evil.test/", form); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/login/") || s.alice.signedIn() {
		t.Errorf("the control: %v", a)
	}
}

// Every route that reads a cookie and changes something is guarded, however its
// path is written; what other sites may post to reads no cookie.
func TestM99_GuardAgainstOtherSites(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{https: true})
	s.alice.signIn()
	s.root.signIn()
	waiting := func() string { return s.alice.az(ask(s.web, "prompt", "consent")).form().Get("request") }
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Origin", s.url}, {"Sec-Fetch-Site", "evil"},
		{"Origin", "https://evil.test"}, {"Origin", "null"}, {"Origin", strings.Replace(s.url, "https:", "http:", 1)}, {"Origin", s.url + ".evil.test"}, {"Origin", "https://evil.test", "Referer", s.url + "/"},
		{}, // a session cookie, and nothing that says where the request comes from
	}
	request := waiting()
	spellings := []string{"/oauth/consent", "/oauth/token/../consent", "//oauth/consent", "/oauth//consent", "/oauth/./consent", "/oauth/revoke/../consent",
		"/oauth/introspect/../../oauth/consent", "/x/../oauth/consent", "/oauth/token//../consent", "/oauth/consent/", "/oauth/%63onsent", "/oauth/authorize/../consent", "/oauth/token/%2e%2e/consent"}
	body := url.Values{"request": {request}, "confirm": {"yes"}}.Encode()
	for _, headers := range foreign {
		for _, path := range spellings {
			for range 3 { // and where it is led on to, as browsers repeat the form after 307 and 308
				req := s.request("POST", "", body, append([]string{"Content-Type", formType}, headers...)...)
				req.URL.Opaque = path // as it is written
				a := s.send(s.alice.jar, req)
				if a.callback().Has("code") {
					t.Fatalf("POST %s with %v gave a code", path, headers)
				}
				to := a.Header.Get("Location")
				if a.StatusCode != http.StatusTemporaryRedirect && a.StatusCode != http.StatusPermanentRedirect {
					break
				}
				path = to
			}
		}
	}
	if n := s.count("SELECT count(*) FROM oauth_codes"); n != 0 {
		t.Fatalf("%d codes were made", n)
	}

	owned, _, err := s.desk.CreateApplication(t.Context(), s.actsAlice, appInput("Owned"))
	must(t, err)
	token, _ := s.pat(s.alice, "records:read")
	const base = "/account/settings/applications/"
	guarded := map[string]*person{
		"/oauth/consent": s.alice, "/account/settings/profile/": s.alice, "/account/settings/password/": s.alice, "/account/settings/sessions/revoke": s.alice,
		"/account/settings/profile/confirm-email/": s.alice, "/logout/": s.alice, "/login/": s.alice, "/lost-password/": s.alice, "/signup/": s.alice,
		base + "clients/new/": s.alice, base + "clients/" + owned.ID + "/": s.alice, base + "clients/" + owned.ID + "/reset/": s.alice,
		base + "clients/" + owned.ID + "/delete/": s.alice, base + "tokens/new/": s.alice, base + "tokens/" + token + "/": s.alice,
		base + "tokens/" + token + "/revoke/": s.alice, base + "tokens/" + token + "/regenerate/": s.alice,
		"/api/v1/tokens": s.alice, "/api/v1/applications": s.alice, "/records/read": s.alice, "/records/write": s.alice,
		"/admin/users/new/": s.root, "/admin/users/" + s.alice.subject + "/disable/": s.root, "/admin/applications/new/": s.root,
		"/admin/applications/web/edit/": s.root, "/admin/applications/web/reset/": s.root, "/admin/applications/web/disable/": s.root,
		"/admin/applications/web/delete/": s.root, "/admin/tokens/" + token + "/revoke/": s.root, "/admin/tokens/" + token + "/edit/": s.root,
	}
	for path, p := range guarded {
		for _, headers := range foreign {
			for _, method := range []string{"POST", "DELETE", "PUT", "PATCH"} {
				a := p.do(method, path, "confirm=yes&name=X", append([]string{"Content-Type", formType}, headers...)...)
				if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("%s %s with %v: %v, want 403", method, path, headers, a)
				}
			}
		}
	}

	// The open endpoints take no cookie: with alice's they know as little as without.
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/ping"} {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "token": {"x"}}.Encode()
		with := s.alice.do("POST", path, form, "Content-Type", formType, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site")
		without := s.do("POST", path, form, "Content-Type", formType)
		if with.StatusCode != without.StatusCode || with.StatusCode != http.StatusUnauthorized || len(with.Cookies()) != 0 {
			t.Errorf("%s with a cookie %v, without %v; want 401", path, with, without)
		}
		if with.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s lets other sites read with cookies", path)
		}
	}
	for _, path := range []string{"/oauth/token/", "/oauth/token//", "/oauth/token/x", "/oauth/tokens", "/oauth/TOKEN"} {
		if a := s.alice.do("POST", path, "x=y", "Content-Type", formType, "Sec-Fetch-Site", "cross-site"); a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusTemporaryRedirect && a.StatusCode != http.StatusMovedPermanently {
			t.Errorf("%s: %v, want 404", path, a)
		}
	}

	// The controls: a page of ours, with any one of the things that prove it.
	for _, headers := range [][]string{{"Origin", s.url}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"X-CSRF-Token", s.alice.proof()}} {
		body := url.Values{"request": {waiting()}, "confirm": {"yes"}}.Encode()
		s.alice.do("POST", "/oauth/consent", body, append([]string{"Content-Type", formType}, headers...)...).sent(t, s.web)
	}
	form := url.Values{"request": {waiting()}, "confirm": {"yes"}, "authorized_token": {s.alice.proof()}}
	s.alice.do("POST", "/oauth/consent", form.Encode(), "Content-Type", formType).sent(t, s.web)
	form = url.Values{"request": {waiting()}, "confirm": {"yes"}, "authorized_token": {s.root.proof()}}
	s.alice.do("POST", "/oauth/consent", form.Encode(), "Content-Type", formType).wantPage(t)
}
