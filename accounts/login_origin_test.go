package accounts_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/oauth"
)

// Chromium holds every redirect that follows a form to the page's form-action:
// without the origin, signing in would not reach a client whose consent is
// remembered.
func TestLoginPageAllowsTheOriginOfTheClientThatWaits(t *testing.T) {
	t.Parallel()
	d := newHouse(t).door
	ask := func(origin string) string {
		w := httptest.NewRecorder()
		d.Login(w, httptest.NewRequest("GET", "/oauth/authorize", nil), oauth.LoginRequest{ReturnTo: "/oauth/authorize?x", ClientOrigin: origin})
		return w.Header().Get("Location")
	}
	policy := func(location string) string {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", location, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("GET %s: %d", location, w.Code)
		}
		return w.Header().Get("Content-Security-Policy")
	}
	if csp := policy(ask("https://app.example")); !strings.Contains(csp, "form-action 'self' https://app.example") {
		t.Errorf("the policy %q does not let the form lead to the client", csp)
	}
	if csp := policy(ask("")); !strings.Contains(csp, "form-action 'self';") && !strings.HasSuffix(csp, "form-action 'self'") {
		t.Errorf("the policy %q lets the form lead elsewhere", csp)
	}
	if csp := policy("/login/?origin=https://evil.example"); strings.Contains(csp, "evil") {
		t.Errorf("a made-up link loosened the policy: %q", csp)
	}
}
