package resource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// endpoint is somebody's introspection endpoint. It answers with what tokens
// says, and knows the client "api" with the secret "s:+ %".
type endpoint struct {
	*httptest.Server
	asked  atomic.Int32
	tokens map[string]string
}

func newEndpoint(t *testing.T, tokens map[string]string) *endpoint {
	t.Helper()
	e := &endpoint{tokens: tokens}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		if id, secret, _ := r.BasicAuth(); id != "api" || secret != "s%3A%2B+%25" { // RFC 6749 §2.3.1
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if reply, ok := e.tokens[r.PostFormValue("token")]; ok {
			io.WriteString(w, reply)
			return
		}
		io.WriteString(w, `{"active":false}`)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) verifier(t *testing.T, change func(*resource.IntrospectionConfig)) resource.Verifier {
	t.Helper()
	c := resource.IntrospectionConfig{URL: e.URL, ClientID: "api", ClientSecret: "s:+ %", Now: func() time.Time { return start }}
	if change != nil {
		change(&c)
	}
	v, err := resource.Introspection(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	exp := strconv.FormatInt(start.Unix()+60, 10)
	past := strconv.FormatInt(start.Unix(), 10)
	const fault = "fault"
	tests := []struct {
		name, reply string
		want        string // subject, or the error code, or fault
	}{
		{"alive", `{"active":true,"token_type":"Bearer","sub":"ann","client_id":"app","scope":"a b","exp":` + exp + `,"more":{"x":[1]}}`, "ann"},
		{"token type in another case", `{"active":true,"sub":"ann","token_type":"bearer"}`, "ann"},
		{"no scope, no expiry", `{"active":true,"token_type":"Bearer","sub":"ann"}`, "ann"},
		{"the client itself", `{"active":true,"token_type":"Bearer","client_id":"app"}`, ""},
		{"not active", `{"active":false}`, "invalid_token"},
		{"not active with claims", `{"active":false,"sub":"ann"}`, "invalid_token"},
		{"expired all the same", `{"active":true,"token_type":"Bearer","sub":"ann","exp":` + past + `}`, "invalid_token"},
		{"not yet", `{"active":true,"token_type":"Bearer","sub":"ann","nbf":` + exp + `}`, "invalid_token"},
		{"bound to a key", `{"active":true,"token_type":"Bearer","sub":"ann","cnf":{"jkt":"x"}}`, "invalid_token"},
		{"of no type, as a refresh token", `{"active":true,"sub":"ann"}`, "invalid_token"},
		{"DPoP", `{"active":true,"sub":"ann","token_type":"DPoP"}`, "invalid_token"},
		{"nobody's", `{"active":true,"token_type":"Bearer"}`, fault},
		{"active is missing", `{"sub":"ann","token_type":"Bearer"}`, fault},
		{"active in another case", `{"Active":true,"token_type":"Bearer","sub":"ann"}`, fault},
		{"active twice", `{"active":false,"active":true,"token_type":"Bearer","sub":"ann"}`, fault},
		{"active is a string", `{"active":"true","sub":"ann"}`, fault},
		{"active is a number", `{"active":1,"sub":"ann"}`, fault},
		{"sub in another case too", `{"active":true,"token_type":"Bearer","SUB":"admin","sub":"ann"}`, "ann"},
		{"sub is a number", `{"active":true,"token_type":"Bearer","sub":1}`, fault},
		{"scope is a list", `{"active":true,"token_type":"Bearer","sub":"ann","scope":["a"]}`, fault},
		{"scope has a quote", `{"active":true,"token_type":"Bearer","sub":"ann","scope":"a \" b"}`, fault},
		{"exp is a string", `{"active":true,"token_type":"Bearer","sub":"ann","exp":"` + exp + `"}`, fault},
		{"two objects", `{"active":true,"token_type":"Bearer","sub":"ann"}{}`, fault},
		{"a list", `[{"active":true,"sub":"ann"}]`, fault},
		{"null", `null`, fault},
		{"true", `true`, fault},
		{"cut off", `{"active":true,"token_type":"Bearer","sub":"ann"`, fault},
		{"empty", ``, fault},
		{"too large", `{"active":true,"token_type":"Bearer","sub":"ann","x":"` + strings.Repeat("x", 64<<10) + `"}`, fault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := newEndpoint(t, map[string]string{"T": tt.reply}).verifier(t, nil)(t.Context(), "T")
			var got string
			if refusal, ok := errors.AsType[*oauth.Error](err); ok {
				got = string(refusal.Code)
			} else if err != nil {
				got = fault
			} else {
				got = p.Subject
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestIntrospectionPrincipal(t *testing.T) {
	t.Parallel()
	v := newEndpoint(t, map[string]string{"T": `{"active":true,"token_type":"Bearer","sub":"ann","client_id":"app","scope":"a b","jti":"7"}`}).verifier(t, nil)
	p, err := v(t.Context(), "T")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", *p), "{Subject:ann ClientID:app Scopes:[a b] Method:access_token TokenID:7}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What the endpoint answers with its status decides who is told what: a busy
// server is the caller's to wait for, a wrong secret is ours to mend.
func TestIntrospectionAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		status      int
		contentType string
		location    string
		unavailable bool
	}{
		{"500", 500, "application/json", "", true},
		{"503", 503, "text/html", "", true},
		{"429", 429, "application/json", "", true},
		{"401", 401, "application/json", "", false},
		{"404", 404, "application/json", "", false},
		{"a page", 200, "text/html", "", false},
		{"a redirect", 307, "application/json", "/elsewhere", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("the redirect was followed, with the token")
				}
				w.Header().Set("Content-Type", tt.contentType)
				w.Header().Set("Location", tt.location)
				w.WriteHeader(tt.status)
				io.WriteString(w, `{"active":true,"token_type":"Bearer","sub":"ann"}`)
			}))
			t.Cleanup(srv.Close)
			v, err := resource.Introspection(resource.IntrospectionConfig{URL: srv.URL, ClientID: "api", ClientSecret: "x"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = v(t.Context(), "T")
			if err == nil || errors.Is(err, oauth.TemporarilyUnavailable) != tt.unavailable {
				t.Errorf("got %v, want an error, temporarily unavailable: %t", err, tt.unavailable)
			}
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	v, err := resource.Introspection(resource.IntrospectionConfig{URL: gone.URL, ClientID: "api", ClientSecret: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v(t.Context(), "T"); !errors.Is(err, oauth.TemporarilyUnavailable) {
		t.Errorf("nobody there: got %v, want temporarily_unavailable", err)
	}
}

// TestM67_CacheRemembersNoDecision: with the cache on, one token on routes of
// different scopes, two servers with one token string, and a revocation.
func TestM67_CacheRemembersNoDecision(t *testing.T) {
	t.Parallel()
	now := start
	cached := func(c *resource.IntrospectionConfig) {
		c.Cache = time.Minute
		c.Now = func() time.Time { return now }
	}
	e := newEndpoint(t, map[string]string{
		"T":     `{"active":true,"token_type":"Bearer","sub":"ann","scope":"a"}`,
		"short": `{"active":true,"token_type":"Bearer","sub":"ann","scope":"a","exp":` + strconv.FormatInt(start.Unix()+10, 10) + `}`,
	})
	g := newGuard(t, resource.Config{Verify: e.verifier(t, cached)})
	get := func(g *resource.Guard, token, scope string) int {
		return serve(g.RequireScopes(scope)(whoami), "GET", "/", "Authorization", "Bearer "+token).Code
	}
	expect := func(what string, got, want int, asked int32) {
		t.Helper()
		if n := e.asked.Swap(0); got != want || n != asked {
			t.Errorf("%s: got %d after %d questions, want %d after %d", what, got, n, want, asked)
		}
	}
	expect("first use", get(g, "T", "a"), 200, 1)
	expect("again", get(g, "T", "a"), 200, 0)
	expect("another scope", get(g, "T", "b"), 403, 0)
	expect("the first scope again", get(g, "T", "a"), 200, 0)
	expect("a prefix of it", get(g, "TT", "a"), 401, 1)
	expect("refusals are not kept", get(g, "TT", "a"), 401, 1)

	other := newEndpoint(t, map[string]string{"T": `{"active":true,"token_type":"Bearer","sub":"ben","scope":"b"}`})
	g2 := newGuard(t, resource.Config{Verify: other.verifier(t, cached)})
	if got := get(g2, "T", "a"); got != 403 {
		t.Errorf("another server's token of the same text: got %d, want 403", got)
	}

	delete(e.tokens, "T")
	now = start.Add(time.Minute - 1)
	expect("revoked, within the bound", get(g, "T", "a"), 200, 0)
	now = start.Add(time.Minute)
	expect("revoked, at the bound", get(g, "T", "a"), 401, 1)

	now = start
	expect("a short-lived token", get(g, "short", "a"), 200, 1)
	now = start.Add(10*time.Second - 1)
	expect("before it expires", get(g, "short", "a"), 200, 0)
	now = start.Add(10 * time.Second)
	expect("when it expires", get(g, "short", "a"), 401, 1)
}

// A handler that changes its principal must not change the next request's.
func TestM67_CacheIsNotShared(t *testing.T) {
	t.Parallel()
	v := newEndpoint(t, map[string]string{"T": `{"active":true,"token_type":"Bearer","sub":"ann","scope":"a"}`}).verifier(t,
		func(c *resource.IntrospectionConfig) { c.Cache = time.Minute })
	for range 3 {
		p, err := v(t.Context(), "T")
		if err != nil || p.Subject != "ann" || p.Scopes[0] != "a" {
			t.Fatalf("got %+v, %v; want ann with the scope a", p, err)
		}
		p.Subject, p.Scopes[0] = "admin", "root"
	}
}

// The cache is bounded and goes on working when it is full.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	v := resource.CacheForTest(time.Minute, func() time.Time { return start },
		func(context.Context, oauth.Secret) (*oauth.Principal, time.Time, error) {
			asked++
			return &oauth.Principal{Subject: "ann"}, time.Time{}, nil
		})
	const n = 3 * resource.MaxCached
	for i := range n {
		if _, err := v.Verify(t.Context(), oauth.Secret(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if asked != n || v.Len() > resource.MaxCached {
		t.Errorf("got %d questions and %d entries, want %d and at most %d", asked, v.Len(), n, resource.MaxCached)
	}
	if _, err := v.Verify(t.Context(), oauth.Secret(fmt.Sprint(n-1))); err != nil || asked != n {
		t.Errorf("the newest entry is gone: %v after %d questions", err, asked)
	}
}

func TestIntrospectionRefusesConfig(t *testing.T) {
	t.Parallel()
	good := resource.IntrospectionConfig{URL: "https://id.example/oauth/introspect", ClientID: "api", ClientSecret: "x"}
	if _, err := resource.Introspection(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*resource.IntrospectionConfig){
		"no URL":         func(c *resource.IntrospectionConfig) { c.URL = "" },
		"a path":         func(c *resource.IntrospectionConfig) { c.URL = "/oauth/introspect" },
		"plain http":     func(c *resource.IntrospectionConfig) { c.URL = "http://id.example/" },
		"another scheme": func(c *resource.IntrospectionConfig) { c.URL = "ftp://localhost/" },
		"user in URL":    func(c *resource.IntrospectionConfig) { c.URL = "https://a:b@id.example/" },
		"no client":      func(c *resource.IntrospectionConfig) { c.ClientID = "" },
		"no secret":      func(c *resource.IntrospectionConfig) { c.ClientSecret = "" },
		"negative cache": func(c *resource.IntrospectionConfig) { c.Cache = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := resource.Introspection(c); err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "s:+ %") {
			t.Errorf("%s: the error %v tells the secret", name, err)
		}
	}
}

// TestIntrospectedForAnother: an API that was sent a token cannot use it at another
// one (RFC 8707 §1, RFC 9700 §2.3).
func TestIntrospectedForAnother(t *testing.T) {
	t.Parallel()
	const alive = `{"active":true,"token_type":"Bearer","sub":"ann"`
	e := newEndpoint(t, map[string]string{
		"nobody": alive + `}`, "null": alive + `,"aud":null}`,
		"us": alive + `,"aud":"https://us.example"}`, "both": alive + `,"aud":["https://them.example","https://us.example"]}`,
		"them": alive + `,"aud":"https://them.example"}`, "case": alive + `,"aud":["https://US.example"]}`,
		"none": alive + `,"aud":[]}`, "number": alive + `,"aud":1}`, "empty": alive + `,"aud":""}`,
	})
	for audience, passes := range map[string][]string{"": {"nobody", "null"}, "https://us.example": {"nobody", "null", "us", "both"}} {
		verify := e.verifier(t, func(c *resource.IntrospectionConfig) { c.Audience = audience })
		for token := range e.tokens {
			p, err := verify(t.Context(), oauth.Secret(token))
			if want := slices.Contains(passes, token); want && (err != nil || p.Subject != "ann") || !want && !errors.Is(err, oauth.InvalidToken) {
				t.Errorf("audience %q, token for %s: %v, %v", audience, token, p, err)
			}
		}
	}
}
