package ping_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/ping"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// require guards with tokens that are called after their scope.
func require(t *testing.T) ping.Require {
	t.Helper()
	g, err := resource.New(resource.Config{Verify: func(_ context.Context, token oauth.Secret) (*oauth.Principal, error) {
		switch token {
		case "personal":
			return &oauth.Principal{Subject: "7", Scopes: []string{"test.other"}, Method: oauth.ByPersonalToken}, nil
		case "test":
			return &oauth.Principal{Subject: "7", ClientID: "app", Scopes: []string{"test:scope", "user:email"}, Method: oauth.ByAccessToken}, nil
		}
		return nil, &oauth.Error{Code: oauth.InvalidToken}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return g.RequireScopes
}

type test struct {
	name, method, token string
	status              int
	body                string // empty: any
}

func TestParity30_Ping(t *testing.T) {
	t.Parallel()
	run(t, ping.Ping(require(t)), []test{
		{"live token", "GET", "personal", 200, `{"ping":"pong"}`},
		{"by POST", "POST", "test", 200, `{"ping":"pong"}`},
		{"dead token", "GET", "gone", 401, ""},
		{"no token", "GET", "", 401, ""},
		{"another method", "PUT", "test", 405, ""},
	})
}

// TestParity31_Info: the scopes are those that the endpoint demands.
func TestParity31_Info(t *testing.T) {
	t.Parallel()
	run(t, ping.Info(require(t)), []test{
		{"scope there", "GET", "test", 200, `{"user":"7","client":"app","scopes":["test:scope"]}`},
		{"scope missing", "GET", "personal", 403, ""},
		{"no token", "GET", "", 401, ""},
		{"by POST", "POST", "test", 405, ""},
	})
}

// TestParity32_Invalid: 403, because the token is good and lacks a scope (13d).
func TestParity32_Invalid(t *testing.T) {
	t.Parallel()
	run(t, ping.Invalid(require(t)), []test{
		{"live token", "GET", "test", 403, ""},
		{"no token", "GET", "", 401, ""},
	})
}

func run(t *testing.T, h http.Handler, tests []test) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(tt.method, "/", nil)
			if tt.token != "" {
				req.Header.Set("Authorization", "Bearer "+tt.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if body := strings.TrimSpace(w.Body.String()); w.Code != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, body, tt.status, tt.body)
			}
		})
	}
}
