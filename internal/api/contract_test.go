package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/valetkey/valetkey/internal/api"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// people is a user source of fixed users.
type people map[string]*oauth.User

func (p people) User(_ context.Context, subject string) (*oauth.User, error) {
	if u, ok := p[subject]; ok {
		return u, nil
	}
	return nil, oauth.ErrUserNotFound
}

// server is the API over HTTP. Whoever calls is named by a header, as a guard
// would have found out.
type server struct {
	*httptest.Server
	t         *testing.T
	desk      *manage.Desk
	store     *memstore.Store
	mint      *mint.Mint
	now       time.Time
	notRecent bool
	router    routers.Router
	seen      map[string]bool // operationId + status, of all answers
}

type principalKey struct{}

func newServer(t *testing.T) *server {
	t.Helper()
	return newServerWith(t, manage.Policy{RequirePKCE: true})
}

func newServerWith(t *testing.T, policy manage.Policy) *server {
	t.Helper()
	s := &server{t: t, now: start, store: memstore.New(), seen: map[string]bool{}}
	var err error
	if s.mint, err = mint.New("vk", [][]byte{[]byte("key")}); err != nil {
		t.Fatal(err)
	}
	scopes, err := oauth.NewScopes(append(api.Scopes(),
		oauth.Scope{Name: "records:read", Description: "Read your records"},
		oauth.Scope{Name: "records:write", Description: "Change your records"},
		oauth.Scope{Name: "admin:everything", Description: "Do everything", Internal: true})...)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { s.now = s.now.Add(time.Millisecond); return s.now }
	s.desk, err = manage.New(manage.Config{
		Store: s.store, Mint: s.mint, Scopes: scopes, Now: clock, Policy: policy,
		Users: people{"ada": {Subject: "ada"}, "eve": {Subject: "eve"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{
		Desk: s.desk, Issuer: "http://127.0.0.1/", Now: clock,
		Recent: func(*http.Request) bool { return !s.notRecent },
		Principal: func(ctx context.Context) (*oauth.Principal, bool) {
			p, ok := ctx.Value(principalKey{}).(*oauth.Principal)
			return p, ok
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	guard := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header.Get("Test-Principal"); h != "" {
			var p oauth.Principal
			if err := json.Unmarshal([]byte(h), &p); err != nil {
				t.Error(err)
			}
			r = r.WithContext(context.WithValue(r.Context(), principalKey{}, &p))
		}
		handler.ServeHTTP(w, r)
	})
	s.Server = httptest.NewServer(peer.Identify(nil, guard))
	t.Cleanup(s.Close)
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: s.URL + "/api/v1"}}
	if s.router, err = legacy.NewRouter(doc); err != nil {
		t.Fatal(err)
	}
	return s
}

func session(subject string) *oauth.Principal {
	return &oauth.Principal{Subject: subject, Method: oauth.BySession}
}

// answer is one response, checked against the description.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// call sends a request, holds the answer against openapi.yaml, and checks its status.
func (s *server) call(p *oauth.Principal, method, path string, body any, want int) answer {
	s.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequest(method, s.URL+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return s.send(p, r, want)
}

func (s *server) send(p *oauth.Principal, r *http.Request, want int) answer {
	s.t.Helper()
	if p != nil {
		h, err := json.Marshal(p)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Test-Principal", string(h))
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if len(raw) > 0 && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			s.t.Fatalf("%s %s: %v in %s", r.Method, r.URL, err, raw)
		}
	}
	if resp.StatusCode != want {
		s.t.Errorf("%s %s: status = %d, want %d: %s", r.Method, r.URL.Path, resp.StatusCode, want, raw)
	}
	s.contract(r, resp, raw)
	return out
}

// contract holds one answer against the description.
func (s *server) contract(r *http.Request, resp *http.Response, raw []byte) {
	s.t.Helper()
	route, params, err := s.router.FindRoute(r)
	if err != nil {
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
			s.t.Errorf("%s %s is not described and answers %d", r.Method, r.URL.Path, resp.StatusCode)
		}
		return
	}
	s.seen[route.Operation.OperationID+" "+resp.Status[:3]] = true
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}},
		Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(raw)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		s.t.Errorf("%s %s: the answer is not as described: %v", r.Method, r.URL.Path, err)
	}
}

func TestDocumentIsValidAndServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	resp, err := s.Client().Get(s.URL + "/api/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
		t.Errorf("GET openapi.yaml: status %d, %d bytes, want 200 and the embedded file", resp.StatusCode, len(got))
	}
}

// grant makes ada authorize a client of eve's, and returns the grant's id.
func (s *server) grant() string {
	s.t.Helper()
	ctx := context.Background()
	c, _, err := s.desk.CreateApplication(ctx, manage.Actor{Subject: "eve"}, manage.ApplicationInput{
		Name: "Uploader", Website: "https://uploader.example", RedirectURIs: []string{"https://uploader.example/cb"}})
	if err != nil {
		s.t.Fatal(err)
	}
	g := &oauth.Grant{ID: mint.NewID(s.now), ClientID: c.ID, Subject: "ada", Scopes: []string{"records:read"}, CreatedAt: s.now}
	if err := s.store.CreateGrant(ctx, g); err != nil {
		s.t.Fatal(err)
	}
	return g.ID
}

// TestContract brings about every answer that openapi.yaml describes. Each one
// is validated as it arrives; what never arrived is missed at the end.
func TestContract(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada := session("ada")
	const nobodys = "0000000000000000000000"
	app := map[string]any{"name": "Uploader", "website": "https://uploader.example", "redirect_uris": []string{"https://uploader.example/cb"}}

	token := s.call(ada, "POST", "/tokens", map[string]any{"name": "export", "scopes": []string{"records:read"}, "expires_at": start.Add(time.Hour)}, 201)
	tokenPath := "/tokens/" + token.str("id")
	if want := "http://127.0.0.1/api/v1" + tokenPath; token.header.Get("Location") != want {
		t.Errorf("Location = %q, want %q", token.header.Get("Location"), want)
	}
	client := s.call(ada, "POST", "/applications", app, 201)
	clientPath := "/applications/" + client.str("client_id")
	grantPath := "/authorizations/" + s.grant()

	s.call(ada, "GET", "/tokens", nil, 200)
	s.call(ada, "GET", tokenPath, nil, 200)
	s.call(ada, "PATCH", tokenPath, map[string]any{"description": "nightly"}, 200)
	s.call(ada, "POST", tokenPath+"/regenerate", nil, 200)
	s.call(ada, "GET", "/applications", nil, 200)
	s.call(ada, "GET", clientPath, nil, 200)
	s.call(ada, "PATCH", clientPath, map[string]any{"description": "uploads"}, 200)
	s.call(ada, "POST", clientPath+"/rotate-secret", map[string]any{"keep_old": 3600}, 200)
	s.call(ada, "GET", "/authorizations", nil, 200)
	s.call(ada, "GET", grantPath, nil, 200)
	s.call(ada, "GET", "/activity", nil, 200)

	none := &oauth.Principal{Subject: "ada", Method: oauth.ByPersonalToken, TokenID: nobodys}
	refused := []struct{ method, path string }{
		{"GET", "/tokens"}, {"POST", "/tokens"}, {"GET", tokenPath}, {"PATCH", tokenPath}, {"DELETE", tokenPath}, {"POST", tokenPath + "/regenerate"},
		{"GET", "/applications"}, {"POST", "/applications"}, {"GET", clientPath}, {"PATCH", clientPath}, {"DELETE", clientPath}, {"POST", clientPath + "/rotate-secret"},
		{"GET", "/authorizations"}, {"GET", grantPath}, {"DELETE", grantPath}, {"GET", "/activity"},
	}
	for _, r := range refused {
		s.call(nil, r.method, r.path, nil, 401)
		s.call(none, r.method, r.path, nil, 403)
	}
	for _, path := range []string{"/tokens", "/applications", "/authorizations", "/activity"} {
		s.call(ada, "GET", path+"?limit=0", nil, 400)
		s.call(ada, "GET", path+"?limit=ten", nil, 400)
		s.call(ada, "GET", path+"?after=';--", nil, 400)
		s.call(ada, "GET", path+"?after=", nil, 400)
		s.call(ada, "GET", path+"?after=a&after=b", nil, 400)
		s.call(ada, "GET", path+"?limit=1000000", nil, 200)
	}
	s.call(ada, "GET", "/tokens?state=dead", nil, 400)
	bodies := []struct {
		method, path string
		invalid      any
	}{
		{"POST", "/tokens", map[string]any{"name": ""}},
		{"PATCH", tokenPath, map[string]any{"scopes": []string{"records:write"}}},
		{"POST", tokenPath + "/regenerate", map[string]any{"expires_at": start.Add(-time.Hour)}},
		{"POST", "/applications", map[string]any{"name": "x"}},
		{"PATCH", clientPath, map[string]any{"website": "javascript:alert(1)"}},
		{"POST", clientPath + "/rotate-secret", map[string]any{"keep_old": -1}},
	}
	for _, b := range bodies {
		s.call(ada, b.method, b.path, b.invalid, 422)
		s.call(ada, b.method, b.path, "{", 400)
		s.call(ada, b.method, b.path, `{"pad":"`+strings.Repeat("x", 64<<10)+`"}`, 413)
		r, err := http.NewRequest(b.method, s.URL+"/api/v1"+b.path, strings.NewReader(url.Values{"name": {"x"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.send(ada, r, 415)
	}
	for _, missing := range []struct{ method, path string }{
		{"GET", "/tokens/"}, {"PATCH", "/tokens/"}, {"DELETE", "/tokens/"}, {"GET", "/applications/"}, {"PATCH", "/applications/"}, {"DELETE", "/applications/"},
		{"GET", "/authorizations/"}, {"DELETE", "/authorizations/"},
	} {
		s.call(ada, missing.method, missing.path+nobodys, nil, 404)
	}
	s.call(ada, "POST", "/tokens/"+nobodys+"/regenerate", nil, 404)
	s.call(ada, "POST", "/applications/"+nobodys+"/rotate-secret", nil, 404)

	s.call(ada, "DELETE", tokenPath, nil, 204)
	s.call(ada, "GET", tokenPath, nil, 404)
	s.call(ada, "DELETE", clientPath, nil, 204)
	s.call(ada, "GET", clientPath, nil, 404)
	s.call(ada, "DELETE", grantPath, nil, 204)
	s.call(ada, "GET", grantPath, nil, 404)

	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			for status := range op.Responses.Map() {
				if !s.seen[op.OperationID+" "+status] {
					t.Errorf("%s: the described answer %s was never given", op.OperationID, status)
				}
			}
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := s.call(session("ada"), "PUT", "/tokens", nil, 405)
	if got := a.header.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow = %q, want GET, POST", got)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type of a 405 = %q, want a problem", got)
	}
	if got := s.call(session("ada"), "GET", "/nothing", nil, 404).header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type of a 404 = %q, want a problem", got)
	}
}
