package attacks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Consent, cross-site requests, sessions.

func TestM17_OnlyAPostedYesIsConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	params := ask(s.web).Encode()
	page := s.alice.az(ask(s.web))
	answered := url.Values{"request": {page.form().Get("request")}, "confirm": {"yes"}}
	before := s.count("SELECT count(*) FROM oauth_grants")
	for _, method := range []string{"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "post", "PoSt", "GET", "POST"} {
		for _, path := range []string{"/oauth/authorize?" + params, "/oauth/authorize?" + params + "&confirm=yes&request=" + answered.Get("request"), "/oauth/consent?" + answered.Encode()} {
			for _, headers := range [][]string{nil, {"X-HTTP-Method-Override", "POST"}, {"X-Method-Override", "POST"}} {
				body := ""
				headers = append(headers, "Origin", s.url, "Sec-Fetch-Site", "same-origin")
				if method != "GET" && method != "HEAD" && method != "TRACE" {
					body = "_method=POST&" + answered.Encode()
					headers = append(headers, "Content-Type", formType)
				}
				if method == "POST" && strings.HasPrefix(path, "/oauth/consent") {
					continue // that one is the honest answer
				}
				if a := s.alice.do(method, path, body, headers...); a.callback().Has("code") {
					t.Errorf("%s %.30s gave a code: %v", method, path, a)
				}
			}
		}
	}
	for _, confirm := range []string{"", "no", "YES", "1", "true", "yes "} {
		again := s.alice.az(ask(s.web))
		if a := s.alice.consent(again, confirm); a.callback().Has("code") {
			t.Errorf("confirm=%q gave a code", confirm)
		}
	}
	if after := s.count("SELECT count(*) FROM oauth_grants"); after != before {
		t.Fatalf("%d grants were made", after-before)
	}
	s.alice.consent(page, "yes").sent(t, s.web)

	// With remembered consent HEAD, too, is an authorization request. It gives nothing.
	codes := s.count("SELECT count(*) FROM oauth_codes")
	if a := s.alice.do("HEAD", "/oauth/authorize?"+params, ""); a.Header.Get("Location") != "" || s.count("SELECT count(*) FROM oauth_codes") != codes {
		t.Errorf("HEAD: %v", a)
	}
}

func TestM19_WhoCannotProveThemselvesAreAskedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, c := range []*client{s.native} {
		for _, uri := range []string{"http://127.0.0.1:49152/cb", "com.example.app:/cb"} {
			s.alice.allow(ask(c, "redirect_uri", uri))
			if a := s.alice.az(ask(c, "redirect_uri", uri)); a.StatusCode != http.StatusOK || a.form().Get("request") == "" {
				t.Errorf("%s for the second time: %v, want the consent page", uri, a)
			}
			if q := s.alice.az(ask(c, "redirect_uri", uri, "prompt", "none")).callback(); q.Get("error") != "consent_required" {
				t.Errorf("%s with prompt=none: %v", uri, q)
			}
		}
	}
	for _, c := range []*client{s.web, s.spa} {
		s.alice.allow(ask(c))
		s.alice.az(ask(c)).sent(t, c)
		if a := s.alice.az(ask(c, "scope", "records:read records:write")); a.StatusCode != http.StatusOK || a.form().Get("request") == "" {
			t.Errorf("%s with a further scope: %v, want the consent page", c.ID, a)
		}
		if a := s.alice.az(ask(c, "prompt", "consent")); a.StatusCode != http.StatusOK {
			t.Errorf("%s with prompt=consent: %v", c.ID, a)
		}
	}
	// What alice allowed is not what mallory allowed.
	s.mallory.signIn()
	if a := s.mallory.az(ask(s.web)); a.StatusCode != http.StatusOK {
		t.Errorf("mallory: %v, want the consent page", a)
	}
}

func TestM21_AnswerInAnotherBrowser(t *testing.T) {
	t.Parallel()
	absent(t, "login at another provider")
}

func TestM23_SessionFixation(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{https: true})
	const cookie = "__Host-vk_sid"
	home, err := url.Parse(s.url)
	must(t, err)
	planted := "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"
	s.alice.jar.Jar.SetCookies(home, []*http.Cookie{{Name: cookie, Value: planted, Path: "/", Secure: true}, {Name: "vk_sid", Value: planted, Path: "/"}, {Name: "session", Value: planted, Path: "/"}})
	a := s.alice.login(s.alice.password)
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in: %v", a)
	}
	for _, c := range a.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "") {
			t.Errorf("the cookie is %v", c)
		}
	}
	seen := map[string]bool{planted: true}
	// renewed checks that the session has another id, and that the one before opens
	// nothing any more.
	renewed := func(what, before string) string {
		t.Helper()
		now := s.alice.cookie(cookie)
		if now == "" || seen[now] {
			t.Errorf("%s: the session is %.8s, as before", what, now)
		}
		seen[now] = true
		old := s.alice.elsewhere()
		old.jar.Jar.SetCookies(home, []*http.Cookie{{Name: cookie, Value: before, Path: "/", Secure: true},
			{Name: "__Host-vk_dev", Value: s.alice.cookie("__Host-vk_dev"), Path: "/", Secure: true}})
		if old.signedIn() {
			t.Errorf("%s: the old session is alive", what)
		}
		return now
	}
	first := renewed("sign-in", planted)
	if !s.alice.signedIn() {
		t.Fatal("the new session is dead")
	}
	// Step up: the application asks for a fresh sign-in.
	toLogin := s.alice.az(ask(s.web, "prompt", "login")).Header.Get("Location")
	back := s.alice.post(toLogin, url.Values{"username": {s.alice.email}, "password": {s.alice.password}})
	second := renewed("step-up", first)
	if page := s.alice.get(back.Header.Get("Location")); page.StatusCode != http.StatusOK || page.form().Get("request") == "" {
		t.Errorf("after the step-up: %v, want the consent page", page)
	}
	const another = "another long passphrase"
	if a := s.alice.post("/account/settings/password/", url.Values{"current_password": {s.alice.password}, "password": {another}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("changing the password: %v", a)
	}
	s.alice.password = another
	third := renewed("password", second)
	if a := s.alice.post("/logout/", url.Values{}); a.StatusCode != http.StatusSeeOther || s.alice.cookie(cookie) != "" {
		t.Errorf("signing out: %v, the cookie is %q", a, s.alice.cookie(cookie))
	}
	s.alice.jar.Jar.SetCookies(home, []*http.Cookie{{Name: cookie, Value: third, Path: "/", Secure: true}})
	if s.alice.signedIn() {
		t.Error("the session outlives signing out")
	}
}

// bunch is everything that opens something in a person's name.
type bunch struct {
	s                    *site
	p                    *person
	cookies              string
	pat, access, refresh string
	code                 string // of web, not redeemed yet
	spa                  tokens // of a public client
	request              string // authorization request that waits for consent
}

func (p *person) collect() *bunch {
	s := p.s
	s.t.Helper()
	k := &bunch{s: s, p: p}
	p.signIn()
	_, k.pat = s.pat(p, "records:read", "tokens:read")
	got := p.flow(s.web)
	k.access, k.refresh, k.spa = got.Access, got.Refresh, p.flow(s.spa)
	k.code = p.code(s.web)
	k.request = p.az(ask(s.web, "prompt", "consent")).form().Get("request")
	k.cookies = p.cookies()
	return k
}

// open lists which of the keys still open something. Codes and refresh tokens
// are used up by the attempt.
func (k *bunch) open() (open []string) {
	s := k.s
	s.t.Helper()
	check := func(name string, alive bool) {
		if alive {
			open = append(open, name)
		}
	}
	for name, token := range map[string]string{"pat": k.pat, "access": k.access, "access of spa": k.spa.Access} {
		check(name, s.reads(token))
		check(name+" introspected", s.active(s.rs, token))
	}
	check("pat at the REST API", s.api(k.pat, "/api/v1/tokens").StatusCode == http.StatusOK)
	check("refresh introspected", s.active(s.web, k.refresh))
	check("refresh", s.tok(s.web, refresh(k.refresh)).StatusCode == http.StatusOK)
	check("refresh of spa", s.tok(s.spa, refresh(k.spa.Refresh)).StatusCode == http.StatusOK)
	check("code", s.tok(s.web, redeem(s.web, k.code)).StatusCode == http.StatusOK)
	return append(open, k.cookieOpens()...)
}

// cookieOpens lists what a copy of the browser's cookies still opens.
func (k *bunch) cookieOpens() (open []string) {
	s := k.s
	s.t.Helper()
	for _, path := range []string{"/account/settings/profile/", "/account/settings/applications/", "/account/settings/activity/", "/api/v1/tokens", "/records/read"} {
		if a := s.do("GET", path, "", "Cookie", k.cookies); a.StatusCode == http.StatusOK {
			open = append(open, "session at "+path)
		}
	}
	if a := s.do("GET", "/oauth/authorize?"+ask(s.web).Encode(), "", "Cookie", k.cookies); a.callback().Has("code") {
		open = append(open, "session at authorize")
	}
	consent := url.Values{"request": {k.request}, "confirm": {"yes"}}
	if a := s.do("POST", "/oauth/consent", consent.Encode(), "Content-Type", formType, "Origin", s.url, "Cookie", k.cookies); a.callback().Has("code") {
		open = append(open, "session at consent")
	}
	return open
}

func TestM25_WhatIsOverStaysOver(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	k := s.alice.collect()
	other := s.alice.elsewhere().signIn()
	if got := k.cookieOpens(); len(got) != 7 {
		t.Fatalf("the control opens %v only", got)
	}
	s.alice.post("/logout/", url.Values{})
	if got := k.cookieOpens(); got != nil {
		t.Errorf("after signing out: %v", got)
	}
	if !other.signedIn() {
		t.Error("signing out ended the session of another browser")
	}
	other.post("/account/settings/sessions/revoke", url.Values{"others": {"yes"}})
	if !other.signedIn() {
		t.Error("ending the other sessions ended this one")
	}

	doomed := s.mallory.collect()
	control := s.alice.elsewhere().collect()
	must(t, s.door.DeleteUser(t.Context(), s.mallory.subject))
	if got := doomed.open(); got != nil {
		t.Errorf("after the account was deleted: %v", got)
	}
	if got := control.open(); len(got) != 18 {
		t.Errorf("of somebody else, %d things are open: %v", len(got), got)
	}
	if a := s.mallory.login(s.mallory.password); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the deleted account signs in: %v", a)
	}
	if n := s.count("SELECT count(*) FROM oauth_tokens WHERE subject = $1", s.mallory.subject); n != 0 {
		t.Errorf("%d tokens of the deleted account are kept", n)
	}
}

// forged are headers that proxies use to tell what the browser asked for.
var forged = [][]string{
	{"Host", "evil.test"}, {"X-Forwarded-Host", "evil.test"}, {"X-Forwarded-Proto", "gopher"}, {"Forwarded", "host=evil.test;proto=http;for=192.0.2.1"},
	{"X-Forwarded-Prefix", "/evil.test"}, {"X-Original-URL", "/evil.test"}, {"X-Rewrite-URL", "/evil.test"}, {"X-Forwarded-Server", "evil.test"},
	{"X-Host", "evil.test"}, {"Host", "evil.test", "X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test"},
}

// Behind another program's listener, where any Host arrives, everything is still
// written from the configuration. The listener of our own program refuses such
// requests: TestM27_TheProgramRefusesOtherHosts.
func TestM27_LinksComeFromTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.alice.code(s.web)
	for i, headers := range forged {
		for _, a := range []answer{
			s.do("GET", "/.well-known/oauth-authorization-server", "", headers...),
			s.do("GET", "/account/settings/applications/", "", headers...),
			s.do("GET", "/oauth/authorize?"+ask(s.web).Encode(), "", headers...),
			s.do("GET", "/login", "", headers...),
			s.do("GET", "/login/", "", headers...),
			s.do("GET", "/account//settings/applications", "", headers...),
			s.do("GET", "/nothing", "", headers...),
			s.do("GET", "/records/read", "", headers...),
			s.alice.do("GET", "/oauth/authorize?"+ask(s.web).Encode(), "", headers...),
			s.alice.do("GET", "/account/settings/applications/", "", headers...),
			s.do("POST", "/lost-password/", url.Values{"email": {s.alice.email}}.Encode(), append([]string{"Content-Type", formType}, headers...)...),
		} {
			if strings.Contains(a.body, "evil.test") || strings.Contains(a.body, "gopher") {
				t.Errorf("%v: %s holds the forged host", headers, a.Request.URL)
			}
			for name, values := range a.Header {
				if strings.Contains(strings.Join(values, " "), "evil.test") {
					t.Errorf("%v: %s answers %s: %s", headers, a.Request.URL, name, values)
				}
			}
		}
		if m := s.do("GET", "/.well-known/oauth-authorization-server", "", headers...).tokens(t); m.Issuer != s.url {
			t.Errorf("%v: the issuer is %s", headers, m.Issuer)
		}
		mails := s.mailsTo(s.alice.email)
		if len(mails) != i+1 {
			t.Fatalf("%v: %d mails, want one more", headers, len(mails))
		}
		if text := mails[i].Text; !strings.Contains(text, s.url+"/reset-password/") || strings.Contains(text, "evil") {
			t.Errorf("%v: the mail says %s", headers, text)
		}
		s.clock.Move(2 * time.Minute)
	}
}

func TestM29_WhoDecidesIsWhoServes(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	_, reader := s.pat(s.alice, "records:read")
	spellings := []string{"/records;x/write", "//records/write", "/records/%2e%2e/records/write", "/records/./write", "/records/write%2f", "/records/write?x#y",
		"/RECORDS/write", "/records/write.", "/records/write/", "/records/read/../write", "/records/read/%2e%2e/write", "/records%2fwrite", "/records/wr%69te",
		"/records/write;x", "/records/write%00", "/records\\write", "/./records/write", "/records//write", "/x/../records/write"}
	for _, path := range spellings {
		for _, credential := range []string{"", "Authorization: Bearer " + reader + "\r\n"} {
			for range 2 { // as it is, and at the place it redirects to
				a := s.raw("GET " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\n" + credential + "Connection: close\r\n\r\n")
				if strings.Contains(a.body, theRecord) {
					t.Errorf("%s opens with %q", path, credential)
				}
				to := a.Header.Get("Location")
				if to == "" {
					break
				}
				if u, err := url.Parse(to); err != nil || u.Host != "" && u.Host != s.host {
					t.Errorf("%s leads to %s", path, to)
				}
				path = to
			}
		}
	}
	for _, path := range []string{"/api/v1//tokens", "/api/v1/../v1/tokens", "//api/v1/tokens", "/api/v1/tokens;x", "/api/v1/%74okens"} {
		if a := s.raw("GET " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\nConnection: close\r\n\r\n"); a.StatusCode == http.StatusOK {
			t.Errorf("%s without a token: %v", path, a)
		}
	}
	_, writer := s.pat(s.alice, "records:write")
	if a := s.api(writer, "/records/write"); a.StatusCode != http.StatusOK {
		t.Errorf("the control: %v", a)
	}
}
