package authorize_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestParity17_ConsentPage(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.AddClient(oauth.Client{Name: "<b>Zenodo</b> Uploader", Website: "https://uploader.example", RedirectURIs: []string{"https://web.test/cb"}})
	r := e.SignIn("alice").Authorize(oauthtest.Request(web, "scope", "records:read test:scope"))
	wantPage(t, "consent", r, http.StatusOK)
	for _, want := range []string{
		"&lt;b&gt;Zenodo&lt;/b&gt; Uploader", "Bob Builder", "Alice", "https://web.test", "Read your records", "Records",
		"prompt=select_account", `id="allow"`, `id="deny"`, `action="/oauth/consent"`,
	} {
		if !strings.Contains(r.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(r.Body, "<b>Zenodo") {
		t.Error("the name is not escaped")
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://web.test") {
		t.Errorf("the answer could not be redirected: %s", csp)
	}
}

func TestParity12_Denied(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	for _, confirm := range []string{"no", "", "YES", "true"} {
		r := alice.Answer(alice.Authorize(oauthtest.Request(web)), confirm)
		wantError(t, "confirm="+confirm, r, "https://web.test/cb", "access_denied", "xyz")
	}
	if n := count(t, e, "alice", web.ID); n != 0 {
		t.Errorf("%d grants after four refusals", n)
	}
	if n := events(t, e, oauth.EventConsentDenied); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

// Nothing in the answer can change where it goes or what is allowed.
func TestParity13b_FormCannotChangeTheRequest(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(web))
	r := alice.Do(http.MethodPost, "/oauth/consent", url.Values{
		"request": {page.RequestID()}, "confirm": {"yes"}, "redirect_uri": {"https://evil.test"}, "scope": {"records:write"},
		"client_id": {"other"}, "state": {"evil"}, "response_type": {"token"}, "code_challenge": {""},
	})
	if !strings.HasPrefix(r.Header.Get("Location"), "https://web.test/cb?code=") || r.Callback().Get("state") != "xyz" {
		t.Fatalf("got %q", r.Header.Get("Location"))
	}
	reply := e.Token(web, oauthtest.Redemption(web, r.Callback().Get("code")))
	if reply.Scope != "records:read" {
		t.Errorf("scope %q, want what the page showed", reply.Scope)
	}
}

func TestConsentOfAnotherSession(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(web))
	for name, b := range map[string]*oauthtest.Browser{"mallory": e.SignIn("mallory"), "alice elsewhere": e.SignIn("alice"), "nobody": e.Anonymous()} {
		wantPage(t, name, b.Answer(page, "yes"), http.StatusForbidden)
	}
	wantPage(t, "made up", alice.Do(http.MethodPost, "/oauth/consent", url.Values{"request": {"made up"}, "confirm": {"yes"}}), http.StatusBadRequest)
	wantPage(t, "nothing", alice.Do(http.MethodPost, "/oauth/consent", url.Values{}), http.StatusBadRequest)
	wantPage(t, "twice", alice.Do(http.MethodPost, "/oauth/consent", url.Values{"request": {"a", "b"}}), http.StatusBadRequest)
	if n := count(t, e, "", web.ID) + count(t, e, "alice", web.ID) + count(t, e, "mallory", web.ID); n != 0 {
		t.Errorf("%d grants", n)
	}
	if r := alice.Answer(page, "yes"); r.Callback().Get("code") == "" {
		t.Error("the right session cannot answer any more")
	}
}

func TestConsentThatNoLongerStands(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, tt := range map[string]struct {
		happen func(e *oauthtest.Engine, b *oauthtest.Browser, c oauthtest.Party)
		want   int
	}{
		"too late": {func(e *oauthtest.Engine, _ *oauthtest.Browser, _ oauthtest.Party) { e.Clock.Move(10 * time.Minute) }, 400},
		"session stale": {func(_ *oauthtest.Engine, b *oauthtest.Browser, _ oauthtest.Party) {
			b.Session(func(s *oauth.Session) { s.Stale = true })
		}, 403},
		"client deleted": {func(e *oauthtest.Engine, _ *oauthtest.Browser, c oauthtest.Party) { e.Store.DeleteClient(ctx, c.ID) }, 400},
		"client disabled": {func(e *oauthtest.Engine, _ *oauthtest.Browser, c oauthtest.Party) {
			c.Disabled = true
			e.Store.UpdateClient(ctx, c.Client)
		}, 409},
		"redirect URI gone": {func(e *oauthtest.Engine, _ *oauthtest.Browser, c oauthtest.Party) {
			c.RedirectURIs = []string{"https://web.test/new"}
			e.Store.UpdateClient(ctx, c.Client)
		}, 409},
		"scope gone": {func(e *oauthtest.Engine, _ *oauthtest.Browser, c oauthtest.Party) {
			c.Scopes = []string{"records:write"}
			e.Store.UpdateClient(ctx, c.Client)
		}, 409},
		"grant type gone": {func(e *oauthtest.Engine, _ *oauthtest.Browser, c oauthtest.Party) {
			c.GrantTypes = []string{oauth.GrantClientCredentials}
			e.Store.UpdateClient(ctx, c.Client)
		}, 409},
		"user disabled": {func(e *oauthtest.Engine, _ *oauthtest.Browser, _ oauthtest.Party) {
			e.Users.Change("alice", func(u *oauth.User) { u.Disabled = true })
		}, 403},
	} {
		e := oauthtest.New(t, oauthtest.Options{})
		web := e.Web()
		alice := e.SignIn("alice")
		page := alice.Authorize(oauthtest.Request(web))
		tt.happen(e, alice, web)
		wantPage(t, name, alice.Answer(page, "yes"), tt.want)
		if n := count(t, e, "alice", web.ID); n != 0 {
			t.Errorf("%s: %d grants", name, n)
		}
	}
}

func TestConsentIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(web))
	codes := make([]string, 64)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			r := alice.Answer(page, "yes")
			codes[i] = r.Callback().Get("code")
			if codes[i] == "" && r.StatusCode != http.StatusConflict {
				t.Errorf("got %d, want 409", r.StatusCode)
			}
		})
	}
	wg.Wait()
	if all := strings.Join(codes, ""); strings.Count(all, "vk_ac_") != 1 {
		t.Errorf("64 answers gave %d codes, want 1", strings.Count(all, "vk_ac_"))
	}
	if n := count(t, e, "alice", web.ID); n != 1 {
		t.Errorf("%d grants, want 1", n)
	}
	wantPage(t, "deny after allow", alice.Answer(page, "no"), http.StatusConflict)
	if n := events(t, e, oauth.EventConsentGiven); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// Two tabs have two requests; neither disturbs the other.
func TestM35_TwoTabs(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, web2 := e.Web(), e.AddClient(oauth.Client{RedirectURIs: []string{"https://web2.test/cb"}})
	alice := e.SignIn("alice")
	one, two := alice.Authorize(oauthtest.Request(web)), alice.Authorize(oauthtest.Request(web2, "state", "two"))
	if r := alice.Answer(two, "yes"); !strings.HasPrefix(r.Header.Get("Location"), "https://web2.test/cb?code=") || r.Callback().Get("state") != "two" {
		t.Errorf("second tab: %q", r.Header.Get("Location"))
	}
	if r := alice.Answer(one, "yes"); !strings.HasPrefix(r.Header.Get("Location"), "https://web.test/cb?code=") {
		t.Errorf("first tab: %q", r.Header.Get("Location"))
	}
}

func TestConsentIsRemembered(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	local := e.AddClient(oauth.Client{RedirectURIs: []string{"http://localhost:5100/authorized"}})
	first := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, FirstParty: true})
	native := e.AddClient(oauth.Client{RedirectURIs: []string{"http://127.0.0.1:7000/cb"}, AuthMethod: oauth.AuthNone, FirstParty: true})
	alice := e.SignIn("alice")
	asked := func(c oauthtest.Party, more ...string) bool {
		t.Helper()
		r := alice.Authorize(oauthtest.Request(c, more...))
		if r.RequestID() == "" && r.Callback().Get("code") == "" {
			t.Fatalf("neither a page nor a code: %d %s", r.StatusCode, r.Header.Get("Location"))
		}
		return r.RequestID() != ""
	}
	for _, c := range []oauthtest.Party{web, spa, local} {
		if !asked(c) {
			t.Errorf("%s: nobody was asked the first time", c.Name)
		}
		alice.Code(c, "scope", "records:read test:scope")
		for what, tt := range map[string]struct {
			more []string
			want bool
		}{
			"the same again":   {[]string{"scope", "test:scope records:read"}, false},
			"less":             {[]string{"scope", "test:scope"}, false},
			"nothing":          {[]string{"scope", ""}, false},
			"more":             {[]string{"scope", "records:read records:write"}, true},
			"prompt=consent":   {[]string{"prompt", "consent"}, true},
			"prompt=none":      {[]string{"prompt", "none"}, false},
			"another response": {[]string{"state", "other"}, false},
		} {
			if got := asked(c, tt.more...); got != tt.want {
				t.Errorf("%s, %s: asked %v, want %v", c.Name, what, got, tt.want)
			}
		}
	}
	if asked(first) || !asked(first, "prompt", "consent") {
		t.Error("a first-party client is asked for when prompt=consent says so, and only then")
	}
	for range 2 {
		if asked(native) {
			continue
		}
		t.Error("a first-party client whose place any program can take is asked for (RFC 8252 §8.6)")
	}
	page := alice.Authorize(oauthtest.Request(web, "scope", "records:read records:write"))
	if !strings.Contains(page.Body, "You already allowed") || !strings.Contains(page.Body, "Change your records") {
		t.Error("the page does not tell new from old")
	}
	if _, err := e.Store.RevokeGrants(context.Background(), "alice", web.ID, "", e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if !asked(web) {
		t.Error("a revoked consent is remembered")
	}
	if r := e.SignIn("mallory").Authorize(oauthtest.Request(spa)); r.RequestID() == "" {
		t.Error("alice's consent counts for mallory")
	}
}

func TestM19_NativeClientsAreAlwaysAsked(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	native := e.Native()
	alice := e.SignIn("alice")
	for _, uri := range native.RedirectURIs {
		code := alice.Code(native, "redirect_uri", uri)
		e.Token(native, oauthtest.Redemption(native, code, "redirect_uri", uri)).Want(t, 200, "")
		if r := alice.Authorize(oauthtest.Request(native, "redirect_uri", uri)); r.RequestID() == "" {
			t.Errorf("%s: got %d %q, want the page again", uri, r.StatusCode, r.Header.Get("Location"))
		}
		r := alice.Authorize(oauthtest.Request(native, "redirect_uri", uri, "prompt", "none"))
		wantError(t, uri, r, uri, "consent_required", "xyz")
	}
}

func TestParity7_AlwaysConsent(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{AlwaysConsent: true})
	web := e.Web()
	alice := e.SignIn("alice")
	alice.Code(web)
	if r := alice.Authorize(oauthtest.Request(web)); r.RequestID() == "" {
		t.Errorf("got %d %q, want the page every time", r.StatusCode, r.Header.Get("Location"))
	}
}
