package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

const issuer = "https://id.example"

// world is an API behind a guard, on a real server: every route answers whom it
// serves and how ("ulla by session", "nobody").
type world struct {
	t     *testing.T
	url   string
	guard *guard.Guard
	store store.Store
	mint  *mint.Mint
	csrf  *csrf.Guard

	mu    sync.Mutex
	now   time.Time
	users map[string]*oauth.User
}

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, change func(*guard.Config)) *world {
	t.Helper()
	w := &world{t: t, now: start, store: memstore.New(), users: map[string]*oauth.User{
		"ulla": {Subject: "ulla"}, "olga": {Subject: "olga"},
	}}
	var err error
	w.mint, err = mint.New("vk", [][]byte{make([]byte, 32)})
	w.must(err)
	w.csrf = csrf.New(csrf.Config{Keys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, Issuer: issuer, Now: w.clock})
	cfg := guard.Config{
		Checker: liveness.New(liveness.Config{Store: w.store, Users: w, Mint: w.mint, Now: w.clock}),
		Session: session, CSRF: w.csrf, Store: w.store, Now: w.clock,
	}
	if change != nil {
		change(&cfg)
	}
	w.guard, err = guard.New(cfg)
	w.must(err)
	w.must(w.store.CreateClient(t.Context(), &oauth.Client{ID: "app", Owner: "olga", CreatedAt: start}))
	w.must(w.store.CreateGrant(t.Context(), &oauth.Grant{ID: "grant", ClientID: "app", Subject: "ulla", CreatedAt: start}))

	mux := http.NewServeMux()
	mux.Handle("/any", w.guard.RequireAuth(whoami))
	mux.Handle("/read", w.guard.RequireScopes("read")(whoami))
	mux.Handle("/both", w.guard.RequireScopes("read", "write")(whoami))
	mux.Handle("/open", w.guard.AllowAnonymous(whoami))
	mux.Handle("/token", w.guard.RequireToken()(whoami))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.Close(); w.guard.Wait() })
	w.url = srv.URL
	return w
}

var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if p := resource.PrincipalFrom(r.Context()); p != nil {
		io.WriteString(w, p.Subject+" by "+string(p.Method))
		return
	}
	io.WriteString(w, "nobody")
})

// session is the host's: the cookie "sid" is "subject.session".
func session(r *http.Request) (*oauth.Session, error) {
	c, err := r.Cookie("sid")
	if err != nil {
		return nil, nil
	}
	if c.Value == "broken" {
		return nil, errors.New("no sessions today")
	}
	subject, id, _ := strings.Cut(c.Value, ".")
	return &oauth.Session{Subject: subject, ID: id, AuthTime: start}, nil
}

func (w *world) User(_ context.Context, subject string) (*oauth.User, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u, ok := w.users[subject]; ok {
		return u, nil
	}
	return nil, oauth.ErrUserNotFound
}

func (w *world) setUser(subject string, u *oauth.User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users[subject] = u; u == nil {
		delete(w.users, subject)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// access issues an access token of the grant, personal a personal one of ulla.
func (w *world) access(scopes ...string) string {
	return w.issue(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", GrantID: "grant", Subject: "ulla", Scopes: scopes})
}

func (w *world) personal(scopes ...string) string {
	return w.issue(mint.PersonalToken, oauth.Token{Kind: oauth.PersonalToken, Subject: "ulla", Scopes: scopes})
}

func (w *world) issue(kind mint.Kind, row oauth.Token) string {
	w.t.Helper()
	d := w.mint.Draw(kind, start)
	row.ID, row.Hash, row.IssuedAt, row.ExpiresAt = d.ID, d.Hash, start, start.Add(24*time.Hour)
	w.must(w.store.CreateToken(w.t.Context(), &row))
	return string(d.Secret)
}

func (w *world) id(token string) string {
	p, err := w.mint.Parse(oauth.Secret(token), mint.AccessToken, mint.PersonalToken)
	w.must(err)
	return p.ID
}

// proof is a proof for ulla's session "1".
func (w *world) proof() string { return w.csrf.Token(&oauth.Session{Subject: "ulla", ID: "1"}) }

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// do sends a request. headers are names and values in turn; "Cookie" is one of them.
func (w *world) do(method, path string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, nil)
	w.must(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	return answer{resp.StatusCode, strings.TrimSpace(string(body)), resp.Header}
}

// is checks an answer that was let in.
func (a answer) is(t *testing.T, what, body string) {
	t.Helper()
	if a.status != 200 || a.body != body {
		t.Errorf("%s: got %d %s, want 200 %s", what, a.status, a.body, body)
	}
}

// refused checks an answer of section 7: its status, its exact JSON.
func (a answer) refused(t *testing.T, what string, status int, message string) {
	t.Helper()
	var got struct {
		Status  int
		Message string
	}
	err := json.Unmarshal([]byte(a.body), &got)
	if err != nil || a.status != status || got.Status != status || got.Message != message {
		t.Errorf("%s: got %d %s, want %d %q", what, a.status, a.body, status, message)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: got Content-Type %q, want application/json", what, ct)
	}
}

const cookie, ulla = "Cookie", "sid=ulla.1"
