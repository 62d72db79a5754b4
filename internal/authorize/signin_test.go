package authorize_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// wantLogin checks that the browser is handed to the host, and returns where it
// is to come back to.
func wantLogin(t *testing.T, what string, r oauthtest.Reply, reason oauth.LoginReason) string {
	t.Helper()
	if r.Header.Get("Location") != "/login" || r.Header.Get("X-Reason") != string(reason) {
		t.Errorf("%s: got %d %q %q, want sign-in because of %s", what, r.StatusCode, r.Header.Get("Location"), r.Header.Get("X-Reason"), reason)
	}
	return r.Header.Get("X-Return-To")
}

func (v view) get(path string) oauthtest.Reply { return v.Do(http.MethodGet, path, nil) }

type view struct{ *oauthtest.Browser }

func TestParity4_AnonymousSignsIn(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	r := e.Anonymous().Authorize(oauthtest.Request(web, "state", "a b+c&é", "login_hint", "alice"))
	back := wantLogin(t, "anonymous", r, oauth.LoginNeeded)
	if r.Header.Get("X-Client-Name") != web.Name || r.Header.Get("X-Hint") != "alice" {
		t.Errorf("the host is told %q and %q", r.Header.Get("X-Client-Name"), r.Header.Get("X-Hint"))
	}
	if !strings.HasPrefix(back, "/oauth/authorize?") {
		t.Fatalf("comes back to %q", back)
	}
	alice := e.SignIn("alice")
	answer := alice.Answer(view{alice}.get(back), "yes").Callback()
	if answer.Get("code") == "" || answer.Get("state") != "a b+c&é" {
		t.Errorf("after signing in: %v", answer)
	}
}

func TestPromptNone(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	silent := oauthtest.Request(web, "prompt", "none")
	wantError(t, "nobody", e.Anonymous().Authorize(silent), "https://web.test/cb", "login_required", "xyz")
	alice := e.SignIn("alice")
	wantError(t, "not allowed yet", alice.Authorize(silent), "https://web.test/cb", "consent_required", "xyz")
	alice.Code(web)
	if r := alice.Authorize(silent); r.Callback().Get("code") == "" {
		t.Errorf("allowed: got %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	e.Clock.Move(time.Minute)
	silent.Set("max_age", "30")
	wantError(t, "too long ago", alice.Authorize(silent), "https://web.test/cb", "login_required", "xyz")
	silent.Del("max_age")
	alice.Session(func(s *oauth.Session) { s.Stale = true })
	wantError(t, "stale session", alice.Authorize(silent), "https://web.test/cb", "login_required", "xyz")
}

// A sign-in that a request asked for does not cover a session that has become
// doubtful since.
func TestStaleAfterSigningInAgain(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	alice.Code(web)
	back := wantLogin(t, "prompt=login", alice.Authorize(oauthtest.Request(web, "prompt", "login")), oauth.LoginAgain)
	alice.Session(func(s *oauth.Session) { s.AuthTime, s.Stale = e.Clock.Now(), true })
	wantLogin(t, "in other surroundings", view{alice}.get(back), oauth.LoginAgain)
	alice.Session(func(s *oauth.Session) { s.Stale = false })
	if r := (view{alice}).get(back); r.Callback().Get("code") == "" {
		t.Errorf("confirmed: got %d %q", r.StatusCode, r.Header.Get("Location"))
	}
}

func TestPromptLoginAndMaxAge(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"prompt=login":         {"prompt", "login"},
		"prompt=login consent": {"prompt", "login consent"},
		"max_age=0":            {"max_age", "0"},
		"max_age=1":            {"max_age", "1"},
	} {
		e := oauthtest.New(t, oauthtest.Options{})
		web := e.Web()
		alice := e.SignIn("alice")
		alice.Code(web)
		e.Clock.Move(2 * time.Second)

		back := wantLogin(t, name, alice.Authorize(oauthtest.Request(web, change...)), oauth.LoginAgain)
		// Coming back without having signed in is not enough.
		wantLogin(t, name+", same session", view{alice}.get(back), oauth.LoginAgain)
		e.Clock.Move(time.Minute)
		alice.Session(func(s *oauth.Session) { s.AuthTime = e.Clock.Now().Truncate(time.Second) })
		if r := (view{alice}).get(back); r.RequestID() == "" && r.Callback().Get("code") == "" {
			t.Errorf("%s, after signing in: got %d %q", name, r.StatusCode, r.Header.Get("Location"))
		}
		e.Clock.Move(2 * time.Second)
		// The mark cannot be made up, nor used for another client or for ever.
		forged := strings.Replace(back, "vk_asked=", "vk_asked=1", 1)
		wantLogin(t, name+", forged", view{alice}.get(forged), oauth.LoginAgain)
		other := e.Web()
		wantLogin(t, name+", other client", view{alice}.get(strings.Replace(back, web.ID, other.ID, 1)), oauth.LoginAgain)
		e.Clock.Move(2 * time.Hour)
		wantLogin(t, name+", long after", view{alice}.get(back), oauth.LoginAgain)
	}
}

// Anybody gets a note by asking. One of before the person signed in is no password
// for who finds their browser open later.
func TestAnOldNoteIsNoSignIn(t *testing.T) {
	t.Parallel()
	second := int64(60)
	for name, change := range map[string][]string{"prompt=login": {"prompt", "login"}, "max_age": {"max_age", "60"}, "default_max_age": nil} {
		e := oauthtest.New(t, oauthtest.Options{})
		web := e.Web()
		if change == nil {
			web = e.AddClient(oauth.Client{RedirectURIs: web.RedirectURIs, Metadata: oauth.ClientMetadata{DefaultMaxAge: &second}})
		}
		back := wantLogin(t, name, e.Anonymous().Authorize(oauthtest.Request(web, change...)), oauth.LoginNeeded)
		e.Clock.Move(time.Minute)
		alice := e.SignIn("alice")
		if r := (view{alice}).get(back); r.RequestID() == "" {
			t.Errorf("%s, at once: %d %q", name, r.StatusCode, r.Header.Get("Location"))
		}
		e.Clock.Move(6 * time.Minute)
		wantLogin(t, name+", later", view{alice}.get(back), oauth.LoginAgain)
	}
}

func TestMaxAgeNotReached(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	e.Clock.Move(time.Minute)
	alice.Code(web, "max_age", "10000")
}

// Somebody who is not signed in and is asked for a fresh sign-in signs in once.
func TestPromptLoginWhenAnonymous(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	for _, prompt := range []string{"login", "select_account", "login select_account"} {
		back := wantLogin(t, prompt, e.Anonymous().Authorize(oauthtest.Request(web, "prompt", prompt)), oauth.LoginNeeded)
		e.Clock.Move(3 * time.Second)
		alice := e.SignIn("alice")
		if r := (view{alice}).get(back); r.RequestID() == "" && r.Callback().Get("code") == "" {
			t.Errorf("%s: got %d %q %q", prompt, r.StatusCode, r.Header.Get("Location"), r.Header.Get("X-Reason"))
		}
	}
}

func TestSelectAccount(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	e.Clock.Move(time.Minute)
	back := wantLogin(t, "select_account", alice.Authorize(oauthtest.Request(web, "prompt", "select_account")), oauth.LoginOther)
	if r := (view{alice}).get(back); r.RequestID() == "" { // she chose to stay alice
		t.Errorf("same account: got %d %q", r.StatusCode, r.Header.Get("Location"))
	}
	if r := (view{e.SignIn("mallory")}).get(back); r.RequestID() == "" || !strings.Contains(r.Body, "Mallory") {
		t.Errorf("other account: got %d %q", r.StatusCode, r.Header.Get("Location"))
	}
}

// The link "use another account" leads through the sign-in back to the page.
func TestUseAnotherAccount(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(web, "prompt", "login"))
	alice.Session(func(s *oauth.Session) { s.AuthTime = e.Clock.Now() })
	page = view{alice}.get(page.Header.Get("X-Return-To"))
	_, rest, ok := strings.Cut(page.Body, `href="/oauth/authorize?`)
	if !ok {
		t.Fatalf("no link on the page: %d", page.StatusCode)
	}
	query, _, _ := strings.Cut(rest, `"`)
	link := strings.ReplaceAll(query, "&amp;", "&")
	values, err := url.ParseQuery(link)
	if err != nil || values.Get("prompt") != "select_account" || values.Has("vk_asked") || values.Get("state") != "xyz" {
		t.Errorf("link %q", link)
	}
	wantLogin(t, "link", view{alice}.get("/oauth/authorize?"+link), oauth.LoginOther)
}

func TestStaleSessionSignsInAgain(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	alice.Session(func(s *oauth.Session) { s.Stale = true })
	wantLogin(t, "stale", alice.Authorize(oauthtest.Request(web)), oauth.LoginAgain)
}

func TestM75_DisabledUserGetsNoPage(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	alice := e.SignIn("alice")
	alice.Code(web)
	e.Users.Change("alice", func(u *oauth.User) { u.Disabled = true })
	wantPage(t, "disabled", alice.Authorize(oauthtest.Request(web)), http.StatusForbidden)
	wantError(t, "disabled, silently", alice.Authorize(oauthtest.Request(web, "prompt", "none")), "https://web.test/cb", "interaction_required", "xyz")
}
