package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

func contains(t *testing.T, file, text string) bool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Contains(b, []byte(text))
}

func TestParity65_SessionsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	here, there, third := h.visitor().signIn(alice, password), h.visitor(), h.visitor()
	there.Headers.Set("User-Agent", chrome)
	there.signIn(alice, password)
	third.signIn(alice, password)

	page := here.open("/account/settings/security/")
	for _, want := range []string{"Firefox on Linux", "Chrome on Windows", "127.0.0.0/24", "this device", "Sign out everywhere else"} {
		if !page.Contains(want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if strings.Count(string(page.Body), "this device") != 1 {
		t.Errorf("not one session is marked: %v", page)
	}
	id := revokeLink(t, string(page.Body), "Chrome on Windows")
	there.mustBe(alice)
	page = here.open("/account/settings/sessions/revoke?session=" + id)
	if !page.Contains("Chrome on Windows") {
		t.Errorf("confirmation: %v", page)
	}
	there.mustBe(alice) // looking changes nothing
	page = here.send(page.Form())
	if !page.Contains("That browser is signed out.") {
		t.Errorf("after revoking one: %v", page)
	}
	there.mustBe("nobody")
	third.mustBe(alice)
	if page = here.send(here.open("/account/settings/sessions/revoke?others=yes").Form()); !page.Contains("signed out everywhere else") {
		t.Errorf("after revoking the others: %v", page)
	}
	third.mustBe("nobody")
	here.mustBe(alice)
	if got := h.events(acc.ID); len(slices.DeleteFunc(got, func(e oauth.EventType) bool { return e != oauth.EventSessionRevoked })) != 2 {
		t.Errorf("events %v, want two of %s", got, oauth.EventSessionRevoked)
	}
}

// revokeLink finds the id of the session whose row holds the text.
func revokeLink(t *testing.T, body, text string) string {
	t.Helper()
	for row := range strings.SplitSeq(body, "<tr>") {
		if strings.Contains(row, text) {
			if _, rest, ok := strings.Cut(row, "revoke?session="); ok {
				id, _, _ := strings.Cut(rest, `"`)
				return id
			}
		}
	}
	t.Fatalf("no session %q", text)
	return ""
}

// Nobody ends somebody else's session, and not long after signing in one's own.
func TestRevokingNeedsOwnershipAndAFreshSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	h.create(accounts.NewUser{Email: "mallory@example.org", Password: "mallory's password"})
	victim := h.visitor().signIn(alice, password)
	other := h.visitor()
	other.Headers.Set("User-Agent", chrome)
	other.signIn(alice, password)
	id := revokeLink(t, string(victim.open("/account/settings/security/").Body), "Chrome on Windows")
	mallory := h.visitor().signIn("mallory@example.org", "mallory's password")
	if page := mallory.open("/account/settings/sessions/revoke?session=" + id); page.Status != http.StatusNotFound {
		t.Errorf("mallory sees alice's session: %v", page)
	}
	form := mallory.open("/account/settings/sessions/revoke?others=yes").Form()
	delete(form.Values, "others")
	if page := mallory.send(form.Set("session", id)); page.Status != http.StatusNotFound {
		t.Errorf("mallory ends alice's session: %v", page)
	}
	other.mustBe(alice)

	h.now.Advance(15 * time.Minute)
	page := victim.open("/account/settings/sessions/revoke?session=" + id)
	if page.URL.Path != "/login/" || !page.Contains("confirm it’s you") {
		t.Fatalf("15 minutes later: %v", page)
	}
	other.mustBe(alice)
	page = victim.send(page.Form().Set("password", password))
	victim.send(page.Form())
	other.mustBe("nobody")
}

func TestParity65_ChangePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	here, there := h.visitor().signIn(alice, password), h.visitor().signIn(alice, password)
	change := func(current, next string) int {
		return here.send(here.open("/account/settings/password/").Form().Set("current_password", current).Set("password", next)).Status
	}
	if got := change("wrong password", "another good password"); got != http.StatusUnprocessableEntity {
		t.Errorf("with a wrong password: %d", got)
	}
	if got := change(password, "12345678"); got != http.StatusUnprocessableEntity {
		t.Errorf("to a weak password: %d", got)
	}
	there.mustBe(alice)
	if got := change(password, "another good password"); got != http.StatusOK {
		t.Errorf("with the right password: %d", got)
	}
	here.mustBe(alice)
	there.mustBe("nobody")
	if page := h.visitor().login("/login/", alice, password); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("the old password: %v", page)
	}
	there.signIn(alice, "another good password")
	if !strings.Contains(h.mail(alice).Subject, "was changed") {
		t.Errorf("the owner was not told: %+v", h.mail(alice))
	}
	if got := h.events(acc.ID); !slices.Contains(got, oauth.EventPasswordChanged) {
		t.Errorf("events %v", got)
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	// M55: other fields do not count.
	page := p.send(p.open("/account/settings/profile/").Form().Set("name", "  Alice   <b>Liddell</b> ").Set("admin", "yes").Set("email", "root@example.org").Set("id", "1"))
	if !page.Contains("Your profile is saved.") || !page.Contains("Alice &lt;b&gt;Liddell&lt;/b&gt;") {
		t.Errorf("after saving: %v", page)
	}
	if got := h.mustFind(acc.ID); got.Name != "Alice <b>Liddell</b>" || got.Admin || got.Email != alice {
		t.Errorf("account %+v", got)
	}
	if page := p.send(page.Form().Set("name", strings.Repeat("n", 101))); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("a long name: %v", page)
	}
}

func TestAdministratorsManageUsers(t *testing.T) {
	t.Parallel()
	var told []string
	h := newHouse(t, func(c *accounts.Config) {
		c.OnDelete = func(_ context.Context, subject string) error { told = append(told, subject); return nil }
	})
	acc := h.alice()
	root := h.create(accounts.NewUser{Email: "root@example.org", Password: "root's own password", Admin: true})
	user := h.visitor().signIn(alice, password)
	p := h.visitor().signIn("root@example.org", "root's own password")

	// For others there is no such page.
	for _, path := range []string{"/admin/users/", "/admin/users/new/", "/admin/users/" + root.ID + "/", "/admin/users/" + root.ID + "/delete/"} {
		if page := user.open(path); page.Status != http.StatusNotFound {
			t.Errorf("%s for alice: %v", path, page)
		}
	}
	page := p.open("/admin/users/?q=ALI")
	if !page.Contains(alice) || strings.Contains(string(page.Body), ">root@example.org</bdi></a>") {
		t.Errorf("search: %v", page)
	}
	if page := p.open("/admin/users/?q=%25"); page.Contains(alice) {
		t.Errorf("a percent sign matches everybody: %v", page)
	}
	do := func(id, action, want string) {
		t.Helper()
		page := p.open("/admin/users/" + id + "/" + action + "/")
		if page.Status != http.StatusOK {
			t.Fatalf("%s: %v", action, page)
		}
		if page = p.send(page.Form()); !page.Contains(want) {
			t.Errorf("%s: %v", action, page)
		}
	}
	do(acc.ID, "sign-out", "signed out everywhere")
	user.mustBe("nobody")
	user.signIn(alice, password)
	do(acc.ID, "disable", "The user is disabled")
	user.mustBe("nobody")
	do(acc.ID, "enable", "The user is enabled")
	user.signIn(alice, password)
	do(acc.ID, "make-admin", "administrator now")
	if page := user.open("/admin/users/"); page.Status != http.StatusOK {
		t.Errorf("alice as administrator: %v", page)
	}
	do(acc.ID, "withdraw-admin", "no administrator any more")
	do(acc.ID, "delete", "The user is deleted")
	user.mustBe("nobody")
	if !slices.Equal(told, []string{acc.ID}) {
		t.Errorf("OnDelete heard of %v", told)
	}
	for _, action := range []string{"delete", "disable", "withdraw-admin", "nonsense"} {
		if page := p.open("/admin/users/" + root.ID + "/" + action + "/"); page.Status != http.StatusNotFound {
			t.Errorf("%s of oneself: %v", action, page)
		}
	}

	page = p.send(p.open("/admin/users/new/").Form().Set("email", "bob@example.org").Set("name", "Bob"))
	if !page.Contains("A link to choose a password is on its way") {
		t.Fatalf("creating bob: %v", page)
	}
	bob := h.visitor()
	if page := bob.open(h.link("bob@example.org")); !page.Contains("Choose your password") {
		t.Errorf("invitation: %v", page)
	}
	bob.send(bob.open(h.link("bob@example.org")).Form().Set("password", "bob's own password"))
	bob.signIn("bob@example.org", "bob's own password")
	if page := p.send(p.open("/admin/users/new/").Form().Set("email", "Bob@example.org")); page.Status != http.StatusUnprocessableEntity || !page.Contains("already") {
		t.Errorf("creating bob again: %v", page)
	}
	want := []oauth.EventType{oauth.EventUserCreated, oauth.EventUserDeleted, oauth.EventUserDisabled, oauth.EventUserEnabled}
	got := h.events(acc.ID)
	for _, e := range want {
		if !slices.Contains(got, e) {
			t.Errorf("the trail lacks %s: %v", e, got)
		}
	}
}

func TestUsersArePaged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.create(accounts.NewUser{Email: "root@example.org", Password: "root's own password", Admin: true})
	for i := range 60 {
		h.create(accounts.NewUser{Email: string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "@example.org"})
	}
	p := h.visitor().signIn("root@example.org", "root's own password")
	seen := map[string]bool{}
	path := "/admin/users/"
	for pages := 1; path != ""; pages++ {
		body := string(p.open(path).Body)
		for _, part := range strings.Split(body, `/"><bdi>`)[1:] {
			email, _, _ := strings.Cut(part, "<")
			if seen[email] {
				t.Errorf("%s is listed twice", email)
			}
			seen[email] = true
		}
		_, rest, ok := strings.Cut(body, `rel="next" href="`)
		path, _, _ = strings.Cut(rest, `"`)
		if !ok {
			path = ""
		}
		if pages > 2 {
			t.Fatal("more than two pages")
		}
	}
	if len(seen) != 61 {
		t.Errorf("%d users listed, want 61", len(seen))
	}
}

// A fault of another room undoes the deletion.
func TestDeleteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("the engine's rows are stuck")
	h := newHouse(t, func(c *accounts.Config) { c.OnDelete = func(context.Context, string) error { return broken } })
	acc := h.alice()
	if err := h.door.DeleteUser(t.Context(), acc.ID); !errors.Is(err, broken) {
		t.Errorf("DeleteUser: %v", err)
	}
	h.visitor().signIn(alice, password)
}

func TestPurge(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	h.do("POST", "/login/", credentials(alice, "wrong password"), nil)
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	h.door.Wait()
	if n, err := h.door.Purge(t.Context(), h.now.Now(), 100); n != 0 || err != nil {
		t.Errorf("Purge of what is alive: %d, %v", n, err)
	}
	p.mustBe(alice)
	h.now.Advance(181 * 24 * time.Hour)
	total := 0
	for {
		n, err := h.door.Purge(t.Context(), h.now.Now(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	// A session, a device, a link, and the counters of the account, the network
	// and the two of the mail.
	if total != 7 {
		t.Errorf("purged %d rows, want 7", total)
	}
}

// The issuer's path goes before every route, link and redirect.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Issuer += "/auth/idp" })
	h.alice()
	p := h.visitor()
	page := p.login("/login/", alice, password)
	if want := "/auth/idp/account/settings/profile/"; page.URL.Path != want || page.Status != http.StatusOK {
		t.Errorf("arrived at %v, want %s", page, want)
	}
	if page.Contains(`href="/account`) || page.Contains(`action="/account`) {
		t.Errorf("a link lacks the path: %v", page)
	}
	p.send(p.open("/logout/").Form())
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	if page := p.open(h.link(alice)); page.Status != http.StatusOK {
		t.Errorf("mailed link: %v", page)
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for want, change := range map[string]func(*accounts.Config){
		"not a URL":      func(c *accounts.Config) { c.Issuer = "example.org" },
		"plain http":     func(c *accounts.Config) { c.Issuer = "http://example.org" },
		"Store":          func(c *accounts.Config) { c.Store = nil },
		"Binding":        func(c *accounts.Config) { c.Binding = "tight" },
		"keyring line 1": func(c *accounts.Config) { c.Keyring = "short:c2hvcnQ=" },
		"8 KiB a thread": func(c *accounts.Config) { c.Hash.Memory = 1 },
	} {
		cfg := h.cfg
		change(&cfg)
		_, err := accounts.New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a sentence about %s", err, want)
		}
	}
}
