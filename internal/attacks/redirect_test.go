package attacks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// Redirect URIs, open redirects, script in URIs.

func TestM01_RedirectIsComparedAtAuthorize(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	code := s.alice.code(s.web) // the control, and from now on alice has consented
	before := s.count("SELECT count(*) FROM oauth_codes")
	for _, evil := range []string{"https://evil.test/cb", "https://web.test/cb/", "https://web.test/cb?x=1", "https://web.test/cb#x", "https://web.test:443/cb",
		"https://web.test@evil.test/cb", "https://web.test/cb%00", "https://web.test/../cb", "http://web.test/cb", "//web.test/cb"} {
		s.alice.az(ask(s.web, "redirect_uri", evil)).wantPage(t, "evil.test/cb\"")
		s.alice.az(ask(s.web, "redirect_uri", evil, "prompt", "none")).wantPage(t)
		s.alice.elsewhere().az(ask(s.web, "redirect_uri", evil)).wantPage(t)
	}
	if after := s.count("SELECT count(*) FROM oauth_codes"); after != before {
		t.Errorf("%d codes were made", after-before)
	}
	s.tok(s.web, redeem(s.web, code, "redirect_uri", "https://evil.test/cb")).want(t, 400, "invalid_grant")
	s.tok(s.web, redeem(s.web, code)).want(t, 200, "")
}

func TestM03_RedirectIsComparedByCase(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, other := range []string{"https://web.test/CB", "HTTPS://web.test/cb", "https://WEB.test/cb"} {
		s.alice.az(ask(s.web, "redirect_uri", other)).wantPage(t)
	}
	s.alice.allow(ask(s.web)).sent(t, s.web)
}

func TestM05_NothingIsAPattern(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	dotted := s.register("dotted", oauth.WebApplication, "https://a.web.test/cb")
	s.alice.az(ask(dotted, "redirect_uri", "https://aXweb.test/cb")).wantPage(t)
	s.alice.allow(ask(dotted)).sent(t, dotted)

	for _, wild := range []string{"https://web.test/.*", "https://*.web.test/cb", "https://web.test/[a-z]+"} {
		_, _, err := s.desk.CreateApplication(t.Context(), s.operator, manage.ApplicationInput{Name: "x", Type: oauth.WebApplication, RedirectURIs: []string{wild}})
		if err == nil && strings.Contains(wild, "*") {
			t.Errorf("%s was registered", wild)
		}
	}
	literal := s.register("literal", oauth.WebApplication, "https://web.test/(cb)/[x]/a+.?")
	s.alice.az(ask(literal, "redirect_uri", "https://web.test/cb/x/aa")).wantPage(t)
	s.alice.allow(ask(literal)).sent(t, literal)
}

func TestM07_NoParameterCountsTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.alice.code(s.web) // consent is remembered: whatever is let through gives a code
	for name, second := range map[string]string{"redirect_uri": "https://evil.test/cb", "client_id": "web2"} {
		q := ask(s.web)
		s.alice.get("/oauth/authorize?" + q.Encode() + "&" + name + "=" + url.QueryEscape(second)).wantPage(t)
		s.alice.get("/oauth/authorize?" + name + "=" + url.QueryEscape(second) + "&" + q.Encode()).wantPage(t)
	}
	for name, second := range map[string]string{"state": "other", "scope": "records:write", "response_type": "token", "code_challenge": "x"} {
		s.alice.get("/oauth/authorize?"+ask(s.web).Encode()+"&"+name+"="+second).wantError(t, s, s.web, "invalid_request")
	}
	s.alice.az(ask(s.web, "redirect_uri", "https://web.test/cb%3Fcode%3Dinjected")).wantPage(t)
	s.alice.az(ask(s.web, "redirect_uri", "https://web.test/cb?code=injected")).wantPage(t)

	query := s.register("query", oauth.WebApplication, "https://web.test/cb?code=x&state=y&keep=1")
	got := s.alice.allow(ask(query)).callback()
	if len(got["code"]) != 1 || got.Get("code") == "x" || len(got["state"]) != 1 || got.Get("state") != "xyz" || got.Get("keep") != "1" {
		t.Errorf("the callback got %v, want one code and one state, ours", got)
	}

	code := s.alice.code(s.web)
	for _, name := range []string{"code", "client_id", "grant_type"} {
		form, headers := authenticated(s.web, redeem(s.web, code, "client_id", "web"))
		s.do("POST", "/oauth/token", form.Encode()+"&"+name+"=other", headers...).tokens(t).want(t, 400, "invalid_request")
	}
	s.tok(s.web, redeem(s.web, code)).want(t, 200, "")
}

// dangerous are redirect URIs that no door may take. The words after them name
// the attack.
var dangerous = []string{
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "javascript://web.test/%0aalert(1)",
	"data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)", "blob:https://web.test/x", "file:///etc/passwd", "about:blank",
	"view-source:https://web.test/", "https:evil", "//evil.test", "\\\\evil.test", "http://[::1", "https://web.test/cb\r\nx",
	"http://web.test/cb", "myapp:/cb", "https://user@web.test/cb", "https://" + strings.Repeat("a", 64<<10) + ".test/cb",
}

func TestM09_ScriptInURIs(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	_, pat := s.pat(s.alice, "applications:write")
	before := s.count("SELECT count(*) FROM oauth_clients")
	page := s.alice.get("/account/settings/applications/clients/new/")
	byForm := func(website, redirect string) answer {
		form := page.form()
		form.Del("form_id")
		form.Set("name", "App")
		form.Set("website", website)
		form.Set("redirect_uris", redirect)
		return s.alice.post("/account/settings/applications/clients/new/", form)
	}
	byAPI := func(website, redirect string) answer {
		return s.do("POST", "/api/v1/applications", `{"type":"web","name":"App","website":`+quote(website)+`,"redirect_uris":[`+quote(redirect)+`]}`,
			"Content-Type", "application/json", "Authorization", "Bearer "+pat)
	}
	for _, uri := range dangerous {
		for _, typ := range []oauth.ApplicationType{oauth.WebApplication, oauth.BrowserApplication, oauth.NativeApplication} {
			in := manage.ApplicationInput{Type: typ, Name: "App", RedirectURIs: []string{uri}}
			if _, _, err := s.desk.CreateApplication(t.Context(), s.operator, in); err == nil {
				t.Errorf("the operator registered %.40q for a %s application", uri, typ)
			}
		}
		for _, a := range []answer{byForm("https://web.test/", uri), byAPI("https://web.test/", uri), byForm(uri, "https://web.test/cb"), byAPI(uri, "https://web.test/cb")} {
			plainHTTP := uri == "http://web.test/cb" // a website may be http
			if a.StatusCode < 400 && !plainHTTP {
				t.Errorf("%.40q was taken: %v", uri, a)
			}
			if strings.Contains(a.body, `href="`+uri) || strings.Contains(a.body, "<script>alert") {
				t.Errorf("%.40q is a link on the page that refuses it", uri)
			}
		}
		s.alice.az(ask(s.web, "redirect_uri", uri)).wantPage(t, `href="`+uri, "<script>alert")
	}
	if got := s.count("SELECT count(*) FROM oauth_clients WHERE redirect_uris LIKE '%script%' OR website LIKE '%script%'"); got != 0 {
		t.Errorf("%d clients with script were registered, beside %d", got, before)
	}
	policy := s.alice.az(ask(s.web, "response_mode", "form_post")).Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "form-action 'self' https://web.test") || !strings.Contains(policy, "script-src 'self';") {
		t.Errorf("the policy of a page whose form goes to the client: %s", policy)
	}
	if a := byForm("https://web.test/", "https://web.test/cb"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the honest form: %v", a)
	}
	if a := byAPI("https://web.test/", "https://web.test/cb"); a.StatusCode != http.StatusCreated {
		t.Errorf("the honest request: %v", a)
	}
}

// Hosts are compared whole. There is no list of hosts but the own one: the check
// against other sites compares it with Origin.
func TestM11_HostsAreComparedWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, origin := range []string{s.url + ".evil.test", "http://evil" + s.host, "http://" + s.host + ":1@evil.test", "http://evil.test/" + s.host,
		"http://" + s.host + "1", "http://evil.test#" + s.host, "null", "http://127.0.0.1"} {
		a := s.alice.do("POST", "/account/settings/profile/", "name=Owned", "Content-Type", formType, "Origin", origin)
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("Origin %s: %v, want 403", origin, a)
		}
	}
	if a := s.alice.do("POST", "/account/settings/profile/", "name=Alice+A", "Content-Type", formType, "Origin", s.url); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the own origin: %v", a)
	}
	for _, next := range []string{"//evil.test/", "https://evil.test/", "/\\evil.test/", "/\t/evil.test/", "https:evil.test", "\\\\evil.test", "/%0d%0aLocation:x", "http://" + s.host + "@evil.test/"} {
		for _, a := range []answer{
			s.alice.get("/login/?next=" + url.QueryEscape(next)),
			s.alice.elsewhere().post("/login/?next="+url.QueryEscape(next), url.Values{"username": {s.alice.email}, "password": {s.alice.password}}),
		} {
			to := a.Header.Get("Location")
			if to != "/account/settings/applications/" && to != next || strings.HasPrefix(to, "//") || strings.Contains(to, "evil") {
				t.Errorf("next=%q leads to %q", next, to)
			}
		}
	}
	if to := s.alice.get("/login/?next=%2Faccount%2Fsettings%2Factivity%2F").Header.Get("Location"); to != "/account/settings/activity/" {
		t.Errorf("an honest next leads to %q", to)
	}
}

// No token is ever in a URL. That redirects do not end in an empty fragment is
// told in docs/divergences.md.
func TestM13_NoTokenFromTheFrontChannel(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, typ := range []string{"token", "id_token", "code token", "token code", "none", "Code"} {
		s.alice.az(ask(s.web, "response_type", typ)).wantError(t, s, s.web, "unsupported_response_type")
	}
	a := s.alice.allow(ask(s.web))
	a.sent(t, s.web)
	if to := a.Header.Get("Location"); strings.Contains(to, "access_token") || strings.Contains(to, "#") {
		t.Errorf("the answer of a code flow is %s", to)
	}
}

func TestM15_WhatOthersTypedIsHarmless(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.root.signIn()
	for _, name := range []string{"Bank \u202e evil", "two\nlines", strings.Repeat("x", 10_000), "\u2066x", "nul\x00", ""} {
		if _, _, err := s.desk.CreateApplication(t.Context(), s.operator, manage.ApplicationInput{Type: oauth.WebApplication, Name: name, RedirectURIs: []string{"https://web.test/cb"}}); err == nil {
			t.Errorf("the name %.20q was taken", name)
		}
	}
	const markup = `<img src=x onerror=alert(1)>{{7*7}}`
	hostile, secret, err := s.desk.CreateApplication(t.Context(), s.actsMal, manage.ApplicationInput{
		Type: oauth.WebApplication, Name: markup, Description: markup + `"'`, Website: "https://web.test/?x=\"><b>", RedirectURIs: []string{"https://web.test/cb"}})
	if err != nil { // the website may be refused; the rest is text
		hostile, secret, err = s.desk.CreateApplication(t.Context(), s.actsMal, manage.ApplicationInput{
			Type: oauth.WebApplication, Name: markup, Description: markup + `"'`, Website: "https://web.test/", RedirectURIs: []string{"https://web.test/cb"}})
	}
	must(t, err)
	c := &client{hostile, string(secret)}

	login := s.alice.elsewhere().az(ask(c))
	seen := []answer{s.alice.elsewhere().get(login.Header.Get("Location")), s.alice.az(ask(c)), s.alice.az(ask(c, "redirect_uri", "https://evil.test/"+markup))}
	s.alice.flow(c)
	for _, path := range []string{"/account/settings/applications/", "/account/settings/activity/"} {
		seen = append(seen, s.alice.get(path))
	}
	for _, path := range []string{"/admin/applications/", "/admin/applications/" + c.ID + "/", "/admin/tokens/", "/admin/activity/", "/oauth/errors?error=" + url.QueryEscape(markup)} {
		seen = append(seen, s.root.get(path))
	}
	shown := 0
	for _, a := range seen {
		if strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, ">49") {
			t.Errorf("%s shows the markup as it came", a.Request.URL)
		}
		if strings.Contains(a.body, "&lt;img src=x") {
			shown++
		}
		for _, link := range (&browser.Page{URL: a.Request.URL, Body: []byte(a.body)}).Forms() {
			if link.Action.Host != s.host {
				t.Errorf("%s has a form to %s", a.Request.URL, link.Action)
			}
		}
	}
	if shown < 4 {
		t.Errorf("the name was shown on %d pages, want it on the consent page and the lists", shown)
	}
}
