package resource_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// verify knows tokens by what they are called: "ann-records.read-x" is Ann's
// with the scopes records.read and x.
func verify(_ context.Context, token oauth.Secret) (*oauth.Principal, error) {
	switch subject, scopes, _ := strings.Cut(string(token), "-"); subject {
	case "ann", "ben":
		return &oauth.Principal{Subject: subject, ClientID: "app", Scopes: strings.Split(scopes, "-"), Method: oauth.ByAccessToken}, nil
	case "fault":
		return nil, errors.New("secret details of the fault")
	case "busy":
		return nil, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Later."}
	case "nothing":
		return nil, nil
	}
	return nil, &oauth.Error{Code: oauth.InvalidToken, Description: "The access token is dead."}
}

func newGuard(t *testing.T, c resource.Config) *resource.Guard {
	t.Helper()
	if c.Verify == nil {
		c.Verify = verify
	}
	g, err := resource.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// whoami answers with the subject, and counts nothing as "nobody".
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if p := resource.PrincipalFrom(r.Context()); p != nil {
		io.WriteString(w, p.Subject)
		return
	}
	io.WriteString(w, "nobody")
})

func serve(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequireScopes(t *testing.T) {
	t.Parallel()
	g := newGuard(t, resource.Config{Realm: "records", MetadataURL: "https://api.example/.well-known/oauth-protected-resource"})
	const challenge = `Bearer realm="records", resource_metadata="https://api.example/.well-known/oauth-protected-resource"`
	h := g.RequireScopes("records.read", "records.write")(whoami)
	tests := []struct {
		name, authorization string
		status              int
		challenge           string // after the fixed part
		error               string
	}{
		{"no credential", "", 401, "", ""},
		{"another scheme", "Basic YTpi", 401, "", ""},
		{"dead", "Bearer gone", 401, `, error="invalid_token", error_description="The access token is dead."`, "invalid_token"},
		{"both scopes", "Bearer ann-records.write-records.read", 200, "", ""},
		{"one of two (AND)", "Bearer ann-records.read", 403,
			`, error="insufficient_scope", error_description="The access token does not have every scope that this resource needs.", scope="records.read records.write"`, "insufficient_scope"},
		{"no scope", "Bearer ann", 403,
			`, error="insufficient_scope", error_description="The access token does not have every scope that this resource needs.", scope="records.read records.write"`, "insufficient_scope"},
		{"fault", "Bearer fault", 500, "-", "server_error"},
		{"verifier without an answer", "Bearer nothing", 500, "-", "server_error"},
		{"verifier unavailable", "Bearer busy", 503, "-", "temporarily_unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Authorization", tt.authorization}
			if tt.authorization == "" {
				headers = nil
			}
			w := serve(h, "GET", "/", headers...)
			if w.Code != tt.status {
				t.Fatalf("got status %d, want %d; body %s", w.Code, tt.status, w.Body)
			}
			want := challenge + tt.challenge
			if tt.status == 200 || tt.challenge == "-" {
				want = ""
			}
			if got := w.Header().Get("WWW-Authenticate"); got != want {
				t.Errorf("got challenge\n%s, want\n%s", got, want)
			}
			if tt.status == 200 {
				return
			}
			var body struct{ Error, Hint string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error != tt.error {
				t.Errorf("got body %s (%v), want error %q", w.Body, err, tt.error)
			}
			if strings.Contains(w.Body.String(), "secret details") {
				t.Errorf("the fault's text is told to a stranger: %s", w.Body)
			}
			if tt.status == 403 && !strings.Contains(body.Hint, "records.write") {
				t.Errorf("hint %q does not name the missing scope", body.Hint)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("got Cache-Control %q, want no-store", got)
			}
		})
	}
}

// TestParity13d_ScopesAreAllRequired: the predecessor's guard let in who had any
// one of the scopes, and answered 401 to who had none.
func TestParity13d_ScopesAreAllRequired(t *testing.T) {
	t.Parallel()
	h := newGuard(t, resource.Config{}).RequireScopes("a", "b")(whoami)
	for token, want := range map[string]int{"ann-a-b": 200, "ann-b-a-c": 200, "ann-a": 403, "ann-b": 403, "ann": 403, "ann-ab": 403, "ann-A-B": 403} {
		if got := serve(h, "GET", "/", "Authorization", "Bearer "+token).Code; got != want {
			t.Errorf("%s: got %d, want %d", token, got, want)
		}
	}
}

// TestM91_BearerParsing: one header, the scheme in any case, one space, token68.
func TestM91_BearerParsing(t *testing.T) {
	t.Parallel()
	h := newGuard(t, resource.Config{}).RequireAuth(whoami)
	tests := []struct {
		value string
		want  int
	}{
		{"Bearer ann", 200}, {"bearer ann", 200}, {"BEARER ann", 200}, {"bEaReR ann", 200},
		{"Bearer", 400}, {"Bearer ", 400}, {"Bearer  ann", 400}, {"Bearer\tann", 400}, {"Bearer \tann", 400},
		{"Bearer ann ", 400}, {"Bearer ann, Basic x", 400}, {"Bearer ann x", 400}, {"Bearer ann,", 400},
		{"Bearer ann\x00", 400}, {"Bearer \"ann\"", 400}, {"Bearer ann;a=b", 400}, {"Bearer a=nn", 400},
		{"Bearer =", 400}, {"Bearer änn", 400}, {"Bearer,ann", 400}, {"Bearer=ann", 400}, {"Bearer:ann", 400},
		{"Bearerann", 401}, {"Bearer-ann", 401}, {" Bearer ann", 401}, {"ann", 401}, {"", 401},
		{"token ann", 401}, {"DPoP ann", 401}, {"Basic YW5uOng=", 401}, {"Basic x, Bearer ann", 401},
		{"Bearer " + strings.Repeat("a", 8<<10), 401}, {"Bearer " + strings.Repeat("a", 64<<10), 400},
	}
	for _, tt := range tests {
		if got := serve(h, "GET", "/", "Authorization", tt.value).Code; got != tt.want {
			t.Errorf("%.40q: got %d, want %d", tt.value, got, tt.want)
		}
	}
	for _, pair := range [][2]string{{"Bearer ann", "Bearer ann"}, {"Bearer ann", "Basic x"}, {"Basic x", "Bearer ann"}, {"", "Bearer ann"}} {
		if got := serve(h, "GET", "/", "Authorization", pair[0], "Authorization", pair[1]).Code; got != 400 {
			t.Errorf("two headers %q: got %d, want 400", pair, got)
		}
	}
}

// TestM91_OnTheWire sends what net/http's own client would not.
func TestM91_OnTheWire(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(newGuard(t, resource.Config{}).RequireAuth(whoami))
	t.Cleanup(srv.Close)
	for name, tt := range map[string]struct {
		headers string
		want    []int
	}{
		"good":            {"Authorization: Bearer ann", []int{200}},
		"two headers":     {"Authorization: Bearer ann\r\nauthorization: Bearer ann", []int{400}},
		"NUL":             {"Authorization: Bearer ann\x00", []int{400}},
		"folded":          {"Authorization: Bearer ann\r\n x", []int{400}},
		"bare CR":         {"Authorization: Bearer ann\rX: y", []int{400}},
		"space in name":   {"Authorization : Bearer ann", []int{400}},
		"other name":      {"X-API-Key: ann", []int{401}},
		"proxy's name":    {"X-Forwarded-Authorization: Bearer ann\r\nProxy-Authorization: Bearer ann", []int{401}},
		"cookie":          {"Cookie: access_token=ann; Authorization=Bearer ann", []int{401}},
		"the query":       {"X: y", []int{401}},
		"64 KiB of token": {"Authorization: Bearer " + strings.Repeat("a", 64<<10), []int{400, 431}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET /?access_token=ann HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n%s\r\n\r\n", tt.headers)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for _, want := range tt.want {
				if resp.StatusCode == want {
					return
				}
			}
			t.Errorf("got %d, want one of %v", resp.StatusCode, tt.want)
		})
	}
}

func TestParity29_QueryToken(t *testing.T) {
	t.Parallel()
	off := newGuard(t, resource.Config{}).RequireAuth(whoami)
	on := newGuard(t, resource.Config{QueryToken: true}).RequireAuth(whoami)
	if got := serve(off, "GET", "/?access_token=ann").Code; got != 401 {
		t.Errorf("without the switch: got %d, want 401", got)
	}
	tests := []struct {
		target, authorization string
		want                  int
	}{
		{"/?access_token=ann", "", 200},
		{"/?access_token=gone", "", 401},
		{"/?access_token=", "", 401},
		{"/?Access_Token=ann", "", 401},
		{"/?access_token=ann&access_token=ann", "", 400},
		{"/?access_token=ann&access_token=", "", 400},
		{"/?access_token=an%20n", "", 400},
		{"/?access_token=ann", "Bearer gone", 401}, // the query is not even looked at
		{"/?access_token=gone", "Bearer ann", 200},
		{"/?access_token=ann", "Basic YTpi", 401},
		{"/?access_token=ann", "", 200},
	}
	for _, tt := range tests {
		var headers []string
		if tt.authorization != "" {
			headers = []string{"Authorization", tt.authorization}
		}
		w := serve(on, "GET", tt.target, headers...)
		if w.Code != tt.want {
			t.Errorf("%s with %q: got %d, want %d", tt.target, tt.authorization, w.Code, tt.want)
		}
	}
	if got := serve(on, "GET", "/?access_token=ann").Header().Get("Cache-Control"); got != "private" {
		t.Errorf("got Cache-Control %q, want private (RFC 6750 §2.3)", got)
	}
	if got := serve(on, "GET", "/", "Authorization", "Bearer ann").Header().Get("Cache-Control"); got != "" {
		t.Errorf("by header: got Cache-Control %q, want what the handler says", got)
	}
}

// TestParity29_BodyIsNotRead: a token in the form is not looked for, and the
// body of a request that is refused is not read.
func TestParity29_BodyIsNotRead(t *testing.T) {
	t.Parallel()
	h := newGuard(t, resource.Config{QueryToken: true}).RequireAuth(whoami)
	for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		body := &countingReader{r: strings.NewReader("access_token=ann&" + strings.Repeat("x", 1<<20))}
		r := httptest.NewRequest("POST", "/", body)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 || body.n != 0 {
			t.Errorf("%s: got %d after %d bytes, want 401 after none", contentType, w.Code, body.n)
		}
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestAllowAnonymous(t *testing.T) {
	t.Parallel()
	h := newGuard(t, resource.Config{}).AllowAnonymous(whoami)
	for authorization, want := range map[string]string{
		"": "200 nobody", "Bearer ann": "200 ann", "Basic YTpi": "200 nobody", "Bearer gone": "401", "Bearer": "400", "Bearer fault": "500",
	} {
		w := serve(h, "GET", "/", "Authorization", authorization)
		got := fmt.Sprint(w.Code)
		if w.Code == 200 {
			got += " " + w.Body.String()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", authorization, got, want)
		}
	}
}

func TestSessionComesSecond(t *testing.T) {
	t.Parallel()
	asked := 0
	g := newGuard(t, resource.Config{Session: func(r *http.Request) (*oauth.Principal, error) {
		asked++
		switch r.Header.Get("Cookie") {
		case "":
			return nil, nil
		case "broken":
			return nil, errors.New("no sessions today")
		}
		return &oauth.Principal{Subject: "cookie", Method: oauth.BySession}, nil
	}})
	h := g.RequireScopes("a")(whoami)
	tests := []struct {
		cookie, authorization string
		status, asked         int
		subject               string
	}{
		{"", "", 401, 1, ""},
		{"s", "", 200, 1, "cookie"}, // a session has every scope
		{"s", "Basic x", 200, 1, "cookie"},
		{"s", "Bearer ann-a", 200, 0, "ann"},
		{"s", "Bearer ann", 403, 0, ""}, // the token decides alone
		{"s", "Bearer gone", 401, 0, ""},
		{"broken", "", 500, 1, ""},
		{"broken", "Bearer ann-a", 200, 0, "ann"},
	}
	for _, tt := range tests {
		asked = 0
		w := serve(h, "POST", "/", "Cookie", tt.cookie, "Authorization", tt.authorization)
		if w.Code != tt.status || asked != tt.asked || w.Code == 200 && w.Body.String() != tt.subject {
			t.Errorf("cookie %q, %q: got %d %q, session asked %d times; want %d %q, %d times",
				tt.cookie, tt.authorization, w.Code, w.Body, asked, tt.status, tt.subject, tt.asked)
		}
	}
}

// Only the guard that authenticated a request takes its own word for it.
func TestGuardsInsideGuards(t *testing.T) {
	t.Parallel()
	calls := 0
	ours := newGuard(t, resource.Config{Verify: func(ctx context.Context, s oauth.Secret) (*oauth.Principal, error) {
		calls++
		return verify(ctx, s)
	}})
	lax := newGuard(t, resource.Config{Verify: func(context.Context, oauth.Secret) (*oauth.Principal, error) {
		return &oauth.Principal{Subject: "anybody", Scopes: []string{"a"}}, nil
	}})
	if got := serve(ours.RequireAuth(ours.RequireScopes("a")(whoami)), "GET", "/", "Authorization", "Bearer ann-a").Body.String(); got != "ann" || calls != 1 {
		t.Errorf("the same guard twice: got %q after %d verifications, want ann after 1", got, calls)
	}
	if got := serve(ours.RequireAuth(ours.RequireScopes("a")(whoami)), "GET", "/", "Authorization", "Bearer ann").Code; got != 403 {
		t.Errorf("the same guard twice, scope missing: got %d, want 403", got)
	}
	if got := serve(lax.RequireAuth(ours.RequireAuth(whoami)), "GET", "/", "Authorization", "Bearer gone").Code; got != 401 {
		t.Errorf("another guard outside: got %d, want 401", got)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := resource.WithPrincipal(r.Context(), &oauth.Principal{Subject: "made up"})
		ours.RequireAuth(whoami).ServeHTTP(w, r.WithContext(ctx))
	})
	if got := serve(h, "GET", "/").Code; got != 401 {
		t.Errorf("WithPrincipal outside: got %d, want 401", got)
	}
}

// TestParity35_IdentityIsPerRequest: many requests of two people over few
// connections, none of which may be taken for the other's or leave a cookie.
func TestParity35_IdentityIsPerRequest(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(newGuard(t, resource.Config{}).AllowAnonymous(whoami))
	t.Cleanup(srv.Close)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			want := []string{"ann", "ben", "nobody"}[i%3]
			req, _ := http.NewRequest("GET", srv.URL, nil)
			if want != "nobody" {
				req.Header.Set("Authorization", "Bearer "+want)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if string(body) != want {
				t.Errorf("got %s, want %s", body, want)
			}
			if len(resp.Header["Set-Cookie"]) != 0 {
				t.Errorf("the guard set a cookie: %q", resp.Header["Set-Cookie"])
			}
		})
	}
	wg.Wait()
}

// TestM29_GuardIsOnTheRoute: the guard wraps the handler that serves, so no
// spelling of a path reaches the handler without it.
func TestM29_GuardIsOnTheRoute(t *testing.T) {
	t.Parallel()
	g := newGuard(t, resource.Config{})
	mux := http.NewServeMux()
	mux.Handle("/api/admin", g.RequireScopes("admin")(whoami))
	mux.Handle("/api/admin/", g.RequireScopes("admin")(whoami))
	mux.Handle("/api/", g.RequireScopes("read")(http.NotFoundHandler()))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for _, path := range []string{
		"/api/admin", "/api;x/admin", "//api/admin", "/api/%2e%2e/admin", "/api/./admin", "/api/admin%2f", "/api/admin?x#y", "/API/admin",
		"/api/admin.", "/api/admin/", "/api/admin/.", "/api//admin", "/api/x/../admin", "/api/x/%2e%2e/admin", "/api/%61dmin", "/api\\admin", "/api/admin%00", "/api/admin;x=y",
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer ann-read\r\nConnection: close\r\n\r\n", path)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		conn.Close()
		if resp.StatusCode < 300 || string(body) == "ann" {
			t.Errorf("%s: got %d %q without the scope admin", path, resp.StatusCode, body)
		}
	}
}

// TestM71_EveryWayToCarryAToken: a read-only token opens no door for writing,
// however it is presented.
func TestM71_EveryWayToCarryAToken(t *testing.T) {
	t.Parallel()
	for _, queryToken := range []bool{false, true} {
		h := newGuard(t, resource.Config{QueryToken: queryToken}).RequireScopes("write")(whoami)
		const token = "ann-read"
		for _, tt := range []struct {
			name, target string
			headers      []string
		}{
			{"Bearer", "/", []string{"Authorization", "Bearer " + token}},
			{"bearer", "/", []string{"Authorization", "bearer " + token}},
			{"token", "/", []string{"Authorization", "token " + token}},
			{"Basic user", "/", []string{"Authorization", "Basic YW5uLXJlYWQ6eC1vYXV0aC1iYXNpYw=="}},
			{"Basic password", "/", []string{"Authorization", "Basic eDphbm4tcmVhZA=="}},
			{"query", "/?access_token=" + token, nil},
			{"X-API-Key", "/", []string{"X-API-Key", token}},
			{"cookie", "/", []string{"Cookie", "access_token=" + token}},
			{"DPoP", "/", []string{"Authorization", "DPoP " + token}},
			{"bearer in both header and query", "/?access_token=" + token, []string{"Authorization", "Bearer " + token}},
		} {
			if got := serve(h, "POST", tt.target, tt.headers...).Code; got != 401 && got != 403 {
				t.Errorf("%s (query token %t): got %d, want 401 or 403", tt.name, queryToken, got)
			}
		}
		if got := serve(h, "POST", "/", "Authorization", "Bearer ann-read", "Authorization", "Bearer ann-write").Code; got != 400 {
			t.Errorf("two at once: got %d, want 400", got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]resource.Config{
		"no verifier":           {},
		"realm with a quote":    {Verify: verify, Realm: `a"b`},
		"realm with a newline":  {Verify: verify, Realm: "a\nb"},
		"metadata without host": {Verify: verify, MetadataURL: "/metadata"},
	} {
		if _, err := resource.New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// Faults reach the log, and the log never sees the token.
func TestFaultsAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	g := newGuard(t, resource.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	serve(g.RequireAuth(whoami), "GET", "/x", "Authorization", "Bearer fault-of-the-token")
	if !strings.Contains(log.String(), "secret details") || strings.Contains(log.String(), "fault-of-the-token") {
		t.Errorf("got log %q, want the fault and no token", log.String())
	}
}
