package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"https://id.example.org": true, "https://id.example.org:8443/x?y": true, "http://127.0.0.1:5000/x": true, "http://localhost/": true, "http://[::1]:1/": true,
		"http://id.example.org": false, "http://127.0.0.1.example.org/": false, "http://localhost.example.org": false, "ftp://x/": false, "id.example.org": false,
		"https://": false, "": false, "javascript:alert(1)": false, "file:///etc/passwd": false,
	} {
		if err := CheckURL(raw); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// wrongServer answers everything from a table of paths.
func wrongServer(t *testing.T, answers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range answers {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func wantError(t *testing.T, what string, err error, refusal bool, words string) {
	t.Helper()
	var r *Refusal
	if err == nil || errors.As(err, &r) != refusal || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: got %v (a refusal: %v), want %q (%v)", what, err, errors.As(err, &r), words, refusal)
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	named := func(w http.ResponseWriter, r *http.Request) { says(200, `{"issuer":"`+s.URL+`/tenant"}`)(w, r) }
	s = wrongServer(t, map[string]http.HandlerFunc{
		"/.well-known/openid-configuration":              says(200, `{"issuer":"https://somebody.example","token_endpoint":"https://somebody.example/t"}`),
		"/.well-known/oauth-authorization-server/tenant": named,
		"/json/.well-known/openid-configuration":         says(200, `<html>`),
		"/down/.well-known/openid-configuration":         says(502, `<html>`),
		"/large/.well-known/openid-configuration":        says(200, `{"issuer":"`+strings.Repeat("x", MaxBody)+`"}`),
		"/secret/.well-known/openid-configuration":       says(403, `{}`),
		"/elsewhere/.well-known/openid-configuration": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://id.example.org/", http.StatusFound)
		},
		"/oauthonly/.well-known/openid-configuration":     says(404, ``),
		"/.well-known/oauth-authorization-server/missing": says(404, ``),
	})
	if got, err := Discover(t.Context(), s.URL+"/tenant"); err != nil || got.Issuer != s.URL+"/tenant" {
		t.Errorf("RFC 8414: %+v, %v", got, err)
	}
	for path, tt := range map[string]struct {
		refusal bool
		words   string
	}{
		"":           {true, `its issuer is "https://somebody.example"`},
		"/missing":   {false, "publishes no metadata"},
		"/json":      {false, "is not the JSON object"},
		"/down":      {false, "answers 502 Bad Gateway"},
		"/large":     {false, "larger than 1 MiB"},
		"/secret":    {true, "answers 403 Forbidden"},
		"/elsewhere": {false, "plain http"},
		"/x?y=1":     {true, "query or a fragment"},
	} {
		_, err := Discover(t.Context(), s.URL+path)
		wantError(t, path, err, tt.refusal, tt.words)
	}
	_, err := Discover(t.Context(), "http://id.example.org")
	wantError(t, "plain http", err, true, "plain http")
	wantError(t, "an endpoint", (&Server{Token: "http://id.example.org/token"}).Check(), true, "the token endpoint: http://id.example.org/token is plain http")
	if err := (&Server{Token: "https://id.example.org/token"}).Check(); err != nil {
		t.Error(err)
	}
}

// browserComes answers at the callback as a browser that was sent there would.
func browserComes(t *testing.T, address string, change func(url.Values)) (status int, body string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"code": {"the code"}, "state": {u.Query().Get("state")}, "iss": {"https://id.example.org"}}
	change(q)
	resp, err := http.Get(u.Query().Get("redirect_uri") + "?" + q.Encode())
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	return resp.StatusCode, string(text)
}

// An answer is taken only if it is ours (RFC 6749 §10.12, RFC 9207 §2.4).
func TestCallback(t *testing.T) {
	t.Parallel()
	var sent url.Values
	s := wrongServer(t, map[string]http.HandlerFunc{"/token": func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		sent = r.PostForm
		says(200, `{"access_token":"at","token_type":"Bearer","extra":1}`)(w, r)
	}})
	client := func() *Client {
		return &Client{ID: "cli", Scopes: []string{"openid", "a"}, Resources: []string{"https://a.example", "https://b.example"}, Server: &Server{
			Issuer: "https://id.example.org", Authorization: "https://id.example.org/authorize", Token: s.URL + "/token", NamesIssuer: true,
		}}
	}
	for name, tt := range map[string]struct {
		change func(url.Values)
		status int
		words  string // of the error
	}{
		"refused":          {func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, 400, "the server says access_denied"},
		"another server":   {func(q url.Values) { q.Set("iss", "https://evil.example") }, 400, `iss is "https://evil.example"`},
		"no issuer":        {func(q url.Values) { q.Del("iss") }, 400, "iss is missing"},
		"neither":          {func(q url.Values) { q.Del("code") }, 400, "neither a code nor an error"},
		"two codes":        {func(q url.Values) { q.Add("code", "x") }, 400, "more than once"},
		"script in errors": {func(q url.Values) { q.Set("error", "<script>") }, 400, "<script>"},
	} {
		_, err := client().Code(t.Context(), 0, "", func(address string) {
			go func() {
				status, body := browserComes(t, address, tt.change)
				if status != tt.status || strings.Contains(body, "<script>") {
					t.Errorf("%s: the browser sees %d %s", name, status, body)
				}
			}()
		})
		wantError(t, name, err, true, tt.words)
	}

	// What is not for us does not end the wait.
	answer, err := client().Code(t.Context(), 0, "login", func(address string) {
		go func() {
			for _, state := range []string{"", "forged"} {
				if status, _ := browserComes(t, address, func(q url.Values) { q.Set("state", state) }); status != 400 {
					t.Errorf("state %q: %d", state, status)
				}
			}
			u, _ := url.Parse(address)
			q := u.Query()
			if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("nonce") == "" || q.Get("prompt") != "login" || len(q["resource"]) != 2 || q.Get("response_type") != "code" {
				t.Errorf("the request is %s", address)
			}
			if status, body := browserComes(t, address, func(url.Values) {}); status != 200 || !strings.Contains(body, "go back to the terminal") {
				t.Errorf("the browser sees %d %s", status, body)
			}
		}()
	})
	if err != nil || answer.AccessToken != "at" || answer.Nonce == "" || !strings.Contains(string(answer.Raw), `"extra":1`) {
		t.Fatalf("%+v, %v", answer, err)
	}
	if sent.Get("code") != "the code" || sent.Get("client_id") != "cli" || len(sent.Get("code_verifier")) != 43 || len(sent["resource"]) != 2 || sent.Has("client_secret") {
		t.Errorf("the token request is %v", sent)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = client().Code(ctx, 0, "", func(string) {})
	wantError(t, "nobody comes", err, true, "did not come back in time")
}

// How a client says who it is, at each endpoint.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	note := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			user, password, basic := r.BasicAuth()
			seen[r.URL.Path] = fmt.Sprintf("%v %s %s form %s %s resource %s", basic, user, password, r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), strings.Join(r.PostForm["resource"], " "))
			says(200, answer)(w, r)
		}
	}
	s := wrongServer(t, map[string]http.HandlerFunc{
		"/token":      note(`{"access_token":"at","token_type":"Bearer"}`),
		"/device":     note(`{"device_code":"d","user_code":"u","verification_uri":"https://x/","interval":1,"expires_in":60}`),
		"/introspect": note(`{"active":true,"exp":12345678901234567}`),
	})
	server := &Server{Token: s.URL + "/token", Device: s.URL + "/device", Introspection: s.URL + "/introspect"}
	for name, tt := range map[string]struct {
		secret string
		post   bool
		want   string
	}{
		"public": {"", false, "false   form a:b  resource "},
		"basic":  {"s&t", false, "true a%3Ab s%26t form   resource "},
		"post":   {"s&t", true, "false   form a:b s&t resource "},
	} {
		c := &Client{Server: server, ID: "a:b", Secret: tt.secret, Post: tt.post}
		ctx := t.Context()
		shown := ""
		if _, err := c.Device(ctx, func(d *oauth2.DeviceAuthResponse) { shown = d.UserCode }); err != nil || shown != "u" {
			t.Errorf("%s: %v", name, err)
		}
		if said, err := c.Introspect(ctx, "x"); err != nil || said["exp"] != json.Number("12345678901234567") {
			t.Errorf("%s: %v %v", name, said, err)
		}
		c.Resources = []string{"https://a.example", "https://b.example"}
		if _, err := c.Refresh(ctx, "r"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// x/oauth2 sends client_id to the token endpoint only without a header.
		for _, path := range []string{"/device", "/introspect"} {
			if seen[path] != tt.want {
				t.Errorf("%s at %s: %q, want %q", name, path, seen[path], tt.want)
			}
		}
		if want := tt.want + "https://a.example https://b.example"; seen["/token"] != want {
			t.Errorf("%s at /token: %q, want %q", name, seen["/token"], want)
		}
	}
}

// The answers of servers that do not do as they should.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	s := wrongServer(t, map[string]http.HandlerFunc{
		"/html":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); io.WriteString(w, "<html>") },
		"/refused":  says(400, `{"error":"invalid_grant","error_description":"It has expired."}`),
		"/elsewhat": says(200, `{"error":"invalid_grant"}`),
		"/redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/refused", http.StatusTemporaryRedirect)
		},
		"/nothing": says(200, `{}`),
		"/expired": says(400, `{"error":"expired_token"}`),
		"/device":  says(200, `{"device_code":"d","user_code":"u","verification_uri":"https://x/","interval":1,"expires_in":60}`),
		"/denied":  says(403, `{"error":"access_denied","error_description":"No."}`),
		"/jwt": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt; charset=x")
			io.WriteString(w, "a.b.c\n")
		},
	})
	for path, tt := range map[string]struct {
		refusal bool
		words   string
	}{
		"/html":     {false, "answers 502 Bad Gateway, and no OAuth error"},
		"/refused":  {true, "the server says invalid_grant: It has expired"},
		"/elsewhat": {true, "the server says invalid_grant"},
		"/redirect": {false, "307"},
		"/nothing":  {false, "missing access_token"},
	} {
		_, err := (&Client{ID: "x", Server: &Server{Token: s.URL + path}}).Refresh(t.Context(), "r")
		wantError(t, path, err, tt.refusal, tt.words)
	}
	for path, words := range map[string]string{"/expired": "expired_token", "/denied": "access_denied: No"} {
		_, err := (&Client{ID: "x", Server: &Server{Token: s.URL + path, Device: s.URL + "/device"}}).Device(t.Context(), func(*oauth2.DeviceAuthResponse) {})
		wantError(t, path, err, true, words)
	}
	_, err := (&Client{ID: "x", Server: &Server{Token: s.URL + "/nothing", Device: s.URL + "/nothing"}}).Device(t.Context(), nil)
	wantError(t, "no device code", err, false, "without device_code")
	_, err = (&Client{ID: "x", Server: &Server{}}).Device(t.Context(), nil)
	wantError(t, "no endpoint", err, false, "no device authorization endpoint")
	if _, signed, err := (&Server{UserInfo: s.URL + "/jwt"}).Person(t.Context(), "t"); err != nil || signed != "a.b.c" {
		t.Errorf("signed answer: %q, %v", signed, err)
	}
	_, _, err = (&Server{UserInfo: s.URL + "/denied"}).Person(t.Context(), "t")
	wantError(t, "userinfo", err, true, "access_denied")
}
