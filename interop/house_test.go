package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/livetest"
)

// maria has every claim of claims.json.
var maria = livetest.Person{Email: "maria@example.org", Password: "correct horse battery staple"}

// house is the program, as an operator would run it.
type house struct {
	*livetest.Site
	server *livetest.Server
}

var (
	dir    string // of everything the package makes
	shared = sync.OnceValues(func() (*house, error) { return open(context.Background(), dir) })
)

func TestMain(m *testing.M) {
	var err error
	if dir, err = os.MkdirTemp("", "valetkey-interop-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if h, err := shared(); err == nil {
		if code != 0 {
			fmt.Fprintln(os.Stderr, h.server.Log())
		}
		if err := h.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func open(ctx context.Context, dir string) (*house, error) {
	binary, err := livetest.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	site, err := livetest.NewSite(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	// /oauth/info, a resource to try tokens on.
	site.Env = append(site.Env, "VALETKEY_TEST_ENDPOINTS=true", "VALETKEY_REGISTRATION_MODE=open", "VALETKEY_REGISTRATION_BURST=1000", "VALETKEY_FETCH_ALLOW=127.0.0.1")
	claims, err := filepath.Abs("claims.json")
	if err != nil {
		return nil, err
	}
	if _, err := site.Run(ctx, maria.Password+"\n", "user", "create", maria.Email, "--password-file", "-", "--verified", "--claims", claims); err != nil {
		return nil, err
	}
	server, err := site.Start(ctx)
	return &house{site, server}, err
}

// start returns the running program. The first test waits until it is built.
func start(t *testing.T) *house {
	t.Helper()
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// client is a registered client.
type client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// metadata is what a client says about itself (RFC 7591 §2).
type metadata map[string]any

// register registers a client as it would itself (RFC 7591 §3).
func (h *house) register(t *testing.T, m metadata) client {
	t.Helper()
	if m["client_name"] == nil {
		m["client_name"] = t.Name()
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var published struct {
		URL string `json:"registration_endpoint"`
	}
	h.metadata(t, &published)
	resp, err := http.Post(published.URL, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("registration: %s, %v\n%s", resp.Status, err, body)
	}
	var c client
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// service makes a client that acts for itself, which nobody may register who is
// not known: an operator does.
func (h *house) service(t *testing.T, method string) client {
	t.Helper()
	out, err := h.Run(t.Context(), "", "client", "create", "--name", t.Name(), "--type", "service", "--auth-method", method, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var c client
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// metadata reads what the server says of itself into v.
func (h *house) metadata(t *testing.T, v any) {
	t.Helper()
	resp, err := http.Get(h.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// serve runs a relying party on a port of its own, which it learns before its
// handler is made.
func serve(t *testing.T, handler func(origin string) http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.Handle("/", handler(srv.URL))
	return srv.URL
}

// person is somebody at a browser without JavaScript.
type person struct {
	t *testing.T
	h *house
	*livetest.Visitor
}

// visitor is Maria, not signed in yet. The browser does not follow redirects to
// livetest.RedirectURI, where nobody is; it goes wherever else it is sent.
func (h *house) visitor(t *testing.T) *person {
	return &person{t, h, livetest.NewVisitor(maria, nil)}
}

// maxForms is how many forms a person fills in before giving up.
const maxForms = 5

// walk opens an address and answers the forms of the server on the way, signing
// in where asked and agreeing to everything, until it has left the server.
func (p *person) walk(address string) *browser.Page {
	p.t.Helper()
	page, err := p.Open(address)
	for n := 0; err == nil && page.Location == nil && strings.HasPrefix(page.URL.String(), p.h.Issuer); n++ {
		form := page.Form()
		if n == maxForms || form == nil {
			p.t.Fatalf("no way on from %v\n%s", page, page.Body)
		}
		page, err = p.Send(p.fillIn(form))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return page
}

func (p *person) fillIn(form *browser.Form) *browser.Form {
	if form.Values.Has("password") {
		return form.Set("username", p.Person.Email).Set("password", p.Person.Password)
	}
	return form
}

// arrive walks to the redirect URI where nobody is, and returns what the server
// sent there.
func (p *person) arrive(address string) url.Values {
	p.t.Helper()
	page := p.walk(address)
	if page.Location == nil {
		p.t.Fatalf("the person ended up at %v", page)
	}
	got := page.Location.Query()
	if got.Get("iss") != p.h.Issuer {
		p.t.Errorf("iss is %q, want %q (RFC 9207)", got.Get("iss"), p.h.Issuer)
	}
	return got
}

// approve goes through the pages of the device flow.
func (p *person) approve(verificationURI string) {
	p.t.Helper()
	page, err := p.Open(verificationURI)
	for n := 0; err == nil && page.Form() != nil && strings.HasPrefix(page.URL.String(), p.h.Issuer); n++ {
		if n == maxForms {
			p.t.Fatalf("no way on from %v\n%s", page, page.Body)
		}
		page, err = p.Send(p.fillIn(page.Form()))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// expected is what claims.json says, with what the server adds.
func expected(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("claims.json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	out["email"], out["email_verified"] = maria.Email, true
	return out
}

// allow calls a resource of the server that wants test:scope.
func (h *house) allows(t *testing.T, client *http.Client, token string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Issuer+"/oauth/info", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("the resource answers %s", resp.Status)
	}
	return resp.StatusCode == http.StatusOK
}
