package valetkey_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// TestAPIBehindItsGuard holds the answers of the whole server, guard included,
// against the description it serves.
func TestAPIBehindItsGuard(t *testing.T) {
	t.Parallel()
	as, err := valetkey.New(valetkey.Config{Issuer: "http://127.0.0.1:5000", Store: memstore.New(), Login: myLogin, Users: myUsers})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(as)
	t.Cleanup(srv.Close)
	_, pat, err := as.Desk().CreateToken(t.Context(), manage.Actor{Subject: "alice"}, manage.TokenInput{
		Name: "reader", Scopes: []string{"tokens:read"}, ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(srv.URL + "/api/v1/openapi.yaml") // without a credential
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: srv.URL + "/api/v1"}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, header, value string
		want                  int
		says                  string
	}{
		"nobody":                  {"GET", "", "", 401, "hint"},
		"unknown token":           {"GET", "Authorization", "Bearer vk_pat_x", 401, "invalid_token"},
		"token with the scope":    {"GET", "Authorization", "Bearer " + string(pat), 200, `"name":"reader"`},
		"token without the scope": {"POST", "Authorization", "Bearer " + string(pat), 403, "tokens:write"},
		"session":                 {"GET", "Cookie", "user=alice", 200, `"name":"reader"`},
		"session without proof":   {"POST", "Cookie", "user=alice", 400, "Missing required header argument."},
	} {
		body, err := json.Marshal(map[string]any{"name": "x", "scopes": []string{oauth.ScopeEmail}})
		if err != nil {
			t.Fatal(err)
		}
		if tt.method == "GET" {
			body = nil
		}
		req, err := http.NewRequest(tt.method, srv.URL+"/api/v1/tokens", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if tt.header != "" {
			req.Header.Set(tt.header, tt.value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tt.want || !strings.Contains(string(raw), tt.says) {
			t.Errorf("%s: got %d %s, want %d with %q", name, resp.StatusCode, raw, tt.want, tt.says)
		}
		route, params, err := router.FindRoute(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
			Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(raw)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}); err != nil {
			t.Errorf("%s: the answer is not as described: %v", name, err)
		}
	}
}
