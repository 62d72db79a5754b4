package pages_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

func render(p *pages.Pages, s pages.Shell, page pages.Page) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.Render(w, httptest.NewRequest("GET", "/", nil), 404, s, page)
	return w
}

// An authorization response goes to the client and nowhere else, not even back here.
func TestFormOnly(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]string{
		"https://app.example":          "; form-action https://app.example",
		"https://a b":                  "; form-action",
		"https://app.example;x-src 'a": "; form-action",
	} {
		got := render(newPages(t, config()), pages.Shell{FormOnly: only, FormAction: []string{"https://other.example"}}, pages.FormPost{})
		if csp := got.Header().Get("Content-Security-Policy"); !strings.HasSuffix(csp, want) {
			t.Errorf("%q: got %q, want it to end in %q", only, csp, want)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	shell := pages.Shell{FormAction: []string{"https://app.example:8443", "com.example.app:", "'unsafe-inline'", "https://a;script-src", "https://a b", ""}}
	got := render(newPages(t, config()), shell, pages.ErrorPage{Status: 404})
	if got.Code != 404 {
		t.Errorf("status: got %d, want 404", got.Code)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'; form-action 'self' https://app.example:8443 com.example.app:",
		"Content-Type":                 "text/html; charset=utf-8",
		"Cache-Control":                "no-store",
		"X-Frame-Options":              "DENY",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin-allow-popups",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Strict-Transport-Security":    "max-age=31536000",
	} {
		if got := got.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	framed := render(newPages(t, config()), pages.Shell{Frames: []string{"https://app.example", "https://a;script-src *"}}, pages.SignedOut{})
	if csp := framed.Header().Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; frame-src https://app.example") {
		t.Errorf("a page with frames: got %q", csp)
	}
	cfg := config()
	cfg.Secure = false
	if got := render(newPages(t, cfg), shell, pages.ErrorPage{Status: 404}).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security without https: got %q, want none", got)
	}
}

func TestOverlayReplacesFileByFile(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Overlay = fstest.MapFS{
		"error.html":       {Data: []byte(`{{define "content"}}<p>ours: {{.Page.Status}} {{jwtToken .}}</p>{{end}}{{define "footer"}}<p>Our imprint</p>{{end}}`)},
		"assets/theme.css": {Data: []byte(":root { --accent: #00f; }")},
		"assets/logo.svg":  {Data: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")},
	}
	p := newPages(t, cfg)
	got := render(p, pages.Shell{Session: session}, pages.ErrorPage{Status: 404}).Body.String()
	for _, want := range []string{"ours: 404 proof-of-s1", "Our imprint", "/assets/theme-", "Example Repository"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q:\n%s", want, got)
		}
	}
	other := render(p, pages.Shell{}, pages.Consent{Client: empty}).Body.String()
	if strings.Contains(other, "Our imprint") || !strings.Contains(other, "Authorize application") {
		t.Error("a replaced page changed another one")
	}
	if got := render(newPages(t, config()), pages.Shell{}, pages.ErrorPage{Status: 404}).Body.String(); strings.Contains(got, "theme-") {
		t.Error("there is a link to a theme that does not exist")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pages.Config){
		"no clock":             func(c *pages.Config) { c.Now = nil },
		"no issuer":            func(c *pages.Config) { c.Issuer = "" },
		"a path for an issuer": func(c *pages.Config) { c.Issuer = "/auth" },
		"a broken template":    func(c *pages.Config) { c.Overlay = fstest.MapFS{"consent.html": {Data: []byte("{{")}} },
		"an unknown function":  func(c *pages.Config) { c.Overlay = fstest.MapFS{"layout.html": {Data: []byte("{{nothing}}")}} },
	} {
		cfg := config()
		change(&cfg)
		if _, err := pages.New(cfg); err == nil {
			t.Errorf("New with %s: got no error", name)
		}
	}
}

// Nothing of a page that fails half-way leaves, and the log says why.
func TestFailingTemplateIsABare500(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Overlay = fstest.MapFS{"error.html": {Data: []byte(`{{define "content"}}half a page {{.Page.NoSuchField}}{{end}}`)}}
	got := render(newPages(t, cfg), pages.Shell{}, pages.ErrorPage{Status: 404})
	if got.Code != 500 || strings.Contains(got.Body.String(), "half") {
		t.Errorf("got %d %q, want a bare 500", got.Code, got.Body)
	}
	if !strings.Contains(log.String(), "NoSuchField") {
		t.Errorf("log: got %q", log.String())
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Issuer = "https://example.org/auth/idp"
	p := newPages(t, cfg)
	html := render(p, pages.Shell{}, pages.ErrorPage{Status: 404}).Body.String()
	found := 0
	for _, part := range strings.Split(html, `"`) {
		if !strings.HasPrefix(part, "/auth/idp/assets/") {
			continue
		}
		found++
		w := httptest.NewRecorder()
		p.Assets().ServeHTTP(w, httptest.NewRequest("GET", part, nil))
		if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d %v", part, w.Code, w.Header())
		}
		for ext, want := range map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"} {
			if got := w.Header().Get("Content-Type"); strings.HasSuffix(part, ext) && got != want {
				t.Errorf("%s: Content-Type is %q, want %q", part, got, want)
			}
		}
	}
	if found < 3 {
		t.Errorf("the page loads %d assets below the issuer's path, want at least 3", found)
	}
	for _, name := range []string{"/auth/idp/assets/app.css", "/auth/idp/assets/", "/auth/idp/assets/../pages.go", "/assets/app.css"} {
		w := httptest.NewRecorder()
		p.Assets().ServeHTTP(w, httptest.NewRequest("GET", name, nil))
		if w.Code != 404 {
			t.Errorf("%s: got %d, want 404", name, w.Code)
		}
	}
}

func TestDevelopmentIsSaidOnEveryPage(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Development = true
	p := newPages(t, cfg)
	for _, s := range samples() {
		got, err := p.Draw(s.shell, s.page)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(got, []byte("DEVELOPMENT")) {
			t.Errorf("%s does not say DEVELOPMENT", s.name)
		}
	}
	got := render(p, pages.Shell{}, pages.AuthorizationError{Code: "invalid_request"}).Body.String()
	if !strings.Contains(got, "<details open>") {
		t.Error("what is for developers is closed in development")
	}
}

// The proof is written as the predecessor wrote it.
func TestParity42_ProofInForms(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	consent := pages.Consent{Client: app}
	got := render(p, pages.Shell{Session: session}, consent).Body.String()
	if want := `<input type='hidden' name='authorized_token' value='proof-of-s1'>`; !strings.Contains(got, want) {
		t.Errorf("the form does not hold %s", want)
	}
	if got := render(p, pages.Shell{}, consent).Body.String(); strings.Contains(got, "authorized_token") {
		t.Error("there is a proof although there is no session")
	}
	cfg := config()
	cfg.Proof = func(*oauth.Session) string { return `'><script>` }
	if got := render(newPages(t, cfg), pages.Shell{Session: session}, consent).Body.String(); strings.Contains(got, "'><script>") {
		t.Error("the proof is not escaped")
	}
}

// What an application calls itself can do nothing (attacks.md M15).
func TestM15_HostileNamesAreHarmless(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	for _, page := range []pages.Page{
		pages.Consent{Client: hostile, Publisher: hostile.Name, RedirectURI: "javascript:alert(1)"},
		pages.AuthorizationError{Client: hostile.Name, Got: hostile.Name, Parameter: hostile.Description},
		pages.Applications{Clients: []*oauth.Client{hostile}, Tokens: []*oauth.Token{{Name: hostile.Name, Scopes: []string{"<script>"}}}},
		pages.ClientDelete{Client: hostile},
		pages.EndSession{Application: hostile.Name, SignedIn: true, Hidden: map[string]string{"state": hostile.Description}},
		pages.SignedOut{Application: hostile.Name, Continue: "javascript:alert(1)", Told: []string{hostile.Name}, Frames: []string{"javascript:alert(1)"}},
		pages.Activity{Events: []*oauth.Event{{Detail: hostile.Name, Network: "<script>", Type: "<script>"}}},
	} {
		got := render(p, pages.Shell{User: &oauth.User{Name: hostile.Name}, Session: session, Active: "x"}, page).Body.String()
		for _, bad := range []string{"<img src=x", "<script>", "<script>alert", `href="javascript:`, "\u202e", "\u2066"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s holds %q", page.Template(), bad)
			}
		}
		if strings.Contains(got, "49") && !strings.Contains(got, "{{7*7}}") {
			t.Errorf("%s computes what it was given", page.Template())
		}
	}
}

// The frame of session management is the one page that other sites may frame.
func TestL6_CheckSessionFrame(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	w := httptest.NewRecorder()
	p.CheckSession(w, "__Host-vk_bs")
	csp, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
	if !strings.Contains(csp, "frame-ancestors *") || !strings.Contains(csp, "default-src 'none'; script-src 'self'") || w.Header().Get("X-Frame-Options") != "" {
		t.Errorf("headers: %v", w.Header())
	}
	_, rest, _ := strings.Cut(body, `<script src="`)
	src, _, _ := strings.Cut(rest, `"`)
	if !strings.Contains(body, `data-cookie="__Host-vk_bs"></script>`) || strings.Count(body, "<script") != 1 {
		t.Errorf("got %s", body)
	}
	asset := httptest.NewRecorder()
	p.Assets().ServeHTTP(asset, httptest.NewRequest("GET", src, nil))
	if asset.Code != 200 {
		t.Errorf("%q: got %d", src, asset.Code)
	}
}
