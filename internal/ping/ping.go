// Package ping serves the endpoints that try out a token: /oauth/ping tells
// whether it is alive, /oauth/info whom it stands for, and /oauth/invalid
// demands a scope that nobody has. They take tokens only, no sessions.
package ping

import (
	"net/http"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/resource"
)

// Scopes of the endpoints.
const (
	TestScope    = "test:scope"
	InvalidScope = "invalid_scope"
)

// Require wraps a handler so that it is reached only by a live token that has
// every one of the scopes.
type Require func(scopes ...string) func(http.Handler) http.Handler

// Ping answers {"ping":"pong"} to any live token, by GET and by POST.
func Ping(require Require) http.Handler {
	return methods(require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond.JSON(w, http.StatusOK, map[string]string{"ping": "pong"})
	})), http.MethodGet, http.MethodPost)
}

// Info answers a token with test:scope:
//
//	{"user": subject, "client": client id or "", "scopes": ["test:scope"]}
//
// scopes are those that the endpoint demands, not those of the token.
func Info(require Require) http.Handler {
	return methods(require(TestScope)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := resource.PrincipalFrom(r.Context())
		respond.JSON(w, http.StatusOK, struct {
			User   string   `json:"user"`
			Client string   `json:"client"`
			Scopes []string `json:"scopes"`
		}{p.Subject, p.ClientID, []string{TestScope}})
	})), http.MethodGet)
}

// Invalid refuses every token: none has invalid_scope.
func Invalid(require Require) http.Handler {
	return methods(require(InvalidScope)(http.NotFoundHandler()), http.MethodGet)
}

// methods answers 405 to other methods (RFC 9110 §15.5.6); HEAD goes with GET.
func methods(next http.Handler, allow ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range allow {
			if r.Method == m || r.Method == http.MethodHead && m == http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
		}
		respond.MethodNotAllowed(w, r, allow...)
	})
}

// FormToken takes the token from the form of a POST too (RFC 6750 §2.2), as the
// predecessor's endpoints did. Guards of other routes never read bodies.
func FormToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Authorization") == "" && !r.URL.Query().Has("access_token") {
			if f, err := form.Parse(w, r); err == nil && f["access_token"] != "" {
				r = r.Clone(r.Context())
				r.Header.Set("Authorization", "Bearer "+f["access_token"])
			}
		}
		next.ServeHTTP(w, r)
	})
}
