package valetkey_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// tokenHost is a server with a route of the host's beside it, and personal
// tokens of alice's by the names of their scopes.
func tokenHost(t *testing.T, test bool) (base string, tokens map[string]string) {
	t.Helper()
	as, err := valetkey.New(valetkey.Config{
		Issuer: "http://127.0.0.1:5000", Store: memstore.New(), Login: myLogin, Users: myUsers, TestEndpoints: test,
		Scopes: []oauth.Scope{{Name: "test:scope", Description: "Test"}, {Name: "records:read", Description: "Read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens = map[string]string{}
	for _, scope := range []string{"test:scope", "records:read"} {
		_, secret, err := as.Desk().CreateToken(t.Context(), manage.Actor{Subject: "alice"}, manage.TokenInput{
			Name: scope, Scopes: []string{scope}, ExpiresAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		tokens[scope] = string(secret)
	}
	mux := http.NewServeMux()
	mux.Handle("/", as)
	mux.Handle("/api/records", as.RequireScopes("records:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, valetkey.PrincipalFrom(r.Context()).Subject)
	})))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL, tokens
}

// call returns the status and body of a GET, and fails on a cookie.
func call(t *testing.T, address, token, cookie string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
		t.Errorf("%s: sets the cookies %q", address, got)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

// TestParity30_TestEndpoints: ping is always there; info and invalid are not in
// production. None of them sets a cookie, and none takes a session.
func TestParity30_TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, test := range []bool{true, false} {
		base, tokens := tokenHost(t, test)
		for _, tt := range []struct {
			path, scope, cookie string
			status, prod        int
			body                string
		}{
			{"/oauth/ping", "records:read", "", 200, 200, `{"ping":"pong"}`},
			{"/oauth/ping", "", "", 401, 401, ""},
			{"/oauth/ping", "", "user=alice", 401, 401, ""},
			{"/oauth/info", "test:scope", "", 200, 404, `{"user":"alice","client":"","scopes":["test:scope"]}`},
			{"/oauth/info", "records:read", "", 403, 404, ""},
			{"/oauth/info", "", "user=alice", 401, 404, ""},
			{"/oauth/invalid", "test:scope", "", 403, 404, ""},
		} {
			want := tt.status
			if !test {
				want = tt.prod
			}
			status, body := call(t, base+tt.path, tokens[tt.scope], tt.cookie)
			if status != want || status == 200 && body != tt.body {
				t.Errorf("test endpoints %t, %s with %q and %q: got %d %s, want %d %s", test, tt.path, tt.scope, tt.cookie, status, body, want, tt.body)
			}
		}
	}
}

// TestParity14_HostRoute: a route of the host's own, by token and by session.
func TestParity14_HostRoute(t *testing.T) {
	t.Parallel()
	base, tokens := tokenHost(t, false)
	for _, tt := range []struct {
		scope, cookie string
		status        int
	}{
		{"", "", 401}, {"records:read", "", 200}, {"test:scope", "", 403}, {"", "user=alice", 200},
		{"test:scope", "user=alice", 403}, {"", "user=nobody", 401},
	} {
		if status, body := call(t, base+"/api/records", tokens[tt.scope], tt.cookie); status != tt.status || status == 200 && body != "alice" {
			t.Errorf("token %q, cookie %q: got %d %s, want %d", tt.scope, tt.cookie, status, body, tt.status)
		}
	}
}
