package logout_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// wantToken checks a logout token against OpenID Connect Back-Channel Logout §2.4.
func wantToken(t *testing.T, w *world, got logoutToken, c oauthtest.Party, alg, sub, sid string) {
	t.Helper()
	now := w.Clock.Now()
	if got.Type != "logout+jwt" || got.Alg != alg {
		t.Errorf("header: typ %q, alg %q", got.Type, got.Alg)
	}
	if got.Issuer != oauthtest.Issuer || len(got.Audience) != 1 || got.Audience[0] != c.ID || got.Subject != sub || got.SID != sid || got.ID == "" {
		t.Errorf("claims: %+v; want aud %s, sub %s, sid %s", got, c.ID, sub, sid)
	}
	if got.IssuedAt == nil || !got.IssuedAt.Time().Equal(now) || got.Expiry == nil || !got.Expiry.Time().Equal(now.Add(2*time.Minute)) {
		t.Errorf("times: iat %v, exp %v at %v", got.IssuedAt, got.Expiry, now)
	}
	if event := got.Events["http://schemas.openid.net/event/backchannel-logout"]; len(got.Events) != 1 || string(event) != "{}" {
		t.Errorf("events: %v", got.Events)
	}
	if got.Nonce != nil {
		t.Error("there is a nonce")
	}
}

func TestL4_BackChannel(t *testing.T) {
	t.Parallel()
	for alg, typ := range map[string]string{"": oauth.SubjectPublic, "ES256": oauth.SubjectPairwise} {
		w := newWorld(t, nil)
		c := w.client(w.back, func(m *oauth.ClientMetadata) { m.IDTokenAlg, m.SubjectType = alg, typ })
		silent := w.client()
		alice := w.SignIn("alice")
		token := w.idToken(alice, c)
		w.idToken(alice, silent)
		w.idToken(w.SignIn("bob"), c)
		sid := claim(t, token, "sid")
		if sid == "" {
			t.Fatal("the ID token has no sid")
		}
		wantRedirect(t, "redirect", leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye), bye)
		// It was told before the browser went on.
		heard := w.site.heard()
		if len(heard) != 1 {
			t.Fatalf("the client heard %d times, want once", len(heard))
		}
		want := "RS256"
		if alg != "" {
			want = alg
		}
		wantToken(t, w, heard[0], c, want, claim(t, token, "sub"), sid)
		eventually(t, "the notice is gone", func() bool { return len(w.notices(sid)) == 0 })
		if list := w.events(oauth.EventLogoutDelivered); len(list) != 1 || list[0].ClientID != c.ID || list[0].Subject != "alice" {
			t.Errorf("events: %v", list)
		}
		leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye)
		if n := len(w.site.heard()); n != 1 {
			t.Errorf("after asking again: heard %d times", n)
		}
	}
}

// Two sessions of one person: the one that ended is told, the other goes on.
func TestL4_OtherSessionsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(w.back)
	here, there := w.SignIn("alice"), w.SignIn("alice")
	token, other := w.idToken(here, c), w.idToken(there, c)
	w.idToken(here, c) // twice in the same session is told once
	leave(here, "id_token_hint", token)
	heard := w.site.heard()
	if len(heard) != 1 || heard[0].SID != claim(t, token, "sid") || heard[0].SID == claim(t, other, "sid") {
		t.Errorf("heard %+v", heard)
	}
	w.wantSignedIn("the other session", there, c, true)
}

// Nothing is issued to a session that has ended, and nothing is forgotten: a code
// that comes later would sign somebody in whom nobody signs out.
func TestL4_NoCodeAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(w.back)
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	if err := w.Server.EndSession(t.Context(), claim(t, token, "sid")); err != nil {
		t.Fatal(err)
	}
	r := alice.Authorize(oauthtest.Request(c, "scope", "openid", "nonce", "n", "prompt", "none"))
	if code := r.Callback().Get("code"); code != "" {
		t.Errorf("got a code: %s", r.Header.Get("Location"))
	}
}

// A client that is slow does not keep the person waiting for long.
func TestL4_SlowClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	hang := make(chan struct{})
	w.site.hang = hang
	c := w.client(w.back)
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	began := time.Now()
	wantRedirect(t, "redirect", leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye), bye)
	if took := time.Since(began); took < time.Second || took > 12*time.Second { // an attempt may take fifteen
		t.Errorf("the person waited %v, want about two seconds", took)
	}
	close(hang)
	eventually(t, "it is delivered all the same", func() bool { return len(w.site.heard()) == 1 })
}

// What cannot be delivered is tried again, ever more rarely, for a day.
func TestL4_Retries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(w.back)
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	sid := claim(t, token, "sid")
	w.site.answer(http.StatusBadGateway)
	ended := w.Clock.Now()
	leave(alice, "id_token_hint", token)
	if n := w.site.called(); n != 1 {
		t.Fatalf("called %d times, want once", n)
	}
	wait := 10 * time.Second
	for calls := 2; ; calls++ {
		rows := w.notices(sid)
		if len(rows) != 1 || rows[0].Attempts != calls-1 || !rows[0].RetryAt.Equal(w.Clock.Now().Add(wait)) {
			t.Fatalf("before call %d: %+v", calls, rows)
		}
		w.Clock.Move(wait)
		stop := w.start()
		if wait = min(2*wait, 2*time.Hour); w.Clock.Now().Add(wait).Sub(ended) > 24*time.Hour {
			break
		}
		eventually(t, "the next call", func() bool {
			rows := w.notices(sid)
			return w.site.called() == calls && len(rows) == 1 && rows[0].Attempts == calls
		})
		stop()
	}
	eventually(t, "it is given up", func() bool { return len(w.notices(sid)) == 0 })
	list := w.events(oauth.EventLogoutFailed)
	if len(list) != 1 || list[0].ClientID != c.ID || list[0].Subject != "alice" || list[0].Detail != "the client answered 502" {
		t.Errorf("events: %+v", list)
	}
	if n := len(w.events(oauth.EventLogoutDelivered)); n != 0 {
		t.Errorf("%d events say that it was delivered", n)
	}
}

// A client that comes back is told then, with a fresh token.
func TestL4_DeliveredLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(w.back)
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	w.site.answer(http.StatusBadRequest)
	leave(alice, "id_token_hint", token)
	w.site.answer(0)
	w.Clock.Move(10 * time.Second)
	w.start()
	eventually(t, "it is delivered", func() bool { return len(w.site.heard()) == 1 })
	wantToken(t, w, w.site.heard()[0], c, "RS256", "alice", claim(t, token, "sid"))
	eventually(t, "and settled", func() bool { return len(w.events(oauth.EventLogoutDelivered)) == 1 })
}

// A client that cannot be reached is left alone for a moment; the notices wait.
func TestL4_UnreachableClientRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(func(m *oauth.ClientMetadata) { m.BackchannelLogoutURI = "https://169.254.169.254/latest" })
	var sids []string
	for range 2 {
		alice := w.SignIn("alice")
		token := w.idToken(alice, c)
		sids = append(sids, claim(t, token, "sid"))
		leave(alice, "id_token_hint", token)
	}
	for _, sid := range sids {
		if rows := w.notices(sid); len(rows) != 1 || rows[0].Attempts != 1 {
			t.Errorf("%+v, want a notice after one attempt", rows)
		}
	}
}

// M33: the URL is somebody else's choice, and the fetcher is held to its rules.
func TestM33_BackChannelAsksNobodyInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(c *valetkey.Config) { c.FetchAllow = nil })
	alice := w.SignIn("alice")
	for _, uri := range []string{w.site.URL + "/back", strings.Replace(w.site.URL, "localhost", "127.0.0.1", 1) + "/back", "https://[::ffff:127.0.0.1]/back", "file:///etc/passwd"} {
		token := w.idToken(alice, w.client(func(m *oauth.ClientMetadata) { m.BackchannelLogoutURI = uri }))
		if err := w.Server.EndSession(t.Context(), "wake"); err != nil || token == "" {
			t.Fatal(err)
		}
	}
	leave(alice, "id_token_hint", w.idToken(alice, w.client()))
	if n := w.site.called(); n != 0 {
		t.Errorf("%d requests arrived inside", n)
	}
}

// Clients that are gone or disabled are not told, and leave nothing behind.
func TestL4_ClientsThatAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	gone, disabled, framed := w.client(w.back), w.client(w.back), w.client(front)
	alice := w.SignIn("alice")
	token := w.idToken(alice, gone)
	w.idToken(alice, disabled)
	w.idToken(alice, framed)
	sid := claim(t, token, "sid")
	disabled.Disabled = true
	if err := w.Store.UpdateClient(t.Context(), disabled.Client); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.DeleteClient(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	page := confirm(alice, leave(alice))
	wantPage(t, "signed out", page, 200, signedOut)
	if n := w.site.called(); n != 0 || len(w.notices(sid)) != 0 {
		t.Errorf("%d calls, and %+v is left", n, w.notices(sid))
	}
	if strings.Contains(page.Body, disabled.Name) || !strings.Contains(page.Body, framed.Name) {
		t.Error("the page names the wrong applications")
	}
}

func openSQLite(t *testing.T, file string) store.Store {
	t.Helper()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := sqlstore.New(db, sqlstore.SQLite)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A process that dies between the end and the delivery loses nothing: the next
// one delivers. The first here never gets to it.
func TestL4_QueueSurvivesAKill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	var ring oauth.Secret
	first := newWorld(t, openSQLite(t, file), func(c *valetkey.Config) { ring = c.Keyring })
	c := first.client(first.back)
	token := first.idToken(first.SignIn("alice"), c)
	sid := claim(t, token, "sid")
	if err := first.Server.EndSession(t.Context(), sid, "another that nobody knows"); err != nil {
		t.Fatal(err)
	}
	if n := first.site.called(); n != 0 {
		t.Fatalf("called %d times without Start", n)
	}

	second := newNode(t, openSQLite(t, file), func(c *valetkey.Config) { c.Keyring = ring })
	second.start()
	eventually(t, "the next process delivers", func() bool { return len(first.site.heard()) == 1 })
	wantToken(t, second, first.site.heard()[0], c, "RS256", "alice", sid)
	eventually(t, "and settles", func() bool { return len(second.notices(sid)) == 0 })
}

// EndSession wakes Start; the host waits for nobody. A busy machine gets more than
// one try to be quicker than the look that Start takes anyway.
func TestL4_EndSessionIsToldAtOnce(t *testing.T) {
	t.Parallel()
	const tries, sessions = 3, 3
	w := newWorld(t, nil)
	w.start()
	c := w.client(w.back)
	var took time.Duration
	for try := range tries {
		var sids []string
		for range sessions {
			sids = append(sids, claim(t, w.idToken(w.SignIn("alice"), c), "sid"))
		}
		began := time.Now()
		if err := w.Server.EndSession(t.Context(), sids...); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are told", func() bool { return len(w.site.heard()) == sessions*(try+1) })
		if took = time.Since(began); took < 4*time.Second {
			return
		}
	}
	t.Errorf("it took %v, and no less before: nobody was woken", took)
}

// Two nodes on one store: every session is told, hardly any twice, and the audit
// trail has each once.
func TestL4_TwoNodes(t *testing.T) {
	t.Parallel()
	shared := memstore.New()
	var ring oauth.Secret
	one := newWorld(t, shared, func(c *valetkey.Config) { ring = c.Keyring })
	two := newNode(t, shared, func(c *valetkey.Config) { c.Keyring = ring })
	c := one.client(one.back)
	var sids []string
	for range 20 {
		sids = append(sids, claim(t, one.idToken(one.SignIn("alice"), c), "sid"))
	}
	if err := one.Server.EndSession(t.Context(), sids...); err != nil {
		t.Fatal(err)
	}
	one.start()
	two.start()
	eventually(t, "all are told", func() bool { return len(one.events(oauth.EventLogoutDelivered)) == len(sids) })
	told, ids := map[string]bool{}, map[string]bool{}
	for _, token := range one.site.heard() {
		told[token.SID], ids[token.ID] = true, true
	}
	if len(told) != len(sids) {
		t.Errorf("%d sessions were told, want %d", len(told), len(sids))
	}
	if len(ids) != len(one.site.heard()) {
		t.Error("two tokens have the same jti")
	}
}

// The clients of an ended session hear only of it, whatever else is in the store.
func TestL4_NothingToTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(w.back)
	alice := w.SignIn("alice")
	w.Tokens(alice, c) // plain OAuth: nobody was signed in to the client
	leave(alice, "client_id", c.ID)
	confirm(alice, leave(alice))
	if n := w.site.called(); n != 0 {
		t.Errorf("called %d times", n)
	}
	b, err := json.Marshal(w.events(oauth.EventLogoutDelivered))
	if err != nil || string(b) != "null" && string(b) != "[]" {
		t.Errorf("events: %s", b)
	}
}

// Strangers who have us fetch what comes slowly keep nobody's notice waiting.
func TestSlowDocumentsHoldNoNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(c *valetkey.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	var asked atomic.Int32
	over := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1); <-over }))
	defer slow.Close()
	_, port, _ := net.SplitHostPort(slow.Listener.Addr().String())
	uri := "http://localhost:" + port + "/object"
	mallory := w.client(func(m *oauth.ClientMetadata) { m.RequestURIs = []string{uri} })
	c, alice := w.client(w.back), w.SignIn("alice")
	token := w.idToken(alice, c)
	const places = 64 // of a fetcher
	var strangers sync.WaitGroup
	for n := range places {
		strangers.Go(func() {
			path := "/oauth/authorize?" + url.Values{"client_id": {mallory.ID}, "request_uri": {uri}, "response_type": {"code"}}.Encode()
			w.Anonymous().Do(http.MethodGet, path, nil, "X-Forwarded-For", fmt.Sprintf("192.0.%d.1", n))
		})
	}
	eventually(t, "every place is taken", func() bool { return asked.Load() == places })
	leave(alice, "id_token_hint", token)
	if n := len(w.site.heard()); n != 1 {
		t.Errorf("heard %d times, want once", n)
	}
	close(over)
	strangers.Wait()
}
