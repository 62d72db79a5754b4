package hostile

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/livetest"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// site is a whole Valetkey on loopback with a user, the victim, who owns
// what the requests are after.
type site struct {
	url  string
	host string
	db   *sql.DB
	desk *manage.Desk
	log  *journal
	// settle waits for what is recorded after the answer: last uses.
	settle func()

	door   *accounts.Accounts
	victim party
	joined int // users so far
}

// party is a user and what is hers.
type party struct {
	livetest.Person
	subject string
	cookie  string         // header value of her signed-in browser
	proof   string         // cross-site proof of that session
	app     *oauth2.Config // application she owns
	access  string         // access token of that application for her
	refresh string
	grant   string // id of her authorization of that application
	code    string // authorization code of her application that nobody redeemed
	request string // authorization request that waits for her consent
	pat     string // personal access token
	patID   string
	admin   bool
}

// verifier is the code verifier (RFC 7636 §4.1) of every code here.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// noMail is a mailer that throws everything away.
type noMail struct{}

func (noMail) Send(context.Context, accounts.Mail) error { return nil }

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

func newSite(t *testing.T) *site {
	t.Helper()
	ctx := t.Context()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "valetkey.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	st := sqlstore.New(db, sqlstore.SQLite)
	users := sqlaccounts.New(st)
	must(t, st.Migrate(ctx))
	must(t, users.Migrate(ctx))

	s := &site{db: db, log: &journal{}}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	s.url, s.host = server.URL, server.Listener.Addr().String()

	door, err := accounts.New(accounts.Config{
		Issuer: s.url, Store: users, Audit: st, Now: time.Now, Logger: logger, OnDelete: st.DeleteSubject,
		Mailer: noMail{}, Signup: true,
		Hash: accounts.Argon2{Memory: 64, Time: 1, Threads: 1},
	})
	must(t, err)
	secret := keyring.Line("test")
	ring, err := keyring.Parse(secret)
	must(t, err)
	must(t, keys.New(keys.Config{Store: st, Ring: ring, Now: time.Now}).EnsureActive(ctx))
	as, err := valetkey.New(valetkey.Config{
		Issuer: s.url, Store: st, Login: door, Users: door, Menu: door.Menu(), Logger: logger, TestEndpoints: true,
		Keyring: secret,
		Scopes:  []oauth.Scope{{Name: "test:scope", Description: "Test the server", Group: "test"}},
	})
	must(t, err)
	mux.Handle("/", as)
	for _, pattern := range door.Patterns() {
		mux.Handle(pattern, door)
	}
	s.settle = func() {
		stopped, stop := context.WithCancel(ctx)
		stop()
		as.Start(stopped)
	}
	s.desk = as.Desk()
	s.door = door
	s.victim = s.join(t, false)
	return s
}

// attacker returns a new user who means ill.
func (s *site) attacker(t *testing.T) party {
	t.Helper()
	return s.join(t, false)
}

// administrator returns a new administrator, who means well.
func (s *site) administrator(t *testing.T) party {
	t.Helper()
	return s.join(t, true)
}

// join makes a user with an application, a grant, tokens and a signed-in browser.
func (s *site) join(t *testing.T, admin bool) party {
	t.Helper()
	ctx := t.Context()
	s.joined++
	email := fmt.Sprintf("person%d@example.org", s.joined)
	p := party{admin: admin, Person: livetest.Person{Email: email, Password: "correct horse battery staple"}}
	account, err := s.door.CreateUser(ctx, accounts.NewUser{Email: email, Password: oauth.Secret(p.Password), Admin: admin})
	must(t, err)
	p.subject = account.ID
	actor := manage.Actor{Subject: p.subject}
	client, secret, err := s.desk.CreateApplication(ctx, actor, manage.ApplicationInput{
		Type: oauth.WebApplication, Name: "Application of " + email, Website: "https://app.example/", RedirectURIs: []string{livetest.RedirectURI},
	})
	must(t, err)
	p.app = &oauth2.Config{ClientID: client.ID, ClientSecret: string(secret), RedirectURL: livetest.RedirectURI, Scopes: []string{"test:scope"},
		Endpoint: oauth2.Endpoint{AuthURL: s.url + "/oauth/authorize", TokenURL: s.url + "/oauth/token", AuthStyle: oauth2.AuthStyleInHeader}}
	pat, patSecret, err := s.desk.CreateToken(ctx, actor, manage.TokenInput{
		Name: "script", Scopes: []string{"test:scope", "tokens:read", "tokens:write", "applications:read", "applications:write",
			"authorizations:read", "authorizations:write", "activity:read"}, ExpiresAt: time.Now().Add(24 * time.Hour),
	})
	must(t, err)
	p.patID, p.pat = pat.ID, string(patSecret)

	visitor := livetest.NewVisitor(p.Person, nil)
	token, err := visitor.Token(ctx, p.app)
	must(t, err)
	p.access, p.refresh = token.AccessToken, token.RefreshToken
	p.code, err = visitor.Authorize(p.app, verifier)
	must(t, err)
	page, err := visitor.Open(p.app.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "consent")))
	must(t, err)
	p.request = page.Form().Values.Get("request")
	authorizations, err := s.desk.Authorizations(ctx, actor)
	must(t, err)
	p.grant = authorizations[0].ID
	home, err := url.Parse(s.url)
	must(t, err)
	for _, c := range visitor.Cookies(home) {
		p.cookie += c.Name + "=" + c.Value + "; "
	}
	page, err = visitor.Open(s.url + "/account/settings/applications/tokens/new/")
	must(t, err)
	if page.Form() == nil {
		t.Fatalf("no form on %v", page)
	}
	p.proof = page.Form().Values.Get("authorized_token")
	return p
}

// fingerprint is the content of the tables, row by row, as one string a row.
// Rows that a stranger may cause are left out: events, and the counters and
// one-time links of the door.
func (s *site) fingerprint(t *testing.T, ctx context.Context, subject string) map[string]int {
	t.Helper()
	s.settle()
	rows := map[string]int{}
	for _, table := range s.tables(t, ctx) {
		result, err := s.db.QueryContext(ctx, "SELECT * FROM "+table)
		must(t, err)
		columns, err := result.Columns()
		must(t, err)
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		for result.Next() {
			must(t, result.Scan(targets...))
			row := fmt.Sprintf("%s %v", table, values)
			if subject == "" || bytes.Contains([]byte(row), []byte(subject)) {
				rows[row]++
			}
		}
		must(t, result.Err())
		result.Close()
	}
	return rows
}

func (s *site) tables(t *testing.T, ctx context.Context) []string {
	t.Helper()
	result, err := s.db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
		AND name NOT LIKE '%event%' AND name NOT LIKE '%attempt%' AND name NOT LIKE '%link%' AND name NOT LIKE '%device%'
		ORDER BY name`)
	must(t, err)
	defer result.Close()
	var names []string
	for result.Next() {
		var name string
		must(t, result.Scan(&name))
		names = append(names, name)
	}
	must(t, result.Err())
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
