package parity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity1_EverythingLiesBelowTheIssuer: the prefixes of the predecessor, in
// one server, and below the issuer's path if it has one.
func TestParity1_EverythingLiesBelowTheIssuer(t *testing.T) {
	bothOwn(t, options{path: "/auth"}, func(t *testing.T, s *site) {
		root := strings.TrimSuffix(s.url, "/auth")
		for path, want := range map[string]int{
			"/oauth/errors": 200, "/oauth/ping": 401, "/account/settings/applications/": 302, "/api/v1/tokens": 401, "/login/": 200,
		} {
			s.send(http.MethodGet, path, nil).is(t, path, want, "")
			s.url = root
			if r := s.send(http.MethodGet, path, nil); r.StatusCode != 404 {
				t.Errorf("%s outside the issuer: got %d, want 404", path, r.StatusCode)
			}
			s.url = root + "/auth"
		}
		alice := s.signIn()
		if token := alice.token(s.application(alice.person)); !s.alive(token.AccessToken) {
			t.Error("the token of a server with a path is dead")
		}
	})
}

// TestParity2_Endpoints: each endpoint, and each method it does not have.
func TestParity2_Endpoints(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app := s.application(s.person())
		for _, tt := range []struct {
			method, path string
			status       int
		}{
			{"GET", app.request(), 302}, {"POST", app.request(), 303}, {"DELETE", "/oauth/authorize", 405},
			{"GET", "/oauth/token", 405}, {"PUT", "/oauth/token", 405}, {"POST", "/oauth/token", 400},
			{"GET", "/oauth/errors", 200}, {"POST", "/oauth/errors", 405},
			{"GET", "/oauth/ping", 401}, {"POST", "/oauth/ping", 401}, {"PUT", "/oauth/ping", 405},
			{"GET", "/oauth/info", 401}, {"POST", "/oauth/info", 405},
			{"GET", "/oauth/invalid", 401}, {"POST", "/oauth/invalid", 405},
			{"GET", "/oauth/none-of-these", 404},
		} {
			r := s.send(tt.method, tt.path, form())
			if r.StatusCode != tt.status {
				t.Errorf("%s %s: got %d, want %d: %.200s", tt.method, tt.path, r.StatusCode, tt.status, r.body)
			}
			if tt.status == 405 && r.Header.Get("Allow") == "" {
				t.Errorf("%s %s: 405 without Allow (RFC 9110 §15.5.6)", tt.method, tt.path)
			}
		}
	})
}

// TestParity14_InfoIs404InProduction: without Config.TestEndpoints there are no
// test endpoints but ping.
func TestParity14_InfoIs404InProduction(t *testing.T) {
	bothOwn(t, options{change: func(c *valetkey.Config) { c.TestEndpoints = false }}, func(t *testing.T, s *site) {
		token := s.signIn().personalToken("t", "test:scope")
		for path, want := range map[string]int{"/oauth/info": 404, "/oauth/invalid": 404, "/oauth/ping": 200} {
			if r := s.call(path, token); r.StatusCode != want {
				t.Errorf("%s: got %d, want %d", path, r.StatusCode, want)
			}
		}
	})
}

// TestParity4_SignInLeadsBack: 302 to /login/?next=…, and from there to where
// the person wanted to go, be it the settings or an authorization request.
func TestParity4_SignInLeadsBack(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app := s.application(s.person())
		for _, path := range []string{settings, settings + "tokens/new/?name=x&scopes=records:read", app.request()} {
			r := s.send(http.MethodGet, path, nil)
			to, err := url.Parse(r.Header.Get("Location"))
			if err != nil || r.StatusCode != 302 || to.Path != "/login/" || to.Host != "" || to.Query().Get("next") != path {
				t.Errorf("%s: got %d %q, want 302 to /login/ with next", path, r.StatusCode, r.Header.Get("Location"))
			}
			v := s.visitor(s.person())
			page := v.open(path)
			page = v.submit(page.Form().Set("username", v.email).Set("password", password))
			if page.Status != 200 || page.URL.RequestURI() != path {
				t.Errorf("signing in led to %v, want %s", page, path)
			}
		}
	})
}

// TestParity6_MenuItem: the link, its place, and that it is marked on every page
// of the settings.
func TestParity6_MenuItem(t *testing.T) {
	want := oauth.MenuItem{ID: "settings.applications", Label: "Applications", Path: settings, Order: 21}
	both(t, func(t *testing.T, s *site) {
		if got := s.server.MenuItem(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		v := s.signIn()
		app := s.application(v.person)
		for _, path := range []string{"", "clients/new/", "clients/" + app.ClientID + "/", "tokens/new/"} {
			if page := v.open(settings + path); !page.Contains(`href="`+settings+`" aria-current="page"`) && !page.Contains(`aria-current="page" href="`+settings+`"`) {
				t.Errorf("%q: the menu item is not marked as current: %v", path, page)
			}
		}
	})
}
