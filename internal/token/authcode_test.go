package token_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// onEveryStore runs test on memory and on SQLite.
func onEveryStore(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, memstore.New())
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "vk.db")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s := sqlstore.New(db, sqlstore.SQLite)
		if err := s.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

func TestParity20_TokenAnswer(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	reply := e.Tokens(e.SignIn("alice"), e.Web(), "scope", "records:read test:scope")
	if reply.TokenType != "Bearer" || reply.ExpiresIn != 3600 || reply.Scope != "records:read test:scope" || reply.AccessToken == "" || reply.RefreshToken == "" {
		t.Errorf("answer: %s", reply.Body)
	}
	if reply.User != nil {
		t.Errorf("the answer has a user object although nobody asked for one: %s", reply.Body)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
		if got := reply.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if reply.Header.Get("Set-Cookie") != "" {
		t.Error("a token request sets a cookie")
	}
}

func TestParity21_UserObject(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{TokenUser: true})
	web := e.Web()
	if u := e.Tokens(e.SignIn("alice"), web).User; u["id"] != "alice" || len(u) != 1 {
		t.Errorf("without user:email: got %v, want the id alone", u)
	}
	u := e.Tokens(e.SignIn("alice"), web, "scope", "user:email").User
	if u["id"] != "alice" || u["email"] != "alice@example.org" || u["email_verified"] != true {
		t.Errorf("with user:email: got %v", u)
	}
	if u := e.Token(web, url.Values{"grant_type": {"client_credentials"}}).User; u != nil {
		t.Errorf("a client that acts for itself has a user: %v", u)
	}
}

func TestParity23_CodeExchange(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	other := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}})
	two := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb", "https://web.test/cb2"}})
	plain := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}})
	noPKCE := []string{"code_challenge", "", "code_challenge_method", ""}
	tests := map[string]struct {
		client   oauthtest.Party // redeems
		owner    oauthtest.Party // was given the code; the zero Party: client
		ask      []string        // changes the authorization request
		redeem   []string        // changes the token request
		later    time.Duration
		want     int
		wantCode string
	}{
		"confidential client":                       {client: web, want: 200},
		"public client":                             {client: spa, want: 200},
		"missing code":                              {client: web, redeem: []string{"code", ""}, want: 400, wantCode: "invalid_request"},
		"code that never was":                       {client: web, redeem: []string{"code", "nonsense"}, want: 400, wantCode: "invalid_grant"},
		"another client's code":                     {client: other, owner: web, want: 400, wantCode: "invalid_grant"},
		"other redirect_uri":                        {client: web, redeem: []string{"redirect_uri", "https://web.test/other"}, want: 400, wantCode: "invalid_grant"},
		"other registered redirect_uri":             {client: two, redeem: []string{"redirect_uri", "https://web.test/cb2"}, want: 400, wantCode: "invalid_grant"},
		"redirect_uri left out, PKCE (OAuth 2.1)":   {client: web, redeem: []string{"redirect_uri", ""}, want: 200},
		"redirect_uri left out, no PKCE (RFC 6749)": {client: plain, ask: noPKCE, redeem: []string{"redirect_uri", "", "code_verifier", ""}, want: 400, wantCode: "invalid_grant"},
		"redirect_uri in neither":                   {client: plain, ask: append(noPKCE, "redirect_uri", ""), redeem: []string{"redirect_uri", "", "code_verifier", ""}, want: 200},
		"redirect_uri in the token request only":    {client: web, ask: []string{"redirect_uri", ""}, want: 200},
		"foreign one in the token request only":     {client: web, ask: []string{"redirect_uri", ""}, redeem: []string{"redirect_uri", "https://evil.test/cb"}, want: 400, wantCode: "invalid_grant"},
		"just in time":                              {client: web, later: time.Minute - time.Microsecond, want: 200},
		"expired":                                   {client: web, later: time.Minute, want: 400, wantCode: "invalid_grant"},
		"method at the token endpoint is ignored":   {client: web, redeem: []string{"code_challenge_method", "plain"}, want: 200},
	}
	for name, tt := range tests {
		owner := tt.owner
		if owner.Client == nil {
			owner = tt.client
		}
		code := e.SignIn("alice").Code(owner, tt.ask...)
		e.Clock.Move(tt.later)
		reply := e.Token(tt.client, oauthtest.Redemption(tt.client, code, tt.redeem...))
		if reply.StatusCode != tt.want || reply.Error != tt.wantCode {
			t.Errorf("%s: got %d %q (%s), want %d %q", name, reply.StatusCode, reply.Error, reply.Description, tt.want, tt.wantCode)
		}
		if (tt.want == 200) != (reply.RefreshToken != "") {
			t.Errorf("%s: refresh token %q", name, reply.RefreshToken)
		}
	}
}

func TestRefreshTokenOnlyForClientsRegisteredForIt(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}})
	if got := e.Tokens(e.SignIn("alice"), c); got.RefreshToken != "" {
		t.Errorf("got a refresh token: %s", got.Body)
	}
}

// A wrong verifier or a wrong client must leave code and tokens alive.
func TestM41_VerifierMustMatch(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	for _, c := range []oauthtest.Party{web, spa} {
		for name, verifier := range map[string]string{
			"left out":      "",
			"42 characters": strings.Repeat("a", 42),
			"129":           strings.Repeat("a", 129),
			"wrong":         strings.Repeat("a", 43),
			"illegal":       strings.Repeat("a", 42) + "=",
			"the challenge": oauthtest.Challenge(),
		} {
			code := e.SignIn("alice").Code(c)
			reply := e.Token(c, oauthtest.Redemption(c, code, "code_verifier", verifier))
			if reply.StatusCode != 400 || reply.Error != "invalid_grant" {
				t.Errorf("%s %s: got %d %s, want 400 invalid_grant", c.Name, name, reply.StatusCode, reply.Body)
			}
			if reply := e.Token(c, oauthtest.Redemption(c, code)); reply.StatusCode != 200 {
				t.Errorf("%s %s: the honest request afterwards: %d %s", c.Name, name, reply.StatusCode, reply.Body)
			}
		}
	}
	// A verifier without a challenge is a downgrade (RFC 9700 §2.1.1).
	code := e.SignIn("alice").Code(web, "code_challenge", "", "code_challenge_method", "")
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
	if reply := e.Token(web, oauthtest.Redemption(web, code, "code_verifier", "")); reply.StatusCode != 200 {
		t.Errorf("without challenge and verifier: %d %s", reply.StatusCode, reply.Body)
	}
}

func TestM37_OneOfManyRedemptionsWins(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, s store.Store) {
		e := oauthtest.New(t, oauthtest.Options{Store: s})
		web := e.Web()
		for range 3 {
			code := e.SignIn("alice").Code(web)
			replies := together(64, func(int) oauthtest.TokenReply { return e.Token(web, oauthtest.Redemption(web, code)) })
			var won []oauthtest.TokenReply
			for _, r := range replies {
				switch {
				case r.StatusCode == 200:
					won = append(won, r)
				case r.StatusCode != 400 || r.Error != "invalid_grant":
					t.Errorf("a loser got %d %s", r.StatusCode, r.Body)
				}
			}
			if len(won) != 1 {
				t.Fatalf("%d of 64 redemptions won, want 1", len(won))
			}
			if e.Active(web, won[0].AccessToken) || e.Active(web, won[0].RefreshToken) {
				t.Error("tokens are alive although the code was replayed with everything right")
			}
		}
	})
}

// One right and 63 wrong requests at once: the right one wins and its tokens live.
func TestM37_WrongRequestsDoNotKill(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, other := e.Web(), e.SPA()
	code := e.SignIn("alice").Code(web)
	replies := together(64, func(i int) oauthtest.TokenReply {
		switch {
		case i == 40:
			return e.Token(web, oauthtest.Redemption(web, code))
		case i%2 == 0:
			return e.Token(web, oauthtest.Redemption(web, code, "code_verifier", strings.Repeat("x", 43)))
		}
		return e.Token(other, oauthtest.Redemption(web, code))
	})
	for i, r := range replies {
		if (r.StatusCode == 200) != (i == 40) {
			t.Errorf("request %d: %d %s", i, r.StatusCode, r.Body)
		}
	}
	if !e.Active(web, replies[40].AccessToken) || !e.Active(web, replies[40].RefreshToken) {
		t.Error("the tokens died of other people's wrong requests")
	}
}

// together runs n calls at once and returns what they got.
func together[T any](n int, call func(i int) T) []T {
	out := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			out[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return out
}

func TestM39_ReplayRevokesWhatTheCodeGave(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]time.Duration{"at once": 0, "after the code's life": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := oauthtest.New(t, oauthtest.Options{})
			web, spa := e.Web(), e.SPA()
			alice := e.SignIn("alice")
			earlier := e.Tokens(alice, web)
			code := alice.Code(web)
			first := e.Token(web, oauthtest.Redemption(web, code))
			refreshed := e.Token(web, oauthtest.Refresh(first.RefreshToken))
			e.Clock.Move(later)

			e.Token(spa, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
			e.Token(web, oauthtest.Redemption(web, code, "code_verifier", strings.Repeat("x", 43))).Want(t, 400, "invalid_grant")
			if !e.Active(web, first.AccessToken) {
				t.Fatal("a replay with a wrong client or verifier kills tokens")
			}
			e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
			for what, tok := range map[string]string{"access": first.AccessToken, "refresh": first.RefreshToken, "refreshed access": refreshed.AccessToken} {
				if e.Active(web, tok) {
					t.Errorf("%s token is alive after a replay", what)
				}
			}
			if !e.Active(web, earlier.AccessToken) {
				t.Error("the replay killed another grant")
			}
			wantEvent(t, e, oauth.EventCodeReplayed, 1)
		})
	}
}

func wantEvent(t *testing.T, e *oauthtest.Engine, typ oauth.EventType, want int) {
	t.Helper()
	events, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: typ}, store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != want {
		t.Errorf("%d events of type %s, want %d", len(events), typ, want)
	}
	for _, ev := range events {
		if ev.ID == "" || ev.At.IsZero() || ev.RequestID == "" || ev.Network != "127.0.0.0/24" {
			t.Errorf("event lacks something: %+v", *ev)
		}
	}
}

// Consent withdrawn before the code is redeemed is no replay.
func TestRevokedGrantLeavesNoCode(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	code := e.SignIn("alice").Code(web)
	if _, err := e.Store.RevokeGrants(context.Background(), "alice", web.ID, "", e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
	wantEvent(t, e, oauth.EventCodeReplayed, 0)
}

func TestParity13n_FailedExchangeThenReplay(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	code := e.SignIn("alice").Code(web)
	e.Token(web, oauthtest.Redemption(web, code, "redirect_uri", "https://evil.test/")).Want(t, 400, "invalid_grant")
	first := e.Token(web, oauthtest.Redemption(web, code))
	first.Want(t, http.StatusOK, "")
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
	if e.Active(web, first.AccessToken) {
		t.Error("the token of a replayed code is alive")
	}
}

// Every string that is nearly the code is refused, and the code still works.
func TestM65_OnlyTheExactCode(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	tokens := e.Tokens(e.SignIn("alice"), web)
	code := e.SignIn("alice").Code(web)
	for _, secret := range []string{code, tokens.RefreshToken} {
		for _, near := range nearly(secret) {
			form := oauthtest.Redemption(web, near)
			if secret == tokens.RefreshToken {
				form = oauthtest.Refresh(near)
			}
			if reply := e.Token(web, form); reply.StatusCode != 400 || reply.Error != "invalid_grant" && reply.Error != "invalid_request" {
				t.Fatalf("%q for %q: got %d %s", near, secret, reply.StatusCode, reply.Body)
			}
		}
	}
	for _, near := range nearly(tokens.AccessToken) {
		if e.As(web, "/oauth/introspect", url.Values{"token": {near}}).Active {
			t.Fatalf("%q is taken for %q", near, tokens.AccessToken)
		}
	}
	e.Token(web, oauthtest.Redemption(web, e.Forge(code))).Want(t, 400, "invalid_grant")
	e.Token(web, oauthtest.Refresh(e.Forge(tokens.RefreshToken))).Want(t, 400, "invalid_grant")
	if e.Active(web, e.Forge(tokens.AccessToken)) {
		t.Error("another secret under the same id is alive")
	}
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 200, "")
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 200, "")
}

// nearly returns strings that differ from s by a little.
func nearly(s string) []string {
	out := []string{s + "=", s + " ", " " + s, s + "\x00", strings.ToUpper(s), strings.ToLower(s), s + s, "x"}
	for i := range len(s) {
		if i > 0 {
			out = append(out, s[:i], s[i:])
		}
		for bit := range 8 {
			b := []byte(s)
			b[i] ^= 1 << bit
			out = append(out, string(b))
		}
	}
	return out
}
