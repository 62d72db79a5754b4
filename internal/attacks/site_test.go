package attacks

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// options changes a site from its defaults.
type options struct {
	https    bool
	hash     accounts.Argon2 // cheap if zero
	password bool            // the password grant, and a client "legacy" that uses it
	door     func(*accounts.Config)
	server   func(*valetkey.Config)
	// postgres puts the rows into PostgreSQL, below two servers that take turns.
	postgres bool
	// meter counts what the database is asked for; there is one server then.
	meter *meter
}

// site is a whole Valetkey on loopback with its cast.
type site struct {
	t       *testing.T
	o       options
	url     string // the issuer, and where it listens
	host    string
	file    string // of the database, if that is SQLite
	dsn     string // of the database, if that is PostgreSQL
	keyring oauth.Secret
	clock   *oauthtest.Clock
	mails   *letterBox
	log     *journal
	seen    *observed // by the observer
	http    http.RoundTripper
	handler atomic.Value // http.Handler of the newest start

	nodes []*node
	*node // the newest of them

	alice, mallory, root         *person
	web, web2, spa, native       *client
	m2m, rs, legacy              *client
	operator, actsAlice, actsMal manage.Actor
}

// node is one server.
type node struct {
	db      *sql.DB
	store   *sqlstore.Store
	door    *accounts.Accounts
	desk    *manage.Desk
	handler http.Handler
}

// newSite starts a site that stops with the test.
func newSite(t *testing.T, o options) *site {
	t.Helper()
	s := &site{t: t, o: o, file: filepath.Join(t.TempDir(), "valetkey.db"), keyring: keyring.Line("test"),
		clock: oauthtest.NewClock(), mails: &letterBox{}, log: &journal{}, seen: newObserved(), operator: manage.Actor{Operator: true}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handler.Load().(http.HandlerFunc)(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn)
	if o.https {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url, s.host = server.URL, server.Listener.Addr().String()
	transport := server.Client().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 128
	transport.DisableCompression = true
	s.http = transport
	if o.postgres {
		s.dsn = postgresSchema(t)
	}
	s.start()
	s.gather()
	return s
}

// logger logs everything there is to log, and strikes nothing out.
func (s *site) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start builds everything on the database, as a start of the program does, once
// for each server. The parts are mounted as internal/cli mounts them, with an API of the host beside.
func (s *site) start() {
	s.t.Helper()
	s.settle()
	for _, n := range s.nodes {
		must(s.t, n.db.Close())
	}
	s.nodes = nil
	for range s.servers() {
		s.nodes = append(s.nodes, s.startNode())
	}
	s.node = s.nodes[len(s.nodes)-1]
	nodes, turn := s.nodes, new(atomic.Int64)
	s.handler.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nodes[int(turn.Add(1))%len(nodes)].handler.ServeHTTP(w, r)
	}))
}

func (s *site) servers() int {
	if s.o.postgres && s.o.meter == nil {
		return 2
	}
	return 1
}

// settle waits for what goes on after the answers.
func (s *site) settle() {
	for _, n := range s.nodes {
		n.door.Wait()
	}
}

func (s *site) openDatabase() (db *sql.DB, dialect sqlstore.Dialect, err error) {
	driver, source, dialect := "sqlite", sqlstore.SQLiteDSN(s.file), sqlstore.SQLite
	if s.o.postgres {
		driver, source, dialect = "pgx", s.dsn, sqlstore.PostgreSQL
	}
	if s.o.meter != nil {
		db = s.o.meter.open(s.o.postgres, source)
	} else {
		db, err = sql.Open(driver, source)
	}
	if s.o.postgres && err == nil {
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
	}
	return db, dialect, err
}

func (s *site) startNode() *node {
	s.t.Helper()
	ctx := s.t.Context()
	db, dialect, err := s.openDatabase()
	must(s.t, err)
	st := sqlstore.New(db, dialect)
	n := &node{db: db, store: st}
	s.t.Cleanup(func() { n.door.Wait(); db.Close() })
	people := sqlaccounts.New(st)
	must(s.t, st.Migrate(ctx))
	must(s.t, people.Migrate(ctx))

	ring, err := keyring.Parse(s.keyring)
	must(s.t, err)
	must(s.t, keys.New(keys.Config{Store: st, Ring: ring, Now: s.clock.Now}).EnsureActive(ctx))

	hash := s.o.hash
	if hash == (accounts.Argon2{}) {
		hash = accounts.Argon2{Memory: 64, Time: 1, Threads: 1}
	}
	doorConfig := accounts.Config{
		Issuer: s.url, Store: people, Audit: st, OnDelete: st.DeleteSubject, Menu: valetkey.Menu(), Keyring: s.keyring,
		Mailer: s.mails, Signup: true, Hash: hash, Now: s.clock.Now, Logger: s.logger(), Observer: s.seen, Home: "/account/settings/applications/",
	}
	if s.o.door != nil {
		s.o.door(&doorConfig)
	}
	n.door, err = accounts.New(doorConfig)
	must(s.t, err)
	config := valetkey.Config{
		Issuer: s.url, Store: st, Login: n.door, Users: n.door, Menu: n.door.Menu(), Keyring: s.keyring,
		Scopes: []oauth.Scope{
			{Name: "records:read", Group: "Records", Description: "Read your records"},
			{Name: "records:write", Group: "Records", Description: "Change your records"},
			{Name: "root:everything", Group: "Root", Description: "Everything", Internal: true},
		},
		Now: s.clock.Now, Logger: s.logger(), Observer: s.seen, TestEndpoints: true,
	}
	if s.o.password {
		config.Password = n.door.VerifyPassword
	}
	if s.o.postgres {
		config.RevocationBound = -1 // what one server has revoked is dead on the other at once
	}
	if s.o.server != nil {
		s.o.server(&config)
	}
	as, err := valetkey.New(config)
	must(s.t, err)
	if s.o.meter != nil { // a server remembers only while it reads what others have changed
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { as.Start(ctx) })
		s.t.Cleanup(func() { stop(); running.Wait() })
	}
	n.desk = as.Desk()

	mux := http.NewServeMux()
	for _, pattern := range n.door.Patterns() {
		mux.Handle(pattern, n.door)
	}
	mux.Handle("GET /{$}", http.RedirectHandler("/account/settings/applications/", http.StatusFound))
	mux.Handle("/records/read", as.RequireScopes("records:read")(http.HandlerFunc(record)))
	mux.Handle("/records/write", as.RequireScopes("records:write")(http.HandlerFunc(record)))
	mux.Handle("/records/admin", as.RequireScopes("root:everything")(http.HandlerFunc(record)))
	mux.Handle("/", as)
	n.handler = mux
	return n
}

// theRecord is what only who may read it may read.
const theRecord = "the record itself"

func record(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(theRecord)) }

// gather makes the cast.
func (s *site) gather() {
	s.t.Helper()
	s.alice = s.join("alice@web.test", "Alice", false)
	s.mallory = s.join("mallory@evil.test", "Mallory", false)
	s.root = s.join("root@web.test", "Root", true)
	s.actsAlice, s.actsMal = manage.Actor{Subject: s.alice.subject}, manage.Actor{Subject: s.mallory.subject}
	s.web = s.register("web", oauth.WebApplication, "https://web.test/cb")
	s.web2 = s.register("web2", oauth.WebApplication, "https://web2.test/cb")
	s.spa = s.register("spa", oauth.BrowserApplication, "https://spa.test/cb")
	s.native = s.register("native", oauth.NativeApplication, "http://127.0.0.1/cb", "com.example.app:/cb")
	s.m2m = s.register("m2m", oauth.ServiceApplication)
	s.rs = s.register("rs", oauth.ServiceApplication)
	if s.o.password {
		s.legacy = s.registerAs("legacy", manage.ApplicationInput{Type: oauth.LegacyApplication, GrantTypes: []string{oauth.GrantPassword}})
	}
}

// join makes an account.
func (s *site) join(email, name string, admin bool) *person {
	s.t.Helper()
	p := &person{s: s, email: email, password: "the long passphrase of " + name}
	a, err := s.door.CreateUser(s.t.Context(), accounts.NewUser{Email: email, Name: name, Password: oauth.Secret(p.password), Admin: admin})
	must(s.t, err)
	p.subject = a.ID
	p.jar = s.browser()
	return p
}

// client is a client of the cast and its secret.
type client struct {
	*oauth.Client
	secret string
}

func (s *site) register(id string, typ oauth.ApplicationType, redirects ...string) *client {
	s.t.Helper()
	return s.registerAs(id, manage.ApplicationInput{Type: typ, RedirectURIs: redirects})
}

func (s *site) registerAs(id string, in manage.ApplicationInput) *client {
	s.t.Helper()
	in.ID, in.Name, in.Website = id, "Client "+id, "https://"+id+".test/"
	c, secret, err := s.desk.CreateApplication(s.t.Context(), s.operator, in)
	must(s.t, err)
	return &client{c, string(secret)}
}

// pat makes a personal access token.
func (s *site) pat(p *person, scopes ...string) (id, secret string) {
	s.t.Helper()
	t, made, err := s.desk.CreateToken(s.t.Context(), manage.Actor{Subject: p.subject},
		manage.TokenInput{Name: "token " + time.Now().Format(time.RFC3339Nano), Scopes: scopes, ExpiresAt: s.clock.Now().Add(24 * time.Hour)})
	must(s.t, err)
	return t.ID, string(made)
}

// count counts rows.
func (s *site) count(query string, args ...any) int {
	s.t.Helper()
	n := 0
	must(s.t, s.db.QueryRowContext(s.t.Context(), query, args...).Scan(&n))
	return n
}

// letterBox keeps what was mailed.
type letterBox struct {
	mu    sync.Mutex
	mails []accounts.Mail
}

func (l *letterBox) Send(_ context.Context, m accounts.Mail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mails = append(l.mails, m)
	return nil
}

// mailsTo waits for the mails under way and returns those to the address.
func (s *site) mailsTo(address string) (found []accounts.Mail) {
	s.settle()
	s.mails.mu.Lock()
	defer s.mails.mu.Unlock()
	for _, m := range s.mails.mails {
		if m.To == address {
			found = append(found, m)
		}
	}
	return found
}

// journal is everything the server logged.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// absent ends a test whose entry is about something that is not there.
func absent(t *testing.T, what string) {
	t.Helper()
	t.Skip("n/a: feature absent: " + what)
}

// dial opens a plain connection to the site.
func (s *site) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.host)
	must(s.t, err)
	return c
}

// appInput is an honest application that a person registers.
func appInput(name string) manage.ApplicationInput {
	in := webInput("https://app.test/cb")
	in.Name, in.Website = name, "https://app.test/"
	return in
}

func webInput(redirect string) manage.ApplicationInput {
	return manage.ApplicationInput{Type: oauth.WebApplication, RedirectURIs: []string{redirect}}
}
