package logout_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// house is the server with the bundled door, put together as the program does it.
type house struct {
	t      *testing.T
	issuer string
	clock  *oauthtest.Clock
	door   *accounts.Accounts
	site   *site
	client *oauth.Client
	store  *sqlstore.Store
}

const password = "correct horse battery"

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, clock: oauthtest.NewClock(), site: newSite(t)}
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h.store = sqlstore.New(db, sqlstore.SQLite)
	people := sqlaccounts.New(h.store)
	for _, migrate := range []func(context.Context) error{h.store.Migrate, people.Migrate} {
		if err := migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var front http.Handler
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	h.issuer = web.URL
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var server *valetkey.Server
	h.door, err = accounts.New(accounts.Config{
		Issuer: h.issuer, Store: people, Audit: h.store, OnDelete: h.store.DeleteSubject, Now: h.clock.Now, Logger: log,
		Hash: accounts.Argon2{Memory: 8, Time: 1, Threads: 1}, SignOut: "/oauth/logout",
		SessionEnded:   func(ctx context.Context, sids ...string) error { return server.EndSession(ctx, sids...) },
		SessionChanged: func(w http.ResponseWriter) { server.SessionChanged(w) },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err = valetkey.New(valetkey.Config{
		Issuer: h.issuer, Store: h.store, Login: h.door, Logout: h.door.Logout, Users: h.door, Keyring: keyring.Line("test"),
		FetchAllow: []string{"localhost"}, Now: h.clock.Now, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	for _, p := range h.door.Patterns() {
		mux.Handle(p, h.door)
	}
	front = mux
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { server.Start(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); h.door.Wait() })
	h.site.keys = func() (set jose.JSONWebKeySet) {
		resp, err := http.Get(h.issuer + "/oauth/jwks")
		if err != nil {
			t.Error(err)
			return set
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
			t.Error(err)
		}
		return set
	}
	h.client = &oauth.Client{ID: "rp", Name: "RP", AuthMethod: oauth.AuthNone, RedirectURIs: []string{"https://web.test/cb"},
		GrantTypes: []string{oauth.GrantAuthorizationCode}, CreatedAt: h.clock.Now(),
		Metadata: oauth.ClientMetadata{BackchannelLogoutURI: h.site.URL + "/back", PostLogoutRedirectURIs: []string{"https://web.test/bye"}}}
	if err := h.store.CreateClient(t.Context(), h.client); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"alice@example.org", "bob@example.org"} {
		if _, err := h.door.CreateUser(t.Context(), accounts.NewUser{Subject: email[:3], Email: email, Password: password, Admin: email[0] == 'b'}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) browser() *browser.Browser {
	b := browser.New(nil)
	b.StopAt = []string{"https://web.test/"}
	return b
}

func (h *house) open(b *browser.Browser, path string) *browser.Page {
	h.t.Helper()
	page, err := b.Open(h.issuer + path)
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

func (h *house) send(b *browser.Browser, f *browser.Form) *browser.Page {
	h.t.Helper()
	page, err := b.Send(f)
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

// signIn signs the person in to the client, who types name and password if asked,
// and allows what is asked. It returns the ID token.
func (h *house) signIn(b *browser.Browser, email string, more ...string) string {
	h.t.Helper()
	q := url.Values{"response_type": {"code"}, "client_id": {"rp"}, "scope": {"openid"}, "nonce": {"n"},
		"code_challenge": {oauthtest.Challenge()}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	page := h.open(b, "/oauth/authorize?"+q.Encode())
	if strings.HasPrefix(page.URL.Path, "/login/") {
		page = h.send(b, page.Form().Set("username", email).Set("password", password))
	}
	if page.Location == nil {
		page = h.send(b, page.FormTo("/oauth/consent").Press("confirm", "yes"))
	}
	if page.Location == nil || page.Location.Query().Get("code") == "" {
		h.t.Fatalf("no code: %v at %v", page, page.Location)
	}
	resp, err := http.PostForm(h.issuer+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"rp"},
		"code": {page.Location.Query().Get("code")}, "code_verifier": {oauthtest.Verifier}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&answer); err != nil || answer.IDToken == "" {
		h.t.Fatalf("no ID token: %s", body)
	}
	return answer.IDToken
}

// wantTold waits until the client was told of exactly these sessions.
func (h *house) wantTold(tokens ...string) {
	h.t.Helper()
	var want []string
	for _, token := range tokens {
		want = append(want, claim(h.t, token, "sid"))
	}
	slices.Sort(want)
	told := func() (sids []string) {
		for _, t := range h.site.heard() {
			sids = append(sids, t.SID)
		}
		slices.Sort(sids)
		return sids
	}
	for deadline := time.Now().Add(10 * time.Second); len(told()) < len(want) && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	if got := told(); !slices.Equal(got, want) {
		h.t.Errorf("told of %q, want %q", got, want)
	}
}

func TestL4_EveryWayToEndASession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(h *house, here, there *browser.Browser){
		"the door's own page": func(h *house, here, _ *browser.Browser) {
			h.send(here, h.open(here, "/logout/").Form())
		},
		"the link Sign out": func(h *house, here, _ *browser.Browser) {
			page := h.open(here, "/account/settings/profile/")
			if !page.Contains(`<a href="/oauth/logout">Sign out</a>`) {
				h.t.Error("the page links elsewhere")
			}
			if page = h.send(here, h.open(here, "/oauth/logout").Form()); !page.Contains(signedOut) {
				h.t.Errorf("afterwards: %v", page)
			}
		},
		"revoked elsewhere": func(h *house, _, there *browser.Browser) {
			h.send(there, h.open(there, "/account/settings/sessions/revoke?others=yes").Form())
		},
		"somebody else signs in": func(h *house, here, _ *browser.Browser) {
			h.send(here, h.open(here, "/login/?reason=select_account").Form().Set("username", "bob@example.org").Set("password", password))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			here, there := h.browser(), h.browser()
			token := h.signIn(here, "alice@example.org")
			h.signIn(there, "alice@example.org")
			end(h, here, there)
			h.wantTold(token)
		})
	}
	all := map[string]func(h *house) error{
		"disabled":             func(h *house) error { return h.door.DisableUser(h.t.Context(), "ali") },
		"deleted":              func(h *house) error { return h.door.DeleteUser(h.t.Context(), "ali") },
		"given a new password": func(h *house) error { return h.door.SetPassword(h.t.Context(), "ali", "another horse battery") },
		"signed out by an administrator": func(h *house) error {
			b := h.browser()
			h.send(b, h.open(b, "/login/").Form().Set("username", "bob@example.org").Set("password", password))
			if page := h.send(b, h.open(b, "/admin/users/ali/sign-out/").Form()); !page.Contains("signed out everywhere") {
				h.t.Errorf("%v", page)
			}
			return nil
		},
		"disabled by an administrator": func(h *house) error {
			b := h.browser()
			h.send(b, h.open(b, "/login/").Form().Set("username", "bob@example.org").Set("password", password))
			h.send(b, h.open(b, "/admin/users/ali/disable/").Form())
			return nil
		},
	}
	for name, end := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			one, two := h.signIn(h.browser(), "alice@example.org"), h.signIn(h.browser(), "alice@example.org")
			h.signIn(h.browser(), "bob@example.org")
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			h.wantTold(one, two)
			if got := h.site.heard(); got[0].Subject != "ali" {
				t.Errorf("sub %q", got[0].Subject)
			}
		})
	}
}

// Somebody who proves again who they are, or changes their password, is in the
// same session; only AuthTime moves.
func TestB4_SIDSurvivesReauthentication(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.browser()
	first := h.signIn(b, "alice@example.org")
	h.clock.Move(2 * time.Second)
	silent := h.signIn(b, "", "prompt", "none")
	again := h.signIn(b, "alice@example.org", "prompt", "login")
	if claim(t, first, "sid") == "" || claim(t, silent, "sid") != claim(t, first, "sid") || claim(t, again, "sid") != claim(t, first, "sid") {
		t.Errorf("sid: %q, then %q, then %q; want the same", claim(t, first, "sid"), claim(t, silent, "sid"), claim(t, again, "sid"))
	}
	if one, two, three := authTime(t, first), authTime(t, silent), authTime(t, again); two != one || three <= one {
		t.Errorf("auth_time: %d, then %d, then %d", one, two, three)
	}
	h.send(b, h.open(b, "/account/settings/password/").Form().Set("current_password", password).Set("password", "another horse battery"))
	changed := h.signIn(b, "", "prompt", "none")
	if claim(t, changed, "sid") != claim(t, first, "sid") {
		t.Error("another sid after changing the password")
	}
	h.wantTold()
	h.send(b, h.open(b, "/logout/").Form())
	h.wantTold(first)
	page := h.open(b, "/login/")
	h.send(b, page.Form().Set("username", "alice@example.org").Set("password", "another horse battery"))
	if next := h.signIn(b, ""); claim(t, next, "sid") == claim(t, first, "sid") {
		t.Error("the same sid after signing out")
	}
}

// Expiry is no end: nobody is told, and the next session is another one.
func TestSIDEndsWithTheSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.browser()
	first := h.signIn(b, "alice@example.org")
	h.clock.Move(13 * time.Hour)
	if next := h.signIn(b, "alice@example.org"); claim(t, next, "sid") == claim(t, first, "sid") {
		t.Error("the same sid after the session expired")
	}
	h.wantTold()
}

// M25: the cookie of a session that a client ended is dead.
func TestM25_LogoutAtAClientsWish(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.browser()
	token := h.signIn(b, "alice@example.org")
	at, _ := url.Parse(h.issuer)
	cookies := b.Cookies(at)
	page := h.open(b, "/oauth/logout?"+url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"x"}}.Encode())
	if page.Location == nil || page.Location.String() != "https://web.test/bye?state=x" {
		t.Fatalf("got %v at %v", page, page.Location)
	}
	for _, c := range b.Cookies(at) {
		if c.Name == "vk_sid" {
			t.Error("the browser keeps the cookie")
		}
	}
	req, _ := http.NewRequest(http.MethodGet, h.issuer+"/account/settings/profile/", nil)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "/login/") {
		t.Errorf("the old cookie: %d to %q", resp.StatusCode, to)
	}
	h.wantTold(token)
}
