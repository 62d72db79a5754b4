package parity_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// TestParity54_ClientRow: what the predecessor kept about a client is kept, the
// secret as a hash.
func TestParity54_ClientRow(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner := s.person()
		internal, id := true, strings.Repeat("x", 255-len(owner.id))+owner.id
		desk, operator := s.server.Desk(), manage.Actor{Operator: true}
		c, secret, err := desk.CreateApplication(t.Context(), operator, manage.ApplicationInput{
			ID: id, Name: "Name", Description: "Two\nlines", Website: elsewhere, Owner: owner.id, Internal: &internal,
			RedirectURIs: []string{callback, elsewhere}, DefaultScopes: []string{"records:read"},
		})
		s.must(err)
		got, err := s.store.Client(t.Context(), c.ID)
		s.must(err)
		if got.ID != id || got.Name != "Name" || got.Description != "Two\nlines" || got.Website != elsewhere || got.Owner != owner.id || !got.Internal ||
			got.Public() || !slices.Equal(got.RedirectURIs, []string{callback, elsewhere}) || !slices.Equal(got.DefaultScopes, []string{"records:read"}) {
			t.Errorf("got %+v", got)
		}
		secrets, err := s.store.ClientSecrets(t.Context(), c.ID)
		if err != nil || len(secrets) != 1 || secrets[0].Hash != oauth.HashSecret(secret) {
			t.Errorf("secrets: %+v, %v", secrets, err)
		}
		if _, _, err := desk.CreateApplication(t.Context(), operator, manage.ApplicationInput{ID: id, Name: "Again", Website: elsewhere, RedirectURIs: []string{callback}}); err == nil {
			t.Error("a client id was given out twice")
		}
	})
}

// TestParity55_TokenRow: what the predecessor kept about a token is kept, the
// token itself as a hash; expiry and client may be absent.
func TestParity55_TokenRow(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		v.token(app, "scope", "records:read test:scope")
		_, _, err := s.server.Desk().CreateToken(t.Context(), manage.Actor{Operator: true},
			manage.TokenInput{Name: "hidden", Subject: v.id, Scopes: []string{"secret:scope"}, Internal: true})
		s.must(err)
		tokens, err := s.store.ListTokens(t.Context(), store.TokenQuery{Subject: v.id}, store.Page{Limit: 10})
		s.must(err)
		kinds := map[oauth.TokenKind]*oauth.Token{}
		for _, token := range tokens {
			kinds[token.Kind] = token
		}
		access, refresh, personal := kinds[oauth.AccessToken], kinds[oauth.RefreshToken], kinds[oauth.PersonalToken]
		if len(tokens) != 3 || access == nil || refresh == nil || personal == nil {
			t.Fatalf("got %d tokens: %v", len(tokens), kinds)
		}
		for _, token := range []*oauth.Token{access, refresh} {
			if token.ClientID != app.ClientID || token.Subject != v.id || !slices.Equal(token.Scopes, []string{"records:read", "test:scope"}) || token.Internal {
				t.Errorf("%s: %+v", token.Kind, token)
			}
		}
		if !access.ExpiresAt.Equal(s.clock.Now().Add(time.Hour)) || refresh.ExpiresAt.IsZero() != s.compat {
			t.Errorf("expiry: access %v, refresh %v", access.ExpiresAt, refresh.ExpiresAt)
		}
		if personal.ClientID != "" || personal.Subject != v.id || !personal.Internal || !personal.ExpiresAt.IsZero() {
			t.Errorf("personal: %+v", personal)
		}
	})
}

// TestParity13e_SecretsAreHashed: none of the secrets that were handed out can
// be read out of the database, nor of any page a second time.
func TestParity13e_SecretsAreHashed(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		v := s.signIn()
		app, _ := v.register("Foobar", "")
		code := v.code(app)
		token, err := app.Exchange(app.context(), code, oauth2.VerifierOption(verifier))
		s.must(err)
		secrets := map[string]string{
			"client secret": app.ClientSecret, "code": code, "access token": token.AccessToken, "refresh token": token.RefreshToken,
			"personal token": v.personalToken("t", "test:scope"), "password": password, "session": strings.TrimPrefix(strings.Split(v.cookie(), ";")[0], "vk_sid="),
		}
		files, err := filepath.Glob(s.file + "*")
		s.must(err)
		var all []byte
		for _, file := range files {
			b, err := os.ReadFile(file)
			s.must(err)
			all = append(all, b...)
		}
		if !bytes.Contains(all, []byte(app.ClientID)) {
			t.Fatalf("the client is not in %v: this test reads the wrong files", files)
		}
		for name, secret := range secrets {
			if len(secret) < 20 || bytes.Contains(all, []byte(secret)) || bytes.Contains(all, []byte(secret[len(secret)/2:])) {
				t.Errorf("the %s %.8s… is in the database, or is too short", name, secret)
			}
		}
		for _, path := range []string{settings, settings + "clients/" + app.ClientID + "/", "/account/settings/activity/", "/account/settings/security/"} {
			page := v.open(path)
			for name, secret := range secrets {
				if page.Contains(secret) {
					t.Errorf("%s shows the %s", path, name)
				}
			}
		}
	})
}

// TestParity14_FiveCascades: a user takes along the clients they own and the
// tokens they hold; a client takes along its tokens and grants; a token takes
// nothing along.
func TestParity14_FiveCascades(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		dev, v, beside := s.person(), s.signIn(), s.signIn()
		app, kept := s.application(dev), s.application(s.person())
		gone := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", what, err)
			}
		}
		alive := func(what string, c *application) {
			t.Helper()
			if _, err := s.store.Client(t.Context(), c.ClientID); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		// A token: neither its client nor its siblings.
		one, two := v.personalToken("one", "test:scope"), v.personalToken("two", "test:scope")
		token := v.token(app)
		s.send("POST", "/oauth/revoke", form("token", token.AccessToken), "Authorization", basic(app.ClientID, app.ClientSecret)).is(t, "revoke", 200, "")
		s.lives("the revoked token", token.AccessToken, false)
		app.refresh(token.RefreshToken).is(t, "its refresh token", 200, "")
		alive("client of a revoked token", app)

		// A user: the tokens they hold, of any kind, and nobody else's.
		held, others := v.token(kept), beside.token(kept)
		s.must(s.door.DeleteUser(t.Context(), v.id))
		for what, dead := range map[string]string{"personal": one, "personal too": two, "of a client": held.AccessToken} {
			s.lives("deleted user, "+what, dead, false)
		}
		kept.refresh(held.RefreshToken).is(t, "deleted user, refresh", 400, "invalid_grant")
		s.lives("another user's", others.AccessToken, true)
		alive("a client the deleted user had allowed", kept)
		if tokens, err := s.store.ListTokens(t.Context(), store.TokenQuery{Subject: v.id}, store.Page{Limit: 10}); err != nil || len(tokens) > 0 {
			t.Errorf("rows of the deleted user: %v, %v", tokens, err)
		}

		// A user: the clients they own, with other people's tokens for these.
		theirs := beside.token(app)
		s.must(s.door.DeleteUser(t.Context(), dev.id))
		_, err := s.store.Client(t.Context(), app.ClientID)
		gone("client of a deleted user", err)
		s.lives("deleted owner, somebody's token", theirs.AccessToken, false)
		s.lives("deleted owner, another client's token", others.AccessToken, true)

		// A client: its tokens and grants.
		c, err := s.store.Client(t.Context(), kept.ClientID)
		s.must(err)
		s.must(s.server.Desk().DeleteApplication(t.Context(), manage.Actor{Subject: c.Owner}, kept.ClientID))
		s.lives("deleted client", others.AccessToken, false)
		if grants, err := s.store.LiveGrants(t.Context(), beside.id, kept.ClientID); err != nil || len(grants) > 0 {
			t.Errorf("grants of the deleted client: %v, %v", grants, err)
		}
		if page := beside.open(settings); page.Status != 200 || page.Contains("/view/") {
			t.Errorf("settings after all that: %v", page)
		}
	})
}

// TestParity56_DeletingAUserIsOneTransaction: if the last step fails, account,
// clients and tokens are all still there.
func TestParity56_DeletingAUserIsOneTransaction(t *testing.T) {
	late := errors.New("the disk is full")
	var fail bool
	s := open(t, options{onDelete: func(context.Context, string) error {
		if fail {
			return late
		}
		return nil
	}})
	v := s.signIn()
	app := s.application(v.person)
	token, personal := v.token(app), v.personalToken("t", "test:scope")
	fail = true
	if err := s.door.DeleteUser(t.Context(), v.id); !errors.Is(err, late) {
		t.Fatalf("got %v, want the late failure", err)
	}
	s.lives("of the client", token.AccessToken, true)
	s.lives("personal", personal, true)
	if page := v.open(settings); page.Status != 200 || !page.Contains(app.ClientID) {
		t.Errorf("settings: %v", page)
	}
	fail = false
	s.must(s.door.DeleteUser(t.Context(), v.id))
	s.lives("of the client, deleted", token.AccessToken, false)
}

// TestParity14_SecretKeyRotation: under a new key, with the old one still there
// and then without it, tokens, secrets, sessions and passwords go on working.
// They are hashed, so there is nothing to encrypt anew.
func TestParity14_SecretKeyRotation(t *testing.T) {
	const fresh = "k2:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	for i, name := range []string{"default", "compat"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := open(t, options{compat: i == 1})
			v := first.signIn()
			app := first.application(v.person)
			token, personal := v.token(app), v.personalToken("t", "test:scope")
			carried := proofOf(v) // by a page that stays open all the while
			for _, now := range []struct {
				what   string
				ring   oauth.Secret
				status int // with the old proof
			}{{"the same key", ring, 403}, {"both keys", fresh + "\n" + ring, 403}, {"the new key alone", fresh, 400}} {
				what := now.what
				s := open(t, options{compat: i == 1, file: first.file, ring: now.ring})
				s.lives(what+", access token", token.AccessToken, true)
				s.lives(what+", personal token", personal, true)
				r := s.send("POST", "/oauth/token", form("grant_type", "authorization_code", "code", "x"), "Authorization", basic(app.ClientID, app.ClientSecret))
				r.is(t, what+", client secret", 400, "invalid_grant")
				if got := s.send("GET", "/things", nil, "Cookie", v.cookie()).text("Subject"); got != v.id {
					t.Errorf("%s: the session is of %q, want %q", what, got, v.id)
				}
				s.signedIn(v.person)
				if r := s.send("POST", "/things", form(), "Cookie", v.cookie(), "X-CSRF-Token", proofOf(&visitor{v.Browser, s, v.person})); r.StatusCode != 200 {
					t.Errorf("%s: a new proof: %d %s", what, r.StatusCode, r.body)
				}
				// Another port is another issuer, so the old proof is never good here; 400
				// says that its key is gone, 403 that it was read.
				if r := s.send("POST", "/things", form(), "Cookie", v.cookie(), "X-CSRF-Token", carried); r.StatusCode != now.status {
					t.Errorf("%s: the proof of an open page: got %d, want %d", what, r.StatusCode, now.status)
				}
			}
		})
	}
}

// TestParity62_Migrations: each room has its own line, and going there twice is
// going there once.
func TestParity62_Migrations(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "m.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	st := sqlstore.New(db, sqlstore.SQLite)
	people := sqlaccounts.New(st)
	type line struct {
		migrate func(context.Context) error
		pending func(context.Context) ([]string, error)
	}
	for name, l := range map[string]line{"oauth": {st.Migrate, st.Pending}, "accounts": {people.Migrate, people.Pending}} {
		if names, err := l.pending(t.Context()); err != nil || len(names) == 0 {
			t.Errorf("%s: pending %v, %v; want its first migration", name, names, err)
		}
		for range 2 {
			if err := l.migrate(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if names, err := l.pending(t.Context()); err != nil || len(names) > 0 {
			t.Errorf("%s: pending %v, %v; want none", name, names, err)
		}
	}
}

// TestParity63_TemplatesAreOverlaid: a site replaces one page and keeps the others.
func TestParity63_TemplatesAreOverlaid(t *testing.T) {
	own := fstest.MapFS{"consent.html": {Data: []byte(`{{define "content"}}<p>Our own words for {{.Page.Client.Name}}</p>
<form method="post" action="{{path "/oauth/consent"}}">{{jwt $}}<input type="hidden" name="request" value="{{.Page.Request}}">
<button type="submit" name="confirm" value="yes">Go</button></form>{{end}}`)}}
	bothOwn(t, options{change: func(c *valetkey.Config) { c.Templates = own }}, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		if page := v.open(app.request()); !page.Contains("Our own words for App") {
			t.Errorf("consent: %v", page)
		}
		s.lives("by way of the replaced page", v.token(app).AccessToken, true)
		if page := v.open(settings); !page.Contains("Developer applications") {
			t.Errorf("settings: %v", page)
		}
	})
}

// TestParity57_ScopesOnThePages: internal scopes are on no page and no
// stranger's to ask for; the built-in user:email is there, and in words.
func TestParity57_ScopesOnThePages(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		page := v.open(settings + "tokens/new/")
		if page.Contains("secret:scope") || !page.Contains("records:read") || !page.Contains("Read your records") || !page.Contains("user:email") {
			t.Errorf("scopes of the form: %v", page)
		}
		f := page.FormTo("/new/").Set("name", "t").Set("scopes", "secret:scope")
		if page := v.submit(f); page.Status != 422 || shownIn(page) != "" {
			t.Errorf("an internal scope was given out: %v", page)
		}
		if _, err := oauth.NewScopes(oauth.Scope{Name: "a"}, oauth.Scope{Name: "a"}); err == nil {
			t.Error("a scope was registered twice")
		}
	})
}

// TestParity65_SignInSignOutAndSessions on the whole server: a new session at
// every sign-in, dead at sign-out, and listed with the browser it is in.
func TestParity65_SignInSignOutAndSessions(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		p := s.person()
		here, there := s.signedIn(p), s.signedIn(p)
		if page := here.open("/account/settings/security/"); strings.Count(string(page.Body), "127.0.0.0/24") < 2 {
			t.Errorf("sessions: %v", page)
		}
		before := here.cookie()
		if page := here.submit(here.open("/logout/").Form()); page.Status != 200 {
			t.Errorf("sign-out: %v", page)
		}
		if r := s.send("GET", "/things", nil, "Cookie", before); r.StatusCode != 401 {
			t.Errorf("a session that has ended: got %d, want 401", r.StatusCode)
		}
		if r := s.send("GET", "/things", nil, "Cookie", there.cookie()); r.StatusCode != 200 {
			t.Errorf("the other browser: got %d, want 200", r.StatusCode)
		}
		again := s.signedIn(p)
		if strings.Split(again.cookie(), ";")[0] == strings.Split(there.cookie(), ";")[0] {
			t.Error("two sessions have one id")
		}
	})
}
