package discovery_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/discovery"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestMetadata1_Paths(t *testing.T) {
	t.Parallel()
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	for issuer, want := range map[string][]string{
		"https://example.org":     {oauth, openid},
		"https://example.org/":    {oauth, openid},
		"https://example.org/idp": {oauth + "/idp", "/idp" + oauth, openid + "/idp", "/idp" + openid},
		"https://example.org/a/b": {oauth + "/a/b", "/a/b" + oauth, openid + "/a/b", "/a/b" + openid},
	} {
		if got := discovery.Paths(issuer, true); !slices.Equal(got, want) {
			t.Errorf("%s: got %s, want %s", issuer, got, want)
		}
		if got := discovery.Paths(issuer, false); !slices.Equal(got, want[:len(want)/2]) {
			t.Errorf("%s without OpenID: got %s, want %s", issuer, got, want[:len(want)/2])
		}
	}
}

func document(t *testing.T, c discovery.Config) map[string]any {
	t.Helper()
	c.Issuer = "https://example.org/idp"
	var err error
	if c.Scopes, err = oauth.NewScopes(oauth.Scope{Name: "a"}, oauth.Scope{Name: "hidden", Internal: true}); err != nil {
		t.Fatal(err)
	}
	h, err := discovery.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, discovery.WellKnown, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func list(doc map[string]any, name string) (out []string) {
	values, _ := doc[name].([]any)
	for _, v := range values {
		out = append(out, v.(string))
	}
	return out
}

func TestDocument(t *testing.T) {
	t.Parallel()
	plain := discovery.Config{
		Grants: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		AuthMethods: []string{"client_secret_basic", "client_secret_post", "none"},
	}
	doc := document(t, plain)
	if doc["issuer"] != "https://example.org/idp" || doc["token_endpoint"] != "https://example.org/idp/oauth/token" {
		t.Errorf("got %v", doc)
	}
	for name, value := range doc {
		if s, ok := value.(string); strings.HasSuffix(name, "_endpoint") && (!ok || !strings.HasPrefix(s, "https://example.org/idp/oauth/")) {
			t.Errorf("%s is %v", name, value)
		}
	}
	for name, want := range map[string][]string{
		"grant_types_supported":                         {"authorization_code", "refresh_token"},
		"response_types_supported":                      {"code"},
		"response_modes_supported":                      {"query", "fragment", "form_post"},
		"code_challenge_methods_supported":              {"S256"},
		"scopes_supported":                              {"a", "user:email"},
		"token_endpoint_auth_methods_supported":         {"client_secret_basic", "client_secret_post", "none"},
		"introspection_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post"},
	} {
		if got := list(doc, name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if doc["authorization_response_iss_parameter_supported"] != true || doc["jwks_uri"] != nil {
		t.Errorf("got %v", doc)
	}
	if doc["request_uri_parameter_supported"] != false || doc["userinfo_endpoint"] != nil {
		t.Errorf("what is not there: %v", doc)
	}
	more := plain
	more.ResponseTypes, more.JWKS, more.OpenID = []string{"code", "token"}, true, &discovery.OpenID{SigningAlgs: []string{"RS256"}, Logout: true, SessionManaged: true}
	more.Registration, more.DeviceAuthorization, more.PushedRequests, more.ClientDocuments = true, true, true, true
	more.RequestObjectAlgs, more.AssertionAlgs, more.IntrospectionAlgs = []string{"ES256"}, []string{"ES256"}, []string{"ES256"}
	full := document(t, more)
	if !slices.Contains(list(full, "response_types_supported"), "token") || !slices.Contains(list(full, "grant_types_supported"), "implicit") ||
		!slices.Contains(list(full, "response_modes_supported"), "fragment") || full["jwks_uri"] != "https://example.org/idp/oauth/jwks" {
		t.Errorf("with everything on: %v", full)
	}
}

func TestR2_OnlyRegisteredNames(t *testing.T) {
	t.Parallel()
	d := discovery.Document{}
	if err := d.Set("valetkey_version", "1"); err == nil || len(d) != 0 {
		t.Errorf("an unregistered name was taken: %v, %v", d, err)
	}
	if err := d.Set("issuer", "x"); err != nil {
		t.Error(err)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	get := func(method, etag string) oauthtest.Reply {
		req, _ := http.NewRequest(method, e.URL+discovery.WellKnown, nil)
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		return e.Send(req)
	}
	first := get(http.MethodGet, "")
	etag := first.Header.Get("ETag")
	if first.StatusCode != 200 || etag == "" || first.Header.Get("Cache-Control") == "" {
		t.Fatalf("got %d %v", first.StatusCode, first.Header)
	}
	for _, known := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
		if r := get(http.MethodGet, known); r.StatusCode != 304 || r.Body != "" {
			t.Errorf("If-None-Match %s: got %d", known, r.StatusCode)
		}
	}
	if r := get(http.MethodGet, `"x"`); r.StatusCode != 200 {
		t.Errorf("another ETag: got %d", r.StatusCode)
	}
	if r := get(http.MethodHead, ""); r.StatusCode != 200 || r.Header.Get("ETag") != etag {
		t.Errorf("HEAD: %d %v", r.StatusCode, r.Header)
	}
	if r := get(http.MethodPost, ""); r.StatusCode != 405 {
		t.Errorf("POST: got %d", r.StatusCode)
	}
}

// What the document says works, and what works it says.
func TestMetadata2_DocumentTellsTheTruth(t *testing.T) {
	t.Parallel()
	for _, o := range []oauthtest.Options{{}, {Password: true, Implicit: true}} {
		e := oauthtest.New(t, o)
		var doc map[string]any
		if err := json.Unmarshal([]byte(e.Anonymous().Do(http.MethodGet, discovery.WellKnown, nil).Body), &doc); err != nil {
			t.Fatal(err)
		}
		web := e.Web()
		for _, grantType := range []string{"authorization_code", "refresh_token", "client_credentials", "password"} {
			reply := e.Token(web, map[string][]string{"grant_type": {grantType}})
			works := reply.Error != "unsupported_grant_type" && reply.Error != "unauthorized_client"
			if says := slices.Contains(list(doc, "grant_types_supported"), grantType); says != works {
				t.Errorf("%s: works %v, is listed %v", grantType, works, says)
			}
		}
		for _, method := range []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost, oauth.AuthNone} {
			c := e.AddClient(oauth.Client{AuthMethod: method, RedirectURIs: []string{"https://web.test/cb"}})
			works := e.As(c, "/oauth/revoke", map[string][]string{"token": {"x"}}).StatusCode == 200
			if says := slices.Contains(list(doc, "token_endpoint_auth_methods_supported"), string(method)); says != works {
				t.Errorf("%s: works %v, is listed %v", method, works, says)
			}
		}
		for _, responseType := range []string{"code", "token", "id_token", "code token"} {
			location := e.SignIn("alice").Authorize(oauthtest.Request(web, "response_type", responseType)).Header.Get("Location")
			works := !strings.Contains(location, "unsupported_response_type")
			if says := slices.Contains(list(doc, "response_types_supported"), responseType); says != works {
				t.Errorf("%s: works %v, is listed %v", responseType, works, says)
			}
		}
		for _, scope := range append(list(doc, "scopes_supported"), "secret:scope", "nonsense") {
			location := e.SignIn("alice").Authorize(oauthtest.Request(web, "scope", scope)).Header.Get("Location")
			works := !strings.Contains(location, "invalid_scope")
			if says := slices.Contains(list(doc, "scopes_supported"), scope); says != works {
				t.Errorf("%s: works %v, is listed %v", scope, works, says)
			}
		}
	}
}
