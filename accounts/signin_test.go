package accounts_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

func TestParity65_LoginAndLogout(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor()

	page := p.open("/login/?next=/me")
	for _, want := range []string{`id="login"`, `name="username"`, `name="password"`, `autocomplete="username"`, `autocomplete="current-password"`, `name="remember"`} {
		if !page.Contains(want) {
			t.Errorf("login page lacks %s", want)
		}
	}
	if page = p.send(page.Form().Set("username", " Alice@Example.ORG ").Set("password", password)); page.URL.Path != "/me" || string(page.Body) != alice {
		t.Fatalf("after signing in: %v", page)
	}
	// Who is signed in goes straight on.
	if page := p.open("/login/?next=/me"); page.URL.Path != "/me" {
		t.Errorf("login page with a session: %v", page)
	}
	page = p.open("/logout")
	if !page.Contains(`id="confirm-logout"`) {
		t.Fatalf("logout page: %v", page)
	}
	p.mustBe(alice) // looking changes nothing
	if page = p.send(page.Form()); page.URL.Path != "/login/" || !page.Contains("You are signed out.") {
		t.Errorf("after signing out: %v", page)
	}
	p.mustBe("nobody")
	if got, want := h.events(acc.ID), []oauth.EventType{oauth.EventSignIn, oauth.EventSignOut, oauth.EventUserCreated}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

// An anonymous visitor of a settings page signs in first and arrives there.
func TestParity4_AnonymousGoesToLogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	resp := h.do("GET", "/account/settings/profile/", "", nil)
	if got, want := resp.Header.Get("Location"), "/login/?next=%2Faccount%2Fsettings%2Fprofile%2F"; resp.StatusCode != http.StatusFound || got != want {
		t.Errorf("got %d to %q, want 302 to %q", resp.StatusCode, got, want)
	}
	page := h.visitor().login("/account/settings/profile/", alice, password)
	if page.URL.Path != "/account/settings/profile/" || !page.Contains("Alice") {
		t.Errorf("arrived at %v", page)
	}
}

func TestLoginNamesTheApplication(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor()
	page := p.open("/app")
	if !page.Contains("to continue to") || !page.Contains("Uploader &lt;b&gt;") {
		t.Errorf("the login page does not name the application: %v", page)
	}
	// The context survives a failed attempt, and then leads on.
	page = p.send(page.Form().Set("username", alice).Set("password", "wrong password"))
	if page.Status != http.StatusUnprocessableEntity || !page.Contains("Uploader &lt;b&gt;") || !page.Contains(`value="alice@example.org"`) || page.Contains("wrong password") {
		t.Errorf("after a wrong password: %v", page)
	}
	page = p.send(page.Form().Set("password", password))
	if page.URL.RequestURI() != "/me?from=app" {
		t.Errorf("arrived at %v", page)
	}
	// Nobody else can put words there.
	if page := h.visitor().open("/login/?to=Evil+Corp"); page.Contains("Evil") || page.Contains("to continue to") {
		t.Errorf("a made-up link names an application: %v", page)
	}
}

func TestReauthentication(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	old := p.cookie("vk_sid")
	page := p.open("/app?reason=reauthenticate")
	if !page.Contains("confirm it’s you") || page.Form().Values.Get("username") != alice {
		t.Errorf("re-authentication page: %v", page)
	}
	p.send(page.Form().Set("password", password))
	p.mustBe(alice)
	if p.cookie("vk_sid") == old {
		t.Error("the session kept its cookie over a re-authentication")
	}
	if page := p.open("/app?reason=select_account"); !page.Contains("as somebody else") {
		t.Errorf("account choice: %v", page)
	}
}

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	long := "/oauth/authorize?state=" + strings.Repeat("s", 4096)
	for in, want := range map[string]string{
		long: long, long + long: "",
		"/me": "/me", "/a?b=//c": "/a?b=//c", "/": "/",
		"": "", "me": "", "//evil.test": "", "///evil.test": "", `/\evil.test`: "", "/\t/evil.test": "", "/\n/evil.test": "", "https://evil.test/": "",
		"javascript:alert(1)": "", `/a\..\b`: "", " /me": "", "/%zz": "",
	} {
		if got := accounts.LocalPath(in); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", in, got, want)
		}
	}
	h := newHouse(t)
	h.alice()
	waiting := "/me?state=" + strings.Repeat("%26", 4096/3)
	if page := h.visitor().login("/login/?next="+url.QueryEscape(waiting), alice, password); page.URL.RequestURI() != waiting {
		t.Errorf("arrived at %v, want where a long request waits", page)
	}
	page := h.visitor().login("/login/?next=//evil.test/", alice, password)
	if page.URL.Path != "/account/settings/profile/" {
		t.Errorf("arrived at %v, want the home page", page)
	}
}

func TestRememberMeOutlivesTheBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for remember, life := range map[string]time.Duration{"": 12 * time.Hour, "&remember=yes": 30 * 24 * time.Hour} {
		resp := h.do("POST", "/login/", credentials(alice, password)+remember, nil)
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("login: %s", resp.Status)
		}
		cookies := ""
		for _, c := range resp.Cookies() {
			cookies += c.Name + "=" + c.Value + "; "
			if c.Name == "vk_sid" && (c.MaxAge > 0) != (remember != "") {
				t.Errorf("remember %q: Max-Age of the session cookie is %d", remember, c.MaxAge)
			}
			if c.Name == "vk_sid" && (!c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "") {
				t.Errorf("session cookie %v", c)
			}
		}
		who := func() string {
			b, _ := io.ReadAll(h.do("GET", "/me", "", map[string]string{"Cookie": cookies, "User-Agent": "Go-http-client/1.1"}).Body)
			return string(b)
		}
		for spent := time.Duration(0); spent < life; spent += 6 * time.Hour {
			if got := who(); got != alice {
				t.Fatalf("remember %q after %s: %q", remember, spent, got)
			}
			h.now.Advance(6 * time.Hour)
		}
		if got := who(); got != "nobody" {
			t.Errorf("remember %q after %s: %q, want nobody", remember, life, got)
		}
	}
}

func TestIdleSessionEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Idle = time.Hour })
	h.alice()
	p := h.visitor().signIn(alice, password)
	for range 3 {
		h.now.Advance(59 * time.Minute)
		p.mustBe(alice)
	}
	h.now.Advance(time.Hour)
	p.mustBe("nobody")
}

// Who asked to stay signed in comes back after a month and is.
func TestRememberedSessionMayRest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Idle = time.Hour })
	h.alice()
	p := h.visitor()
	p.send(p.open("/login/").Form().Set("username", alice).Set("password", password).Set("remember", "yes"))
	h.now.Advance(30*24*time.Hour - time.Minute)
	if _, err := h.door.Purge(t.Context(), h.now.Now(), 100); err != nil {
		t.Fatal(err)
	}
	p.mustBe(alice)
	if page := p.open("/account/settings/security/"); !strings.Contains(string(page.Body), "Firefox on Linux") {
		t.Error("the session is not listed")
	}
	h.now.Advance(time.Minute)
	p.mustBe("nobody")
}

// M23: fixation. What the browser brings is never what it leaves with.
func TestM23_SessionFixation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	mallory := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	planted := map[string]string{"Cookie": "vk_sid=" + mallory + "; vk_dev=" + mallory + "; __Host-vk_sid=" + mallory}
	resp := h.do("POST", "/login/", credentials(alice, password), planted)
	jar := map[string]string{}
	for _, c := range resp.Cookies() {
		jar[c.Name] = c.Value
	}
	if jar["vk_sid"] == "" || jar["vk_sid"] == mallory || jar["vk_dev"] == "" || jar["vk_dev"] == mallory {
		t.Fatalf("cookies after signing in with planted ones: %v", jar)
	}
	b, _ := io.ReadAll(h.do("GET", "/me", "", planted).Body)
	if string(b) != "nobody" {
		t.Errorf("the planted cookie is signed in as %q", b)
	}

	// Each step gives a new id and kills the old one, on the server too.
	p := h.visitor().signIn(alice, password)
	dead := []string{}
	step := func(name string, do func()) {
		old := p.cookie("vk_sid")
		do()
		if p.cookie("vk_sid") == old {
			t.Errorf("%s: the session cookie stayed", name)
		}
		dead = append(dead, old)
		for _, old := range dead {
			b, _ := io.ReadAll(h.do("GET", "/me", "", map[string]string{"Cookie": "vk_sid=" + old + "; vk_dev=" + p.cookie("vk_dev"), "User-Agent": firefox}).Body)
			if string(b) != "nobody" {
				t.Errorf("%s: an old session is signed in as %q", name, b)
			}
		}
	}
	step("re-authentication", func() { p.login("/app?reason=reauthenticate", alice, password) })
	step("password change", func() {
		page := p.open("/account/settings/password/")
		page = p.send(page.Form().Set("current_password", password).Set("password", "another good password"))
		if page.URL.Path != "/account/settings/security/" {
			t.Fatalf("password change: %v", page)
		}
	})
	p.mustBe(alice)
	step("logout", func() { p.send(p.open("/logout/").Form()) })
}

// M23: over https the cookie cannot be set by another host of the domain.
func TestM23_CookieIsBoundToTheHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Issuer = strings.Replace(c.Issuer, "http:", "https:", 1) })
	h.alice()
	resp := h.do("POST", "/login/", credentials(alice, password), nil)
	names := []string{}
	for _, c := range resp.Cookies() {
		names = append(names, c.Name)
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %v", c)
		}
	}
	if want := []string{"__Host-vk_sid", "__Host-vk_dev"}; !slices.Equal(names, want) {
		t.Errorf("cookies %v, want %v", names, want)
	}
	h.visitor().signIn(alice, password)
}

// M25: signing out, disabling and deleting kill the session itself.
func TestM25_DeadSessionsStayDead(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(h *house, p *person, id string) error{
		"logout":  func(h *house, p *person, _ string) error { p.send(p.open("/logout/").Form()); return nil },
		"disable": func(h *house, _ *person, id string) error { return h.door.DisableUser(t.Context(), id) },
		"disable and enable": func(h *house, _ *person, id string) error {
			if err := h.door.DisableUser(t.Context(), id); err != nil {
				return err
			}
			return h.door.EnableUser(t.Context(), id)
		},
		"delete": func(h *house, _ *person, id string) error { return h.door.DeleteUser(t.Context(), id) },
		"set password": func(h *house, _ *person, id string) error {
			return h.door.SetPassword(t.Context(), id, "an operator's choice")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			acc := h.alice()
			p := h.visitor().signIn(alice, password)
			jar := "vk_sid=" + p.cookie("vk_sid") + "; vk_dev=" + p.cookie("vk_dev")
			replay := func() string {
				b, _ := io.ReadAll(h.do("GET", "/me", "", map[string]string{"Cookie": jar, "User-Agent": firefox}).Body)
				return string(b)
			}
			if got := replay(); got != alice {
				t.Fatalf("control: replayed cookie is %q", got)
			}
			if err := kill(h, p, acc.ID); err != nil {
				t.Fatal(err)
			}
			if got := replay(); got != "nobody" {
				t.Errorf("replayed cookie is %q, want nobody", got)
			}
		})
	}
}

// M75: a disabled account is not revived by its password, and says nothing.
func TestM75_DisabledAccountCannotSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	if err := h.door.DisableUser(t.Context(), acc.ID); err != nil {
		t.Fatal(err)
	}
	if page := h.visitor().login("/login/", alice, password); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("sign-in of a disabled account: %v", page)
	}
	if _, err := h.door.VerifyPassword(t.Context(), alice, password); err == nil {
		t.Error("VerifyPassword accepts a disabled account")
	}
	if got, want := h.events(acc.ID), []oauth.EventType{oauth.EventSignInFailed, oauth.EventSignInFailed, oauth.EventUserCreated, oauth.EventUserDisabled}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if got, err := h.door.FindUser(t.Context(), alice); err != nil || !got.Disabled {
		t.Errorf("after the attempts: %+v, %v; want it disabled", got, err)
	}
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	if n := h.countMails(); n != 0 {
		t.Errorf("a disabled account was mailed %d times", n)
	}
	if err := h.door.EnableUser(t.Context(), acc.ID); err != nil {
		t.Fatal(err)
	}
	// Even a session that nobody ended is dead while its account is disabled.
	p := h.visitor().signIn(alice, password)
	if err := h.cfg.Store.SetDisabled(t.Context(), acc.ID, true); err != nil {
		t.Fatal(err)
	}
	p.mustBe("nobody")
}

// A form that comes from elsewhere is refused.
func TestLoginFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for _, headers := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.test"}, {"Origin": "null"}} {
		resp := h.do("POST", "/login/", credentials(alice, password), headers)
		if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 {
			t.Errorf("%v: %s with cookies %v, want 403 without", headers, resp.Status, resp.Cookies())
		}
	}
	// With a session, and nothing that says where the form comes from, it must
	// carry the proof.
	p := h.visitor().signIn(alice, password)
	jar := "vk_sid=" + p.cookie("vk_sid") + "; vk_dev=" + p.cookie("vk_dev")
	resp := h.do("POST", "/logout/", url.Values{"x": {"y"}}.Encode(), map[string]string{"Cookie": jar, "User-Agent": firefox})
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("logout without a proof: %s, want 403", resp.Status)
	}
	p.mustBe(alice)
	form := p.open("/logout/").Form()
	resp = h.do("POST", "/logout/", form.Values.Encode(), map[string]string{"Cookie": jar, "User-Agent": firefox})
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout with the proof: %s, want 303", resp.Status)
	}
}

func TestStrangeRequestsGetPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, c := range []struct {
		method, path, body string
		headers            map[string]string
		want               int
	}{
		{"GET", "/login/nowhere", "", nil, 404},
		{"DELETE", "/login/", "", nil, 405},
		{"POST", "/login/", "username=a&username=b&password=c", nil, 400},
		{"POST", "/login/", "username=%zz", nil, 400},
		{"POST", "/login/", "username=" + strings.Repeat("a", 70<<10), nil, 413},
		{"POST", "/login/", "{}", map[string]string{"Content-Type": "application/json"}, 415},
		{"POST", "/login/", "username=%00%ff&password=x", nil, 422},
		{"GET", "/reset-password/%00/", "", nil, 410},
		{"GET", "/setup/x/", "", nil, 410},
		{"GET", "/signup/", "", nil, 404}, // off by default
		{"GET", "/login/?next=%00&reason=%ff&hint=%00&to=%ff", "", nil, 200},
		{"HEAD", "/login/", "", nil, 200},
	} {
		resp := h.do(c.method, c.path, c.body, c.headers)
		if resp.StatusCode != c.want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %s, want %d as a page", c.method, c.path, resp.Status, c.want)
		}
	}
}
