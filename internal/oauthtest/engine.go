// Package oauthtest runs a server for the tests of the endpoints' rooms. People
// sign in by a made-up door, the clock is the test's own, and rows are in memory
// unless the test says otherwise.
//
// Users alice, bob (an administrator) and mallory exist. Clients are made by
// [Engine.AddClient]; the presets Web, SPA and Native are the cast that most
// tests play with.
package oauthtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// Issuer is the issuer of every engine, whatever port it listens on.
const Issuer = "http://localhost"

// Password is everybody's password.
const Password = "correct horse battery staple"

// Options changes an engine from its defaults.
type Options struct {
	Store store.Store // memory if nil
	// Password turns on the password grant.
	Password bool
	// OpenID gives the server a keyring: it can sign, and is an OpenID Provider.
	OpenID bool
	// Configure changes the rest; nil: nothing.
	Configure func(*valetkey.Config)
	Implicit, Hybrid, RotateAll, AlwaysConsent, ErrorRedirect, OptionalPKCE,
	OneTokenPerClient, TokenUser, UnknownClient404, AsOwner, Development bool
	// Immortal lets refresh tokens live until they are revoked.
	Immortal bool
}

// Engine is a server on loopback.
type Engine struct {
	T     testing.TB
	URL   string // of the listener, without a slash
	Store store.Store
	Mint  *mint.Mint // makes strings as the server does, but does not know its key
	Clock *Clock
	Door  *Door
	Users *Users
	// Server is what listens.
	Server *valetkey.Server
	// Keys are those of the server, on a node of their own; nil without OpenID.
	Keys *keys.Keys
	HTTP *http.Client // follows no redirect
	// Settle waits for what is recorded after the answer.
	Settle func()
}

// New starts an engine that stops with the test.
func New(t testing.TB, o Options) *Engine {
	t.Helper()
	if o.Store == nil {
		o.Store = memstore.New()
	}
	m, err := mint.New("vk", [][]byte{[]byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{T: t, Store: o.Store, Mint: m, Clock: NewClock(), Users: newUsers()}
	e.Door = &Door{clock: e.Clock, sessions: map[string]*oauth.Session{}}
	config := e.config(o)
	if o.OpenID {
		config.Keyring, e.Keys = e.giveKeys()
	}
	if o.Configure != nil {
		o.Configure(&config)
	}
	as, err := valetkey.New(config)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = as
	e.Settle = func() {
		stopped, stop := context.WithCancel(context.Background())
		stop()
		as.Start(stopped)
	}
	t.Cleanup(e.Settle)
	server := httptest.NewServer(as)
	t.Cleanup(server.Close)
	e.URL = server.URL
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	e.HTTP = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

func (e *Engine) config(o Options) valetkey.Config {
	c := valetkey.Config{
		Issuer: Issuer, Store: o.Store, Login: e.Door, Logout: e.Door.Logout, Users: e.Users, Now: e.Clock.Now, Development: o.Development,
		Scopes: []oauth.Scope{
			{Name: "records:read", Group: "Records", Description: "Read your records"},
			{Name: "records:write", Group: "Records", Description: "Change your records"},
			{Name: "test:scope", Description: "Test scope"},
			{Name: "secret:scope", Internal: true},
		},
		Compat: valetkey.Compat{
			Implicit: o.Implicit, Hybrid: o.Hybrid, RotateAll: o.RotateAll, AlwaysConsent: o.AlwaysConsent, ErrorRedirect: o.ErrorRedirect,
			OptionalPKCE: o.OptionalPKCE, OneTokenPerClient: o.OneTokenPerClient, TokenUser: o.TokenUser,
			UnknownClient404: o.UnknownClient404, ClientCredentialsAsOwner: o.AsOwner, ImmortalTokens: o.Immortal,
		},
		Logger: slog.New(slog.NewTextHandler(e.T.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	}
	if o.Password {
		c.Password = e.Users.verify
	}
	return c
}

// Clock stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Users is a directory.
type Users struct {
	mu sync.Mutex
	by map[string]oauth.User
}

func newUsers() *Users {
	return &Users{by: map[string]oauth.User{
		"alice":   {Subject: "alice", Username: "alice@example.org", Name: "Alice", Email: "alice@example.org", EmailVerified: true},
		"bob":     {Subject: "bob", Username: "bob@example.org", Name: "Bob Builder", Email: "bob@example.org", Admin: true},
		"mallory": {Subject: "mallory", Username: "mallory@example.org", Name: "Mallory", Email: "mallory@example.org"},
	}}
}

// User implements oauth.UserSource.
func (u *Users) User(_ context.Context, subject string) (*oauth.User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	user, ok := u.by[subject]
	if !ok {
		return nil, oauth.ErrUserNotFound
	}
	return &user, nil
}

// Change edits one user.
func (u *Users) Change(subject string, change func(*oauth.User)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	user := u.by[subject]
	change(&user)
	u.by[subject] = user
}

// Delete removes one user.
func (u *Users) Delete(subject string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.by, subject)
}

func (u *Users) verify(_ context.Context, username string, password oauth.Secret) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if username == "broken" {
		return "", fmt.Errorf("the directory is down: %w", oauth.TemporarilyUnavailable)
	}
	for _, user := range u.by {
		if user.Username == username && password == Password {
			return user.Subject, nil
		}
	}
	return "", oauth.ErrUserNotFound
}

// Door is the sign-in of the tests: a cookie names a session, and Login sends
// the browser to /login with what was asked.
type Door struct {
	clock    *Clock
	mu       sync.Mutex
	sessions map[string]*oauth.Session
}

const cookie = "test_session"

// Session implements oauth.Authenticator.
func (d *Door) Session(r *http.Request) (*oauth.Session, error) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil, nil
	}
	if c.Value == "broken" {
		return nil, fmt.Errorf("the session store is down: %w", oauth.TemporarilyUnavailable)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.sessions[c.Value]; ok {
		s := *s
		return &s, nil
	}
	return nil, nil
}

// Logout ends the browser's session.
func (d *Door) Logout(w http.ResponseWriter, r *http.Request) error {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, c.Value)
	http.SetCookie(w, &http.Cookie{Name: cookie, MaxAge: -1})
	return nil
}

// Login implements oauth.Authenticator.
func (d *Door) Login(w http.ResponseWriter, _ *http.Request, req oauth.LoginRequest) {
	h := w.Header()
	h.Set("Location", "/login")
	h.Set("X-Return-To", req.ReturnTo)
	h.Set("X-Reason", string(req.Reason))
	h.Set("X-Hint", req.Hint)
	h.Set("X-Client-Name", req.ClientName)
	h.Set("X-ACR-Values", strings.Join(req.ACRValues, " "))
	h.Set("X-UI-Locales", strings.Join(req.UILocales, " "))
	w.WriteHeader(http.StatusFound)
}
