package nodes

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// bound is the revocation bound that servers have when nothing else is said.
const bound = time.Second

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "valetkey-nodes")
	if err != nil {
		return "", err
	}
	return livetest.Build(context.Background(), dir)
})

// world is three nodes and a database.
type world struct {
	t     *testing.T
	site  *livetest.Site // the first node, and where commands are run
	addrs []string
	cut   *proxy // between the last node and the database
	next  atomic.Int64
	pin   atomic.Int64 // this node answers, if it is not below zero
	alice livetest.Person
	app   *oauth2.Config
	asks  *oauth2.Config // a client that introspects
}

var databases atomic.Int64

// newWorld starts three nodes on an empty database, the first two at once. The
// last one reaches it through the proxy.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts the real program")
	}
	server := os.Getenv("VALETKEY_TEST_POSTGRES")
	if server == "" {
		t.Skip("VALETKEY_TEST_POSTGRES is not set to the URL of a PostgreSQL database that the tests may write to")
	}
	admin, err := sql.Open("pgx", server)
	must(t, err)
	name := fmt.Sprintf("valetkey_nodes_%d_%d", os.Getpid(), databases.Add(1))
	_, err = admin.Exec("CREATE DATABASE " + name)
	must(t, err)
	t.Cleanup(func() {
		admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		admin.Close()
	})
	u, err := url.Parse(server)
	must(t, err)
	u.Path = "/" + name

	w := &world{t: t, alice: livetest.Person{Email: "alice@example.org", Password: "a long enough secret 17"}}
	w.pin.Store(-1)
	w.cut = newProxy(t, u.Host)
	binary, err := program()
	must(t, err)
	w.site, err = livetest.NewSiteOn(t.Context(), binary, t.TempDir(), u.String())
	must(t, err)
	second, err := w.site.Node()
	must(t, err)
	third, err := w.site.Node()
	must(t, err)
	u.Host = w.cut.addr
	third.Env = append(third.Env, "VALETKEY_DB="+u.String())

	start := func(s *livetest.Site) error {
		server, err := s.Start(t.Context())
		if err == nil {
			t.Cleanup(func() {
				w.cut.heal()
				if err := server.Stop(); err != nil {
					t.Errorf("a node does not stop well: %v\n%s", err, server.Log())
				}
			})
		}
		return err
	}
	together := make(chan error, 2)
	for _, s := range []*livetest.Site{w.site, second} {
		go func() { together <- start(s) }()
	}
	must(t, errors.Join(<-together, <-together))
	must(t, start(third))
	w.addrs = []string{w.site.Addr, second.Addr, third.Addr}

	must(t, w.site.CreatePerson(t.Context(), w.alice))
	w.app, err = w.site.CreateApplication(t.Context(), "App", "--redirect-uri", livetest.RedirectURI,
		"--grant", "authorization_code", "--grant", "refresh_token", "--grant", "device_code")
	must(t, err)
	w.asks, err = w.site.CreateApplication(t.Context(), "API", "--type", "service")
	must(t, err)
	return w
}

const first, second, cutNode = 0, 1, 2

// RoundTrip implements [http.RoundTripper]: a balancer without stickiness. Every
// request goes to the next node, whoever sends it.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	n := w.pin.Load()
	if n < 0 {
		n = w.next.Add(1) % int64(len(w.addrs))
	}
	return w.to(int(n), r)
}

var transport = &http.Transport{MaxIdleConnsPerHost: 16}

func (w *world) to(node int, r *http.Request) (*http.Response, error) {
	there := r.Clone(r.Context())
	there.Host, there.URL.Host = r.URL.Host, w.addrs[node]
	resp, err := transport.RoundTrip(there)
	if err == nil {
		resp.Request = r // where a relative Location leads from
	}
	return resp, err
}

// ctx is what golang.org/x/oauth2 asks the balancer with.
func (w *world) ctx() context.Context {
	return context.WithValue(w.t.Context(), oauth2.HTTPClient, &http.Client{Transport: w})
}

func (w *world) visitor() *livetest.Visitor { return livetest.NewVisitor(w.alice, w) }

// post sends a form to a node, or to the next one if node is below zero, as the
// client, and returns the status and the answer.
func (w *world) post(node int, client *oauth2.Config, path string, form url.Values) (int, map[string]any) {
	w.t.Helper()
	status, answer, err := w.tryPost(node, client, path, form)
	must(w.t, err)
	return status, answer
}

func (w *world) tryPost(node int, client *oauth2.Config, path string, form url.Values) (int, map[string]any, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.site.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client.ClientID), url.QueryEscape(client.ClientSecret))
	if node < 0 {
		node = int(w.next.Add(1)) % len(w.addrs)
	}
	resp, err := w.to(node, r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	answer := map[string]any{}
	json.Unmarshal(body, &answer) // some answers are empty
	return resp.StatusCode, answer, nil
}

// introspect asks a node about a token: "active", "inactive", or the status if it
// is not 200.
func (w *world) introspect(node int, token string) string {
	w.t.Helper()
	status, answer := w.post(node, w.asks, "/oauth/introspect", url.Values{"token": {token}})
	switch {
	case status != http.StatusOK:
		return fmt.Sprint(status)
	case answer["active"] == true:
		return "active"
	}
	return "inactive"
}

// ping calls the guarded API of a node.
func (w *world) ping(node int, token string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.site.Issuer+"/oauth/ping", nil)
	must(w.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.to(node, r)
	must(w.t, err)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// token goes through the code flow, wherever its requests go.
func (w *world) token() *oauth2.Token {
	w.t.Helper()
	tok, err := w.visitor().Token(w.ctx(), w.app)
	must(w.t, err)
	return tok
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
