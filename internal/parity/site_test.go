package parity_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// ring is the keyring of every site.
const ring = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// site is a whole server on loopback, put together as the program does it.
type site struct {
	t      *testing.T
	compat bool // built with valetkey.InvenioCompat
	file   string
	url    string
	db     *sql.DB
	store  *sqlstore.Store
	door   *accounts.Accounts
	server *valetkey.Server
	clock  *oauthtest.Clock
	http   *http.Client // follows no redirect
}

// options changes a site from its defaults.
type options struct {
	compat bool
	change func(*valetkey.Config)
	// path is the issuer's path; it starts with a slash.
	path string
	ring oauth.Secret // empty: ring
	// file is the database of an earlier site; empty: a new one.
	file     string
	onDelete func(context.Context, string) error // after the engine's
}

var scopes = []oauth.Scope{
	{Name: "records:read", Group: "Records", Description: "Read your records"},
	{Name: "records:write", Group: "Records", Description: "Change your records"},
	{Name: "test:scope", Group: "Test", Description: "Call the test endpoints"},
	{Name: "secret:scope", Internal: true, Description: "Nobody's business"},
}

// build makes a site. What it returns is not bound to a test yet.
func build(dir string, o options) (_ *site, stop func(), err error) {
	s := &site{compat: o.compat, file: o.file, clock: oauthtest.NewClock()}
	if s.file == "" {
		s.file = filepath.Join(dir, "site.db")
	}
	if s.db, err = sql.Open("sqlite", sqlstore.SQLiteDSN(s.file)); err != nil {
		return nil, nil, err
	}
	s.store = sqlstore.New(s.db, sqlstore.SQLite)
	people := sqlaccounts.New(s.store)
	for _, migrate := range []func(context.Context) error{s.store.Migrate, people.Migrate} {
		if err := migrate(context.Background()); err != nil {
			return nil, nil, err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s.url = "http://" + listener.Addr().String() + o.path
	if o.ring == "" {
		o.ring = ring
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	forget := s.store.DeleteSubject
	if o.onDelete != nil {
		forget = func(ctx context.Context, subject string) error {
			if err := s.store.DeleteSubject(ctx, subject); err != nil {
				return err
			}
			return o.onDelete(ctx, subject)
		}
	}
	s.door, err = accounts.New(accounts.Config{
		Issuer: s.url, Store: people, Home: "/account/settings/applications/", Menu: valetkey.Menu(), Keyring: o.ring,
		Audit: s.store, OnDelete: forget, Logger: logger, Now: s.clock.Now,
		Hash: accounts.Argon2{Memory: 8, Time: 1, Threads: 1},
	})
	if err != nil {
		return nil, nil, err
	}
	cfg := valetkey.Config{
		Issuer: s.url, Store: s.store, Login: s.door, Users: s.door, Scopes: scopes, Keyring: o.ring,
		Menu: s.door.Menu(), Logger: logger, Now: s.clock.Now, TestEndpoints: true,
	}
	if o.compat {
		cfg.Compat = valetkey.InvenioCompat()
	}
	if o.change != nil {
		o.change(&cfg)
	}
	if s.server, err = valetkey.New(cfg); err != nil {
		return nil, nil, err
	}
	web := httptest.NewUnstartedServer(s.handler())
	web.Listener.Close()
	web.Listener = listener
	web.Start()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s, sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		web.Close()
		s.door.Wait()
		s.db.Close()
	}), nil
}

// handler is the route table of the program, and beside it an API of the host's own.
func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range s.door.Patterns() {
		mux.Handle(pattern, s.door)
	}
	mux.Handle("/", s.server)
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(valetkey.PrincipalFrom(r.Context())) // null: nobody
	})
	mux.Handle("/things", s.server.RequireAuth(who))
	mux.Handle("/things/read", s.server.RequireScopes("records:read")(who))
	mux.Handle("/things/both", s.server.RequireScopes("records:read", "records:write")(who))
	mux.Handle("/things/open", s.server.AllowAnonymous(who))
	return mux
}

// open makes a site of the test's own, for tests that move the clock or change
// what the whole server is.
func open(t *testing.T, o options) *site {
	t.Helper()
	s, stop, err := build(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s.t = t
	return s
}

// The two sites that most tests share; nobody moves their clocks.
var shared [2]*site

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "parity")
	if err != nil {
		panic(err)
	}
	code := 1
	defer func() { os.RemoveAll(dir); os.Exit(code) }()
	for i, compat := range []bool{false, true} {
		sub := filepath.Join(dir, []string{"default", "compat"}[i])
		if err := os.Mkdir(sub, 0o700); err != nil {
			panic(err)
		}
		s, stop, err := build(sub, options{compat: compat})
		if err != nil {
			panic(err)
		}
		defer stop()
		shared[i] = s
	}
	code = m.Run()
}

// both runs the test once with every switch off and once with all of them on.
func both(t *testing.T, run func(t *testing.T, s *site)) {
	t.Parallel()
	for i, name := range []string{"default", "compat"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := *shared[i]
			s.t = t
			run(t, &s)
		})
	}
}

// bothOwn is both with sites of the test's own.
func bothOwn(t *testing.T, o options, run func(t *testing.T, s *site)) {
	t.Parallel()
	for i, name := range []string{"default", "compat"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.compat = i == 1
			run(t, open(t, o))
		})
	}
}

// either is the first with every switch off, the second with all of them on.
func either[T any](s *site, byDefault, switched T) T {
	if s.compat {
		return switched
	}
	return byDefault
}

// must stops the test.
func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer that has been read.
type reply struct {
	*http.Response
	body string
}

// json is the body as an object; nil if it is none.
func (r reply) json() map[string]any {
	var v map[string]any
	if json.Unmarshal([]byte(r.body), &v) != nil {
		return nil
	}
	return v
}

func (r reply) text(name string) string {
	s, _ := r.json()[name].(string)
	return s
}

// is compares status and error code; an empty code is none.
func (r reply) is(t *testing.T, what string, status int, code string) {
	t.Helper()
	if r.StatusCode != status || r.text("error") != code {
		t.Errorf("%s: got %d %q, want %d %q: %.300s", what, r.StatusCode, r.text("error"), status, code, r.body)
	}
}

// userAgent is that of every browser.
var userAgent = browser.New(http.DefaultTransport).Headers.Get("User-Agent")

// send sends a request without cookies; headers are pairs.
func (s *site) send(method, path string, form url.Values, headers ...string) reply {
	s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	s.must(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", userAgent) // a session is bound to its browser
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := s.http.Do(req)
	s.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.must(err)
	return reply{res, string(text)}
}

// call sends GET with a bearer token.
func (s *site) call(path, token string) reply {
	s.t.Helper()
	return s.send(http.MethodGet, path, nil, "Authorization", "Bearer "+token)
}

// alive reports whether the token opens /oauth/ping; any answer but yes and a
// 401 is an error.
func (s *site) alive(token string) bool {
	s.t.Helper()
	r := s.call("/oauth/ping", token)
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusUnauthorized {
		s.t.Errorf("ping: %d %s", r.StatusCode, r.body)
	}
	return r.StatusCode == http.StatusOK
}

// lives checks the life of a token.
func (s *site) lives(what, token string, want bool) {
	s.t.Helper()
	if got := s.alive(token); got != want {
		s.t.Errorf("%s: token alive %v, want %v", what, got, want)
	}
}

// form makes url.Values of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

var serial atomic.Int64
