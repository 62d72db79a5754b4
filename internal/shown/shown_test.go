package shown_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/shown"
	"github.com/valetkey/valetkey/oauth"
)

func TestSecretIsShownToItsSessionOnItsPage(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ring := keyring.Random()
	once := shown.Once{Ring: ring, Now: func() time.Time { return now }}
	ada, eve := &oauth.Session{ID: "a"}, &oauth.Session{ID: "e"}
	c, err := once.Cookie(ada, "/x/created/", "the secret")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(c.String(), "the secret") || !c.HttpOnly || c.Path != "/x/created/" || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 300 {
		t.Errorf("cookie = %s", c)
	}
	take := func(o shown.Once, s *oauth.Session, path string, cookie *http.Cookie) (string, *httptest.ResponseRecorder) {
		r := httptest.NewRequest("GET", path, nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		return o.Take(w, r, s, path), w
	}
	head := httptest.NewRequest(http.MethodHead, "/x/created/", nil)
	head.AddCookie(c)
	if w := httptest.NewRecorder(); once.Take(w, head, ada, "/x/created/") != "" || len(w.Header()) != 0 {
		t.Errorf("HEAD took the secret: %v", w.Header())
	}
	if got, w := take(once, ada, "/x/created/", c); got != "the secret" || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("Take = %q, %v, want the secret and the cookie gone", got, w.Header())
	}
	later := shown.Once{Ring: ring, Now: func() time.Time { return now.Add(5 * time.Minute) }}
	other := shown.Once{Ring: keyring.Random(), Now: once.Now}
	altered := *c
	altered.Value = c.Value[:len(c.Value)-2] + "AA"
	for name, got := range map[string]func() (string, *httptest.ResponseRecorder){
		"no cookie":     func() (string, *httptest.ResponseRecorder) { return take(once, ada, "/x/created/", nil) },
		"other session": func() (string, *httptest.ResponseRecorder) { return take(once, eve, "/x/created/", c) },
		"other page":    func() (string, *httptest.ResponseRecorder) { return take(once, ada, "/y/created/", c) },
		"too late":      func() (string, *httptest.ResponseRecorder) { return take(later, ada, "/x/created/", c) },
		"other ring":    func() (string, *httptest.ResponseRecorder) { return take(other, ada, "/x/created/", c) },
		"altered":       func() (string, *httptest.ResponseRecorder) { return take(once, ada, "/x/created/", &altered) },
	} {
		if secret, _ := got(); secret != "" {
			t.Errorf("%s: Take = %q, want nothing", name, secret)
		}
	}
	https := shown.Once{Ring: ring, Secure: true, Now: once.Now}
	if c, err := https.Cookie(ada, "/x/", "s"); err != nil || !c.Secure || !strings.HasPrefix(c.Name, "__Secure-") {
		t.Errorf("cookie on https = %v, %v", c, err)
	}
}
