package valetkey_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// Clients of the predecessor send their secret in the form, and are registered
// here for Basic unless somebody says otherwise.
func TestCompatAnySecretMethod(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		compat valetkey.Compat
		want   int
	}{
		{valetkey.Compat{}, http.StatusUnauthorized},
		{valetkey.Compat{AnySecretMethod: true}, http.StatusOK},
	} {
		as, err := valetkey.New(valetkey.Config{
			Issuer: "https://example.org", Store: memstore.New(), Login: hostLogin{}, Users: hostUsers{}, Compat: tt.compat,
		})
		if err != nil {
			t.Fatal(err)
		}
		c, secret, err := as.Desk().CreateApplication(t.Context(), manage.Actor{Operator: true},
			manage.ApplicationInput{Type: oauth.ServiceApplication, Name: "nightly"})
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {string(secret)}}
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		as.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%+v: a secret in the form of a client registered for %s: %d, want %d: %s", tt.compat, c.AuthMethod, w.Code, tt.want, w.Body)
		}
	}
}
