package accounts_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/oauth"
)

func TestParity65_LostPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	elsewhere := h.visitor().signIn(alice, password)
	p := h.visitor()
	page := p.send(p.open("/lost-password/").Form().Set("email", "Alice@example.org"))
	if !page.Contains("a link is on its way") {
		t.Fatalf("after asking: %v", page)
	}
	path := h.link(alice)
	p.open(path) // looking uses nothing up
	page = p.send(p.open(path).Form().Set("password", "password"))
	if page.Status != http.StatusUnprocessableEntity {
		t.Errorf("a weak password: %v", page)
	}
	page = p.send(p.open(path).Form().Set("password", "a brand new password"))
	if page.URL.Path != "/login/" || !page.Contains("Sign in with the new one") {
		t.Fatalf("after choosing: %v", page)
	}
	elsewhere.mustBe("nobody")
	if page := h.visitor().login("/login/", alice, password); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("the old password: %v", page)
	}
	p.signIn(alice, "a brand new password")
	if page := p.open(path); page.Status != http.StatusGone {
		t.Errorf("the used link: %v", page)
	}
	if !strings.Contains(h.mail(alice).Subject, "was changed") {
		t.Errorf("the owner was not told: %+v", h.mail(alice))
	}
	if !h.mustFind(acc.ID).EmailVerified {
		t.Error("whoever opened the link has the mailbox, but the address is not confirmed")
	}
	if got := h.events(acc.ID); !slices.Contains(got, oauth.EventPasswordReset) {
		t.Errorf("events %v", got)
	}
}

func TestResetLinkDies(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	ask := func() string {
		t.Helper()
		h.now.Advance(time.Minute)
		h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
		return h.link(alice)
	}
	gone := func(what, path string) {
		t.Helper()
		if page := h.visitor().open(path); page.Status != http.StatusGone {
			t.Errorf("%s: %v", what, page)
		}
	}
	first := ask()
	second := ask()
	gone("a link replaced by a newer one", first)
	h.now.Advance(30 * time.Minute)
	gone("a link after 30 minutes", second)
	third := ask()
	p := h.visitor().signIn(alice, password)
	p.send(p.open("/account/settings/password/").Form().Set("current_password", password).Set("password", "another good password"))
	gone("a link from before a password change", third)
	fourth := ask()
	gone("a link for another purpose", strings.Replace(fourth, "/reset-password/", "/setup/", 1))
	gone("a link for another purpose", strings.Replace(fourth, "/reset-password/", "/confirm-email/", 1))
	gone("a shortened link", fourth[:len(fourth)-2]+"/")
	if page := h.visitor().open(fourth); page.Status != http.StatusOK {
		t.Errorf("control: %v", page)
	}
}

// R3: of 64 who open one link at once, one succeeds.
func TestResetLinkRaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	path := h.link(alice)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 64 {
		wg.Go(func() {
			status := h.do("POST", path, "password=a+brand+new+password", nil).StatusCode
			mu.Lock()
			statuses[status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[303] != 1 || statuses[410] != 63 {
		t.Errorf("statuses %v, want one 303 and 63 times 410", statuses)
	}
}

// M27: links come from the configuration, whatever the request says.
func TestM27_LinksIgnoreTheRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Signup = true })
	h.alice()
	evil := map[string]string{"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test;proto=http", "X-Forwarded-Prefix": "/evil", "X-Original-URL": "/evil", "X-Forwarded-Proto": "http"}
	h.do("POST", "/lost-password/", "email="+alice, evil)
	h.do("POST", "/signup/", "email=new@example.org", evil)
	for _, to := range []string{alice, "new@example.org"} {
		h.link(to) // fails on any other host
		if text := h.mail(to).Text; strings.Contains(text, "evil") {
			t.Errorf("mail to %s: %s", to, text)
		}
	}
	resp := h.do("GET", "/account/settings/profile/", "", evil)
	if got := resp.Header.Get("Location"); !strings.HasPrefix(got, "/login/?next=") {
		t.Errorf("redirect to %q", got)
	}
}

func TestOneResetMailAMinute(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for range 3 {
		if page := h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice)); !page.Contains("on its way") {
			t.Errorf("answer: %v", page)
		}
	}
	if n := h.countMails(); n != 1 {
		t.Errorf("%d mails, want one", n)
	}
	h.now.Advance(time.Minute)
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	if n := h.countMails(); n != 2 {
		t.Errorf("%d mails after a minute, want two", n)
	}
}

func TestParity65_Signup(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Signup = true })
	h.alice()
	p := h.visitor()
	page := p.send(p.open("/signup/").Form().Set("email", "new@example.org").Set("name", "New Person"))
	if !page.Contains("A mail is on its way") {
		t.Fatalf("after signing up: %v", page)
	}
	if _, err := h.door.FindUser(t.Context(), "new@example.org"); err == nil {
		t.Error("the account exists before the mail was answered")
	}
	path := h.link("new@example.org")
	page = p.send(p.open(path).Form().Set("password", "short"))
	if page.Status != http.StatusUnprocessableEntity {
		t.Errorf("a weak password: %v", page)
	}
	p.send(page.Form().Set("password", "new person's password").Set("email", "root@example.org").Set("admin", "yes"))
	p.mustBe("new@example.org")
	acc := h.mustFind("new@example.org")
	if !acc.EmailVerified || acc.Admin || acc.Name != "New Person" {
		t.Errorf("account %+v", acc)
	}
	if page := h.visitor().open(path); page.Status != http.StatusGone {
		t.Errorf("the used link: %v", page)
	}
	// Signing up with somebody's address looks the same and changes nothing.
	page = h.visitor().send(h.visitor().open("/signup/").Form().Set("email", alice))
	if !page.Contains("A mail is on its way") || !strings.Contains(h.mail(alice).Text, "you have one already") {
		t.Errorf("signing up with a taken address: %v, mail %+v", page, h.mail(alice))
	}
	h.visitor().signIn(alice, password)
}

func TestParity65_ConfirmEmail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	page := p.open("/account/settings/profile/")
	if !page.Contains("not confirmed") {
		t.Errorf("profile: %v", page)
	}
	if page = p.send(page.FormTo("/confirm-email/")); !page.Contains("A link is on its way") {
		t.Errorf("after asking: %v", page)
	}
	path := h.link(alice)
	p.open(path)
	if h.mustFind(acc.ID).EmailVerified {
		t.Error("looking at the link confirms the address")
	}
	if page = p.send(p.open(path).Form()); !page.Contains("Your e-mail address is confirmed.") || !h.mustFind(acc.ID).EmailVerified {
		t.Errorf("after confirming: %v", page)
	}
}

func TestSetupLink(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link := func() string {
		t.Helper()
		u, err := h.door.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(u, h.cfg.Issuer)
	}
	fill := func(page *browser.Page) *browser.Form {
		return page.Form().Set("email", "root@example.org").Set("name", "Root").Set("password", "the first of all passwords")
	}
	first, p := link(), h.visitor()
	form := fill(p.open(first))
	second := link()
	if page := p.send(form); page.Status != http.StatusGone {
		t.Errorf("a link replaced by a newer one: %v", page)
	}
	h.now.Advance(time.Hour)
	if page := p.open(second); page.Status != http.StatusGone {
		t.Errorf("a link after an hour: %v", page)
	}
	third := link()
	if page := p.send(p.open(third).Form().Set("email", "root@example.org")); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("without a password: %v", page)
	}
	form = fill(p.open(third))
	p.send(form)
	p.mustBe("root@example.org")
	if !h.mustFind("root@example.org").Admin {
		t.Error("the first account is no administrator")
	}
	if page := h.visitor().send(form); page.Status != http.StatusGone {
		t.Errorf("the used link: %v", page)
	}
	if u, err := h.door.SetupLink(t.Context()); u != "" || err != nil {
		t.Errorf("with an account there is a link still: %q, %v", u, err)
	}
}

func TestNoMailNoLostPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Mailer = nil })
	h.alice()
	p := h.visitor()
	if page := p.open("/login/"); page.Contains("/lost-password/") {
		t.Error("the login page offers what there is not")
	}
	if page := p.open("/lost-password/"); page.Status != http.StatusNotFound {
		t.Errorf("page: %v", page)
	}
	h.cfg.Signup = true
	if _, err := accounts.New(h.cfg); err == nil || !strings.Contains(err.Error(), "Mailer") {
		t.Errorf("sign-up without a mailer: %v", err)
	}
}

// Secrets that were mailed or set are nowhere in the database file.
func TestLinksAreKeptHashed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	h.visitor().send(h.visitor().open("/lost-password/").Form().Set("email", alice))
	link, _ := url.Parse(h.link(alice))
	secrets := []string{p.cookie("vk_sid"), p.cookie("vk_dev"), strings.Trim(strings.TrimPrefix(link.Path, "/reset-password/"), "/"), password}
	for _, file := range []string{h.file, h.file + "-wal"} {
		for _, s := range secrets {
			if contains(t, file, s) {
				t.Errorf("%s holds a secret", file)
			}
		}
	}
}
