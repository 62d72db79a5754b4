package accounts_test

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

	alice    = "alice@example.org"
	password = "correct horse battery"
)

// house is a door on a real server, with a real database, a clock of its own
// and a letter box.
type house struct {
	t     *testing.T
	file  string
	cfg   accounts.Config
	door  *accounts.Accounts
	trail *sqlstore.Store
	srv   *httptest.Server
	mails *letterBox
	now   *clock
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) Advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

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

// newHouse starts a server; change edits the configuration first.
func newHouse(t *testing.T, change ...func(*accounts.Config)) *house {
	t.Helper()
	h := &house{t: t, file: filepath.Join(t.TempDir(), "test.db"), mails: &letterBox{},
		now: &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.handler().ServeHTTP(w, r) }))
	h.srv.Listener.Close()
	h.srv.Listener = ln
	h.srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	h.cfg = accounts.Config{Issuer: "http://" + ln.Addr().String(), Mailer: h.mails, Now: h.now.Now, Hash: accounts.SpeedyArgon2,
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil))}
	for _, c := range change {
		c(&h.cfg)
	}
	h.open()
	if strings.HasPrefix(h.cfg.Issuer, "https") {
		h.srv.StartTLS()
	} else {
		h.srv.Start()
	}
	t.Cleanup(func() { h.srv.Close(); h.door.Wait() })
	return h
}

// open opens the database and makes the door, as a start of the program does.
func (h *house) open() {
	h.t.Helper()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(h.file))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { db.Close() })
	h.trail = sqlstore.New(db, sqlstore.SQLite)
	people := sqlaccounts.New(h.trail)
	if err := h.trail.Migrate(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := people.Migrate(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.cfg.Store, h.cfg.Audit = people, h.trail
	if h.door, err = accounts.New(h.cfg); err != nil {
		h.t.Fatal(err)
	}
}

// handler is the door, and beside it a page of the host: /me tells the session,
// /secret wants a fresh one, /app is an application that waits, /asks one with
// wishes, and /how tells how the session came about.
func (h *house) handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range h.door.Patterns() {
		mux.Handle(p, h.door)
	}
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s, err := h.door.Session(r)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case s == nil:
			io.WriteString(w, "nobody")
		default:
			u, err := h.door.User(r.Context(), s.Subject)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			io.WriteString(w, u.Email)
			if s.Stale {
				io.WriteString(w, " stale")
			}
		}
	})
	mux.HandleFunc("GET /app", func(w http.ResponseWriter, r *http.Request) {
		h.door.Login(w, r, oauth.LoginRequest{ReturnTo: "/me?from=app", Reason: oauth.LoginReason(r.URL.Query().Get("reason")), ClientName: "Uploader <b>"})
	})
	mux.HandleFunc("GET /asks", func(w http.ResponseWriter, r *http.Request) {
		h.door.Login(w, r, oauth.LoginRequest{ReturnTo: "/how", ACRValues: []string{r.URL.Query().Get("acr"), "2"}, UILocales: []string{"tlh", "!\n"}})
	})
	mux.HandleFunc("GET /how", func(w http.ResponseWriter, r *http.Request) {
		if s, err := h.door.Session(r); err == nil && s != nil {
			io.WriteString(w, strings.Join(append(s.AMR, s.ACR), " "))
		}
	})
	return peer.Identify(h.cfg.TrustedProxies, mux)
}

func (h *house) create(u accounts.NewUser) *accounts.Account {
	h.t.Helper()
	acc, err := h.door.CreateUser(h.t.Context(), u)
	if err != nil {
		h.t.Fatal(err)
	}
	return acc
}

// alice is the account of most tests.
func (h *house) alice() *accounts.Account {
	h.t.Helper()
	return h.create(accounts.NewUser{Email: alice, Name: "Alice", Password: password})
}

// person is a browser with the house it visits.
type person struct {
	h *house
	*browser.Browser
}

func (h *house) visitor() *person {
	b := browser.New(h.srv.Client().Transport)
	b.Headers.Set("User-Agent", firefox)
	return &person{h, b}
}

func (p *person) open(path string) *browser.Page {
	p.h.t.Helper()
	page, err := p.Open(p.h.cfg.Issuer + path)
	if err != nil {
		p.h.t.Fatal(err)
	}
	return page
}

func (p *person) send(f *browser.Form) *browser.Page {
	p.h.t.Helper()
	page, err := p.Send(f)
	if err != nil {
		p.h.t.Fatal(err)
	}
	return page
}

// login fills in the login page that is reached by path.
func (p *person) login(path, email, password string) *browser.Page {
	p.h.t.Helper()
	return p.send(p.open(path).Form().Set("username", email).Set("password", password))
}

// signIn signs in and fails the test if that does not work.
func (p *person) signIn(email, password string) *person {
	p.h.t.Helper()
	p.login("/login/?next=/me", email, password)
	p.mustBe(email)
	return p
}

// mustBe checks who the browser is signed in as.
func (p *person) mustBe(want string) {
	p.h.t.Helper()
	if got := p.open("/me"); string(got.Body) != want {
		p.h.t.Fatalf("signed in as %q, want %q", got.Body, want)
	}
}

func (p *person) cookie(name string) string {
	u, _ := url.Parse(p.h.cfg.Issuer)
	for _, c := range p.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// do sends one request without a browser's manners.
func (h *house) do(method, path, body string, headers map[string]string) *http.Response {
	h.t.Helper()
	req, err := http.NewRequest(method, h.cfg.Issuer+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, v := range headers {
		if name == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(name, v)
	}
	resp, err := h.srv.Client().Transport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func credentials(email, password string) string {
	return url.Values{"username": {email}, "password": {password}}.Encode()
}

// mail waits for the mails under way and returns the newest to the address.
func (h *house) mail(to string) accounts.Mail {
	h.t.Helper()
	h.door.Wait()
	h.mails.mu.Lock()
	defer h.mails.mu.Unlock()
	for i := len(h.mails.mails) - 1; i >= 0; i-- {
		if h.mails.mails[i].To == to {
			return h.mails.mails[i]
		}
	}
	h.t.Fatalf("no mail to %s", to)
	return accounts.Mail{}
}

func (h *house) countMails() int {
	h.door.Wait()
	h.mails.mu.Lock()
	defer h.mails.mu.Unlock()
	return len(h.mails.mails)
}

var anyURL = regexp.MustCompile(`https?://\S+`)

// link is the path of the link in the newest mail to the address.
func (h *house) link(to string) string {
	h.t.Helper()
	text := h.mail(to).Text
	link := anyURL.FindString(text)
	path, ok := strings.CutPrefix(link, h.cfg.Issuer)
	if !ok {
		h.t.Fatalf("the mail links to %q, want a link below %s", link, h.cfg.Issuer)
	}
	return path
}

// events returns the types of the audit trail about the subject, sorted.
func (h *house) events(subject string) []oauth.EventType {
	h.t.Helper()
	list, err := h.trail.ListEvents(h.t.Context(), store.EventQuery{Involving: subject}, store.Page{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	var types []oauth.EventType
	for _, e := range list {
		types = append(types, e.Type)
	}
	slices.Sort(types)
	return types
}

// testWriter sends the log to the test's output.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }
